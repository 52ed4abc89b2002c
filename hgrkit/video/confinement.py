"""What a decode worker gives up before it opens a file, as far as the operating system lets it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

__all__ = ["confine", "die_with_parent"]

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_OPEN_FILES = 64  # one video, the pipes, and what the interpreter holds


def die_with_parent(parent: int) -> None:
    """Have Linux end this process with the thread that started it; elsewhere the closed pipe has to do.

    Args:
        parent: the process that started this one.
    """
    if sys.platform == "linux":
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before
            os._exit(0)


def confine(memory_bytes: int) -> None:
    """Bound this process's memory and files, for good.

    It can then write no file and leave no core dump, and where memory is short it is the first to go.
    """
    if sys.platform == "linux":
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")
    if sys.platform != "win32":
        # On Linux the limit on data counts what is allocated; that on addresses would count libraries too.
        _limit("RLIMIT_DATA" if sys.platform == "linux" else "RLIMIT_AS", memory_bytes)
        _limit("RLIMIT_FSIZE", 0)
        _limit("RLIMIT_CORE", 0)
        _limit("RLIMIT_NOFILE", _OPEN_FILES)


def _limit(name: str, value: int) -> None:
    if sys.platform != "win32":
        import resource

        with suppress(AttributeError, OSError, ValueError):
            kind = getattr(resource, name)
            _, hard = resource.getrlimit(kind)
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(kind, (value, value))


def _prctl(option: int, value: int) -> None:
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(option, ctypes.c_ulong(value), 0, 0, 0)
