"""Compares two runs over the same queries: differences, their intervals, and whether they could be random."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import BenchmarkError
from hgrkit.research.evaluation.bootstrap import (
    Bootstrap,
    ClusteredRanks,
    Figure,
    by_direction,
    figures,
    percentile_interval,
)
from hgrkit.research.evaluation.measures import CUTOFFS, RankMeasure
from hgrkit.research.evaluation.rank_file import QueryRank

__all__ = ["COMPARED", "Comparison", "Difference", "compare_ranks"]

COMPARED = tuple(RankMeasure(name) for name in (*(f"R@{k}" for k in CUTOFFS), "MedR", "MeanR", "Rsum"))

DEFAULT_BOOTSTRAP = Bootstrap(resamples=10_000)
"""More than for intervals: the standard error of a p-value of 0.05 is then 0.002."""

SIGNIFICANT = 0.05

_ROUNDING = 1e-9
"""Equal differences may differ so much by the order of their sums; figures are at most some thousands."""


@attrs.frozen(kw_only=True)
class Difference:
    """One figure of two runs.

    Attributes:
        a: the figure of the first run.
        b: of the second.
        interval: of `b - a`, the paired percentile bootstrap over videos.
        p_value: how often a difference this large, either way, arises when the two runs are exchanged at random,
            video by video.
        better: `a` or `b` if `p_value` is below 0.05, else `None`: the data cannot tell.
    """

    a: float
    b: float
    interval: tuple[float, float]
    p_value: float
    better: Literal["a", "b"] | None

    @property
    def difference(self) -> float:
        """`b - a`."""
        return self.b - self.a

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {**attrs.asdict(self), "interval": list(self.interval), "difference": self.difference}


@attrs.frozen(kw_only=True)
class Comparison:
    """Two runs over the same queries.

    Attributes:
        queries: how many they share.
        videos: how many videos the queries belong to.
        differences: by figure.
    """

    queries: int
    videos: int
    differences: dict[Figure, Difference]

    @property
    def verdict(self) -> str:
        """Which run is better, in words.

        >>> Comparison(queries=1, videos=1, differences={}).verdict
        'The data cannot tell A from B.'
        """
        found = {side: self._named(side) for side in ("a", "b")}
        words = [f"{side.upper()} is better on {', '.join(names)}" for side, names in found.items() if names]
        if not words:
            return "The data cannot tell A from B."
        rest = sum(difference.better is None for difference in self.differences.values())
        return "; ".join(words) + ("; on the rest the data cannot tell." if rest else ".")

    def _named(self, side: str) -> list[str]:
        return [str(figure) for figure, difference in self.differences.items() if difference.better == side]

    def to_dict(self) -> dict[str, Any]:
        """As JSON: differences by direction and measure, those of both directions beside the directions."""
        found = by_direction({figure: value.to_dict() for figure, value in self.differences.items()})
        return {"queries": self.queries, "videos": self.videos, **found, "verdict": self.verdict}


def compare_ranks(
    a: Sequence[QueryRank],
    b: Sequence[QueryRank],
    measures: Sequence[RankMeasure] = COMPARED,
    *,
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
) -> Comparison:
    """Compare two runs, query by query, keeping the queries of a video together.

    The interval resamples videos with replacement, both runs alike. The p-value exchanges the two runs on a random
    half of the videos, again and again, and is `(1 + as large) / (1 + resamples)`.

    Args:
        a: ranks of the first run.
        b: ranks of the second, over the same queries, in any order.
        measures: what to compare; what needs both directions is left out if there is one.
        bootstrap: how many resamples and exchanges there are, and their seed.

    Raises:
        BenchmarkError: if the queries are not the same; the message names the first that differs.

    Source: Smucker, Allan and Carterette (CIKM 2007), section 3.4, with videos in place of topics.
    """
    ours, theirs = (ClusteredRanks.from_query_ranks(rows) for rows in (a, _aligned(a, b)))
    pair, num_videos = ours.beside(theirs), len(ours.videos)
    drawn = {figure: _Drawn() for figure in figures(measures, ours.directions)}
    for weights in bootstrap.draws(num_videos):
        for figure, own in drawn.items():
            own.bootstrap.append(theirs.values(figure, weights) - ours.values(figure, weights))
    for first in _exchanges(num_videos, bootstrap):
        for figure, own in drawn.items():
            own.exchanged.append(_exchanged(pair, figure, first))
    differences = {
        figure: own.difference(ours.value(figure), theirs.value(figure), figure.measure)
        for figure, own in drawn.items()
    }
    return Comparison(queries=len(a), videos=num_videos, differences=differences)


@attrs.frozen(eq=False)
class _Drawn:
    """Differences of one figure, block by block."""

    bootstrap: list[npt.NDArray[np.float64]] = attrs.field(factory=list)
    exchanged: list[npt.NDArray[np.float64]] = attrs.field(factory=list)

    def difference(self, a: float, b: float, measure: RankMeasure) -> Difference:
        exchanged = np.abs(np.concatenate(self.exchanged))
        p_value = (1 + np.count_nonzero(exchanged >= abs(b - a) - _ROUNDING)) / (1 + len(exchanged))
        ahead: Literal["a", "b"] = "b" if (b > a) == measure.higher_is_better else "a"
        return Difference(
            a=a,
            b=b,
            interval=percentile_interval(np.concatenate(self.bootstrap)),
            p_value=float(p_value),
            better=ahead if p_value < SIGNIFICANT else None,
        )


def _exchanges(num_videos: int, bootstrap: Bootstrap) -> Iterator[npt.NDArray[np.float64]]:
    """Which run stands in the first place, 1 for ours and 0 for theirs, blocks [B, K] of all exchanges."""
    rng = np.random.default_rng([bootstrap.seed, 1])  # 1: other draws than the bootstrap's
    for rows in bootstrap.blocks(num_videos):
        yield rng.integers(2, size=(rows, num_videos)).astype(np.float64)


def _exchanged(pair: ClusteredRanks, figure: Figure, first: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Differences after exchanging the runs on some videos, [B]."""
    # Both runs are clusters side by side, so that exchanging them is a choice of weights and medians need no code.
    here, there = np.hstack([first, 1 - first]), np.hstack([1 - first, first])
    return pair.values(figure, there) - pair.values(figure, here)


def _aligned(a: Sequence[QueryRank], b: Sequence[QueryRank]) -> list[QueryRank]:
    """The second run in the order of the first."""
    theirs = {(row.direction, row.query): row for row in b}
    # Differences are paired query by query, which needs both runs in one order.
    aligned = []
    for row in a:
        match = theirs.pop((row.direction, row.query), None)
        if match is None:
            raise BenchmarkError(f"the second run lacks the query {row.query!r} ({_words(row.direction)}).")
        if (row.video, row.caption) != (match.video, match.caption):
            raise BenchmarkError(
                f"the runs differ at the query {row.query!r}: {row.caption!r} of {row.video!r} against "
                f"{match.caption!r} of {match.video!r}."
            )
        aligned.append(match)
    if theirs:
        extra = next(iter(theirs.values()))
        raise BenchmarkError(f"the first run lacks the query {extra.query!r} ({_words(extra.direction)}).")
    return aligned


def _words(direction: str) -> str:
    return direction.replace("_", " ")
