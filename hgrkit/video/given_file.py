"""A file that was opened by somebody else: read by its descriptor, because its name may not be opened here."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path
from typing import Any, BinaryIO, cast, final

import attrs

__all__ = ["GivenFile", "VideoPath", "opened"]


@final
@attrs.frozen
class GivenFile(os.PathLike[str]):
    """An open regular file and what it is called.

    Attributes:
        path: its name, which says what FFmpeg may guess from a suffix, and is never opened.
        descriptor: open for reading.
    """

    path: str
    descriptor: int

    def __fspath__(self) -> str:
        return self.path

    def stream(self) -> PositionedFile:
        """A stream of its bytes with a position of its own, unbuffered."""
        return PositionedFile(self)


VideoPath = str | GivenFile
"""What is read: a path, or a file that is open already."""


def opened(path: VideoPath) -> BinaryIO:
    """Open a video's bytes, buffered.

    Raises:
        OSError: if the operating system does not open it.
    """
    if isinstance(path, GivenFile):
        return cast("BinaryIO", io.BufferedReader(path.stream()))
    return Path(path).open("rb")


@final
class PositionedFile(io.RawIOBase):
    """Reads a descriptor at a position of its own, so that several can read one file side by side.

    Closing it leaves the descriptor open.

    Attributes:
        name: the file's name, by whose suffix FFmpeg prefers one format to another.
    """

    def __init__(self, file: GivenFile) -> None:
        super().__init__()
        self.name = file.path
        self._descriptor, self._at = file.descriptor, 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def fileno(self) -> int:
        """The descriptor, for its status."""
        return self._descriptor

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes, all that are left by default."""
        if size < 0:
            size = max(0, os.fstat(self._descriptor).st_size - self._at)
        data = os.pread(self._descriptor, size, self._at)
        self._at += len(data)
        return data

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as there are bytes."""
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def tell(self) -> int:
        """The position."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position; one before the beginning is refused by a negative number, as FFmpeg takes it.

        FFmpeg asks for an empty file's size by looking for its last byte. An exception would end the reading.
        """
        size = os.fstat(self._descriptor).st_size
        at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at}.get(whence, size)
        if not 0 <= at < 1 << 63:
            return -errno.EINVAL
        self._at = at
        return at
