"""The writer's lock: one process writes to a folder, and any other that tries learns which one."""

from __future__ import annotations

import json
import os
import socket
import sys
import weakref
from contextlib import suppress
from pathlib import Path

from hgrkit.errors import LibraryLockedError

__all__ = ["LOCK_FILE", "WriterLock"]

LOCK_FILE = "writer.lock"

_LOCKED_BYTE = 1 << 30
"""Windows locks ranges: one far behind the text, so that the text stays readable."""


class WriterLock:
    """An operating-system lock on `writer.lock`, whose text names the holder.

    The system releases it when the holder ends, however it ends: the text of an ended process never blocks.
    """

    def __init__(self, folder: Path) -> None:
        """Take the lock.

        Raises:
            LibraryLockedError: if another process, or another object of this one, holds it; the message names it.
            OSError: if the lock file cannot be made.
        """
        path = folder / LOCK_FILE
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        try:
            if not _try_lock(self._descriptor):
                raise LibraryLockedError(
                    f"the library {folder} is being written to by {_holder(self._descriptor)}; "
                    "wait until it is done, or open it with mode='r'."
                )
            _name_holder(self._descriptor)
        except BaseException:
            self.forget()
            raise
        _HELD.add(self)

    def release(self) -> None:
        """Release the lock; a second call does nothing."""
        if self._descriptor >= 0:
            with suppress(OSError):
                os.ftruncate(self._descriptor, 0)
            self.forget()

    @property
    def held(self) -> bool:
        """Whether this process still holds it; a forked child never does."""
        return self._descriptor >= 0

    def forget(self) -> None:
        """Close this process's descriptor only: a forked child must not keep its parent's lock alive."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __enter__(self) -> WriterLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _name_holder(descriptor: int) -> None:
    text = json.dumps({"pid": os.getpid(), "host": socket.gethostname()})
    os.ftruncate(descriptor, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, text.encode())


def _holder(descriptor: int) -> str:
    os.lseek(descriptor, 0, os.SEEK_SET)
    try:
        named = json.loads(os.read(descriptor, 4096))
        return f"process {int(named['pid'])} on {named['host']}"
    except (ValueError, KeyError, TypeError, RecursionError):
        return "another process"


if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


_HELD: weakref.WeakSet[WriterLock] = weakref.WeakSet()


def _forget_all() -> None:
    for lock in list(_HELD):
        lock.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
