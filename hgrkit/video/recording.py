"""Finds recordings that were put end to end in one file: where its time stamps restart."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import attrs
import numpy as np
import numpy.typing as npt

__all__ = ["BROADCAST_FORMATS", "Part", "parts_of", "times_restart", "usual_step"]

Int64 = npt.NDArray[np.int64]

BROADCAST_FORMATS = ("mpeg", "mpegts")
"""FFmpeg's names of broadcast formats: files may begin and end anywhere and state no duration."""

# Decoding times that go back by more than this restart; faulty encoders make them go back by less.
_BACK_S, _BACK_FRAMES = 0.5, 8
# A longer leap of a broadcast's clock is no pause: FFmpeg's own tools close the gap, too.
_LEAP_S, _LEAP_FRAMES = 10.0, 20


@attrs.frozen
class Part:
    """One of several recordings in a file, each with time stamps of its own.

    Attributes:
        number: number of its first packet.
        shift: ticks to add to its stored time stamps, so that it is shown after the part before.
    """

    number: int
    shift: int


def times_restart(step_s: Fraction) -> bool:
    """Whether another part of a file begins between two packets of sound, by the step of their times."""
    return not -_BACK_S < step_s < _LEAP_S


def usual_step(stamps: Int64) -> int:
    """Return the median step between ascending time stamps; 0 if there is none."""
    return int(np.median(np.diff(stamps))) if stamps.size > 1 else 0


def parts_of(pts: Int64, dts: Int64, *, time_base: Fraction, duration: int, container: str) -> tuple[Part, ...]:
    """Find where decoding times restart, or leap as in no recording, and the shifts that correct it.

    FFmpeg takes the time of the last reference picture of a part of an MPEG file from what follows, which is of
    another part: that is corrected in `pts`.

    Args:
        pts: [N] when each packet's picture is shown, in ticks.
        dts: [N] when it is decoded.
        time_base: seconds of one tick.
        duration: ticks of the last packet, used where nothing else says how long a picture is shown.
        container: FFmpeg's name of the format.
    """
    base = float(time_base)
    smooth = dts.copy()  # a median of three: where packets were lost, FFmpeg gives one a time from before
    smooth[1:-1] = np.sort([dts[:-2], dts[1:-1], dts[2:]], axis=0)[1]
    steps = np.diff(smooth)
    usual = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
    breaks = steps < -max(_BACK_S / base, _BACK_FRAMES * usual)
    if container in BROADCAST_FORMATS:
        breaks |= steps > max(_LEAP_S / base, _LEAP_FRAMES * usual)
    numbers = [0, *(np.flatnonzero(breaks) + 1).tolist(), len(dts)]
    parts: list[Part] = []
    end = 0
    for begin, stop in pairwise(numbers):
        stamps = np.unique(pts[begin:stop])
        step = usual_step(stamps) or round(usual) or duration
        if container == "mpeg" and stop < len(dts) and stamps.size > 1:
            latest = begin + int(np.argmax(pts[begin:stop]))
            pts[latest] = stamps[-1] = min(stamps[-1], stamps[-2] + step)
        shift = end - int(stamps[0]) if begin else 0
        end = int(stamps[-1]) + shift + step
        if begin:
            parts.append(Part(begin, shift))
    return tuple(parts)
