"""Confidence intervals of measures: the bootstrap over videos, whose queries stay together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import ConfigError
from hgrkit.evaluation.clustered_ranks import ClusteredRanks, Figure, figures
from hgrkit.evaluation.query_rank import QueryRank
from hgrkit.evaluation.rank_measure import DEFAULT_MEASURES, RankMeasure

__all__ = ["LEVEL", "RESAMPLES", "Estimate", "estimate", "percentile_interval", "report", "resampled_videos"]

LEVEL = 95
"""Per cent of all repetitions whose interval should hold the true value."""

RESAMPLES = 1000

_BLOCK = 1 << 21


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


def resampled_videos(num_videos: int, resamples: int, seed: int) -> Iterator[npt.NDArray[np.float64]]:
    """How often each video is drawn, K draws with replacement each time: blocks [B, K] of all resamples.

    Raises:
        ConfigError: if `resamples` is less than 1 or `seed` less than 0.
    """
    check_resampling(resamples, seed)
    random = np.random.default_rng(seed)
    height = max(1, _BLOCK // num_videos)
    for start in range(0, resamples, height):
        rows = min(height, resamples - start)
        drawn = random.integers(num_videos, size=(rows, num_videos)) + num_videos * np.arange(rows)[:, None]
        counts = np.bincount(drawn.reshape(-1), minlength=rows * num_videos)
        yield counts.reshape(rows, num_videos).astype(np.float64)


def check_resampling(resamples: int, seed: int) -> None:
    """Refuse numbers that cannot be resampled with.

    Raises:
        ConfigError: if `resamples` is less than 1 or `seed` less than 0.
    """
    if resamples < 1:
        raise ConfigError(f"resamples must be at least 1, got {resamples}.")
    if seed < 0:
        raise ConfigError(f"seed must be at least 0, got {seed}.")


def percentile_interval(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """The middle `LEVEL` per cent of what resampling gave; resamples without any query do not count."""
    tail = (100 - LEVEL) / 200
    low, high = np.quantile(values[~np.isnan(values)], [tail, 1 - tail])
    return float(low), float(high)


def estimate(
    rows: Sequence[QueryRank],
    measures: Sequence[RankMeasure] = DEFAULT_MEASURES,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[Figure, Estimate]:
    """Measures of ranks with intervals, clustered by video.

    All figures come from the same resamples.

    Args:
        rows: ranks of one or both directions.
        measures: what to measure; what needs both directions is left out if there is one.
        resamples: how many times the videos are drawn anew.
        seed: of the draws.

    Raises:
        BenchmarkError: if there is no rank.
        ConfigError: if `resamples` or `seed` is out of its range.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), sections 8.3 and 13.3; whole clusters
    are drawn, as in Davison and Hinkley, Bootstrap Methods and their Application (1997), section 3.8.
    """
    ranks = ClusteredRanks.from_query_ranks(rows)
    wanted = figures(measures, ranks.directions)
    drawn: dict[Figure, list[npt.NDArray[np.float64]]] = {figure: [] for figure in wanted}
    for weights in resampled_videos(len(ranks.videos), resamples, seed):
        for figure in wanted:
            drawn[figure].append(ranks.values(figure, weights))
    return {
        figure: Estimate(ranks.value(figure), percentile_interval(np.concatenate(drawn[figure])))
        for figure in wanted
    }


def report(
    rows: Sequence[QueryRank],
    measures: Sequence[RankMeasure] = DEFAULT_MEASURES,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Any]:
    """What `estimate` gives as JSON.

    Returns:
        for each direction a measure's `value` and `interval`, measures of both directions beside them, and
        `level`, `resamples`, `seed` and the number of `videos`.

    Raises:
        BenchmarkError, ConfigError: as `estimate` does.
    """
    found: dict[str, Any] = {}
    for figure, value in estimate(rows, measures, resamples=resamples, seed=seed).items():
        place = found if figure.direction is None else found.setdefault(figure.direction, {})
        place[str(figure.measure)] = value.to_dict()
    videos = len({row.video for row in rows})
    return {**found, "level": LEVEL, "resamples": resamples, "seed": seed, "videos": videos}
