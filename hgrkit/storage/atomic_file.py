"""Files that exist whole or not at all, and what to say of one that could not be written."""

from __future__ import annotations

import errno
import mmap
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import safetensors

from hgrkit.errors import HgrkitError

__all__ = [
    "TEMPORARY_SUFFIX",
    "full_disk",
    "sync_file",
    "sync_folder",
    "write_atomically",
    "writing",
    "written_whole",
]

TEMPORARY_SUFFIX = ".tmp"

_REMEDIES = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some of your quota",
    errno.EFBIG: "raise the limit on a file's size (ulimit -f)",
}
_FULL_WORDS = os.strerror(errno.ENOSPC)


def write_atomically(path: Path, *content: bytes | mmap.mmap | memoryview) -> None:
    """Write a file that survives a crash once this returns: temporary file, fsync, rename, fsync of the folder.

    Its content may come in pieces. A crash before the rename leaves at most `path` + `.tmp`, which is never read.

    Raises:
        OSError: if the disk is full or fails. A file that existed before still exists, and is whole; one that did
            not is not there, if the disk lets it be removed.
    """
    temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
    is_new = not os.path.lexists(path)
    try:
        with temporary.open("wb") as file:
            for piece in content:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError:
        for left in (temporary, path) if is_new else (temporary,):
            with suppress(OSError):
                left.unlink(missing_ok=True)
        raise


def sync_file(path: Path) -> None:
    """Make durable the content of a file that another library wrote."""
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable; systems that cannot open a folder do so by themselves."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Run a block that writes `path`, whose errors then say so.

    Raises:
        OSError: if the disk is full or fails, with the number of the system's own error and the file's name.
    """
    try:
        yield
    except HgrkitError:  # some are OSErrors too
        raise
    except (OSError, safetensors.SafetensorError) as error:
        # safetensors hides the system's number in its message
        number = getattr(error, "errno", None) or (errno.ENOSPC if _FULL_WORDS in str(error) else errno.EIO)
        full = number in (errno.ENOSPC, errno.EDQUOT)
        reason = "the disk is full" if full else getattr(error, "strerror", None) or " ".join(str(error).split())
        todo = "free some space" if full else "fix that"
        text = f"cannot write {path}: {reason}; {todo} and run the same command again"
        raise OSError(number, text, os.fspath(path)) from error


@contextmanager
def written_whole(target: Path, require_vacant: Callable[[], None]) -> Iterator[Path]:
    """Give out a name beside the target's, for a file or a folder that gets its own once it is whole and durable.

    Whatever fails, nothing is left. `require_vacant` raises unless the target's name may be taken.
    """
    temporary = target.with_name(f"{target.name}.{uuid.uuid4().hex[:8]}{TEMPORARY_SUFFIX}")
    try:
        yield temporary
        if not temporary.is_dir():
            sync_file(temporary)
        require_vacant()
        temporary.replace(target)
        sync_folder(target.parent)
    except BaseException:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)
        raise


def full_disk(number: int | None) -> str:
    """Describe a write that failed for lack of space, and what to do; empty for any other error."""
    if number not in _REMEDIES:
        return ""
    return f"{os.strerror(number)}; {_REMEDIES[number]} and run the same command again, finished work is kept"
