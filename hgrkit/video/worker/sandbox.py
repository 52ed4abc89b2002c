"""Takes from a process what decoding does not need: files, the network, other processes, the system's settings.

Linux offers two independent walls, and both are used where the kernel has them:

- Landlock (5.13 on): no file can be opened by any name, nor created, renamed or deleted; from 6.7 on no TCP port
  can be bound or reached, from 6.12 on no signal leaves the process.
- a filter of system calls (seccomp): those of a list may be called, all others fail. A list of what is allowed
  needs no knowledge of what the next kernel brings. A refused call fails as on a kernel without it, which
  the C library is made for; nothing is killed.

No package is needed: the calls go through `ctypes`. Both walls hold for root and in containers. What a kernel or a
container does not offer is left out, and `confine_calls` says what holds.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Iterable, Mapping

__all__ = ["confine_calls", "drop_capabilities", "no_new_privileges", "offered"]

_PR_SET_NO_NEW_PRIVS = 38

# Landlock: numbers are the same on every architecture. <linux/landlock.h>
_LANDLOCK_CREATE_RULESET, _LANDLOCK_RESTRICT_SELF = 444, 446
_ASK_VERSION = 1
# What may be forbidden of files, by the version that brought it: 13 rights, refer, truncate, ioctl on devices.
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_NETWORK_FROM, _ALL_NETWORK = 4, 0b11  # bind, connect
_SCOPES_FROM, _ALL_SCOPES = 6, 0b11  # abstract sockets, signals

# System-call filters. <linux/seccomp.h>, <linux/filter.h>, <linux/audit.h>
_SET_FILTER, _ACTION_AVAILABLE = 1, 2
_ALL_THREADS = 1
_KEEP_SPECULATION = 4  # kernels before 5.16 slow down every process that has a filter, by a tenth and more
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
_LOAD, _EQUAL, _AND, _RETURN = 0x20, 0x15, 0x54, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_CAPSET = {"x86_64": 126, "aarch64": 91}
_CAPABILITY_VERSION = 0x20080522

# Numbers on x86_64 and on aarch64; `None` where an architecture has no such call.
_PLAIN: Mapping[str, tuple[int | None, int | None]] = {
    # what is open already: the video, the pipes to the owner
    "read": (0, 63), "pread64": (17, 67), "readv": (19, 65), "preadv": (295, 69), "lseek": (8, 62),
    "write": (1, 64), "writev": (20, 66), "close": (3, 57), "dup": (32, 23), "fstat": (5, 80),
    "recvmsg": (47, 212), "poll": (7, None), "ppoll": (271, 73), "select": (23, None), "pselect6": (270, 72),
    # memory of its own
    "munmap": (11, 215), "mprotect": (10, 226), "mremap": (25, 216), "madvise": (28, 233), "brk": (12, 214),
    "mincore": (27, 232), "membarrier": (324, 283), "get_mempolicy": (239, 236),
    # threads of its own
    "futex": (202, 98), "futex_waitv": (449, 449), "set_robust_list": (273, 99), "get_robust_list": (274, 100),
    "rseq": (334, 293), "set_tid_address": (218, 96), "gettid": (186, 178), "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123), "sched_getparam": (143, 121), "sched_getscheduler": (145, 120),
    "sched_get_priority_max": (146, 125), "sched_get_priority_min": (147, 126), "getcpu": (309, 168),
    "exit": (60, 93), "exit_group": (231, 94),
    # signals that come to it
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "sigaltstack": (131, 132),
    "restart_syscall": (219, 128),
    # clocks, random numbers, and what the machine is like
    "clock_gettime": (228, 113), "clock_getres": (229, 114), "clock_nanosleep": (230, 115), "nanosleep": (35, 101),
    "gettimeofday": (96, 169), "time": (201, None), "times": (100, 153), "getrandom": (318, 278),
    "getrusage": (98, 165), "getrlimit": (97, 163), "sysinfo": (99, 179), "uname": (63, 160),
    "getpid": (39, 172), "getppid": (110, 173), "getuid": (102, 174), "geteuid": (107, 175), "getgid": (104, 176),
    "getegid": (108, 177),
}  # fmt: skip

_Conditions = tuple[tuple[int, int, tuple[int, ...]], ...]
"""Of a call: word of the arguments (two a argument, the low one first), mask, and the values that it may have."""

_THREAD, _NAMESPACES = 0x00010000, 0x7E020000  # CLONE_THREAD, and every CLONE_NEW...
_EMPTY_PATH = 0x1000  # AT_EMPTY_PATH: the status of what is open, not of a name
_ALL_BITS = 0xFFFFFFFF

# No threads but its own; no memory that other processes could share, which no limit would count; no descriptor
# that sends signals; no limit of another process, and none that is raised.
_CONDITIONAL: Mapping[str, tuple[int | None, int | None, _Conditions]] = {
    "clone": (56, 220, ((0, _THREAD | _NAMESPACES, (_THREAD,)),)),
    "mmap": (9, 222, ((6, 0x0F, (2,)),)),  # MAP_PRIVATE
    "fcntl": (
        72,
        25,
        ((2, _ALL_BITS, (0, 1, 2, 3, 1030)),),
    ),  # F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC
    "prctl": (157, 167, ((0, _ALL_BITS, (15, 16, 0x53564D41)),)),  # names of threads and of memory
    "prlimit64": (302, 261, ((0, _ALL_BITS, (0,)), (4, _ALL_BITS, (0,)), (5, _ALL_BITS, (0,)))),
    "newfstatat": (262, 79, ((6, _EMPTY_PATH, (_EMPTY_PATH,)),)),
    "statx": (332, 291, ((4, _EMPTY_PATH, (_EMPTY_PATH,)),)),
}

# Names that are refused with "permission denied", so that a library that looks for a file does without it.
_DENIED: Mapping[str, tuple[int | None, int | None]] = {
    "open": (2, None), "openat": (257, 56), "openat2": (437, 437), "creat": (85, None), "stat": (4, None),
    "lstat": (6, None), "access": (21, None), "faccessat": (269, 48), "readlink": (89, None),
    "readlinkat": (267, 78), "execve": (59, 221), "execveat": (322, 281), "socket": (41, 198),
    "ptrace": (101, 117),
}  # fmt: skip

# Signals to itself, as `abort` sends them.
_TO_ITSELF: Mapping[str, tuple[int | None, int | None]] = {"tgkill": (234, 131), "kill": (62, 129)}


def offered() -> dict[str, int | bool]:
    """What this system has for `confine_calls`; nothing is changed.

    Returns:
        `landlock`, its version, 0 for none; `seccomp`, whether calls can be filtered.
    """
    machine = platform.machine()
    allow = ctypes.c_uint32(_ALLOW)
    filters = (
        sys.platform == "linux"
        and machine in _ARCHITECTURES
        and _call(_SECCOMP[machine], _ACTION_AVAILABLE, 0, ctypes.byref(allow)) == 0
    )
    return {"landlock": max(0, _landlock_version()), "seccomp": filters}


def no_new_privileges() -> None:
    """No program that this process might run gets more rights than it has; both walls ask for that."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), 0, 0, 0)


def drop_capabilities() -> None:
    """Give up what root may do beyond other users; what is open stays so."""
    machine = platform.machine()
    if sys.platform == "linux" and machine in _CAPSET:
        header, none = struct.pack("=Ii", _CAPABILITY_VERSION, 0), bytes(24)
        _call(_CAPSET[machine], header, none)


def confine_calls(*, filter_calls: bool = True) -> tuple[str, ...]:
    """Put up both walls around this process, for good; call it before there is another thread.

    Args:
        filter_calls: whether calls are filtered; without, only Landlock holds.

    Returns:
        What holds from now on: `landlock` and `seccomp`, as far as the system has them.
    """
    walls = {"landlock": _restrict_files, "seccomp": _filter_calls if filter_calls else lambda: False}
    return tuple(name for name, put_up in walls.items() if put_up())


def _call(number: int, *arguments: object) -> int:
    """A system call, which returns -1 if it fails; only on Linux."""
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    wide = [ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments]
    result: int = library.syscall(ctypes.c_long(number), *wide)
    return result


def _landlock_version() -> int:
    return _call(_LANDLOCK_CREATE_RULESET, None, 0, _ASK_VERSION) if sys.platform == "linux" else 0


def _restrict_files() -> bool:
    """Forbid everything that this kernel's Landlock can: a set of rules that has no rule."""
    version = _landlock_version()
    if version < 1:
        return False
    files = _FILE_RIGHTS[max(known for known in _FILE_RIGHTS if known <= version)]
    words = [files]
    if version >= _NETWORK_FROM:
        words.append(_ALL_NETWORK)
    if version >= _SCOPES_FROM:
        words.append(_ALL_SCOPES)
    rules = struct.pack(f"={len(words)}Q", *words)
    descriptor = _call(_LANDLOCK_CREATE_RULESET, rules, len(rules), 0)
    if descriptor < 0:
        return False
    try:
        return _call(_LANDLOCK_RESTRICT_SELF, descriptor, 0) == 0
    finally:
        os.close(descriptor)


def _filter_calls() -> bool:
    machine = platform.machine()
    if sys.platform != "linux" or machine not in _ARCHITECTURES or sys.byteorder != "little":
        return False
    code = filter_program(machine, os.getpid())
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("=HxxxxxxQ", len(code) // 8, ctypes.addressof(buffer))  # struct sock_fprog
    return _call(_SECCOMP[machine], _SET_FILTER, _ALL_THREADS | _KEEP_SPECULATION, program) == 0


def filter_program(machine: str, process: int) -> bytes:
    """The filter as the kernel takes it, in instructions of 8 bytes (classic BPF).

    Args:
        machine: `x86_64` or `aarch64`.
        process: the id of the process, to which it may send signals.
    """
    column = list(_ARCHITECTURES).index(machine)
    to_itself: _Conditions = ((0, _ALL_BITS, (process,)),)
    conditional = [((x86, arm)[column], conditions) for x86, arm, conditions in _CONDITIONAL.values()]
    conditional += [(numbers[column], to_itself) for numbers in _TO_ITSELF.values()]
    code: list[_Instruction] = [
        # Another architecture's calls have other numbers: 32-bit ones are all refused.
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_EQUAL, 1, 0, _ARCHITECTURES[machine]),
        (_RETURN, 0, 0, _ERROR | errno.ENOSYS),
        (_LOAD, 0, 0, _NUMBER_AT),
        *_matching((numbers[column] for numbers in _PLAIN.values()), _ALLOW),
        *_matching((numbers[column] for numbers in _DENIED.values()), _ERROR | errno.EACCES),
    ]
    for number, conditions in conditional:
        if number is not None:
            checks = [*_checks(conditions), (_RETURN, 0, 0, _ALLOW)]
            code += [(_EQUAL, 0, len(checks), number), *checks]
    code.append((_RETURN, 0, 0, _ERROR | errno.ENOSYS))  # as on a kernel that has no such call
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


_Instruction = tuple[int, int, int, int]
"""Code, how many instructions to skip if a comparison holds and if not, operand."""


def _matching(numbers: Iterable[int | None], action: int) -> list[_Instruction]:
    """Return `action` if the call that was loaded is one of these, go on otherwise."""
    code: list[_Instruction] = []
    for number in numbers:
        if number is not None:
            code += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, action)]
    return code


def _checks(conditions: _Conditions) -> list[_Instruction]:
    """Return an error unless all conditions on the arguments hold, go on otherwise."""
    code: list[_Instruction] = []
    for word, mask, values in conditions:
        code += [(_LOAD, 0, 0, _ARGUMENTS_AT + 4 * word), (_AND, 0, 0, mask)]
        code += [(_EQUAL, len(values) - place, 0, value) for place, value in enumerate(values)]
        code.append((_RETURN, 0, 0, _ERROR | errno.EPERM))
    return code
