"""Reads a picture file, as an example of what is looked for, the twin of the reader of videos; and writes JPEG."""

from __future__ import annotations

import os
import re
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt

from hgrkit.errors import DecodeError, MissingPathError
from hgrkit.storage.regular_file import open_regular
from hgrkit.video.container import open_container
from hgrkit.video.given_file import GivenFile, VideoPath, opened
from hgrkit.video.limits import DecodeGuard
from hgrkit.video.picture import PictureScaler
from hgrkit.video.preparation import FrameSize

__all__ = ["encode_jpeg", "picture_kind", "read_still"]

_JPEG_QUALITY = 4 * 118  # qscale 4, in FFmpeg's lambda units

_BEGINNINGS = {
    rb"\xff\xd8\xff": "jpeg_pipe",
    rb"\x89PNG\r\n\x1a\n": "png_pipe",
    rb"RIFF....WEBP": "webp_pipe",
    rb"BM....\0\0\0\0": "bmp_pipe",
    rb"II\*\0|MM\0\*": "tiff_pipe",
}
"""FFmpeg's demuxers of one picture, by what it begins with. They are named to FFmpeg, which by a name such as
`a%d.jpg` would take the one that looks for more files."""


def picture_kind(path: str | os.PathLike[str]) -> str | None:
    """The demuxer of a JPEG, PNG, WebP, BMP or TIFF picture, whatever it is called; `None` for other files.

    Raises:
        MissingPathError: if there is no such file.
        OSError: if it cannot be read.
    """
    try:
        with opened(path) if isinstance(path, GivenFile) else os.fdopen(open_regular(path), "rb") as file:
            head = file.read(12)
    except FileNotFoundError as error:
        raise MissingPathError(f"no file {os.fspath(path)!r}.") from error
    return next((kind for begin, kind in _BEGINNINGS.items() if re.match(begin, head, re.DOTALL)), None)


def read_still(path: VideoPath, frame_size: FrameSize | int, guard: DecodeGuard) -> npt.NDArray[np.uint8]:
    """Read a picture, scaled as a video's pictures are: RGB [H, W, 3].

    Args:
        path: the file.
        frame_size: height and width that it is squashed to, or how it is scaled.
        guard: limits that are kept.

    Raises:
        MissingPathError: if there is no such file.
        DecodeError: if it is no picture that can be read to its end.
        DecodeLimitError: if it asks for more than is allowed.
        OSError: if the operating system cannot read it.
    """
    kind = picture_kind(path)
    if kind is None:
        raise DecodeError("not a picture of a known kind (JPEG, PNG, WebP, BMP, TIFF)")
    with open_container(path, guard, kind) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        guard.check_size(context.width, context.height)
        # What is cut off would otherwise be grey from there on, and an answer to another question.
        context.options = {"max_pixels": str(guard.limits.pixels), "err_detect": "explode"}
        context.thread_count = 1
        for frame in container.decode(stream):
            guard.on_progress()
            return PictureScaler(frame_size)(frame)
    raise DecodeError("the file holds no picture that can be decoded")


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
