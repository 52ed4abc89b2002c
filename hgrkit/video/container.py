"""Opens video files, and nothing but video files, within limits and with errors that name the reason."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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

from hgrkit.errors import DecodeError, DecoderFaultError, MissingPathError
from hgrkit.video.file_structure import SEVERAL_RECORDINGS, holds_several_recordings
from hgrkit.video.given_file import GivenFile, VideoPath, opened
from hgrkit.video.limits import DecodeGuard

__all__ = [
    "CONTAINERS",
    "decoder_of",
    "demuxed",
    "fault_error",
    "film_tracks",
    "open_container",
    "open_video",
    "unreadable_reason",
]

CONTAINERS = (
    "mov", "mp4", "matroska", "webm", "avi", "mpeg", "mpegts", "flv", "asf", "gif", "ogg", "mxf", "dv",
)  # fmt: skip
"""The demuxers that may run: no playlists, concat scripts, subtitles or pictures, whatever a file is called."""

_OPTIONS = {
    "protocol_whitelist": "file",
    "enable_drefs": "0",  # of mov files that keep their pictures in other files
    "threads": "1",
}
_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
# The operating system cannot read the file; without EIO and EPERM, which FFmpeg reports for damage too.
_UNREADABLE = (errno.EACCES, errno.EISDIR, errno.EMFILE, errno.ENFILE, errno.ESTALE, errno.ETIMEDOUT)
_LONGEST_LINE = 200  # characters of an error that a reason shows
_NO_PICTURES = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
_PYAV = int(av.__version__.split(".")[0])
# PyAV 19 always replaces what is no UTF-8 in titles, and has no argument for it any more.
_TEXT: dict[str, Any] = {"metadata_errors": "replace"} if _PYAV < 19 else {}
# Before 18, PyAV crashes on options for streams where streams come after the header, as in MPEG files. Options for
# the container alone leave a picture's size unchecked until the header is read.
_OPTIONS_ARE = "options" if _PYAV >= 18 else "container_options"
# Errors that are about FFmpeg, not about the file.
_LACKS = (
    av.error.BugError,
    av.error.DecoderNotFoundError,
    av.error.NotImplementedError,
    av.error.OptionNotFoundError,
    av.error.PatchWelcomeError,
)
_KINDS = "mp4/mov/3gp, mkv/webm, avi, mpeg/vob, ts/mts, flv, wmv/asf, gif, ogv, mxf, dv"


@contextmanager
def open_container(path: VideoPath, guard: DecodeGuard, kind: str | None = None) -> Iterator[InputContainer]:
    """Open a video file.

    Only the named file is read, and nothing that it refers to. FFmpeg's errors from the block become
    `DecodeError`, which carries the path as a note.

    Args:
        path: the file.
        guard: limits that are kept.
        kind: the demuxer that reads it, where it is known; by default one of `CONTAINERS`.

    Raises:
        MissingPathError: if there is no such file.
        DecodeError: if it is no video that can be read; the message is a reason in one line, without the path.
        DecoderFaultError: if hgrkit, PyAV or FFmpeg is at fault and not the file.
        DecodeLimitError: if it asks for more than the guard allows.
        OSError: if the operating system cannot read it to the end.
    """
    # Four times the pixels, so that the header of an oversized video is read and the reason states its size.
    bounds = {"format_whitelist": kind or ",".join(CONTAINERS), "max_pixels": str(4 * guard.limits.pixels)}
    options: dict[str, Any] = {_OPTIONS_ARE: {**_OPTIONS, **bounds}, **({} if kind is None else {"format": kind})}
    try:
        # "file:" keeps names such as "http:x" or "concat:a|b" what they are: names.
        file = path.stream() if isinstance(path, GivenFile) else f"file:{path}"
        with av.open(file, "r", **options, **_TEXT) as container:
            yield container
    except DecodeError as error:
        error.add_note(f"video: {os.fspath(path)}")
        raise
    except FileNotFoundError as error:
        raise MissingPathError(f"no file {os.fspath(path)!r}.") from error
    except MemoryError as error:  # FFmpeg's is one too
        raise guard.limits.out_of_memory() from error
    except _LACKS as error:
        raise fault_error(f"{type(error).__name__}: {error.strerror}") from error
    except av.error.FFmpegError as error:
        if isinstance(error, OSError) and error.errno in _UNREADABLE:
            raise OSError(error.errno, error.strerror) from error
        decode_error = DecodeError(_reason(path, error) if kind is None else "the picture is cut off or damaged")
        decode_error.add_note(f"video: {os.fspath(path)}")
        raise decode_error from error
    except (ArithmeticError, UnicodeError) as error:
        # What our code and PyAV's raise on numbers and names that no valid file holds.
        raise DecodeError(
            f"the file cannot be decoded ({type(error).__name__}: {error})".splitlines()[0]
        ) from error
    except (AttributeError, ImportError, LookupError, NameError, RuntimeError, TypeError, ValueError) as error:
        raise fault_error(error) from error


@contextmanager
def open_video(path: VideoPath, guard: DecodeGuard, track: int) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a video file and prepare its stream of that number for decoding; otherwise as `open_container`.

    Args:
        path: the file.
        guard: limits that are kept.
        track: the stream's number.
    """
    with open_container(path, guard) as container:
        stream = container.streams[track]
        if not isinstance(stream, VideoStream):
            raise DecodeError(f"the file's stream {track} holds no more pictures")
        context = stream.codec_context
        guard.check_size(context.width, context.height)
        if context.width < 1 or context.height < 1:
            raise DecodeError("the video's picture size is unknown: the file holds no picture that can be decoded")
        _bound(context, guard)
        yield container, stream


def demuxed(
    container: InputContainer,
    *streams: VideoStream | AudioStream,
    guard: DecodeGuard,
    on_late: Callable[[], None] | None = None,
) -> Iterator[Packet[Any]]:
    """Yield the packets of some streams, whatever other streams begin later in the file.

    FLV, MPEG and TS files may announce a stream anywhere. PyAV knows only those that it found when it opened the
    file and raises an IndexError at each packet of a later one; reading can then continue after that packet.

    Args:
        container: the open file.
        streams: of these.
        guard: notified of each packet.
        on_late: called at each packet of a later stream.
    """
    while True:
        try:
            for packet in container.demux(*streams):
                guard.on_progress()
                yield packet
        except IndexError:
            guard.on_progress()
            if on_late is not None:
                on_late()
            continue
        return


def fault_error(error: BaseException | str) -> DecoderFaultError:
    """Return the error of a video on which hgrkit or a library failed; `error` may be its type and message."""
    what = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
    shown = "".join(character if character.isprintable() else " " for character in what)[:_LONGEST_LINE]
    return DecoderFaultError(
        f"hgrkit failed on this file ({shown}); this is a fault of hgrkit or of a library "
        f"(PyAV {av.__version__}), not of the file; please report it"
    )


def unreadable_reason(error: OSError | ValueError) -> str:
    """Describe in one line why the operating system cannot read a file."""
    return f"the file cannot be read: {getattr(error, 'strerror', None) or type(error).__name__}"


def film_tracks(container: InputContainer) -> list[VideoStream]:
    """Return the streams of moving pictures for which a decoder is known.

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
        raise DecoderFaultError(f"the video's codec is unknown to PyAV {av.__version__}; a newer one may know it")
    if container.streams.video and container.streams.audio:
        raise DecodeError("the file holds sound with a cover picture, and no video")
    kinds = ", ".join(sorted({stream.type for stream in container.streams}))
    raise DecodeError(f"the file holds no video stream, only: {kinds}")


def decoder_of(stream: VideoStream, guard: DecodeGuard) -> VideoCodecContext:
    """Return the decoder of a stream: FFmpeg's own, except for transparent WebM, whose alpha only libvpx reads."""
    own: VideoCodecContext = stream.codec_context
    if stream.metadata.get("alpha_mode") != "1" or own.name not in _ALPHA_DECODERS:
        return own
    try:
        context = cast("VideoCodecContext", CodecContext.create(_ALPHA_DECODERS[own.name], "r"))
    except UnknownCodecError:  # this build of FFmpeg has none
        return own
    _bound(context, guard)
    return context


def _bound(context: VideoCodecContext, guard: DecodeGuard) -> None:
    """Have the decoder check the pictures' size again, because it may change within a stream."""
    context.options = {"max_pixels": str(guard.limits.pixels)}
    context.thread_count = 1  # videos are decoded side by side


def _reason(path: VideoPath, error: av.error.FFmpegError) -> str:
    with opened(path) as file:
        head = file.read(16)
        while error.errno == errno.EIO and file.read(1 << 20):
            pass  # FFmpeg reports EIO for damaged files too; on a disk that fails, reading raises
    if not head:
        return "the file is empty"
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"skip"):
        return "the index of the mp4/mov file is missing or damaged: it was cut off or never finished"
    if holds_several_recordings(path, "mxf"):  # FFmpeg does not even open them
        return SEVERAL_RECORDINGS
    if head[:4] in (b"RIFF", b"\x1a\x45\xdf\xa3", b"FLV\x01", b"GIF8", b"\x06\x0e\x2b\x34"):
        return "the file is cut off or damaged: its header cannot be read"
    return f"not a video file of a known kind ({_KINDS})"
