"""Retrieval measures from a matrix of scores: what a benchmark reports of a model, a library or a release."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import BenchmarkError

__all__ = ["CUTOFFS", "DirectionMeasures", "RetrievalMeasures", "measure", "ranks", "recall_at"]

CUTOFFS = (1, 5, 10)

Ranks = npt.NDArray[np.int64]


def ranks(scores: npt.ArrayLike, positives: npt.ArrayLike) -> Ranks:
    """Each query's rank: how far down its best positive stands, from 1; a tied negative counts as ahead.

    >>> ranks([[0.9, 0.4, 0.4], [0.1, 0.2, 0.3]], [[False, True, False], [False, False, True]]).tolist()
    [3, 1]

    Args:
        scores: one row a query, one column a candidate, [Q, N].
        positives: whether the candidate is right, bool [Q, N].

    Returns:
        int64 [Q]; a query without any positive has the rank N + 1.

    Raises:
        BenchmarkError: if the shapes differ or a score is not a number.
    """
    table = np.asarray(scores)
    right = np.asarray(positives, dtype=bool)
    if table.ndim != 2 or table.shape != right.shape:
        raise BenchmarkError(
            f"scores and positives must both be [queries, candidates], got {list(table.shape)} and "
            f"{list(right.shape)}."
        )
    if np.isnan(table).any():
        raise BenchmarkError(f"{int(np.isnan(table).sum())} of {table.size} scores are not numbers.")
    best = np.max(table, axis=1, where=right, initial=-np.inf)
    ahead = np.count_nonzero((table >= best[:, None]) & ~right, axis=1)
    found: Ranks = np.where(right.any(axis=1), ahead + 1, table.shape[1] + 1).astype(np.int64)
    return found


def recall_at(query_ranks: Ranks, k: int) -> float:
    """R@k: per cent of the queries with a positive among the first k (TREC calls it Success@k)."""
    return float(100 * np.mean(query_ranks <= k))


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DirectionMeasures:
    """One direction's ranks and what is reported of them.

    Attributes:
        ranks: each query's rank, int64 [Q].
    """

    ranks: Ranks

    @property
    def median_rank(self) -> float:
        """MedR."""
        return float(np.median(self.ranks))

    @property
    def mean_rank(self) -> float:
        """MeanR."""
        return float(np.mean(self.ranks))

    def recall(self, k: int) -> float:
        """R@k in per cent."""
        return recall_at(self.ranks, k)

    def to_dict(self) -> dict[str, float | int]:
        """R@1, R@5 and R@10 in per cent, MedR, MeanR and the number of queries."""
        recalls = {f"R@{k}": self.recall(k) for k in CUTOFFS}
        return {**recalls, "MedR": self.median_rank, "MeanR": self.mean_rank, "queries": len(self.ranks)}

    def __repr__(self) -> str:
        recalls = ", ".join(f"R@{k}={self.recall(k):.1f}" for k in CUTOFFS)
        return f"DirectionMeasures({recalls}, queries={len(self.ranks)})"


@attrs.frozen(kw_only=True, eq=False)
class RetrievalMeasures:
    """Both directions.

    Attributes:
        text_to_video: captions are the queries, clips the candidates.
        video_to_text: the other way round.
    """

    text_to_video: DirectionMeasures
    video_to_text: DirectionMeasures

    @property
    def rsum(self) -> float:
        """Rsum: R@1, R@5 and R@10 of both directions added, at most 600."""
        return sum(side.recall(k) for side in (self.text_to_video, self.video_to_text) for k in CUTOFFS)

    def to_dict(self) -> Mapping[str, Any]:
        """What `hgrkit evaluate` reports."""
        return {
            "text_to_video": self.text_to_video.to_dict(),
            "video_to_text": self.video_to_text.to_dict(),
            "Rsum": self.rsum,
        }


def measure(scores: npt.ArrayLike, positives: npt.ArrayLike) -> RetrievalMeasures:
    """Measures of both directions.

    Args:
        scores: [V, C], clips by captions.
        positives: whether the caption describes the clip, bool [V, C].

    Raises:
        BenchmarkError: if there is no clip or no caption, the shapes differ, or a score is not a number.
    """
    table, right = np.asarray(scores), np.asarray(positives, dtype=bool)
    if not table.size:
        raise BenchmarkError(f"there is nothing to measure: scores are {list(table.shape)}.")
    return RetrievalMeasures(
        text_to_video=DirectionMeasures(ranks=ranks(table.T, right.T)),
        video_to_text=DirectionMeasures(ranks=ranks(table, right)),
    )
