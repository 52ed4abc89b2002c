"""The writer's lock: one process writes to a folder, and any other that tries learns which one."""

from __future__ import annotations

import json
import os
import socket
import sys
import weakref
from contextlib import suppress
from pathlib import Path

from hgrkit.errors import LibraryError, LibraryLockedError
from hgrkit.storage.open_folder import OpenFolder

__all__ = ["LOCK_FILE", "WriterLock"]

LOCK_FILE = "writer.lock"

_LOCKED_BYTE = 1 << 30
"""Windows locks ranges: one far behind the text, so that the text stays readable."""


class WriterLock:
    """An operating-system lock on a folder and on its `writer.lock`, whose text names the holder.

    The system releases it when the holder ends, however it ends: the text of an ended process never blocks. Both
    are locked because a file can be deleted and made anew, and because some network file systems lock files alone.
    """

    def __init__(self, folder: Path | OpenFolder) -> None:
        """Take the lock.

        Raises:
            LibraryLockedError: if another process, or another object of this one, holds it; the message names it.
            DamagedLibraryError: if a link or no file is in the place of the lock file.
            OSError: if the lock file cannot be made.
        """
        self._folder = folder if isinstance(folder, OpenFolder) else OpenFolder(folder)
        self._descriptor, self._handle = -1, self._folder.another_handle()
        try:
            alone = self._handle < 0 or _try_lock(self._handle, optional=True)
            flags = os.O_RDWR | (os.O_CREAT if alone else 0)
            with suppress(*(() if alone else (FileNotFoundError,))):
                self._descriptor = self._folder.open(LOCK_FILE, flags)
            if not alone or not _try_lock(self._descriptor):
                raise LibraryLockedError(
                    f"the library {self._folder.path} is being written to by {_holder(self._descriptor)}; "
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

    def require_held(self) -> None:
        """Refuse to go on without it: the folder must be the same, and the lock file the one that was locked.

        Raises:
            LibraryError: if either was moved, replaced or deleted.
        """
        self._folder.require_same()
        found = self._folder.status(LOCK_FILE)
        if found is None or not os.path.samestat(found, os.fstat(self._descriptor)):
            raise LibraryError(
                f"{self._folder.path / LOCK_FILE} was deleted or replaced while it was held; "
                "open the library again."
            )

    def forget(self) -> None:
        """Close this process's descriptors only: a forked child must not keep its parent's lock alive."""
        descriptors, self._descriptor, self._handle = (self._descriptor, self._handle), -1, -1
        for descriptor in descriptors:
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
    try:
        os.lseek(descriptor, 0, os.SEEK_SET)
        named = json.loads(os.read(descriptor, 4096))
        return f"process {int(named['pid'])} on {str(named['host'])[:255]}"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "another process"


if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int, *, optional: bool = False) -> bool:
        del optional
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(descriptor: int, *, optional: bool = False) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            if not optional:  # NFS locks no folders
                raise
        return True


_HELD: weakref.WeakSet[WriterLock] = weakref.WeakSet()


def _forget_all() -> None:
    for lock in list(_HELD):
        lock.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
