/* Mapped files that may shrink while they are read, included by `kernel.c`.
 *
 * To read what a file has lost, or what its disk cannot read, ends a process with SIGBUS. Looking at its size before does
 * not help: it may shrink meanwhile. Here the signal's handler puts zeros in the place of what is lost and notes that, and
 * whoever reads goes on, in C or in Python, and asks afterwards whether what it read was there. That costs nothing as long
 * as nothing is lost. A signal that is not about one of these mappings goes to whoever handled it before.
 */

#if defined(_WIN32)

/* Windows lets nobody shorten a file that is mapped. */
EXPORTED int32_t hgrkit_map(int32_t file, int64_t size) {
    (void)file, (void)size;
    return -1;
}
EXPORTED const void *hgrkit_mapped(int32_t place) {
    (void)place;
    return NULL;
}
EXPORTED int32_t hgrkit_lost(int32_t place) {
    (void)place;
    return 0;
}
EXPORTED void hgrkit_release(int32_t place, int64_t first, int64_t size) { (void)place, (void)first, (void)size; }
EXPORTED void hgrkit_unmap(int32_t place) { (void)place; }

#else

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif

enum { MAPPINGS = 1024 }; /* two a version of a library that is open */

/* A mapping; a place is free as long as `taken` is 0, and is looked at by the handler as long as `first` is not. */
typedef struct {
    int taken, lost;
    uintptr_t first, size;
} Mapping;

static Mapping mappings[MAPPINGS];
static struct sigaction earlier;
static uintptr_t page_size;

static void on_bus_error(int number, siginfo_t *info, void *context) {
    const int saved = errno;
    const uintptr_t at = (uintptr_t)info->si_addr;
    for (int i = 0; i < MAPPINGS; i++) {
        const uintptr_t first = __atomic_load_n(&mappings[i].first, __ATOMIC_ACQUIRE), size = mappings[i].size;
        if (first == 0 || at < first || at - first >= size) continue;
        const uintptr_t page = at / page_size * page_size;
        __atomic_store_n(&mappings[i].lost, 1, __ATOMIC_RELEASE);
        if (mmap((void *)page, first + size - page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
            break;
        errno = saved;
        return;
    }
    if (earlier.sa_flags & SA_SIGINFO) {
        earlier.sa_sigaction(number, info, context);
    } else if (earlier.sa_handler == SIG_DFL || earlier.sa_handler == SIG_IGN) {
        sigaction(SIGBUS, &earlier, NULL); /* what was read is read again, and ends the process as it would have */
    } else {
        earlier.sa_handler(number);
    }
    errno = saved;
}

static void install(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    sigemptyset(&action.sa_mask);
    page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
    sigaction(SIGBUS, &action, &earlier);
}

/* Maps the first `size` bytes of a file to read them. Returns the mapping's place, or -1 if that cannot be done. */
EXPORTED int32_t hgrkit_map(int32_t file, int64_t size) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install);
    for (int32_t i = 0; i < MAPPINGS; i++) {
        int vacant = 0;
        if (!__atomic_compare_exchange_n(&mappings[i].taken, &vacant, 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) continue;
        void *data = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, file, 0);
        if (data == MAP_FAILED) {
            __atomic_store_n(&mappings[i].taken, 0, __ATOMIC_RELEASE);
            return -1;
        }
        mappings[i].lost = 0;
        mappings[i].size = (uintptr_t)size;
        __atomic_store_n(&mappings[i].first, (uintptr_t)data, __ATOMIC_RELEASE);
        return i;
    }
    return -1;
}

EXPORTED const void *hgrkit_mapped(int32_t place) { return (const void *)mappings[place].first; }

/* Whether anything that was read was not there. */
EXPORTED int32_t hgrkit_lost(int32_t place) { return __atomic_load_n(&mappings[place].lost, __ATOMIC_ACQUIRE); }

/* Lets the system take back the memory of some bytes, which it reads again when they are wanted. */
EXPORTED void hgrkit_release(int32_t place, int64_t first, int64_t size) {
    const uintptr_t start = (mappings[place].first + (uintptr_t)first) / page_size * page_size;
    if (!hgrkit_lost(place)) /* zeros that stand for what is lost would be taken, too */
        madvise((void *)start, mappings[place].first + (uintptr_t)(first + size) - start, MADV_DONTNEED);
}

EXPORTED void hgrkit_unmap(int32_t place) {
    void *data = (void *)mappings[place].first;
    __atomic_store_n(&mappings[place].first, 0, __ATOMIC_RELEASE); /* others may get its addresses next */
    munmap(data, mappings[place].size);
    __atomic_store_n(&mappings[place].taken, 0, __ATOMIC_RELEASE);
}

#endif
