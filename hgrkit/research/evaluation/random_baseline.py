"""The baseline that needs no model: what measures are expected to be in random order, computed exactly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, final

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import BenchmarkError
from hgrkit.research.evaluation.bootstrap import Figure, by_direction, figures
from hgrkit.research.evaluation.measures import DEFAULT_MEASURES, REPORTED, RankMeasure
from hgrkit.research.evaluation.rank_file import Direction, QueryRank

__all__ = ["RandomBaseline", "random_baseline", "rank_distribution", "rank_probabilities"]

Float64 = npt.NDArray[np.float64]


def rank_probabilities(num_candidates: int, num_right: int) -> Float64:
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


@final
@attrs.frozen(kw_only=True)
class RandomBaseline:
    """What measures are expected to be in random order.

    Attributes:
        figures: the exact expectations, for `MedR` the median of all queries' ranks together.
        queries: number of queries of each direction.
    """

    figures: Mapping[Figure, float]
    queries: Mapping[Direction, int]

    def to_dict(self) -> dict[str, Any]:
        """In the shape of `Retrieval.to_dict`; the intervals are `None`."""
        values = by_direction(self.figures)
        measured: dict[str, Any] = {
            direction: {**{name: values[direction][name] for name in REPORTED}, "queries": number}
            for direction, number in self.queries.items()
        }
        if "Rsum" in values:
            measured["Rsum"] = values["Rsum"]
        exact = {figure: {"value": value, "interval": None} for figure, value in self.figures.items()}
        return {**measured, "intervals": by_direction(exact)}


def random_baseline(
    rows: Sequence[QueryRank], measures: Iterable[RankMeasure] = DEFAULT_MEASURES
) -> RandomBaseline:
    """What these queries would be expected to give if the candidates came in random order.

    Args:
        rows: ranks of one or both directions; only `candidates` and `right` are read.
        measures: what to report.

    Raises:
        BenchmarkError: if a query does not tell its numbers of candidates and right answers.
    """
    queries = Counter(row.direction for row in rows)
    of_ranks = {way: rank_distribution([row for row in rows if row.direction == way]) for way in queries}
    found = {}
    for figure in figures(tuple(measures), queries):
        ways = queries if figure.direction is None else (figure.direction,)
        found[figure] = sum(_expected(figure.measure, of_ranks[way]) for way in ways)
    return RandomBaseline(figures=found, queries=queries)


def rank_distribution(rows: Sequence[QueryRank]) -> Float64:
    """How probable each rank is in random order, for a query picked at random: [N + 1] for at most N candidates.

    Raises:
        BenchmarkError: if a query does not tell its numbers of candidates and right answers.
    """
    for row in rows:
        if row.candidates is None or row.right is None:
            raise BenchmarkError(
                f"the query {row.query!r} does not say how many candidates it has and how many are right."
            )
    kinds = Counter((row.candidates or 0, row.right or 0) for row in rows)
    total = np.zeros(max(candidates for candidates, _ in kinds) + 1)
    for (candidates, right), number in kinds.items():
        total[: candidates + 1] += number * rank_probabilities(candidates, right)
    return total / len(rows)


def _expected(measure: RankMeasure, probabilities: Float64) -> float:
    if not measure.is_mean:
        # Sums of probabilities miss a half by rounding; 1e-12 is far above that and far below 1 / queries.
        return float(1 + np.argmax(np.cumsum(probabilities) >= 0.5 - 1e-12))
    return float(measure.gains(np.arange(1, len(probabilities) + 1)) @ probabilities)
