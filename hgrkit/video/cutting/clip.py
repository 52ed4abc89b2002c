"""A clip's file: the container that packets are written into, and the bytes on their way to the disk."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import BinaryIO, Self, cast, final

import attrs
import av
from av.container import OutputContainer

from hgrkit.errors import DecodeLimitError

__all__ = ["SUFFIXES", "ByteSink", "ClipFile", "CutClip", "open_output"]

SUFFIXES = {
    "asf": ".wmv",
    "avi": ".avi",
    "flv": ".flv",
    "matroska": ".mkv",
    "mov": ".mov",
    "mp4": ".mp4",
    "mpegts": ".ts",
    "webm": ".webm",
}
"""Containers that clips are written in, by FFmpeg's name, and the suffixes of their files."""

# FFmpeg collects this much before it writes, so that a clip crosses the pipe in few messages.
_BUFFER_BYTES = 1 << 18
_MOST_BYTES = 16 << 30


@attrs.frozen(kw_only=True)
class CutClip:
    """A clip that was cut.

    Attributes:
        start_s: where it begins, in seconds on the video's own time line.
        end_s: where it ends.
        container: one of `SUFFIXES`.
        encoded: why it was re-encoded, as a clause; empty if its packets are the video's.
    """

    start_s: float
    end_s: float
    container: str
    encoded: str = ""


@final
class ByteSink(io.RawIOBase):
    """A file that can be written in any order but not read.

    Args:
        write: called with a position and the bytes that belong there.
        restart: called when all bytes so far are to be discarded.
    """

    def __init__(self, write: Callable[[int, bytes], None], restart: Callable[[], None]) -> None:
        super().__init__()
        self._write, self._restart = write, restart
        self._at = self._size = 0

    def restart(self) -> None:
        """Discard what was written."""
        self._restart()
        self._at = self._size = 0

    def writable(self) -> bool:
        """Always true."""
        return True

    def seekable(self) -> bool:
        """Always true."""
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Pass all bytes on."""
        self._write(self._at, data)
        self._at += len(data)
        self._size = max(self._size, self._at)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        """Return where the next bytes go."""
        return self._at


@contextmanager
def open_output(sink: ByteSink, container: str) -> Iterator[OutputContainer]:
    """Open an empty container over a sink; leaving the block completes it.

    The video's titles, places and dates are not copied into it.
    """
    with av.open(sink, "w", format=container, buffer_size=_BUFFER_BYTES) as output:
        yield output


@final
class ClipFile:
    """A temporary file that becomes a clip once it is placed; leaving the context without that removes it.

    Args:
        folder: where the clip will be; it must exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        descriptor, name = tempfile.mkstemp(prefix=".hgrkit-", suffix=".part", dir=folder)
        self._file: BinaryIO = cast("BinaryIO", os.fdopen(descriptor, "wb"))
        self._path = Path(name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # a full disk reports it a second time
            self._file.close()
        self._path.unlink(missing_ok=True)

    def take(self, at: int, data: bytes | None) -> None:
        """Write bytes at a position; `None` discards what was written.

        Raises:
            DecodeLimitError: if the file grows beyond 16 GiB, as no moment does.
            OSError: if the disk is full or fails.
        """
        if data is None:
            self._file.truncate(0)
            return
        if at + len(data) > _MOST_BYTES:
            raise DecodeLimitError(f"its clip would be larger than {_MOST_BYTES >> 30} GiB")
        self._file.seek(at)
        self._file.write(data)

    def place(self, stem: str, suffix: str) -> Path:
        """Give the file its name; where that is taken, the next free one of `stem (2)`, `stem (3)`, ...

        Raises:
            OSError: if the disk is full or fails.
        """
        self._file.flush()
        umask = os.umask(0o077)  # it can be read only by setting it
        os.umask(umask)
        self._path.chmod(0o666 & ~umask)  # the rights of any new file, not those of a temporary one
        self._file.close()
        names = (f"{stem}{f' ({number})' if number > 1 else ''}{suffix}" for number in count(1))
        return next(target for name in names if _moved(self._path, target := self._folder / name))


def _moved(source: Path, target: Path) -> bool:
    """Rename a file unless the target exists; in one step where the file system can."""
    try:
        os.link(source, target)
    except FileExistsError:
        return False
    except (AttributeError, OSError):  # no hard links here
        if os.path.lexists(target):
            return False
        source.rename(target)
        return True
    source.unlink()
    return True
