/* Counts the calls that change files below one folder, and kills or fails the n-th of them.
 *
 * Preload it (LD_PRELOAD). It does nothing until it is armed: by `fault_arm`, or at the start of the process by
 * FAULT_ROOT, FAULT_AT, FAULT_HOW, FAULT_ERROR, FAULT_ALWAYS and FAULT_LOG. Every process counts for itself.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum how { COUNT, KILL_BEFORE, KILL_AFTER, KILL_SHORT, FAIL, FAIL_SHORT };
enum verdict { GO, STOP, HALF };

static char root[PATH_MAX];
static size_t root_length;
static long counter, target;
static int how, failure, always, log_file = -1;

void fault_arm(const char *folder, long at, int kind, int error, int from_then_on, const char *log)
{
    counter = 0;
    target = at;
    how = kind;
    failure = error;
    always = from_then_on;
    if (log_file >= 0)
        close(log_file);
    log_file = log && *log ? (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    snprintf(root, sizeof root, "%s", folder ? folder : "");
    __atomic_store_n(&root_length, strlen(root), __ATOMIC_SEQ_CST);
}

long fault_count(void)
{
    return __atomic_load_n(&counter, __ATOMIC_SEQ_CST);
}

static const char *from_environment(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value ? value : otherwise;
}

__attribute__((constructor)) static void start(void)
{
    const char *folder = getenv("FAULT_ROOT");
    if (folder)
        fault_arm(folder, atol(from_environment("FAULT_AT", "0")), atoi(from_environment("FAULT_HOW", "0")),
                  atoi(from_environment("FAULT_ERROR", "0")), atoi(from_environment("FAULT_ALWAYS", "0")),
                  from_environment("FAULT_LOG", ""));
}

static void die(void)
{
    for (;;)
        syscall(SYS_kill, getpid(), SIGKILL);
}

static int is_below(const char *path)
{
    size_t length = __atomic_load_n(&root_length, __ATOMIC_SEQ_CST);
    return length && path && !strncmp(path, root, length) && (path[length] == '/' || !path[length]);
}

static void note(const char *call, const char *path)
{
    char line[PATH_MAX + 64];
    int length;
    if (log_file < 0)
        return;
    length = snprintf(line, sizeof line, "%s %s\n", call, path[root_length] ? path + root_length + 1 : ".");
    syscall(SYS_write, log_file, line, (size_t)length);
}

/* What becomes of a call on a path: it goes on, it fails (errno is set), or half of it is done.
 * A full disk still lets files be deleted and cut. */
static enum verdict judge(const char *call, const char *path, int can_be_short, int *kill_after)
{
    long number;
    int frees;
    *kill_after = 0;
    if (!is_below(path))
        return GO;
    frees = !strcmp(call, "unlink") || !strcmp(call, "rmdir") || strstr(call, "truncate");
    number = __atomic_add_fetch(&counter, 1, __ATOMIC_SEQ_CST);
    note(call, path);
    if (!target || number < target)
        return GO;
    if (number == target) {
        if (how == KILL_BEFORE || (how == KILL_SHORT && !can_be_short))
            die();
        if (how == KILL_AFTER || how == KILL_SHORT) {
            *kill_after = 1;
            return how == KILL_SHORT ? HALF : GO;
        }
        if (how == FAIL_SHORT && can_be_short)
            return HALF;
    }
    if (how == FAIL || how == FAIL_SHORT) {
        long last = how == FAIL_SHORT && can_be_short ? target + 1 : target;
        if ((always || number <= last) && !(frees && failure == ENOSPC)) {
            errno = failure;
            return STOP;
        }
    }
    return GO;
}

static enum verdict judge_file(const char *call, int file, int can_be_short, int *kill_after)
{
    char link[64], path[PATH_MAX];
    ssize_t length;
    *kill_after = 0;
    if (!root_length || file < 0)
        return GO;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return GO;
    path[length] = 0;
    return judge(call, path, can_be_short, kill_after);
}

#define REAL(name) ((__typeof__(&name))real(&name##_real, #name))

static void *real(void **place, const char *name)
{
    if (!*place)
        *place = dlsym(RTLD_NEXT, name);
    return *place;
}

#define WRITES(name, arguments, half_arguments, full_arguments)                       \
    static void *name##_real;                                                         \
    ssize_t name arguments                                                            \
    {                                                                                 \
        int kill_after, saved = errno;                                                \
        ssize_t done;                                                                 \
        enum verdict verdict = judge_file(#name, file, size > 1, &kill_after);        \
        if (verdict == STOP)                                                          \
            return -1;                                                                \
        errno = saved;                                                                \
        done = verdict == HALF ? REAL(name) half_arguments : REAL(name) full_arguments; \
        if (kill_after)                                                               \
            die();                                                                    \
        return done;                                                                  \
    }

WRITES(write, (int file, const void *data, size_t size), (file, data, size / 2), (file, data, size))
WRITES(pwrite, (int file, const void *data, size_t size, off_t at), (file, data, size / 2, at), (file, data, size, at))
WRITES(pwrite64, (int file, const void *data, size_t size, off64_t at), (file, data, size / 2, at),
       (file, data, size, at))
WRITES(writev, (int file, const struct iovec *data, int size), (file, data, size / 2), (file, data, size))

#define CHANGES_FILE(name, parameters, arguments)                    \
    static void *name##_real;                                        \
    int name parameters                                              \
    {                                                                \
        int kill_after, done, saved = errno;                         \
        if (judge_file(#name, file, 0, &kill_after) == STOP)         \
            return -1;                                               \
        errno = saved;                                               \
        done = REAL(name) arguments;                                 \
        if (kill_after)                                              \
            die();                                                   \
        return done;                                                 \
    }

CHANGES_FILE(fsync, (int file), (file))
CHANGES_FILE(fdatasync, (int file), (file))
CHANGES_FILE(ftruncate, (int file, off_t size), (file, size))
CHANGES_FILE(ftruncate64, (int file, off64_t size), (file, size))

#define CHANGES_PATH(name, parameters, arguments)              \
    static void *name##_real;                                  \
    int name parameters                                        \
    {                                                          \
        int kill_after, done, saved = errno;                   \
        if (judge(#name, path, 0, &kill_after) == STOP)        \
            return -1;                                         \
        errno = saved;                                         \
        done = REAL(name) arguments;                           \
        if (kill_after)                                        \
            die();                                             \
        return done;                                           \
    }

CHANGES_PATH(rename, (const char *path, const char *to), (path, to))
CHANGES_PATH(link, (const char *path, const char *to), (path, to))
CHANGES_PATH(unlink, (const char *path), (path))
CHANGES_PATH(mkdir, (const char *path, mode_t mode), (path, mode))
CHANGES_PATH(rmdir, (const char *path), (path))
CHANGES_PATH(truncate, (const char *path, off_t size), (path, size))
CHANGES_PATH(truncate64, (const char *path, off64_t size), (path, size))

/* The place of a name that is looked up from a folder's handle. */
static const char *place(int folder, const char *name, char *buffer)
{
    char link[64];
    ssize_t length;
    if (*name == '/' || folder == AT_FDCWD)
        return name;
    snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    length = readlink(link, buffer, PATH_MAX / 2);
    if (length < 0)
        return name;
    snprintf(buffer + length, PATH_MAX - (size_t)length, "/%s", name);
    return buffer;
}

#define CHANGES_PLACE(name, called, parameters, arguments)                       \
    static void *name##_real;                                                    \
    int name parameters                                                          \
    {                                                                            \
        char buffer[PATH_MAX];                                                   \
        int kill_after, done, saved = errno;                                     \
        if (judge(called, place(folder, path, buffer), 0, &kill_after) == STOP)  \
            return -1;                                                           \
        errno = saved;                                                           \
        done = REAL(name) arguments;                                             \
        if (kill_after)                                                          \
            die();                                                               \
        return done;                                                             \
    }

CHANGES_PLACE(renameat, "rename", (int folder, const char *path, int other, const char *to), (folder, path, other, to))
CHANGES_PLACE(unlinkat, flags & AT_REMOVEDIR ? "rmdir" : "unlink", (int folder, const char *path, int flags),
              (folder, path, flags))
CHANGES_PLACE(mkdirat, "mkdir", (int folder, const char *path, mode_t mode), (folder, path, mode))

/* Only an open that makes a file changes anything. */
#define OPENS_PLACE(name)                                                                    \
    static void *name##_real;                                                                \
    int name(int folder, const char *path, int flags, ...)                                   \
    {                                                                                        \
        char buffer[PATH_MAX];                                                               \
        int kill_after = 0, done, saved = errno;                                             \
        mode_t mode = 0;                                                                     \
        va_list rest;                                                                        \
        va_start(rest, flags);                                                               \
        if (flags & (O_CREAT | O_TMPFILE))                                                   \
            mode = va_arg(rest, mode_t);                                                     \
        va_end(rest);                                                                        \
        if ((flags & O_CREAT) && syscall(SYS_faccessat, folder, path, F_OK) &&               \
            judge("create", place(folder, path, buffer), 0, &kill_after) == STOP)            \
            return -1;                                                                       \
        errno = saved;                                                                       \
        done = REAL(name)(folder, path, flags, mode);                                        \
        if (kill_after)                                                                      \
            die();                                                                           \
        return done;                                                                         \
    }

OPENS_PLACE(openat)
OPENS_PLACE(openat64)

#define OPENS(name)                                                                          \
    static void *name##_real;                                                                \
    int name(const char *path, int flags, ...)                                               \
    {                                                                                        \
        int kill_after = 0, done, saved = errno;                                             \
        mode_t mode = 0;                                                                     \
        va_list rest;                                                                        \
        va_start(rest, flags);                                                               \
        if (flags & (O_CREAT | O_TMPFILE))                                                   \
            mode = va_arg(rest, mode_t);                                                     \
        va_end(rest);                                                                        \
        if ((flags & O_CREAT) && is_below(path) && syscall(SYS_faccessat, AT_FDCWD, path, F_OK) && \
            judge("create", path, 0, &kill_after) == STOP)                                   \
            return -1;                                                                       \
        errno = saved;                                                                       \
        done = REAL(name)(path, flags, mode);                                                \
        if (kill_after)                                                                      \
            die();                                                                           \
        return done;                                                                         \
    }

OPENS(open)
OPENS(open64)

static void *fopen_real, *fopen64_real;

#define OPENS_STREAM(name)                                                                   \
    FILE *name(const char *path, const char *mode)                                           \
    {                                                                                        \
        int kill_after = 0, saved = errno;                                                   \
        FILE *done;                                                                          \
        if (mode[0] != 'r' && is_below(path) && judge("create", path, 0, &kill_after) == STOP) \
            return NULL;                                                                     \
        errno = saved;                                                                       \
        done = REAL(name)(path, mode);                                                       \
        if (kill_after)                                                                      \
            die();                                                                           \
        return done;                                                                         \
    }

OPENS_STREAM(fopen)
OPENS_STREAM(fopen64)
