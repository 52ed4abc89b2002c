"""Files that are there whole or not at all: segments and caches reach the disk through here."""

from __future__ import annotations

import mmap
import os
from contextlib import suppress
from pathlib import Path

__all__ = ["TEMPORARY_SUFFIX", "sync_file", "sync_folder", "write_atomically"]

TEMPORARY_SUFFIX = ".tmp"


def write_atomically(path: Path, *content: bytes | mmap.mmap | memoryview) -> None:
    """Write a file that survives a crash once this returns: temporary file, fsync, rename, fsync of the folder.

    Its content may come in pieces. A crash before the renaming leaves at most `path` + `.tmp`, which nobody reads.

    Raises:
        OSError: if the disk is full or fails. A file that was there before is there still, and whole; one that was
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
    """Make a file's content durable that another library wrote."""
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
