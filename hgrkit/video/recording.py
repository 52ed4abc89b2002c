"""Recordings that were put end to end in one file: where its time stamps begin anew."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import attrs
import numpy as np
import numpy.typing as npt

__all__ = ["UNBOUNDED", "Part", "begins_anew", "parts_of", "usual_step"]

Int64 = npt.NDArray[np.int64]

UNBOUNDED = ("mpeg", "mpegts")
"""FFmpeg's names of broadcasts' formats: they may begin and end anywhere and state no duration."""

# Decoding times that go back by more than this begin anew; those of encoders that err go back by less.
_BACK_S, _BACK_FRAMES = 0.5, 8
# A longer leap of a broadcast's clock is no pause: FFmpeg's own tools close the gap, too.
_LEAP_S, _LEAP_FRAMES = 10.0, 20


@attrs.frozen
class Part:
    """One of several recordings that were put end to end in a file, so that its time stamps begin anew.

    Attributes:
        number: of its first packet.
        shift: ticks that bring its stored time stamps to where they are shown: behind the part before.
    """

    number: int
    shift: int


def begins_anew(step_s: Fraction) -> bool:
    """Whether a step from one packet of sound to the next is where another part of a file begins."""
    return not -_BACK_S < step_s < _LEAP_S


def usual_step(stamps: Int64) -> int:
    """The median step between ascending time stamps; 0 if there is none."""
    return int(np.median(np.diff(stamps))) if stamps.size > 1 else 0


def parts_of(pts: Int64, dts: Int64, *, time_base: Fraction, duration: int, container: str) -> tuple[Part, ...]:
    """Where decoding times begin anew, or leap as no recording does, and what mends that.

    FFmpeg takes the time of an MPEG file's last reference picture before that from what follows, which is of
    another part: it is put right in `pts`.

    Args:
        pts: [N] when each packet's picture is shown, in ticks.
        dts: [N] when it is decoded.
        time_base: seconds of one tick.
        duration: of the last packet, where nothing else tells.
        container: FFmpeg's name of the format.
    """
    base = float(time_base)
    smooth = dts.copy()  # where packets were lost, FFmpeg takes a single one's time from before
    smooth[1:-1] = np.sort([dts[:-2], dts[1:-1], dts[2:]], axis=0)[1]
    steps = np.diff(smooth)
    usual = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
    breaks = steps < -max(_BACK_S / base, _BACK_FRAMES * usual)
    if container in UNBOUNDED:
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
