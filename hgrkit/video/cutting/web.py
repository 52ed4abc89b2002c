"""What browsers play: whether a video as it is, and in which container its packets if not."""

from __future__ import annotations

from pathlib import PurePath

import attrs
from av.container import InputContainer
from av.video.stream import VideoStream

from hgrkit.video.container import film_tracks, open_container
from hgrkit.video.cutting.encode import sound_of
from hgrkit.video.given_file import VideoPath
from hgrkit.video.limits import DecodeGuard

__all__ = ["WebPlay", "read_web_play", "web_container"]

_MP4_PICTURES, _MP4_SOUND = (
    frozenset({"h264", "vp9", "av1", "libdav1d"}),
    frozenset({"aac", "mp3", "mp3float", "opus", "flac"}),
)
_WEBM_PICTURES, _WEBM_SOUND = frozenset({"vp8", "vp9", "av1", "libdav1d"}), frozenset({"vorbis", "opus"})
_EIGHT_BITS = frozenset({"yuv420p", "yuvj420p", "nv12"})
"""The pictures of H.264 that every browser plays; others are of its professional profiles."""


@attrs.frozen(kw_only=True)
class WebPlay:
    """How browsers take a video.

    Attributes:
        media_type: of the file, if they play it as it is; else empty.
        reason: why they do not, as a clause.
    """

    media_type: str
    reason: str = ""


def read_web_play(path: VideoPath, guard: DecodeGuard) -> WebPlay:
    """Look at a video's header.

    Raises:
        MissingPathError, DecodeError, OSError: as `open_container` does.
    """
    with open_container(path, guard) as container:
        stream = film_tracks(container)[0]
        taken = web_container(container, stream)
        name = container.format.name
        kind = "mp4" if name.startswith("mov") else "webm" if name.startswith("matroska") else ""
        is_webm = kind == "webm" and PurePath(path).suffix.lower() == ".webm"
        if taken and (kind == "mp4" if taken == "mp4" else is_webm):
            return WebPlay(media_type=f"video/{taken}")
        sound = sound_of(container)
        codecs = " and ".join([stream.codec_context.name, *([sound.codec_context.name] if sound else [])])
        return WebPlay(media_type="", reason=f"browsers do not play {codecs} in {name.partition(',')[0]}")


def web_container(container: InputContainer, stream: VideoStream) -> str:
    """The container in which browsers play the packets of a video, `mp4` or `webm`; empty if in none."""
    pictures, sound = stream.codec_context.name, sound_of(container)
    heard = {sound.codec_context.name} if sound else set()
    if pictures == "h264" and stream.codec_context.pix_fmt not in _EIGHT_BITS:
        return ""
    if pictures in _MP4_PICTURES and heard <= _MP4_SOUND:
        return "mp4"
    return "webm" if pictures in _WEBM_PICTURES and heard <= _WEBM_SOUND else ""
