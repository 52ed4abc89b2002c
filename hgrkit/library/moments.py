"""The moment inside a clip: the stretch of time that a sentence's alignment points to."""

from __future__ import annotations

import attrs
import numpy as np

from hgrkit.checks.arguments import check_number
from hgrkit.errors import ShapeError
from hgrkit.library.records import Float32, Float64, float64_array

__all__ = ["Moment", "cut_moment", "frame_bounds"]


@attrs.frozen
class Moment:
    """An interval of a video.

    Attributes:
        start_s: its beginning, in seconds.
        end_s: its end, in seconds.
    """

    start_s: float
    end_s: float


def cut_moment(
    times_s: Float64,
    relevance: Float32 | Float64,
    *,
    start_s: float,
    end_s: float,
    containing: int | None = None,
) -> Moment:
    """The contiguous run of frames whose relevance above its mean has the largest sum.

    A frame stands for the time up to the mid-points between it and its neighbours; the first and the last frame
    for the time up to the clip's ends. Where all frames are equally relevant, the moment is the whole clip; of
    equal runs the one that ends first counts.

    >>> cut_moment(np.array([1.0, 3.0, 5.0, 7.0]), np.array([0.1, 0.7, 0.6, 0.1]), start_s=0.0, end_s=8.0)
    Moment(start_s=2.0, end_s=6.0)

    Args:
        times_s: [F] the frames' times in seconds, never decreasing.
        relevance: [F] how much each frame matters.
        start_s: where the clip begins.
        end_s: where it ends.
        containing: a frame that has to lie in the run, in [0, F); any run if `None`.

    Raises:
        ShapeError: if times and relevance differ in length, are empty, or are no finite numbers.
    """
    times_s, relevance = float64_array(times_s), float64_array(relevance)
    start_s, end_s = check_number("start_s", start_s), check_number("end_s", end_s)
    if times_s.ndim != 1 or times_s.shape != relevance.shape or not times_s.size:
        raise ShapeError(
            f"times_s and relevance must both be [F] with F >= 1, got {list(times_s.shape)} "
            f"and {list(relevance.shape)}."
        )
    if not (np.isfinite(times_s).all() and np.isfinite(relevance).all()):
        raise ShapeError("times_s and relevance must be finite, got numbers that are NaN or infinite.")
    first, last = _best_run(relevance, containing)
    bounds_s = frame_bounds(times_s, start_s=start_s, end_s=end_s)
    return Moment(float(bounds_s[first]), float(bounds_s[last + 1]))


def frame_bounds(times_s: Float64, *, start_s: float, end_s: float) -> Float64:
    """Where the time that each frame stands for begins, and where that of the last one ends, [F + 1]."""
    bounds: Float64 = np.clip([start_s, *(times_s[:-1] + times_s[1:]) / 2, end_s], start_s, end_s)
    return bounds


def _best_run(relevance: Float64, containing: int | None) -> tuple[int, int]:
    """First and last position of the run with the largest sum above the mean, of all or of those with a frame."""
    gains = relevance - relevance.mean()
    if np.abs(gains).max() <= 1e-9 * max(float(np.abs(relevance).max()), 1e-9):
        return 0, relevance.size - 1
    sums = np.concatenate([[0.0], np.cumsum(gains)])
    if containing is not None:
        return int(np.argmin(sums[: containing + 1])), containing + int(np.argmax(sums[containing + 1 :]))
    lowest = np.minimum.accumulate(sums[:-1])
    last = int(np.argmax(sums[1:] - lowest))
    first = int(np.argmin(sums[: last + 1]))
    return first, last
