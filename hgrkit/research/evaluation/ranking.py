"""From a matrix of scores and what is right to the rank of every query, block by block."""

from __future__ import annotations

from typing import Any, Self

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.checks.arguments import shown
from hgrkit.errors import BenchmarkError

__all__ = ["Ranking", "Ranks", "Relevance", "rank", "real_table"]

Ranks = npt.NDArray[np.int64]

_BLOCK = 1 << 22
"""Scores that are ranked together: bounds the memory beside the scores."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Relevance:
    """Which candidates are right for which queries, as pairs: small where a table of Q x N would be large.

    Attributes:
        queries: the query of each pair, int64 [M], ascending.
        candidates: the candidate of each pair, int64 [M], ascending within a query; no pair twice.
        shape: the numbers of queries and candidates, (Q, N).
    """

    queries: Ranks
    candidates: Ranks
    shape: tuple[int, int]

    @classmethod
    def from_pairs(cls, queries: npt.ArrayLike, candidates: npt.ArrayLike, shape: tuple[int, int]) -> Self:
        """Pairs in any order, repeated or not.

        Raises:
            BenchmarkError: if a number is not that of a query or candidate, or the lists differ in length.
        """
        rows, columns = (
            real_table(side, "iu", "numbers of queries and candidates").reshape(-1)
            for side in (queries, candidates)
        )
        rows, columns = rows.astype(np.int64), columns.astype(np.int64)
        if rows.shape != columns.shape:
            raise BenchmarkError(f"a pair is a query and a candidate, got {len(rows)} and {len(columns)} of them.")
        if not isinstance(shape, tuple) or len(shape) != 2:
            raise BenchmarkError(f"shape must be the numbers of queries and candidates, got {shown(shape)}.")
        for name, numbers, size in (("query", rows, shape[0]), ("candidate", columns, shape[1])):
            wrong = numbers[(numbers < 0) | (numbers >= size)]
            if wrong.size:
                raise BenchmarkError(f"there is no {name} {wrong[0]} among {size}; they are numbered from 0.")
        # Unique also sorts, by query and then by candidate: what `rank` and `take` rely on.
        flat = np.unique(rows * shape[1] + columns)
        return cls(queries=flat // max(shape[1], 1), candidates=flat % max(shape[1], 1), shape=shape)

    @classmethod
    def from_table(cls, right: npt.ArrayLike) -> Self:
        """Whether each candidate is right, bool [Q, N].

        Raises:
            BenchmarkError: if it is not a table.
        """
        table = real_table(right, "fiub", "positives")
        if table.dtype != bool and not np.isin(table, (0, 1)).all():
            raise BenchmarkError(
                f"positives must be True or False, got {shown(right)}; compare numbers with a limit."
            )
        if table.ndim != 2:
            raise BenchmarkError(f"positives must be [queries, candidates], got {list(table.shape)}.")
        queries, candidates = np.nonzero(table)
        return cls(queries=queries, candidates=candidates, shape=(table.shape[0], table.shape[1]))

    @property
    def transposed(self) -> Relevance:
        """Candidates as queries."""
        return self.from_pairs(self.candidates, self.queries, (self.shape[1], self.shape[0]))

    @property
    def counts(self) -> Ranks:
        """How many candidates are right for each query, int64 [Q]."""
        return np.bincount(self.queries, minlength=self.shape[0])

    def take(self, queries: npt.ArrayLike) -> Relevance:
        """The pairs of some queries, in another order or several times."""
        asked = np.asarray(queries, dtype=np.int64)
        firsts = np.searchsorted(self.queries, asked)
        lengths = self.counts[asked]
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return Relevance(
            queries=np.repeat(np.arange(len(asked)), lengths),
            candidates=self.candidates[np.repeat(firsts, lengths) + within],
            shape=(len(asked), self.shape[1]),
        )

    def __repr__(self) -> str:
        return f"Relevance(queries={self.shape[0]}, candidates={self.shape[1]}, pairs={len(self.queries)})"


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Ranking:
    """The ranks of Q queries, with their best positives and their first places, by number.

    Attributes:
        ranks: how far down the best positive stands, from 1, int64 [Q]; N + 1 for a query without any.
        positives: the best positive, the first of equal ones, int64 [Q]; -1 for a query without any.
        tops: the candidate in first place, a wrong one where right and wrong ones are equal, int64 [Q].
        counts: how many candidates are right, int64 [Q].
    """

    ranks: Ranks
    positives: Ranks
    tops: Ranks
    counts: Ranks

    def __repr__(self) -> str:
        return f"Ranking(queries={len(self.ranks)})"


def rank(
    scores: npt.ArrayLike,
    positives: npt.ArrayLike | Relevance,
    *,
    rows: npt.ArrayLike | None = None,
    columns: npt.ArrayLike | None = None,
) -> Ranking:
    """Rank all N candidates for each of Q queries; a tied negative counts as ahead.

    >>> rank([[0.9, 0.4, 0.4], [0.1, 0.2, 0.3]], [[False, True, False], [False, False, True]]).ranks.tolist()
    [3, 1]

    Args:
        scores: one row a query, one column a candidate, [Q, N]; a transposed view costs no copy of the whole.
        positives: whether the candidate is right, bool [Q, N], or the pairs that are.
        rows: the row of `scores` that each query takes, int64 [Q], when several share one.
        columns: the column of `scores` that each candidate takes, int64 [N], when several share one.

    Raises:
        BenchmarkError: if the shapes differ or a score is not a number.
    """
    relevance = positives if isinstance(positives, Relevance) else Relevance.from_table(positives)
    table = real_table(scores, "fiub", "scores")
    row_of, column_of = (None if taken is None else np.asarray(taken, dtype=np.int64) for taken in (rows, columns))
    _check(table, relevance, row_of, column_of)
    num_queries, num_candidates = relevance.shape
    ranks, positive, tops = np.empty((3, num_queries), np.int64)
    # Whole queries at a time: a rank needs all candidates of its query, and nothing of another one.
    height = max(1, _BLOCK // max(1, num_candidates))
    starts = np.arange(0, num_queries, height)
    bounds = np.searchsorted(relevance.queries, np.append(starts, num_queries))
    for start, first, last in zip(starts.tolist(), bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        part = slice(start, min(start + height, num_queries))
        block = table[part if row_of is None else row_of[part]]
        block = block if column_of is None else np.take(block, column_of, axis=1)
        own = (relevance.queries[first:last] - start, relevance.candidates[first:last])
        ranks[part], positive[part], tops[part] = _rank_block(_own_copy(block), *own)
    return Ranking(ranks=ranks, positives=positive, tops=tops, counts=relevance.counts)


def real_table(values: npt.ArrayLike, kinds: str, name: str) -> npt.NDArray[Any]:
    """An array of numbers of some of numpy's kinds; an empty one is of any.

    Raises:
        BenchmarkError: if it is none.
    """
    try:
        table = np.asarray(values)
    except ValueError:  # rows of unequal length
        table = np.empty(1, object)
    if table.size and table.dtype.kind not in kinds:
        raise BenchmarkError(f"{name} must be real numbers, in rows of equal length, got {shown(values)}.")
    return table


def _check(table: npt.NDArray[Any], relevance: Relevance, rows: Ranks | None, columns: Ranks | None) -> None:
    shared = (rows, columns)
    if table.ndim != 2 or any(
        size != wanted and taken is None
        for size, wanted, taken in zip(table.shape, relevance.shape, shared, strict=True)
    ):
        raise BenchmarkError(
            "scores and positives must both be [queries, candidates], "
            f"got {list(table.shape)} and {list(relevance.shape)}."
        )
    named = zip(("rows", "columns"), ("queries", "candidates"), relevance.shape, shared, strict=True)
    for name, of, wanted, taken in named:
        if taken is not None and taken.shape != (wanted,):
            raise BenchmarkError(f"{name} must name one for each of {wanted} {of}, got {list(taken.shape)}.")


def _own_copy(block: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A copy as floats with contiguous rows; NaN is an error."""
    floats = block.dtype if block.dtype.kind == "f" else np.dtype(np.float64)
    own = np.array(block, dtype=floats, order="C")
    wrong = np.count_nonzero(np.isnan(own))
    if wrong:
        raise BenchmarkError(f"{wrong} of {own.size} scores are not numbers.")
    return own


def _rank_block(block: npt.NDArray[Any], queries: Ranks, candidates: Ranks) -> tuple[Ranks, Ranks, Ranks]:
    """Ranks, best positives and first places of q queries, [q, N]; overwrites the block."""
    num_queries, num_candidates = block.shape
    positives = np.full(num_queries, -1, np.int64)
    ranks = np.full(num_queries, num_candidates + 1, np.int64)
    if not num_candidates:
        return ranks, positives, positives.copy()
    right = block[queries, candidates]  # [m], grouped by query
    asked, firsts = np.unique(queries, return_index=True)
    best = np.full(num_queries, -np.inf, block.dtype)
    if len(asked):
        # Only queries that have pairs: reduceat gives an empty group the score at its start.
        best[asked] = np.maximum.reduceat(right, firsts)
    winners = np.flatnonzero(right == best[queries])
    # A tied negative is ahead, so that a constant score ranks last; the best positives themselves are not.
    ahead = np.count_nonzero(block >= best[:, None], axis=1)
    ahead -= np.bincount(queries[winners], minlength=num_queries)
    ranks[asked] = ahead[asked] + 1
    positives[asked] = candidates[winners[np.searchsorted(queries[winners], asked)]]
    block[queries, candidates] = -np.inf  # what is left are wrong candidates: the best of them is in first place
    tops = np.where(ranks == 1, positives, block.argmax(axis=1))
    return ranks, positives, tops
