"""Cuts a video's sampled frames into clips, the units that are embedded and found."""

from __future__ import annotations

import math

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import ConfigError

__all__ = ["ClipWindow", "cut_clips"]


@attrs.frozen(kw_only=True)
class ClipWindow:
    """A stretch of a video and the sampled frames in it.

    Attributes:
        start_s: where it begins, in seconds.
        end_s: where it ends.
        frames: the half-open range of its frames among the video's.
    """

    start_s: float
    end_s: float
    frames: slice


def cut_clips(
    times_s: npt.NDArray[np.float64], duration_s: float, clip_seconds: float | None, *, begin_s: float = 0.0
) -> list[ClipWindow]:
    """Equal windows of at most `clip_seconds` that cover the pictures; one over all of them if it is `None`.

    The windows share them evenly, so that the last is never a sliver. A window without a frame belongs to the
    clip before it (at the beginning, to the one after it).

    >>> [(clip.start_s, clip.end_s) for clip in cut_clips(np.arange(0, 64, 0.5), 64.0, 30.0)]
    [(0.0, 21.333333333333332), (21.333333333333332, 42.666666666666664), (42.666666666666664, 64.0)]

    Args:
        times_s: [F] when the sampled frames are shown, ascending, F >= 1.
        duration_s: the video's length.
        clip_seconds: the longest clip.
        begin_s: when the first picture is shown.

    Raises:
        ConfigError: if `clip_seconds` is not above 0.
    """
    if clip_seconds is not None and not clip_seconds > 0:
        raise ConfigError(f"clip_seconds must be above 0, or None for whole videos, got {clip_seconds!r}.")
    duration_s = max(duration_s, float(times_s[-1]))
    begin_s = min(begin_s, float(times_s[0]))
    windows = 1 if clip_seconds is None else max(1, math.ceil((duration_s - begin_s) / clip_seconds - 1e-6))
    width_s = (duration_s - begin_s) / windows
    starts_s = begin_s + np.arange(windows) * width_s
    stops = np.append(np.searchsorted(times_s, starts_s[1:] - 1e-9), len(times_s))
    counts = np.diff(stops, prepend=0)
    kept = np.flatnonzero(counts)
    edges_s = [begin_s, *(starts_s[kept[1:]].tolist()), duration_s]
    return [
        ClipWindow(
            start_s=edges_s[i], end_s=edges_s[i + 1], frames=slice(int(stops[at] - counts[at]), int(stops[at]))
        )
        for i, at in enumerate(kept)
    ]
