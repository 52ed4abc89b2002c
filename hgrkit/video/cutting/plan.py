"""Plans a clip: which packets or pictures of a video make up a moment, by its packet index alone."""

from __future__ import annotations

import math

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.video.packet_index import PacketIndex

__all__ = ["CannotCopyError", "CutPlan", "plan_copy", "plan_pictures"]

Int64 = npt.NDArray[np.int64]

_SAME_TICK = 1e-3  # of a tick: rounding error of floating-point seconds


@attrs.frozen(kw_only=True, eq=False)
class CutPlan:
    """The pictures of a clip; times are ticks of the video's own clock.

    Attributes:
        stamps: [N] ascending time stamps of the packets to copy, or of the pictures to encode.
        begin: second 0 of the clip.
        end: when its last picture ends.
    """

    stamps: Int64 = attrs.field(repr=False)
    begin: int
    end: int


class CannotCopyError(Exception):
    """Says as a clause why packets of a video cannot make a clip; never leaves `hgrkit.video.cutting`."""


def plan_copy(index: PacketIndex, start_s: float, end_s: float) -> CutPlan:
    """Plan the packets that hold every picture of a moment, and those that they refer to, from a key frame on.

    The clip contains the moment: it begins at the last key frame that is not after it, and ends with it or a few
    pictures later where the order of storage requires that. Pictures that are stored after the key frame but
    shown before it are left out, because the pictures that they refer to are not in the clip.

    Args:
        index: the video's packets.
        start_s: start of the moment, in seconds on the video's own time line.
        end_s: its end, in seconds.

    Raises:
        CannotCopyError: if packets cannot be copied.
    """
    if not index.exact:
        raise CannotCopyError("the file does not say when each picture is shown")
    if index.parts:
        raise CannotCopyError("the file holds several recordings whose time stamps restart")
    first, end = _bounds(index, start_s, end_s)
    keys = np.flatnonzero(index.key & (index.pts <= first))
    begin_at = int(keys[np.argmax(index.pts[keys])])
    begin = int(index.pts[begin_at])
    if begin < index.first:
        raise CannotCopyError("the moment begins in pictures that the file hides")
    usable = np.arange(len(index.pts)) >= begin_at
    usable &= index.pts >= begin
    latest = end - 1
    while True:  # a picture may refer to one that is shown later; then all up to that one belong to the clip
        stored = int(np.flatnonzero(usable & (index.pts <= latest))[-1])
        needed = int(index.pts[: stored + 1][usable[: stored + 1]].max())
        if needed <= latest:
            break
        latest = needed
    stamps = np.sort(index.pts[usable & (index.pts <= latest)])
    return CutPlan(stamps=stamps, begin=begin, end=_next(index, int(stamps[-1])))


def plan_pictures(index: PacketIndex, start_s: float, end_s: float) -> CutPlan:
    """Plan the pictures of a moment, from the one on screen at its start to the last one before its end.

    The clip begins and ends with whole pictures, except where one is shown much longer than usual: that one is
    shown in the clip as long as in the moment.

    Args:
        index: the video's packets.
        start_s: start of the moment, in seconds on the video's own time line.
        end_s: its end, in seconds.
    """
    first, end = _bounds(index, start_s, end_s)
    stamps = index.shown[(index.shown >= first) & (index.shown < end)]
    start = int(index.ticks(np.array([start_s]))[0])
    begin = first if start - first < index.frame_ticks else start
    last_end = _next(index, int(stamps[-1]))
    return CutPlan(stamps=stamps, begin=begin, end=last_end if last_end - end < index.frame_ticks else end)


def _bounds(index: PacketIndex, start_s: float, end_s: float) -> tuple[int, int]:
    """Return the picture on screen at the start and the first tick after the moment, with one picture at least."""
    first = int(index.shown_at(np.array([start_s]))[0])
    end = index.zero + math.ceil(end_s / float(index.time_base) - _SAME_TICK)
    return first, max(first + 1, min(end, index.end))


def _next(index: PacketIndex, stamp: int) -> int:
    """Return when a picture ends: with the next one, or with the video."""
    after = int(np.searchsorted(index.shown, stamp, side="right"))
    return int(index.shown[after]) if after < len(index.shown) else index.end
