"""Where a clip is written: a container whose bytes go where its owner puts them, and what it turned out to be."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import final

import attrs
import av
from av.container import OutputContainer

__all__ = ["SUFFIXES", "ByteSink", "CutClip", "open_output"]

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
"""Containers that clips are written in, by FFmpeg's name, and how their files are called."""

_BUFFER_BYTES = 1 << 18


@attrs.frozen(kw_only=True)
class CutClip:
    """What a clip turned out to be.

    Attributes:
        start_s: where it begins, in seconds on the video's own time line.
        end_s: where it ends.
        container: one of `SUFFIXES`.
        encoded: why it was encoded anew, as a clause; empty if its packets are the video's.
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
        restart: called where all bytes so far are to be forgotten.
    """

    def __init__(self, write: Callable[[int, bytes], None], restart: Callable[[], None]) -> None:
        super().__init__()
        self._write, self._restart = write, restart
        self._at = self._size = 0

    def restart(self) -> None:
        """Forget what was written."""
        self._restart()
        self._at = self._size = 0

    def writable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Hand on all bytes."""
        self._write(self._at, data)
        self._at += len(data)
        self._size = max(self._size, self._at)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go elsewhere."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        """Where the next bytes go."""
        return self._at


@contextmanager
def open_output(sink: ByteSink, container: str) -> Iterator[OutputContainer]:
    """An empty container over a sink; closed at the end, which completes it.

    Neither the video's titles nor its places and dates go into it.
    """
    with av.open(sink, "w", format=container, buffer_size=_BUFFER_BYTES) as output:
        yield output
