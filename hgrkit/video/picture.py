"""Turns decoded frames into pictures for a frame encoder: as a player shows them, in RGB, scaled to its size."""

from __future__ import annotations

from typing import Any, final

import attrs
import numpy as np
import numpy.typing as npt
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from hgrkit.errors import DecodeError
from hgrkit.video.preparation import FrameSize, PictureScaling

__all__ = ["Orientation", "PictureScaler", "on_white"]

Float32 = npt.NDArray[np.float32]
Picture = npt.NDArray[np.uint8]

_PQ, _HLG = 16, 18
HDR_TRANSFERS = frozenset({_PQ, _HLG})
"""FFmpeg's numbers of the transfer curves that are mapped: SMPTE ST 2084 and ARIB STD-B67."""

_WIDEST = 4  # times its height that a picture which keeps its shape may be wide
_WHITE = 255  # behind transparent pictures: white, as on a page; dark drawings would vanish on black
_WHITE_NITS = 203  # of diffuse white in HDR (ITU-R BT.2408, table 1)
_KNEE = 0.95  # of white: what is darker keeps its brightness, what is brighter makes room for highlights
_SCREEN_GAMMA = 2.4  # ITU-R BT.1886
_HLG_PEAK_NITS, _HLG_GAMMA = 1000, 1.2
_PQ_M1, _PQ_M2, _PQ_C1, _PQ_C2, _PQ_C3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
_HLG_A, _HLG_B, _HLG_C = 0.17883277, 0.28466892, 0.55991073
_LUMINANCE = np.array([0.2627, 0.6780, 0.0593], np.float32)  # of BT.2020's primaries
_BT2020_TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)


def tone_mapped(picture: Float32, transfer: int) -> npt.NDArray[np.uint8]:
    """Map a picture of BT.2020's colours to 8-bit RGB of BT.709's, for an ordinary screen.

    Args:
        picture: [H, W, 3] as it is stored, in [0, 1].
        transfer: the curve, one of `HDR_TRANSFERS`.
    """
    nits = _from_pq(picture) if transfer == _PQ else _from_hlg(picture)
    light: Float32 = np.maximum(nits / _WHITE_NITS @ _BT2020_TO_BT709.T, 0)  # 1 is white
    brightest = light.max(axis=-1, keepdims=True)
    over = np.maximum(brightest - _KNEE, 0)
    room = 1 - _KNEE
    mapped = np.where(over > 0, _KNEE + room * over / (over + room), brightest)
    light *= mapped / np.maximum(brightest, 1e-6)  # one factor for all colours, so that hues stay
    shown: npt.NDArray[np.uint8] = np.rint(255 * light ** (1 / _SCREEN_GAMMA)).astype(np.uint8)
    return shown


def _from_pq(picture: Float32) -> Float32:
    """Return nits of the perceptual quantiser (SMPTE ST 2084, equation 4.1)."""
    powers = picture ** (1 / _PQ_M2)
    nits: Float32 = 10_000 * (np.maximum(powers - _PQ_C1, 0) / (_PQ_C2 - _PQ_C3 * powers)) ** (1 / _PQ_M1)
    return nits


def _from_hlg(picture: Float32) -> Float32:
    """Return nits of hybrid log-gamma on a screen of 1,000 (ITU-R BT.2100, table 5)."""
    logarithmic = (np.exp((picture - _HLG_C) / _HLG_A) + _HLG_B) / 12
    scene = np.where(picture <= 0.5, picture**2 / 3, logarithmic)
    luminance = (scene @ _LUMINANCE)[..., None]
    nits = _HLG_PEAK_NITS * np.maximum(luminance, 1e-6) ** (_HLG_GAMMA - 1) * scene
    return nits.astype(np.float32)


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
        """Read the frame's display matrix (ISO/IEC 14496-12, 6.2.2), to the nearest quarter turn.

        Its first two rows are where a step to the right and a step down lead on screen.
        """
        try:
            side_data: Any = frame.side_data  # PyAV's types wrongly say that it is a dictionary
        except ValueError:  # one of a kind that PyAV does not know, as EXIF: it then has the turn alone
            return _TURNS.get(frame.rotation % 360, cls())
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
        """Return the picture [H, W, 3] as it is shown, [W, H, 3] if it is transposed."""
        if self.transposed:
            picture = picture.swapaxes(0, 1)
        if self.mirrored:
            picture = picture[:, ::-1]
        return picture[::-1] if self.upended else picture


_TURNS = {
    90: Orientation(transposed=True, upended=True),
    180: Orientation(mirrored=True, upended=True),
    270: Orientation(transposed=True, mirrored=True),
}
"""By degrees counter-clockwise."""


def on_white(frame: VideoFrame, reformatter: VideoReformatter) -> VideoFrame:
    """Lay a transparent frame on white; to be done before scaling, or hidden colours bleed into edges."""
    if not any(component.is_alpha for component in frame.format.components):
        return frame
    picture = reformatter.reformat(frame, format="rgba").to_ndarray()
    alpha = picture[..., 3:].astype(np.uint16)
    if (alpha == 255).all():  # scaling the frame as stored gives exactly what it would without alpha
        return frame
    colours = (picture[..., :3] * alpha + _WHITE * (255 - alpha) + 127) // 255
    return VideoFrame.from_ndarray(colours.astype(np.uint8), "rgb24")


@final
class PictureScaler:
    """Scales frames: whole to one size with swscale, or as a `PictureScaling` says.

    Swscale's filter is bicubic, with a kernel that widens when a picture is made smaller, so that fine patterns do
    not alias; it is what EfficientNet was trained with. Pictures of a high dynamic range become what a usual
    screen shows, and transparent ones lie on white.

    Args:
        frame_size: height and width of the pictures; or their height alone, and they keep their shape; or how they
            are scaled.
        transfer: FFmpeg's number of the curve that the file's brightness is stored by.
    """

    def __init__(self, frame_size: FrameSize | int, *, transfer: int = 2) -> None:
        self._frame_size = frame_size
        self._transfer = transfer
        self._reformatter = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> Picture:
        """Return one frame as RGB `[H, W, 3]`, turned and mirrored as its file says.

        Raises:
            DecodeError: if swscale does not take pictures of this kind.
        """
        orientation = Orientation.of(frame)
        is_hdr = self._transfer in HDR_TRANSFERS
        height, width = self._size(frame, transposed=orientation.transposed, is_hdr=is_hdr)
        try:
            scaled = self._reformatter.reformat(
                on_white(frame, self._reformatter),
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
        shown = np.ascontiguousarray(orientation.upright(picture.astype(np.uint8, copy=False)))
        return self._frame_size.decoded(shown) if isinstance(self._frame_size, PictureScaling) else shown

    def _size(self, frame: VideoFrame, *, transposed: bool, is_hdr: bool) -> tuple[int, int]:
        """Return height and width to scale to with swscale, before the picture is turned."""
        stored = (frame.width, frame.height) if transposed else (frame.height, frame.width)
        if isinstance(self._frame_size, PictureScaling):
            # no processor knows HDR, and to map the brightness of a whole large picture would take seconds
            upright = self._frame_size.target(*stored) if is_hdr else stored
        elif isinstance(self._frame_size, int):
            width = 2 * round(self._frame_size * stored[1] / stored[0] / 2)
            upright = (self._frame_size, min(_WIDEST * self._frame_size, max(2, width)))
        else:
            upright = self._frame_size
        return (upright[1], upright[0]) if transposed else upright
