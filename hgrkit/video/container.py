"""Opens a video file, and nothing but a video file: the guarded door in front of the decoder."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import av
import av.error
from av.audio.stream import AudioStream
from av.codec.codec import UnknownCodecError
from av.codec.context import CodecContext
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from hgrkit.errors import DecodeError, MissingPathError
from hgrkit.video.limits import DecodeGuard

__all__ = ["CONTAINERS", "decoder_of", "demuxed", "film_tracks", "open_container", "open_video", "os_reason"]

CONTAINERS = (
    "mov", "mp4", "matroska", "webm", "avi", "mpeg", "mpegts", "flv", "asf", "gif", "ogg", "mxf", "dv",
)  # fmt: skip
"""The demuxers that may run: no playlists, concat scripts, subtitles or pictures, whatever a file is called."""

_OPTIONS = {
    "format_whitelist": ",".join(CONTAINERS),
    "protocol_whitelist": "file",
    "enable_drefs": "0",  # of mov files that keep their pictures in other files
    "threads": "1",
}
_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
_NO_PICTURES = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
# PyAV 19 always replaces what is no UTF-8 in titles, and has no argument for it any more.
_TEXT: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
_KINDS = "mp4/mov/3gp, mkv/webm, avi, mpeg/vob, ts/mts, flv, wmv/asf, gif, ogv, mxf, dv"


@contextmanager
def open_container(path: str, guard: DecodeGuard) -> Iterator[InputContainer]:
    """The open container of a video file.

    Only files are read, and of them only the one that is named. A `DecodeError` from the block carries the path
    as a note; FFmpeg's errors become `DecodeError`.

    Raises:
        MissingPathError: if there is no such file.
        DecodeError: if it is no video that can be read; the message is a reason in one line, without the path.
        DecodeLimitError: if it asks for more than the guard allows.
        OSError: if the operating system does not hand it over to the end.
    """
    # A header may be looked at whose pictures are then refused by their size, with a reason that tells it.
    options = {**_OPTIONS, "max_pixels": str(4 * guard.limits.pixels)}
    try:
        # "file:" keeps names such as "http:x" or "concat:a|b" what they are: names.
        with av.open(f"file:{path}", options=options, **_TEXT) as container:
            yield container
    except DecodeError as error:
        error.add_note(f"video: {path}")
        raise
    except FileNotFoundError as error:
        raise MissingPathError(f"no file {path!r}.") from error
    except MemoryError as error:  # FFmpeg's is one too
        raise guard.limits.out_of_memory() from error
    except av.error.FFmpegError as error:
        decode_error = DecodeError(_reason(path, error))
        decode_error.add_note(f"video: {path}")
        raise decode_error from error
    except (ArithmeticError, LookupError, RuntimeError, ValueError) as error:
        # What PyAV's own code raises on values that no sound file holds.
        raise DecodeError(
            f"the file cannot be decoded ({type(error).__name__}: {error})".splitlines()[0]
        ) from error


@contextmanager
def open_video(path: str, guard: DecodeGuard, track: int) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The open container and its stream of that number, ready to be decoded; else as `open_container`."""
    with open_container(path, guard) as container:
        yield container, _prepared(container, track, guard)


def demuxed(
    container: InputContainer, *streams: VideoStream | AudioStream, guard: DecodeGuard
) -> Iterator[Packet[Any]]:
    """The packets of some streams, whatever other streams begin later in the file.

    FLV, MPEG and TS files may announce a stream anywhere; PyAV knows only those that it found when it opened the
    file and raises an IndexError at each packet of a later one, after which reading goes on behind it.
    """
    while True:
        try:
            for packet in container.demux(*streams):
                guard.on_progress()
                yield packet
        except IndexError:
            guard.on_progress()
            continue
        return


def os_reason(error: OSError) -> str:
    """One line for a file that the operating system does not hand over."""
    return f"the file cannot be read: {error.strerror or type(error).__name__}"


def film_tracks(container: InputContainer) -> list[VideoStream]:
    """The streams that may be the film: those of moving pictures that a decoder is known for.

    Raises:
        DecodeError: if there is none.
    """
    if not container.streams:
        raise DecodeError("the file holds no streams")
    moving = [stream for stream in container.streams.video if not stream.disposition & _NO_PICTURES]
    # A stream of an unknown codec has no context that can decode.
    known = [stream for stream in moving if stream.codec_context is not None]
    if known:
        return known
    if moving:
        raise DecodeError("the video's codec is unknown")
    if container.streams.video and container.streams.audio:
        raise DecodeError("the file holds sound with a cover picture, and no video")
    kinds = ", ".join(sorted({stream.type for stream in container.streams}))
    raise DecodeError(f"the file holds no video stream, only: {kinds}")


def decoder_of(stream: VideoStream, guard: DecodeGuard) -> VideoCodecContext:
    """The decoder for a prepared stream: FFmpeg's own, but for transparent WebM, whose alpha only libvpx reads."""
    own: VideoCodecContext = stream.codec_context
    if stream.metadata.get("alpha_mode") != "1" or own.name not in _ALPHA_DECODERS:
        return own
    try:
        context = cast("VideoCodecContext", CodecContext.create(_ALPHA_DECODERS[own.name], "r"))
    except UnknownCodecError:  # this build of FFmpeg has none
        return own
    _bound(context, guard)
    return context


def _prepared(container: InputContainer, track: int, guard: DecodeGuard) -> VideoStream:
    """Check the pictures' size, and have the decoder check it again where it changes later on."""
    stream = container.streams[track]
    if not isinstance(stream, VideoStream):
        raise DecodeError(f"the file's stream {track} holds no pictures any more")
    context = stream.codec_context
    guard.check_size(context.width, context.height)
    if context.width < 1 or context.height < 1:
        raise DecodeError("the video's picture size is unknown: the file holds no picture that can be decoded")
    _bound(context, guard)
    return stream


def _bound(context: VideoCodecContext, guard: DecodeGuard) -> None:
    context.options = {"max_pixels": str(guard.limits.pixels)}
    context.thread_count = 1  # videos are decoded side by side


def _reason(path: str, error: av.error.FFmpegError) -> str:
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EISDIR):
        return os_reason(error)
    with Path(path).open("rb") as file:
        head = file.read(16)
        while error.errno == errno.EIO and file.read(1 << 20):
            pass  # FFmpeg says so of damaged files too; of a disk that fails, this raises
    if not head:
        return "the file is empty"
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"skip"):
        return "the index of the mp4/mov file is missing or damaged: it was cut off or never finished"
    if head[:4] in (b"RIFF", b"\x1a\x45\xdf\xa3", b"FLV\x01", b"GIF8"):
        return "the file is cut off or damaged: its header cannot be read"
    return f"not a video file of a known kind ({_KINDS})"
