"""Scores every window of a long video from its frames, nothing re-encoded: what moments are found by.

A window is a clip by itself. Its event is `sum_t exp(a_t) e_t / sum_t exp(a_t)` over its own frames, from sums
that are added up once a video. At the other levels, the alignment's softmax runs over its own frames, whose
cosines are computed once a video. The numbers equal those of encoding and matching each window from scratch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Self

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import ConfigError, ShapeError
from hgrkit.matching.frame_weights import (
    DEFAULT_FUSION,
    DEFAULT_SHARPNESS,
    Fusion,
    alignment_weights,
    check_fusion,
    fused_similarities,
    unit_and_length,
    unit_vectors,
)

__all__ = ["WindowedLevel", "Windows", "window_events"]

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

_CHUNK_ELEMENTS = 1 << 18
"""Similarities worked on at once: about a megabyte, so that the steps after the product stay in the cache."""

_LOST = 1e-7
"""Share of the weight before it, below which a window's sum is added up anew: differences keep 15 digits."""


def _int64(values: npt.ArrayLike) -> IntArray:
    return np.asarray(values, np.int64).reshape(-1)


@attrs.frozen(eq=False, repr=False)
class Windows:
    """Stretches of a video's frames, half-open.

    Attributes:
        starts: first frame of each window, int64 [W].
        stops: the frame after its last.

    Raises:
        ShapeError: if a window is empty, begins before the first frame, or there is none.
    """

    starts: IntArray = attrs.field(converter=_int64)
    stops: IntArray = attrs.field(converter=_int64)

    def __attrs_post_init__(self) -> None:
        if self.starts.shape != self.stops.shape or not self.starts.size:
            raise ShapeError(
                f"windows need as many starts as stops, and one at least; got {self.starts.size} and "
                f"{self.stops.size}."
            )
        if self.starts.min() < 0 or (self.starts >= self.stops).any():
            raise ShapeError("every window must begin at frame 0 or later and hold at least one frame.")

    @classmethod
    def at_scales(cls, num_frames: int, *, shortest: int = 4, growth: float = 2.0, stride: float = 0.5) -> Self:
        """Windows of several lengths over F frames, and the whole video as the last.

        Lengths are `shortest`, `shortest * growth`, ... below F, rounded; windows of length L begin every
        `stride * L` frames, and one ends with the video.

        >>> windows = Windows.at_scales(8, shortest=4)
        >>> list(zip(windows.starts.tolist(), windows.stops.tolist()))
        [(0, 4), (2, 6), (4, 8), (0, 8)]

        Args:
            num_frames: F.
            shortest: frames of the shortest windows.
            growth: how many times longer the next ones are.
            stride: where the next window begins, in lengths.

        Raises:
            ConfigError: if a setting is out of its range.
        """
        if num_frames < 1 or shortest < 1 or not growth > 1 or not 0 < stride <= 1:
            raise ConfigError(
                "windows need num_frames and shortest of at least 1, growth above 1 and stride in (0, 1], got "
                f"{num_frames}, {shortest}, {growth} and {stride}."
            )
        starts, stops = [], []
        for length in _lengths(shortest, growth, num_frames):
            step = max(1, round(length * stride))
            first = np.unique(np.append(np.arange(0, num_frames - length, step), num_frames - length))
            starts.append(first)
            stops.append(first + length)
        return cls(np.concatenate([*starts, [0]]), np.concatenate([*stops, [num_frames]]))

    def joined(self, *others: Windows) -> Windows:
        """These windows and others after them."""
        every = (self, *others)
        return Windows(
            np.concatenate([part.starts for part in every]), np.concatenate([part.stops for part in every])
        )

    def __len__(self) -> int:
        """W."""
        return self.starts.size

    def __repr__(self) -> str:
        return f"Windows({len(self)})"


def _lengths(shortest: int, growth: float, num_frames: int) -> list[int]:
    """Ascending lengths below that of the video, each once."""
    lengths, wanted = [], float(shortest)
    while round(wanted) < num_frames:
        lengths.append(round(wanted))
        wanted *= growth
    return sorted(set(lengths))


def window_events(frames: npt.ArrayLike, logits: npt.ArrayLike, windows: Windows) -> FloatArray:
    """The event vector of every window: `sum_t exp(a_t) e_t / sum_t exp(a_t)` over its frames.

    Sums run from the first frame on, in float64 and with the largest logit taken off, so that a window costs one
    difference; where little of the weight lies in a window, it is added up by itself.

    Args:
        frames: the video's event frames e_t, [F, D].
        logits: how much each counts, a_t, [F].
        windows: W of them.

    Returns:
        float32 [W, D].

    Raises:
        ShapeError: if the shapes do not fit.

    Source: HGR (arXiv 2003.00392), section 3.2.
    """
    vectors, heights = np.asarray(frames, np.float64), np.asarray(logits, np.float64)
    if vectors.ndim != 2 or heights.shape != vectors.shape[:1]:
        raise ShapeError(
            f"event frames [F, D] and logits [F] do not fit: got {list(vectors.shape)}, {list(heights.shape)}."
        )
    _check_inside(windows, len(vectors))
    weights = np.exp(heights - heights.max())
    mass = np.concatenate([[0.0], np.cumsum(weights)])
    sums = np.concatenate([np.zeros((1, vectors.shape[1])), np.cumsum(weights[:, None] * vectors, axis=0)])
    own = mass[windows.stops] - mass[windows.starts]
    lost = own <= _LOST * mass[windows.stops]
    events = (sums[windows.stops] - sums[windows.starts]) / np.where(lost, 1, own)[:, None]
    for row in np.flatnonzero(lost):
        part = slice(windows.starts[row], windows.stops[row])
        weights = np.exp(heights[part] - heights[part].max())
        events[row] = weights @ vectors[part] / weights.sum()
    found: FloatArray = events.astype(np.float32)
    return found


@attrs.frozen(eq=False)
class _Group:
    """Windows of the same number L of frames.

    Attributes:
        rows: their positions among all windows, [n].
        frames: the frames of each, [L, n].
        norms: the frames' lengths, [L, n].
        gram: inner products of a window's unit frames, [n, L, L]; `None` if they are not needed.
    """

    rows: IntArray
    frames: IntArray
    norms: FloatArray
    gram: FloatArray | None


@attrs.frozen(eq=False, repr=False)
class WindowedLevel:
    """One level's frames of one video, cut into windows and ready to be compared with nodes.

    Attributes:
        num_windows: W.
        units: the frames, of length one, [F, D].
        groups: the windows by their number of frames.
        sharpness: lambda of the softmax.
    """

    num_windows: int
    units: FloatArray
    groups: tuple[_Group, ...]
    sharpness: float

    @classmethod
    def cut(
        cls,
        frames: npt.NDArray[Any],
        windows: Windows,
        *,
        sharpness: float = DEFAULT_SHARPNESS,
        fusion: Fusion = DEFAULT_FUSION,
    ) -> Self:
        """Prepare frames [F, D].

        Args:
            frames: the video's frame embeddings at this level.
            windows: W of them.
            sharpness: lambda of the softmax over a window's frames.
            fusion: `embed` or `sim`.

        Raises:
            ShapeError: if the frames are not [F, D], or a window ends after the last of them.
            ConfigError: if the fusion is unknown.
        """
        check_fusion(fusion)
        rows = np.asarray(frames, np.float32)
        if rows.ndim != 2:
            raise ShapeError(f"frames must be [F, D], got {list(rows.shape)}.")
        _check_inside(windows, len(rows))
        units, norms = unit_and_length(rows)
        gram = units @ units.T if fusion == "embed" else None  # [F, F]
        groups = []
        lengths = windows.stops - windows.starts
        for length in np.unique(lengths).tolist():
            (members,) = np.nonzero(lengths == length)
            picked = windows.starts[members] + np.arange(length)[:, None]  # [L, n]
            blocks = None if gram is None else gram[picked.T[:, :, None], picked.T[:, None, :]]
            groups.append(_Group(members, picked, norms[picked], blocks))
        return cls(len(windows), units, tuple(groups), float(sharpness))

    def similarities(self, nodes: npt.ArrayLike) -> FloatArray:
        """Every node's similarity to every window.

        Args:
            nodes: node embeddings, [P, D]; those of many sentences may be put end to end.

        Returns:
            Similarities in [-1, 1], float32 [W, P].

        Raises:
            ShapeError: if the nodes are not [P, D].
        """
        vectors = np.asarray(nodes, np.float32)
        if vectors.ndim != 2 or vectors.shape[1] != self.units.shape[1]:
            raise ShapeError(f"nodes must be [P, {self.units.shape[1]}], got {list(vectors.shape)}.")
        cosines: FloatArray = self.units @ unit_vectors(vectors).T  # [F, P]
        similarities = np.empty((self.num_windows, len(vectors)), np.float32)
        for group in self.groups:
            for windows, columns in _chunks(group.frames.shape, len(vectors)):
                own = cosines[group.frames[:, windows], columns]  # [L, n, p]
                weights = alignment_weights(own, self.sharpness)
                gram = None if group.gram is None else group.gram[windows]
                similarities[group.rows[windows], columns] = fused_similarities(
                    own, weights, group.norms[:, windows], gram
                )
        return similarities

    def __repr__(self) -> str:
        return f"WindowedLevel(windows={self.num_windows}, frames={len(self.units)})"


def _chunks(frames: Sequence[int], num_nodes: int) -> Iterator[tuple[slice, slice]]:
    """Windows and nodes that are worked on together, [L, n] frames and P nodes in all."""
    length, count = frames
    height = max(1, min(count, _CHUNK_ELEMENTS // (length * 64)))
    width = max(1, _CHUNK_ELEMENTS // (length * height))
    for first in range(0, count, height):
        for column in range(0, num_nodes, width):
            yield slice(first, first + height), slice(column, column + width)


def _check_inside(windows: Windows, num_frames: int) -> None:
    last = int(windows.stops.max())
    if last > num_frames:
        raise ShapeError(f"a window ends at frame {last}, but the video has {num_frames}.")
