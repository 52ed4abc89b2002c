"""Decoded frames to the pictures that a frame encoder takes: upright, RGB, squashed to its size."""

from __future__ import annotations

from typing import final

import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from hgrkit.errors import DecodeError

__all__ = ["PictureScaler"]

_WIDEST = 4
"""Times its height that a picture which keeps its shape may be wide."""


@final
class PictureScaler:
    """Scales whole frames to one size with swscale.

    Bicubic, whose kernel swscale widens when it makes a picture smaller, so that fine patterns do not alias; it is
    what EfficientNet was trained with.

    Args:
        frame_size: height and width of the pictures; or their height alone, and they keep their shape.
    """

    def __init__(self, frame_size: tuple[int, int] | int) -> None:
        self._frame_size = frame_size
        self._reformatter = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> npt.NDArray[np.uint8]:
        """One frame as RGB `[H, W, 3]`, turned upright if its file says how.

        Raises:
            DecodeError: if swscale does not take pictures of this kind.
        """
        quarter_turns = round(frame.rotation / 90) % 4  # counterclockwise
        height, width = self._size(frame, turned=bool(quarter_turns % 2))
        try:
            scaled = self._reformatter.reformat(
                frame, width=width, height=height, format="rgb24", interpolation=Interpolation.BICUBIC
            )
        except (RuntimeError, ValueError) as error:  # FFmpeg's are ValueErrors
            raise DecodeError(f"pictures of {frame.width} x {frame.height} cannot be scaled") from error
        picture = np.rot90(scaled.to_ndarray(), quarter_turns)
        return np.ascontiguousarray(picture, dtype=np.uint8)

    def _size(self, frame: VideoFrame, *, turned: bool) -> tuple[int, int]:
        """Height and width to scale to, before the picture is turned."""
        if isinstance(self._frame_size, int):
            stored = (frame.width, frame.height) if turned else (frame.height, frame.width)
            width = 2 * round(self._frame_size * stored[1] / stored[0] / 2)
            upright = (self._frame_size, min(_WIDEST * self._frame_size, max(2, width)))
        else:
            upright = self._frame_size
        return (upright[1], upright[0]) if turned else upright
