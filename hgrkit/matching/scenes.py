"""Where a long video's picture changes, and which stretch of a scene a sentence fits: how moments are cut."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hgrkit.errors import ConfigError, ShapeError
from hgrkit.matching.frame_weights import single_precision, unit_vectors
from hgrkit.matching.kernel import chosen_kernel
from hgrkit.matching.windows import Windows

__all__ = ["PENALTY", "SHORTEST_SCENE", "best_stretches", "cut_scenes", "scene_runs"]

FloatArray = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

PENALTY = 3.5
"""What a scene costs; chosen on the joined clips for choosing, where 3 to 4 are as good."""

SHORTEST_SCENE = 4
"""Frames of the shortest scene."""

_SECTION_FRAMES = 256
"""Frames that are cut at once: time and memory grow with the video's length then, and not with its square."""

_EVENNESS = 0.4
_QUERIES_AT_ONCE = 256


def cut_scenes(frames: npt.ArrayLike, *, penalty: float = PENALTY, shortest: int = SHORTEST_SCENE) -> Windows:
    """Cut a video into scenes: windows that cover it, each of frames that are like one another.

    Of all ways to cut, the one with the smallest `sum_scenes (sum_t ||u_t - mean_scene||^2 + penalty)`, where
    `u_t` are the frames at length one; found exactly by dynamic programming over the frames' Gram matrix. A video
    of more than 256 frames is cut section by section, each from the last two scenes of the one before on; a scene
    then has at most 512 frames.

    >>> scenes = cut_scenes(np.repeat([[1.0, 0.0], [0.0, 1.0]], 8, axis=0))
    >>> scenes.starts.tolist(), scenes.stops.tolist()
    ([0, 8], [8, 16])

    Args:
        frames: one level's frame embeddings, [F, D].
        penalty: what one more scene costs; each frame that is unlike all others of its scene costs about 1.
        shortest: frames of the shortest scene, unless the video itself is shorter.

    Raises:
        ShapeError: if the frames are not [F, D] with at least one frame.
        ConfigError: if a setting is out of its range.

    Source: Potapov, Douze, Harchaoui, Schmid: Category-Specific Video Summarization (ECCV 2014), section 3, with a
    fixed penalty.
    """
    rows = single_precision(np.asarray(frames))
    if rows.ndim != 2 or not len(rows):
        raise ShapeError(f"frames must be [F, D] with at least one frame, got {list(rows.shape)}.")
    if not penalty > 0 or shortest < 1:
        raise ConfigError(f"penalty must be above 0 and shortest at least 1, got {penalty} and {shortest}.")
    units = unit_vectors(rows)
    starts, done = [0], 0
    while done < len(units):
        begin = max(starts[-2:][0], done - _SECTION_FRAMES)
        done = min(done + _SECTION_FRAMES, len(units))
        cuts = begin + _cheapest_cuts(units[begin:done], penalty, shortest)
        starts = [start for start in starts if start < begin] + cuts[:-1].tolist()
    return Windows(starts, [*starts[1:], len(units)])


def scene_runs(scenes: Windows, most: int) -> Windows:
    """The scenes, then every two that follow each other, and so on up to `most`.

    >>> runs = scene_runs(Windows([0, 4, 8], [4, 8, 12]), 2)
    >>> list(zip(runs.starts.tolist(), runs.stops.tolist()))
    [(0, 4), (4, 8), (8, 12), (0, 8), (4, 12)]

    Args:
        scenes: windows that follow each other.
        most: scenes of the longest runs, at least 1.
    """
    first, *longer = (
        Windows(scenes.starts[: len(scenes) - more], scenes.stops[more:]) for more in range(min(most, len(scenes)))
    )
    return first.joined(*longer)


def _cheapest_cuts(units: FloatArray, penalty: float, shortest: int) -> IntArray:
    """Where the scenes of unit frames [F, D] begin and the last one ends."""
    gram, kernel = units @ units.T, chosen_kernel()
    if kernel is None:
        previous = _last_scenes(gram.astype(np.float64), penalty, shortest)
    else:
        previous = kernel.scenes(gram, penalty=penalty, shortest=shortest)
    edges = [len(units)]
    while edges[-1] > 0:
        edges.append(int(previous[edges[-1]]))
    return np.array(edges[::-1], np.int64)


def _last_scenes(gram: Float64Array, penalty: float, shortest: int) -> IntArray:
    """What the compiled kernel's `scenes` has."""
    num_frames = len(gram)
    squares = np.concatenate([[0.0], np.cumsum(gram.diagonal())])
    sums = np.zeros((num_frames + 1, num_frames + 1))
    sums[1:, 1:] = gram.cumsum(axis=0).cumsum(axis=1)
    costs, previous = np.full(num_frames + 1, np.inf), np.zeros(num_frames + 1, np.int64)
    costs[0] = 0.0
    corners = sums.diagonal()
    for stop in range(min(shortest, num_frames), num_frames + 1):
        starts = np.arange(max(1, stop - shortest + 1))
        within = corners[stop] - 2 * sums[stop, starts] + corners[starts]  # inner products of a scene's frames
        total = costs[starts] + squares[stop] - squares[starts] - within / (stop - starts) + penalty
        previous[stop] = total.argmin()
        costs[stop] = total[previous[stop]]
    return previous


def best_stretches(frame_scores: npt.ArrayLike, windows: Windows) -> IntArray:
    """Which window each query's frame scores stand out in: `(inside - outside) (L (F - L) / F) ^ 0.4`.

    Inside and outside are the mean scores of the L frames in the window and of the F - L others. With the power
    0.5 this is the statistic of a change of mean; the smaller power favours short windows a little.

    Args:
        frame_scores: every frame's score for every query, [F, C].
        windows: W stretches to choose from.

    Returns:
        The best window of each query, int64 [C]; the first of equal ones.

    Raises:
        ShapeError: if the scores are not [F, C], or a window ends after the last frame.

    Source: Olshen, Venkatraman, Lucito, Wigler: Circular binary segmentation (Biostatistics 2004), section 2.
    """
    scores = np.asarray(frame_scores, np.float64)
    if scores.ndim != 2 or int(windows.stops.max()) > len(scores):
        raise ShapeError(f"frame scores must be [F, C] of all frames of the windows, got {list(scores.shape)}.")
    num_frames = len(scores)
    lengths = (windows.stops - windows.starts)[:, None]
    others = num_frames - lengths
    scale = (lengths * others / num_frames) ** _EVENNESS
    best = np.empty(scores.shape[1], np.int64)
    for first in range(0, scores.shape[1], _QUERIES_AT_ONCE):
        part = slice(first, first + _QUERIES_AT_ONCE)
        sums = np.concatenate([np.zeros((1, scores[:, part].shape[1])), np.cumsum(scores[:, part], axis=0)])
        inside = sums[windows.stops] - sums[windows.starts]  # [W, c]
        outside = (sums[-1] - inside) / np.maximum(others, 1)
        best[part] = ((inside / lengths - outside) * scale).argmax(axis=0)
    return best
