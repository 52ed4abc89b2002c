"""Opens a video file, and nothing but a video file: the guarded door in front of the decoder."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import av.error
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

from hgrkit.errors import DecodeError, MissingPathError

__all__ = ["CONTAINERS", "demuxed", "open_video", "os_reason"]

CONTAINERS = ("mov", "mp4", "matroska", "webm", "avi", "mpeg", "mpegts", "flv", "asf", "gif")
"""The demuxers that may run: no playlists, concat scripts, subtitles or pictures, whatever a file is called."""

_MAX_PIXELS = 1 << 26  # 8192 x 8192
_OPTIONS = {
    "format_whitelist": ",".join(CONTAINERS),
    "protocol_whitelist": "file",
    "max_pixels": str(_MAX_PIXELS),
    "threads": "1",
}
_NO_PICTURES = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
_KINDS = "mp4/mov, mkv/webm, avi, mpeg, ts, flv, wmv, gif"


@contextmanager
def open_video(path: str) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The open container and its first stream of moving pictures.

    Only files are read, and of them only the one that is named. A `DecodeError` from the block carries the path
    as a note; FFmpeg's errors become `DecodeError`.

    Raises:
        MissingPathError: if there is no such file.
        DecodeError: if it is no video that can be read; the message is a reason in one line, without the path.
    """
    try:
        # "file:" keeps names such as "http:x" or "concat:a|b" what they are: names.
        with av.open(f"file:{path}", options=_OPTIONS, metadata_errors="replace") as container:
            yield container, _video_stream(container)
    except DecodeError as error:
        error.add_note(f"video: {path}")
        raise
    except FileNotFoundError as error:
        raise MissingPathError(f"no file {path!r}.") from error
    except av.error.FFmpegError as error:
        decode_error = DecodeError(_reason(path, error))
        decode_error.add_note(f"video: {path}")
        raise decode_error from error
    except (ArithmeticError, LookupError, MemoryError, RuntimeError, ValueError) as error:
        # What PyAV's own code raises on values that no sound file holds.
        raise DecodeError(
            f"the file cannot be decoded ({type(error).__name__}: {error})".splitlines()[0]
        ) from error


def demuxed(container: InputContainer, *streams: VideoStream | AudioStream) -> Iterator[Packet[Any]]:
    """The packets of some streams, whatever other streams begin later in the file.

    FLV, MPEG and TS files may announce a stream anywhere; PyAV knows only those that it found when it opened the
    file and raises an IndexError at each packet of a later one, after which reading goes on behind it.
    """
    while True:
        try:
            yield from container.demux(*streams)
        except IndexError:
            continue
        return


def os_reason(error: OSError) -> str:
    """One line for a file that the operating system does not hand over."""
    return f"the file cannot be read: {error.strerror or type(error).__name__}"


def _video_stream(container: InputContainer) -> VideoStream:
    if not container.streams:
        raise DecodeError("the file holds no streams")
    for stream in container.streams.video:
        if not stream.disposition & _NO_PICTURES:
            _check_size(stream)
            return stream
    kinds = ", ".join(sorted({stream.type for stream in container.streams}))
    raise DecodeError(f"the file holds no video stream, only: {kinds}")


def _check_size(stream: VideoStream) -> None:
    # A stream of an unknown codec has no context that can decode.
    context = stream.codec_context
    if context is None:
        raise DecodeError("the video's codec is unknown")
    if context.width * context.height > _MAX_PIXELS:
        raise DecodeError(f"pictures of {context.width} x {context.height} are beyond {_MAX_PIXELS:,} pixels")
    if context.width < 1 or context.height < 1:
        raise DecodeError("the video's picture size is unknown: the file holds no picture that can be decoded")


def _reason(path: str, error: av.error.FFmpegError) -> str:
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EISDIR, errno.EIO):
        return os_reason(error)
    try:
        with Path(path).open("rb") as file:
            head = file.read(16)
    except OSError as os_error:
        return os_reason(os_error)
    if not head:
        return "the file is empty"
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"skip"):
        return "the index of the mp4/mov file is missing or damaged: it was cut off or never finished"
    if head[:4] in (b"RIFF", b"\x1a\x45\xdf\xa3", b"FLV\x01", b"GIF8"):
        return "the file is cut off or damaged: its header cannot be read"
    return f"not a video file of a known kind ({_KINDS})"
