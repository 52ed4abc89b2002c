"""Picks the few frames of a hit that stand for all of them: those that bear most on a phrase, and some between."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import attrs

__all__ = ["FrameGroup", "choose_frames"]


@attrs.frozen(kw_only=True)
class FrameGroup:
    """Frames that follow each other, and the one of them that is shown.

    Attributes:
        shown: the shown frame's position among the clip's frames.
        start: position of the first frame of the group.
        stop: position behind the last one.
    """

    shown: int
    start: int
    stop: int


def choose_frames(num_frames: int, best: Sequence[int], *, most: int) -> tuple[FrameGroup, ...]:
    """Frames to show, ascending; every frame of the clip belongs to the shown one that is nearest to it.

    The best frames come first, as many as there is room for; each further one is put into the middle of the widest
    gap that is left.

    >>> [group.shown for group in choose_frames(9, [4], most=3)]
    [0, 4, 8]
    >>> choose_frames(3, [2], most=1)
    (FrameGroup(shown=2, start=0, stop=3),)

    Args:
        num_frames: frames of the clip.
        best: positions of frames that should be shown, the most important first.
        most: how many to show at most, at least 1.
    """
    if num_frames <= most:
        chosen = list(range(num_frames))
    else:
        chosen = sorted(list(dict.fromkeys(best))[:most])
        while len(chosen) < most:
            chosen = sorted([*chosen, _farthest(num_frames, chosen)])
    bounds = [0, *((left + right + 1) // 2 for left, right in pairwise(chosen)), num_frames]
    return tuple(
        FrameGroup(shown=shown, start=start, stop=stop)
        for shown, (start, stop) in zip(chosen, pairwise(bounds), strict=True)
    )


def _farthest(num_frames: int, chosen: Sequence[int]) -> int:
    """The frame that is farthest from all that are chosen; the first of several."""
    if not chosen:
        return 0
    return max(range(num_frames), key=lambda frame: min(abs(frame - other) for other in chosen))
