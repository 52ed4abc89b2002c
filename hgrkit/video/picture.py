"""Decoded frames to the pictures that a frame encoder takes: as a player shows them, RGB, squashed to its size."""

from __future__ import annotations

from typing import Any, final

import attrs
import numpy as np
import numpy.typing as npt
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from hgrkit.errors import DecodeError
from hgrkit.video.tone import HDR_TRANSFERS, tone_mapped

__all__ = ["Orientation", "PictureScaler", "on_ground"]

Picture = npt.NDArray[np.uint8]

_WIDEST = 4
"""Times its height that a picture which keeps its shape may be wide."""

_GROUND = 255
"""What shows through transparent pictures: white, as on a page; dark drawings would vanish on black."""


@final
@attrs.frozen
class Orientation:
    """How a stored picture has to be turned to be upright.

    Attributes:
        transposed: rows become columns, before anything is mirrored.
        mirrored: left and right change places.
        upended: top and bottom change places.
    """

    transposed: bool = False
    mirrored: bool = False
    upended: bool = False

    @classmethod
    def of(cls, frame: VideoFrame) -> Orientation:
        """What the frame's display matrix says (ISO/IEC 14496-12, 6.2.2), to the nearest quarter turn.

        Its first two rows are where a step to the right and a step down lead on the screen.
        """
        side_data: Any = frame.side_data  # PyAV's types say it were a dictionary
        if Type.DISPLAYMATRIX not in side_data:
            return cls()
        data = side_data[Type.DISPLAYMATRIX]
        right_x, right_y, _, down_x, down_y, *_ = np.frombuffer(bytes(data), np.int32).tolist()
        if abs(right_x) + abs(down_y) >= abs(right_y) + abs(down_x):
            return cls(mirrored=right_x < 0, upended=down_y < 0)
        return cls(transposed=True, mirrored=down_x < 0, upended=right_y < 0)

    def __bool__(self) -> bool:
        return self.transposed or self.mirrored or self.upended

    def upright(self, picture: Picture) -> Picture:
        """The picture [H, W, 3] as it is shown, [W, H, 3] if it is transposed."""
        if self.transposed:
            picture = picture.swapaxes(0, 1)
        if self.mirrored:
            picture = picture[:, ::-1]
        return picture[::-1] if self.upended else picture


def on_ground(frame: VideoFrame, reformatter: VideoReformatter) -> VideoFrame:
    """A frame without transparency; to be taken before scaling, or hidden colours bleed into edges."""
    if not any(component.is_alpha for component in frame.format.components):
        return frame
    picture = reformatter.reformat(frame, format="rgba").to_ndarray()
    alpha = picture[..., 3:].astype(np.uint16)
    if (alpha == 255).all():  # scaled from what is stored, it is exactly what it would be without alpha
        return frame
    colours = (picture[..., :3] * alpha + _GROUND * (255 - alpha) + 127) // 255
    return VideoFrame.from_ndarray(colours.astype(np.uint8), "rgb24")


@final
class PictureScaler:
    """Scales whole frames to one size with swscale.

    Bicubic, whose kernel swscale widens when it makes a picture smaller, so that fine patterns do not alias; it is
    what EfficientNet was trained with. Pictures of a high dynamic range become what a usual screen shows, and
    transparent ones lie on white.

    Args:
        frame_size: height and width of the pictures; or their height alone, and they keep their shape.
        transfer: FFmpeg's number of the curve that the file's brightness is stored by.
    """

    def __init__(self, frame_size: tuple[int, int] | int, *, transfer: int = 2) -> None:
        self._frame_size = frame_size
        self._transfer = transfer
        self._reformatter = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> Picture:
        """One frame as RGB `[H, W, 3]`, turned and mirrored as its file says.

        Raises:
            DecodeError: if swscale does not take pictures of this kind.
        """
        orientation = Orientation.of(frame)
        height, width = self._size(frame, transposed=orientation.transposed)
        is_hdr = self._transfer in HDR_TRANSFERS
        try:
            scaled = self._reformatter.reformat(
                on_ground(frame, self._reformatter),
                width=width,
                height=height,
                format="rgb48le" if is_hdr else "rgb24",
                interpolation=Interpolation.BICUBIC,
            )
        except (RuntimeError, ValueError) as error:  # FFmpeg's are ValueErrors
            raise DecodeError(f"pictures of {frame.width} x {frame.height} cannot be scaled") from error
        picture = scaled.to_ndarray()
        if is_hdr:
            picture = tone_mapped(picture.astype(np.float32) / np.float32(65535), self._transfer)
        return np.ascontiguousarray(orientation.upright(picture.astype(np.uint8, copy=False)))

    def _size(self, frame: VideoFrame, *, transposed: bool) -> tuple[int, int]:
        """Height and width to scale to, before the picture is turned."""
        if isinstance(self._frame_size, int):
            stored = (frame.width, frame.height) if transposed else (frame.height, frame.width)
            width = 2 * round(self._frame_size * stored[1] / stored[0] / 2)
            upright = (self._frame_size, min(_WIDEST * self._frame_size, max(2, width)))
        else:
            upright = self._frame_size
        return (upright[1], upright[0]) if transposed else upright
