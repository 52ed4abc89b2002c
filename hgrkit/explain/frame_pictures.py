"""Reads the pictures of a film strip from their video, small and as JPEG, or says why there are none."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import attrs
import av
import numpy as np
import numpy.typing as npt

from hgrkit.errors import DecodeError, MissingPathError
from hgrkit.video.limits import DecodeGuard
from hgrkit.video.reader import SampledFrame, VideoReader

__all__ = ["PICTURE_HEIGHT", "StripPictures", "encode_jpeg", "read_pictures"]

PICTURE_HEIGHT = 120
_LONGEST_S = 20.0
_TOLERANCE_S = 1e-3
_JPEG_QUALITY = 4 * 118  # qscale 4, in FFmpeg's lambda units


@attrs.frozen(kw_only=True)
class StripPictures:
    """What reading brought.

    Attributes:
        jpegs: [F] one JPEG a time that was asked for; none of them where the video could not be read.
        note: why there are no pictures; empty if there are.
    """

    jpegs: tuple[bytes | None, ...]
    note: str = ""


def read_pictures(video: str, times_s: Sequence[float]) -> StripPictures:
    """The pictures that are on the screen at some times, each video read once.

    Args:
        video: path of the file.
        times_s: ascending seconds on the video's own time line.
    """
    if not times_s:
        return StripPictures(jpegs=())
    try:
        return StripPictures(jpegs=_read(video, times_s))
    except MissingPathError:
        note = "the video is no longer where it was indexed"
    except DecodeError as error:
        note = f"the video cannot be read: {error}"
    except OSError as error:
        note = f"the video cannot be read: {error.strerror or type(error).__name__}"
    return StripPictures(jpegs=(None,) * len(times_s), note=note)


def encode_jpeg(picture: npt.NDArray[np.uint8]) -> bytes:
    """An RGB picture [H, W, 3] as a JPEG file.

    Raises:
        DecodeError: if FFmpeg does not take the picture.
    """
    codec = av.VideoCodecContext.create("mjpeg", "w")
    codec.height, codec.width = picture.shape[:2]
    codec.pix_fmt, codec.time_base = "yuvj420p", Fraction(1, 1)
    # PyAV before 18 has no attribute for the quality.
    codec.options = {"flags": "+qscale+bitexact", "global_quality": str(_JPEG_QUALITY)}
    codec.thread_count = 1
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
    packets = [*codec.encode(frame), *codec.encode(None)]
    if not packets:
        raise DecodeError("a picture cannot be written as JPEG")
    return bytes(packets[0])


def _read(video: str, times_s: Sequence[float]) -> tuple[bytes, ...]:
    path = Path(video)
    if not path.exists():
        raise MissingPathError(f"no file {video!r}.")
    if not path.is_file():
        raise DecodeError("it is no file")
    frames = _decode(video, times_s)
    if not frames:
        raise DecodeError("no picture of the file can be decoded")
    shown_s = [frame.time_s for frame in frames]
    pictures = [encode_jpeg(frame.image) for frame in frames]
    places = [bisect_right(shown_s, time_s + _TOLERANCE_S) - 1 for time_s in times_s]
    return tuple(pictures[max(0, place)] for place in places)


def _decode(video: str, times_s: Sequence[float]) -> list[SampledFrame]:
    deadline = time.monotonic() + _LONGEST_S

    def in_time() -> None:
        if time.monotonic() > deadline:
            raise DecodeError(f"reading its pictures took longer than {_LONGEST_S:.0f} seconds")

    reader = VideoReader(video, PICTURE_HEIGHT, guard=DecodeGuard(on_progress=in_time))
    return list(reader.pictures_at(np.asarray(times_s, np.float64)))
