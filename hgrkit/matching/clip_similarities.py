"""How similar stored clips and nodes are: the matcher's arithmetic straight on float16 (HGR, section 3.4).

A search asks one sentence against thousands of clips whose frames lie end to end in files. Nothing is packed or
copied first: each clip is read where it lies. The numbers equal those of `hgrkit.matching.matcher.Matcher` to
rounding. A clip's depend on no other clip and on no position: equal clips have equal scores, to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.checks.arguments import check_number, check_whole, shown
from hgrkit.errors import ShapeError
from hgrkit.matching.frame_weights import EPSILON, Fusion, check_fusion, single_precision, unit_and_length
from hgrkit.matching.kernel import chosen_kernel

__all__ = ["Fusion", "clip_alignment", "clip_similarities", "event_similarities", "kernel_name", "mean_over_nodes"]

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

_PIECE_CLIPS = 16
"""Clips that numpy works on at once: their frames then stay in the cache from one step to the next."""

_PIECE_ELEMENTS = 1 << 20
"""Numbers of a piece of long clips: 4 MiB."""

_PRODUCT_ELEMENTS = 1 << 18
"""Multiplications in one product: OpenBLAS divides larger ones among threads, which wait for each other longer."""

_FEW_NODES = 16
"""Nodes for which it takes less time to form the attended frames than the inner products of a clip's frames."""


def kernel_name() -> str:
    """What compares clips and nodes on this machine: `numpy`, or the compiled kernel's name."""
    kernel = chosen_kernel()
    return "numpy" if kernel is None else kernel.name


def clip_similarities(
    frames: npt.NDArray[Any],
    starts: npt.ArrayLike,
    counts: npt.ArrayLike,
    nodes: npt.ArrayLike,
    *,
    sharpness: float = 4.0,
    fusion: Fusion = "embed",
    num_threads: int | None = None,
) -> FloatArray:
    """Every node's similarity to every clip.

    `s_t = cos(x_t, p)`, `r = max(s, 0) / ||max(s, 0)||`, `w = softmax(sharpness r)` over the clip's frames; then
    `cos(sum_t w_t x_t, p)` for the fusion `embed` and `sum_t w_t s_t` for `sim`.

    >>> frames = np.eye(4, dtype=np.float16)
    >>> clip_similarities(frames, [0, 2], [2, 1], frames[:1]).round(3).tolist()
    [[1.0], [0.0]]

    Args:
        frames: frames of many clips, float16 or float32 [N, D]; rows may lie apart, and in a memory map.
        starts: the first frame of each of V clips, [V]; clips may overlap, repeat, and lie in any order.
        counts: each clip's number of frames, at least 1, [V].
        nodes: node embeddings, [P, D]; those of many sentences may be put end to end.
        sharpness: lambda of the softmax.
        fusion: `embed` or `sim`.
        num_threads: that the compiled kernel uses; one a core unless given.

    Returns:
        Similarities in [-1, 1], float32 [V, P]; 0 for a node of length 0. A clip that holds NaN or an infinity has
        NaN or a number without meaning; no other clip's does.

    Raises:
        ShapeError: if the arrays do not fit, or a clip reaches beyond the frames.
        ConfigError: if a setting is out of its range.

    Source: HGR (arXiv 2003.00392), section 3.4.
    """
    problem = _Problem.checked(
        frames, starts, counts, nodes, sharpness=sharpness, fusion=fusion, num_threads=num_threads
    )
    return _similarities(problem, None)


def clip_alignment(
    frames: npt.NDArray[Any],
    starts: npt.ArrayLike,
    counts: npt.ArrayLike,
    nodes: npt.ArrayLike,
    *,
    sharpness: float = 4.0,
    fusion: Fusion = "embed",
    num_threads: int | None = None,
) -> tuple[list[FloatArray], FloatArray]:
    """How much each frame of a clip bears on each node, and the similarities that follow from it.

    The arguments and errors are those of `clip_similarities`.

    Returns:
        The alignment weights of each clip, [P, F] whose rows sum to one, and the similarities, [V, P]: bit for bit
        what `clip_similarities` has.
    """
    problem = _Problem.checked(
        frames, starts, counts, nodes, sharpness=sharpness, fusion=fusion, num_threads=num_threads
    )
    num_nodes = len(problem.units)
    weights = np.empty(num_nodes * int(problem.counts.sum()), np.float32)  # the clips' end to end
    similarities = _similarities(problem, weights)
    ends = np.cumsum(problem.counts).tolist()
    return [
        weights[num_nodes * (end - count) : num_nodes * end].reshape(num_nodes, count)
        for end, count in zip(ends, problem.counts.tolist(), strict=True)
    ], similarities


def event_similarities(
    events: npt.NDArray[Any], query: npt.ArrayLike, *, num_threads: int | None = None
) -> FloatArray:
    """The cosine of every event and a query's.

    Args:
        events: float16 or float32 [V, D] of any length; rows may lie apart, and in a memory map.
        query: [D], of any length.
        num_threads: that the compiled kernel uses; one a core unless given.

    Returns:
        float32 [V]; 0 where either is of length 0.

    Raises:
        ShapeError: if the arrays do not fit.
        ConfigError: if there are fewer threads than one.
    """
    _check_rows("events", events)
    vector = np.asarray(query, np.float32)
    if vector.shape != events.shape[1:]:
        raise ShapeError(f"the query must be [{events.shape[1]}] as the events are, got {list(vector.shape)}.")
    _check_threads(num_threads)
    unit = unit_and_length(vector)[0]
    kernel = chosen_kernel()
    if kernel is not None:
        return kernel.cosines(np.asarray(events), unit, num_threads=num_threads)
    similarities = np.empty(len(events), np.float32)
    step = max(1, _PIECE_ELEMENTS // max(1, events.shape[1]) // 8)
    with np.errstate(invalid="ignore", over="ignore"):
        for first in range(0, len(events), step):
            rows = single_precision(events[first : first + step])
            lengths = np.sqrt(np.einsum("vd,vd->v", rows, rows))
            similarities[first : first + step] = np.einsum("vd,d->v", rows, unit) / np.maximum(lengths, EPSILON)
    return similarities


def mean_over_nodes(similarities: FloatArray, counts: npt.ArrayLike) -> FloatArray:
    """Level scores of sentences whose nodes lie end to end: the mean over each one's nodes, 0 if it has none.

    >>> mean_over_nodes(np.array([[0.2, 0.4, 0.9]], dtype=np.float32), [2, 0, 1]).round(1).tolist()
    [[0.30000001192092896, 0.0, 0.8999999761581421]]

    Args:
        similarities: [V, P].
        counts: number of nodes of each of C sentences; they sum to P.

    Returns:
        float32 [V, C].

    Raises:
        ShapeError: if the counts do not sum to P.
    """
    sizes = np.asarray(counts, dtype=np.int64)
    if sizes.sum() != similarities.shape[1]:
        raise ShapeError(f"counts sum to {sizes.sum()}, but there are {similarities.shape[1]} nodes.")
    means = np.zeros((similarities.shape[0], sizes.size), dtype=np.float32)
    (real,) = np.nonzero(sizes)
    if real.size:
        starts = (np.cumsum(sizes) - sizes)[real]
        means[:, real] = np.add.reduceat(similarities, starts, axis=1) / sizes[real].astype(np.float32)
    return means


@attrs.frozen(eq=False)
class _Problem:
    """Arguments that fit each other, so that a kernel reads nothing outside the arrays; nodes of length one."""

    frames: npt.NDArray[Any]
    starts: IntArray
    counts: IntArray
    units: FloatArray
    sharpness: float
    fusion: Fusion
    num_threads: int | None

    @classmethod
    def checked(
        cls,
        frames: npt.NDArray[Any],
        starts: npt.ArrayLike,
        counts: npt.ArrayLike,
        nodes: npt.ArrayLike,
        *,
        sharpness: float,
        fusion: Fusion,
        num_threads: int | None,
    ) -> _Problem:
        check_fusion(fusion)
        _check_threads(num_threads)
        sharpness = check_number("sharpness", sharpness, "[0, inf)")
        _check_rows("frames", frames)
        num_frames, dim = frames.shape
        vectors = np.asarray(nodes, np.float32)
        if vectors.ndim != 2 or vectors.shape[1] != dim:
            raise ShapeError(f"nodes must be [P, {dim}], got {list(vectors.shape)}.")
        first, many = _positions("starts", starts), _positions("counts", counts)
        if first.shape != many.shape:
            raise ShapeError(f"clips need as many starts as counts, got {first.size} and {many.size}.")
        wrong = (many < 1) | (many > num_frames) | (first < 0) | (first > num_frames - many)
        if wrong.any():
            clip = int(wrong.argmax())
            raise ShapeError(
                f"clip {clip} must have at least one frame, within [0, {num_frames}); "
                f"it starts at {first[clip]} and has {many[clip]}."
            )
        with np.errstate(invalid="ignore", over="ignore"):
            units = unit_and_length(vectors)[0]
        return cls(np.asarray(frames), first, many, units, sharpness, fusion, num_threads)


def _check_rows(name: str, rows: npt.NDArray[Any]) -> None:
    right = isinstance(rows, np.ndarray) and rows.ndim == 2 and rows.dtype in (np.float16, np.float32)
    if not right or (rows.size and rows.shape[1] > 1 and rows.strides[1] != rows.itemsize):
        raise ShapeError(f"{name} must be float16 or float32 [N, D] with D contiguous, got {shown(rows)}.")


def _positions(name: str, values: npt.ArrayLike) -> IntArray:
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ShapeError(f"{name} must be whole numbers [V], got {shown(values)}.")
    return np.ascontiguousarray(array, np.int64)


def _check_threads(num_threads: int | None) -> None:
    if num_threads is not None:
        check_whole("num_threads", num_threads)


def _similarities(problem: _Problem, weights: FloatArray | None) -> FloatArray:
    """Similarities [V, P]; fills in all clips' weights, end to end, if they are wanted."""
    kernel = chosen_kernel()
    if kernel is None:
        return _by_numpy(problem, weights)
    return kernel.similarities(
        problem.frames,
        problem.starts,
        problem.counts,
        problem.units,
        sharpness=problem.sharpness,
        embed=problem.fusion == "embed",
        num_threads=problem.num_threads,
        weights=weights,
    )


def _by_numpy(problem: _Problem, weights: FloatArray | None) -> FloatArray:
    """The same without a compiled kernel.

    Clips of a piece have the same number of frames, and each is multiplied by itself: a product's rounding depends
    on its shape, and so on this clip alone.
    """
    num_nodes = len(problem.units)
    similarities = np.empty((len(problem.starts), num_nodes), np.float32)
    offsets = num_nodes * (np.cumsum(problem.counts) - problem.counts)
    with np.errstate(invalid="ignore", over="ignore"):
        for members in _pieces(problem):
            count = int(problem.counts[members[0]])
            piece = single_precision(problem.frames[problem.starts[members, None] + np.arange(count)])  # [n, F, D]
            lengths = np.sqrt(np.einsum("nfd,nfd->nf", piece, piece))[:, :, None]  # [n, F, 1]
            gram = piece @ piece.transpose(0, 2, 1) if num_nodes > _FEW_NODES else None  # [n, F, F]
            step = max(_FEW_NODES, _PRODUCT_ELEMENTS // max(1, count * piece.shape[2]))
            for first in range(0, num_nodes, step):
                units = problem.units[first : first + step]
                cosines = piece @ units.T / np.maximum(lengths, EPSILON)  # [n, F, P]
                own = _frame_weights(cosines, problem.sharpness)
                part = slice(first, first + len(units))
                if problem.fusion == "sim":
                    similarities[members, part] = (own * cosines).sum(axis=1)
                else:
                    products = (own * lengths * cosines).sum(axis=1)  # x_t = length_t u_t
                    similarities[members, part] = products / np.maximum(
                        _attended_lengths(own, piece, gram), EPSILON
                    )
                if weights is None:
                    continue
                for member, values in zip(members, own, strict=True):
                    start = offsets[member] + first * count
                    weights[start : start + values.size] = values.T.reshape(-1)
    return similarities


def _pieces(problem: _Problem) -> Iterator[IntArray]:
    """Positions of clips with the same number of frames, few enough to be worked on at once."""
    by_count = np.argsort(problem.counts, kind="stable")
    groups = np.flatnonzero(np.diff(problem.counts[by_count])) + 1
    for group in np.split(by_count, groups):
        count = int(problem.counts[group[0]]) if len(group) else 0
        step = max(1, min(_PIECE_CLIPS, _PIECE_ELEMENTS // max(1, count * problem.frames.shape[1])))
        for first in range(0, len(group), step):
            yield group[first : first + step]


def _frame_weights(cosines: FloatArray, sharpness: float) -> FloatArray:
    """Weights over the frames that sum to one: [n, F, P] -> [n, F, P].

    `alignment_weights` has the frames along the first axis; which numbers numpy adds first then depends on n.
    """
    weights = np.maximum(cosines, 0)
    lengths = np.sqrt((weights * weights).sum(axis=1, keepdims=True))
    weights *= np.float32(sharpness) / np.maximum(lengths, EPSILON)
    weights -= weights.max(axis=1, keepdims=True)
    np.exp(weights, out=weights)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights


def _attended_lengths(weights: FloatArray, piece: FloatArray, gram: FloatArray | None) -> FloatArray:
    """`||sum_t w_t x_t||`, [n, P], of weights [n, F, P], frames [n, F, D] and, for many nodes, their products."""
    if gram is None:
        attended = weights.transpose(0, 2, 1) @ piece  # [n, P, D]
        squares = np.einsum("npd,npd->np", attended, attended)
    else:
        squares = np.maximum((weights * (gram @ weights)).sum(axis=1), 0)
    lengths: FloatArray = np.sqrt(squares)
    return lengths
