"""Hands out the bytes of indexed files, and of nothing else: each is opened once, checked, and read from then."""

from __future__ import annotations

import asyncio
import os
import re
import stat
from contextlib import suppress
from pathlib import Path, PurePath
from typing import BinaryIO, final

import attrs
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hgrkit.library.records import VideoRecord
from hgrkit.serve.answers import RefusedError, error_answer

__all__ = ["FileBytes", "OpenFile", "media_type_of", "open_indexed"]

_PIECE_BYTES = 256 << 10
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_TYPES = {
    **dict.fromkeys((".mp4", ".m4v", ".mov"), "video/mp4"),
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
    ".ogv": "video/ogg",
    ".avi": "video/x-msvideo",
    ".gif": "image/gif",
    ".3gp": "video/3gpp",
}
"""Never one that a browser would run; QuickTime files are called MP4, which browsers play."""


@attrs.frozen(eq=False)
class OpenFile:
    """A file that was checked after it was opened.

    Attributes:
        file: open for reading, unbuffered.
        size: in bytes.
        tag: changes with the file.
    """

    file: BinaryIO
    size: int
    tag: str

    @classmethod
    def of(cls, file: BinaryIO) -> OpenFile:
        """Look at an open file."""
        status = os.fstat(file.fileno())
        return cls(file, status.st_size, f'"{status.st_size:x}-{status.st_mtime_ns:x}"')


def media_type_of(path: str) -> str:
    """What the bytes of a video are called."""
    return _TYPES.get(PurePath(path).suffix.lower(), "application/octet-stream")


def open_indexed(record: VideoRecord) -> OpenFile:
    """Open the file of a video, if it is still the regular file that was indexed.

    Raises:
        RefusedError: if it is gone, is now a link or a device, or has changed.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        if Path(record.path).is_symlink():  # where the system has no O_NOFOLLOW
            raise _gone("is a link now")
        descriptor = os.open(record.path, flags)
    except (OSError, ValueError) as error:
        raise _gone("cannot be opened any more") from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or (status.st_size, status.st_mtime_ns) != (record.size, record.mtime_ns):
        os.close(descriptor)
        raise _gone("is no longer what was indexed")
    return OpenFile.of(open(descriptor, "rb", buffering=0))  # noqa: PTH123 - a descriptor


def _gone(what: str) -> RefusedError:
    return RefusedError(410, f"the file of this video {what}; index its folder again.")


@final
class FileBytes(Response):
    """A file or one range of it, as RFC 9110 has it; several ranges at once are answered with the whole file.

    Args:
        opened: the file; it is closed at the end.
        media_type: of its bytes.
        headers: further ones.
    """

    def __init__(self, opened: OpenFile, media_type: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(None, media_type=media_type, headers=headers)
        self._opened = opened

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, as long as the client is there."""
        try:
            await self._answer(Request(scope), scope, receive, send)
        finally:
            self._opened.file.close()

    async def _answer(self, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
        opened = self._opened
        self.headers.update({"accept-ranges": "bytes", "etag": opened.tag, "cache-control": "private, no-cache"})
        if opened.tag in request.headers.get("if-none-match", ""):
            await self._start(send, 304, None)
            await send({"type": "http.response.body"})
            return
        asked = request.headers.get("range")
        if asked is not None and request.headers.get("if-range", opened.tag) != opened.tag:
            asked = None
        try:
            span = None if asked is None else _span(asked, opened.size)
        except ValueError:
            refused = error_answer(
                416, f"the file has {opened.size} bytes, and the range {(asked or '')[:50]!r} is not in it."
            )
            refused.headers["content-range"] = f"bytes */{opened.size}"
            await refused(scope, receive, send)
            return
        start, stop = span or (0, opened.size)
        if span is not None:
            self.headers["content-range"] = f"bytes {start}-{stop - 1}/{opened.size}"
        await self._start(send, 200 if span is None else 206, stop - start)
        if request.method == "HEAD":
            await send({"type": "http.response.body"})
        else:
            await self._send_bytes(start, stop, receive, send)

    async def _start(self, send: Send, status: int, length: int | None) -> None:
        if length is not None:
            self.headers["content-length"] = str(length)
        elif "content-length" in self.headers:
            del self.headers["content-length"]
        await send({"type": "http.response.start", "status": status, "headers": self.raw_headers})

    async def _send_bytes(self, start: int, stop: int, receive: Receive, send: Send) -> None:
        gone = asyncio.ensure_future(_disconnected(receive))  # the server drops in silence what nobody takes
        try:
            while start < stop and not gone.done():
                piece = await asyncio.to_thread(self._read, start, min(_PIECE_BYTES, stop - start))
                if not piece:
                    raise OSError("the file became shorter while it was sent")
                start += len(piece)
                await send({"type": "http.response.body", "body": piece, "more_body": start < stop})
            if start >= stop and not self._opened.size:
                await send({"type": "http.response.body"})
        finally:
            gone.cancel()
            with suppress(asyncio.CancelledError):
                await gone

    def _read(self, at: int, count: int) -> bytes:
        self._opened.file.seek(at)
        return self._opened.file.read(count)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue


def _span(asked: str, size: int) -> tuple[int, int] | None:
    """The bytes of a range header, [start, stop); `None` where it asks for what need not be understood.

    Raises:
        ValueError: if it lies outside of the file.
    """
    match = _RANGE.fullmatch(asked.strip())
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < start:
            return None
    if start >= stop:
        raise ValueError(asked)
    return start, stop
