"""What ranks are worth when answers come in random order: the baseline that needs no model, computed exactly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hgrkit.errors import BenchmarkError
from hgrkit.research.evaluation.bootstrap import figures
from hgrkit.research.evaluation.rank_file import QueryRank
from hgrkit.research.evaluation.rank_measure import DEFAULT_MEASURES, Direction, RankMeasure

__all__ = ["chance", "rank_probabilities"]

Floats = npt.NDArray[np.float64]


def rank_probabilities(num_candidates: int, num_right: int) -> Floats:
    """How probable each rank is in random order: `P(rank > k)` is the product of `(N - P - i) / (N - i)`, i < k.

    >>> rank_probabilities(4, 2).round(3).tolist()
    [0.5, 0.333, 0.167, 0.0, 0.0]

    Args:
        num_candidates: N.
        num_right: P.

    Returns:
        Of the ranks 1 to N + 1, float64 [N + 1]; without any right candidate, the last is certain.
    """
    behind = np.arange(num_candidates, 0, -1, dtype=np.float64)  # N - i
    later = np.cumprod(np.maximum(behind - num_right, 0) / behind)  # P(rank > k), k = 1 ... N
    if not num_right:
        later = np.ones(num_candidates)
    return np.abs(np.diff(np.concatenate([[1.0], later, [0.0]])))


def chance(rows: Sequence[QueryRank], measures: Iterable[RankMeasure] = DEFAULT_MEASURES) -> dict[str, Any]:
    """What measures would be expected to be of these queries if the candidates came in random order.

    Args:
        rows: ranks of one or both directions; only `candidates` and `right` are read.
        measures: what to report.

    Returns:
        In the shape of `hgrkit.research.evaluation.bootstrap.report`; the values are exact and have no interval.
        `MedR` is the median of all queries' ranks together.

    Raises:
        BenchmarkError: if a query does not tell its numbers of candidates and right answers.
    """
    spread = {direction: _spread(rows, direction) for direction in dict.fromkeys(row.direction for row in rows)}
    found: dict[str, Any] = {}
    for figure in figures(tuple(measures), spread):
        ways = spread if figure.direction is None else (figure.direction,)
        value = sum(_expected(figure.measure, spread[way]) for way in ways)
        place = found if figure.direction is None else found.setdefault(figure.direction, {})
        place[str(figure.measure)] = {"value": value, "interval": None}
    return found


def _spread(rows: Sequence[QueryRank], direction: Direction) -> Floats:
    """How probable each rank is for a query that is picked at random."""
    own = [row for row in rows if row.direction == direction]
    for row in own:
        if row.candidates is None or row.right is None:
            raise BenchmarkError(
                f"the query {row.query!r} does not tell how many candidates it has and how many are right."
            )
    kinds = Counter((row.candidates or 0, row.right or 0) for row in own)
    total = np.zeros(max(candidates for candidates, _ in kinds) + 1)
    for (candidates, right), queries in kinds.items():
        total[: candidates + 1] += queries * rank_probabilities(candidates, right)
    return total / len(own)


def _expected(measure: RankMeasure, probabilities: Floats) -> float:
    if not measure.is_mean:
        return float(1 + np.argmax(np.cumsum(probabilities) >= 0.5 - 1e-12))
    return float(measure.gains(np.arange(1, len(probabilities) + 1)) @ probabilities)
