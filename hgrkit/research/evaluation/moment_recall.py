"""Judges moments: how much a found interval overlaps the right one, and how often that is enough."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import BenchmarkError
from hgrkit.research.evaluation.bootstrap import RESAMPLES, Estimate, percentile_interval, resampled_videos

__all__ = ["THRESHOLDS", "MomentRecall", "moment_recall", "overlaps"]

Float64 = npt.NDArray[np.float64]

THRESHOLDS = (0.3, 0.5, 0.7)
"""Overlaps that count as found."""


def overlaps(found: npt.ArrayLike, right: npt.ArrayLike) -> Float64:
    """Intersection over union of intervals, float64 [Q]; 0 where both are empty.

    >>> overlaps([[0.0, 4.0], [5.0, 6.0]], [[2.0, 6.0], [0.0, 1.0]]).round(3).tolist()
    [0.333, 0.0]

    Args:
        found: start and end of each found interval, [Q, 2].
        right: of the right ones, [Q, 2].

    Raises:
        BenchmarkError: if the shapes differ or an interval ends before it begins.
    """
    ours, theirs = np.asarray(found, np.float64), np.asarray(right, np.float64)
    if ours.shape != theirs.shape or ours.ndim != 2 or ours.shape[1] != 2:
        raise BenchmarkError(f"intervals must be two [Q, 2], got {list(ours.shape)} and {list(theirs.shape)}.")
    if (ours[:, 1] < ours[:, 0]).any() or (theirs[:, 1] < theirs[:, 0]).any():
        raise BenchmarkError("an interval must not end before it begins.")
    common = np.minimum(ours[:, 1], theirs[:, 1]) - np.maximum(ours[:, 0], theirs[:, 0])
    common = np.maximum(common, 0)
    either = (ours[:, 1] - ours[:, 0]) + (theirs[:, 1] - theirs[:, 0]) - common
    shares: Float64 = np.divide(common, either, out=np.zeros(len(ours)), where=either > 0)
    return shares


@attrs.frozen(kw_only=True)
class MomentRecall:
    """How well moments were found, each figure with its interval.

    Attributes:
        recalls: by the overlap from which a moment counts as found: R@1 in per cent.
        mean_overlap: the mean overlap, in per cent.
        queries: how many moments were asked for.
    """

    recalls: dict[float, Estimate]
    mean_overlap: Estimate
    queries: int

    @property
    def estimates(self) -> dict[str, Estimate]:
        """Every figure by its name: `R@1 IoU=0.5` and its like, then `mIoU`."""
        named = {f"R@1 IoU={threshold}": recall for threshold, recall in self.recalls.items()}
        return {**named, "mIoU": self.mean_overlap}

    def to_dict(self) -> dict[str, float | int]:
        """The figures without their intervals, and the number of queries."""
        return {**{name: figure.value for name, figure in self.estimates.items()}, "queries": self.queries}

    def intervals(self) -> dict[str, Any]:
        """The figures with their intervals: `{name: {"value", "interval"}}`."""
        return {name: figure.to_dict() for name, figure in self.estimates.items()}


def moment_recall(
    overlap: Float64, videos: Sequence[str], *, resamples: int = RESAMPLES, seed: int = 0
) -> MomentRecall:
    """R@1 at every threshold and the mean overlap, with intervals clustered by video.

    Args:
        overlap: each query's overlap, [Q]; 0 for a moment in the wrong video.
        videos: the video that each query belongs to, [Q].
        resamples: how many times the videos are drawn anew.
        seed: of the draws.

    Raises:
        BenchmarkError: if there is no query.
        ConfigError: if `resamples` or `seed` is out of its range.
    """
    if not len(overlap):
        raise BenchmarkError("there is no moment to measure.")
    values = np.stack([*(overlap >= threshold for threshold in THRESHOLDS), overlap], axis=1) * 100.0  # [Q, 4]
    names, clusters = np.unique(np.asarray(videos), return_inverse=True)
    sums = np.stack([np.bincount(clusters, column, minlength=len(names)) for column in values.T], axis=1)
    counts = np.bincount(clusters, minlength=len(names))
    drawn = np.concatenate(
        [(block @ sums) / (block @ counts)[:, None] for block in resampled_videos(len(names), resamples, seed)]
    )
    estimates = [
        Estimate(float(value), percentile_interval(resampled))
        for value, resampled in zip(values.mean(axis=0), drawn.T, strict=True)
    ]
    return MomentRecall(
        recalls=dict(zip(THRESHOLDS, estimates, strict=False)), mean_overlap=estimates[-1], queries=len(overlap)
    )
