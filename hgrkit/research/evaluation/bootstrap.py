"""Confidence intervals of measures, by the bootstrap over videos: the queries of a video stay together."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self, TypeVar, final

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import BenchmarkError, ConfigError
from hgrkit.research.evaluation.measures import DEFAULT_MEASURES, RankMeasure
from hgrkit.research.evaluation.rank_file import DIRECTIONS, Direction, QueryRank
from hgrkit.research.evaluation.ranking import Ranks

__all__ = [
    "DEFAULT_BOOTSTRAP",
    "LEVEL",
    "Bootstrap",
    "ClusteredRanks",
    "Estimate",
    "Estimates",
    "Figure",
    "by_direction",
    "estimate",
    "figures",
    "percentile_interval",
]

T = TypeVar("T")

Weights = npt.NDArray[np.float64]

_CELLS = 1 << 23
"""Counts of queries by cluster and rank that are held at once."""


@attrs.frozen
class Figure:
    """One number of a report: a measure in one direction, or in both.

    Attributes:
        measure: what is measured.
        direction: in which direction; `None` for a measure of both.
    """

    measure: RankMeasure
    direction: Direction | None

    def __str__(self) -> str:
        way = "" if self.direction is None else self.direction.replace("_", " ") + " "
        return f"{way}{self.measure}"


def figures(measures: Sequence[RankMeasure], directions: Iterable[Direction]) -> tuple[Figure, ...]:
    """The figures that these directions allow, by direction; those of both come last, if both are there."""
    there = [direction for direction in DIRECTIONS if direction in set(directions)]
    single = [Figure(measure, way) for way in there for measure in measures if not measure.both_directions]
    both = [Figure(measure, None) for measure in measures if measure.both_directions]
    return tuple(single + both if len(there) == len(DIRECTIONS) else single)


@attrs.frozen(kw_only=True, eq=False)
class _Side:
    """One direction: each query's rank and the number of its cluster, [Q]."""

    ranks: Ranks
    clusters: Ranks
    num_clusters: int

    def sums(self, values: npt.NDArray[np.float64] | None = None) -> Weights:
        """Each cluster's sum of its queries' values, or their number, [K]."""
        summed = np.bincount(self.clusters, values, minlength=self.num_clusters)
        return summed.astype(np.float64, copy=False)

    def values(self, measure: RankMeasure, weights: Weights) -> Weights:
        """The measure under each weighting, [B, K] -> [B]; not a number where no query has weight."""
        if not measure.is_mean:
            return self._medians(weights)
        with np.errstate(invalid="ignore", divide="ignore"):
            return (weights @ self.sums(measure.gains(self.ranks))) / (weights @ self.sums())

    def _medians(self, weights: Weights) -> Weights:
        """Weighted medians, by counting the queries at the ranks among which the medians lie."""
        total = weights @ self.sums()
        lower, upper = (total + 1) // 2, total // 2 + 1  # the one or two queries in the middle, counted from 1
        ranks, position = np.unique(self.ranks, return_inverse=True)
        if not len(ranks):
            return np.full(len(weights), np.nan)

        def up_to(last: int) -> Weights:
            """Each cluster's queries among the first ranks, [K]."""
            return np.bincount(self.clusters[position <= last], minlength=self.num_clusters).astype(np.float64)

        # Counts of every rank would be a matrix [K, ranks], hundreds of megabytes for MSR-VTT. The medians of all
        # weightings lie close together, so the first and the last of them are found by bisection.
        others = range(len(ranks) - 1)
        first = bisect_left(others, True, key=lambda last: bool((weights @ up_to(last) >= lower).any()))
        last = bisect_left(others, True, key=lambda last: bool((weights @ up_to(last) >= upper).all()))
        width = last - first + 1
        if self.num_clusters * width > _CELLS and len(weights) > 1:
            return np.concatenate([self._medians(half) for half in np.array_split(weights, 2)])
        # Counts between the two, [K, width]; what lies below the first is added as one number a cluster.
        inside = (position >= first) & (position <= last)
        cells = self.clusters[inside] * width + position[inside] - first
        counts = np.bincount(cells, minlength=self.num_clusters * width).reshape(-1, width)
        reached = weights @ (np.cumsum(counts, axis=1) + up_to(first - 1)[:, None])  # [B, width]
        middle = [ranks[first + (reached >= wanted[:, None]).argmax(axis=1)] for wanted in (lower, upper)]
        return np.where(total > 0, (middle[0] + middle[1]) / 2, np.nan)


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ClusteredRanks:
    """Ranks of one or both directions, grouped by K videos.

    Attributes:
        videos: the clusters' names, sorted, [K].
        sides: what is known of each direction.
    """

    videos: tuple[str, ...]
    sides: Mapping[Direction, _Side]

    @classmethod
    def from_query_ranks(cls, rows: Sequence[QueryRank]) -> Self:
        """Group ranks by their videos.

        Raises:
            BenchmarkError: if there is no rank.
        """
        if not rows:
            raise BenchmarkError("there is no query to measure.")
        videos = sorted({row.video for row in rows})
        number = {video: position for position, video in enumerate(videos)}
        sides = {}
        for direction in DIRECTIONS:
            own = [row for row in rows if row.direction == direction]
            if own:
                sides[direction] = _Side(
                    ranks=np.array([row.rank for row in own], np.int64),
                    clusters=np.array([number[row.video] for row in own], np.int64),
                    num_clusters=len(videos),
                )
        return cls(videos=tuple(videos), sides=sides)

    @property
    def directions(self) -> tuple[Direction, ...]:
        """The directions that are there."""
        return tuple(self.sides)

    def values(self, figure: Figure, weights: Weights | None = None) -> Weights:
        """The figure under B weightings of the videos.

        Args:
            figure: one that `figures` allows.
            weights: how often each video counts, whole numbers, [B, K]; once each, B = 1, unless given.

        Returns:
            float64 [B]; not a number where no query has weight.
        """
        each = np.ones((1, len(self.videos))) if weights is None else weights
        # Rsum is a sum over the directions; every other measure has one.
        ways = self.directions if figure.direction is None else (figure.direction,)
        total = np.zeros(len(each))
        for way in ways:
            total += self.sides[way].values(figure.measure, each)
        return total

    def value(self, figure: Figure) -> float:
        """The figure itself."""
        return float(self.values(figure)[0])

    def beside(self, other: ClusteredRanks) -> ClusteredRanks:
        """Both as 2K clusters: ours, then those of the other, which has the same videos and directions."""
        return ClusteredRanks(
            videos=self.videos + other.videos,
            sides={
                way: _Side(
                    ranks=np.concatenate([side.ranks, other.sides[way].ranks]),
                    clusters=np.concatenate([side.clusters, other.sides[way].clusters + len(self.videos)]),
                    num_clusters=2 * len(self.videos),
                )
                for way, side in self.sides.items()
            },
        )

    def __repr__(self) -> str:
        return f"ClusteredRanks(videos={len(self.videos)}, directions={list(self.sides)})"


LEVEL = 95
"""Per cent of all repetitions whose interval should hold the true value."""

_BLOCK = 1 << 21
"""Resamples, times videos, that are drawn at once: 16 MiB of weights."""


@attrs.frozen
class Estimate:
    """A figure with its interval.

    Attributes:
        value: the figure itself.
        interval: its percentile bootstrap interval of `LEVEL` per cent, from below to above.
    """

    value: float
    interval: tuple[float, float]

    def to_dict(self) -> dict[str, Any]:
        """`{"value", "interval": [low, high]}`."""
        return {"value": self.value, "interval": list(self.interval)}

    def __str__(self) -> str:
        return f"{self.value:.1f} [{self.interval[0]:.1f}, {self.interval[1]:.1f}]"


@final
@attrs.frozen
class Bootstrap:
    """How intervals are found: by measuring videos that are drawn with replacement, again and again.

    Attributes:
        resamples: how many times they are drawn.
        seed: of the draws.

    Raises:
        ConfigError: if `resamples` is less than 1 or `seed` less than 0.
    """

    resamples: int = 1000
    seed: int = 0

    def __attrs_post_init__(self) -> None:
        if self.resamples < 1:
            raise ConfigError(f"resamples must be at least 1, got {self.resamples}.")
        if self.seed < 0:
            raise ConfigError(f"seed must be at least 0, got {self.seed}.")

    def draws(self, num_videos: int) -> Iterator[Weights]:
        """How often each of K videos is drawn, K draws each time: blocks [B, K] of all resamples."""
        rng = np.random.default_rng(self.seed)
        for rows in self.blocks(num_videos):
            # One bincount for the whole block: each row counts in a range of its own.
            drawn = rng.integers(num_videos, size=(rows, num_videos)) + num_videos * np.arange(rows)[:, None]
            counts = np.bincount(drawn.reshape(-1), minlength=rows * num_videos)
            yield counts.reshape(rows, num_videos).astype(np.float64)

    def blocks(self, num_videos: int) -> Iterator[int]:
        """How many resamples are held at once, until all were."""
        height = max(1, _BLOCK // num_videos)
        return (min(height, self.resamples - start) for start in range(0, self.resamples, height))


DEFAULT_BOOTSTRAP = Bootstrap()


def percentile_interval(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """The middle `LEVEL` per cent of what resampling gave; resamples without any query do not count."""
    tail = (100 - LEVEL) / 200
    # A resample of a direction may hold no query of it: videos without captions were drawn.
    low, high = np.quantile(values[~np.isnan(values)], [tail, 1 - tail])
    return float(low), float(high)


def by_direction(values: Mapping[Figure, T]) -> dict[str, Any]:
    """Values by direction and measure, those of both directions beside the directions: the shape of our JSON."""
    nested: dict[str, Any] = {}
    for figure, value in values.items():
        place = nested if figure.direction is None else nested.setdefault(figure.direction, {})
        place[str(figure.measure)] = value
    return nested


@final
@attrs.frozen(kw_only=True)
class Estimates(Mapping[Figure, Estimate]):
    """What `estimate` found: every figure with its interval.

    Attributes:
        figures: the estimates.
        videos: number of videos that were resampled.
        bootstrap: how.
    """

    figures: Mapping[Figure, Estimate]
    videos: int
    bootstrap: Bootstrap

    def to_dict(self) -> dict[str, Any]:
        """For each direction a measure's `value` and `interval`, then `level`, `resamples`, `seed`, `videos`."""
        found = by_direction({figure: value.to_dict() for figure, value in self.items()})
        return {**found, "level": LEVEL, **attrs.asdict(self.bootstrap), "videos": self.videos}

    def __getitem__(self, figure: Figure) -> Estimate:
        return self.figures[figure]

    def __iter__(self) -> Iterator[Figure]:
        return iter(self.figures)

    def __len__(self) -> int:
        return len(self.figures)


def estimate(
    rows: Sequence[QueryRank],
    measures: Sequence[RankMeasure] = DEFAULT_MEASURES,
    *,
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
) -> Estimates:
    """Measures of ranks with intervals, clustered by video; all of them from the same resamples.

    Args:
        rows: ranks of one or both directions.
        measures: what to measure; what needs both directions is left out if there is one.
        bootstrap: how intervals are found.

    Raises:
        BenchmarkError: if there is no rank.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), sections 8.3 and 13.3; whole clusters
    are drawn, as in Davison and Hinkley, Bootstrap Methods and their Application (1997), section 3.8.
    """
    ranks = ClusteredRanks.from_query_ranks(rows)
    wanted = figures(measures, ranks.directions)
    drawn: dict[Figure, list[npt.NDArray[np.float64]]] = {figure: [] for figure in wanted}
    for weights in bootstrap.draws(len(ranks.videos)):
        for figure in wanted:
            drawn[figure].append(ranks.values(figure, weights))
    # The value is that of the data itself, not the mean of the resamples.
    found = {
        figure: Estimate(ranks.value(figure), percentile_interval(np.concatenate(drawn[figure])))
        for figure in wanted
    }
    return Estimates(figures=found, videos=len(ranks.videos), bootstrap=bootstrap)
