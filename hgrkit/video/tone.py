"""Pictures of a high dynamic range as a screen without one shows them: what HDR recordings of phones need."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["HDR_TRANSFERS", "tone_mapped"]

Float32 = npt.NDArray[np.float32]

_PQ, _HLG = 16, 18
HDR_TRANSFERS = frozenset({_PQ, _HLG})
"""FFmpeg's numbers of the transfer curves that are mapped: SMPTE ST 2084 and ARIB STD-B67."""

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
    """A picture of BT.2020's colours as 8-bit RGB of BT.709's for a usual screen.

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
    """Nits of the perceptual quantiser (SMPTE ST 2084, equation 4.1)."""
    powers = picture ** (1 / _PQ_M2)
    nits: Float32 = 10_000 * (np.maximum(powers - _PQ_C1, 0) / (_PQ_C2 - _PQ_C3 * powers)) ** (1 / _PQ_M1)
    return nits


def _from_hlg(picture: Float32) -> Float32:
    """Nits of hybrid log-gamma on a screen of 1,000 (ITU-R BT.2100, table 5)."""
    logarithmic = (np.exp((picture - _HLG_C) / _HLG_A) + _HLG_B) / 12
    scene = np.where(picture <= 0.5, picture**2 / 3, logarithmic)
    luminance = (scene @ _LUMINANCE)[..., None]
    nits = _HLG_PEAK_NITS * np.maximum(luminance, 1e-6) ** (_HLG_GAMMA - 1) * scene
    return nits.astype(np.float32)
