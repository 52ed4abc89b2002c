"""Partially relevant retrieval by how much of its video a moment fills: the moment-to-video ratio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.research.datasets.benchmark import BenchmarkCaption
from hgrkit.research.evaluation.bootstrap import Bootstrap, Estimate, estimate
from hgrkit.research.evaluation.measures import RankMeasure
from hgrkit.research.evaluation.rank_file import QueryRank

__all__ = ["RATIO_BOUNDS", "MomentGroup", "moment_groups", "moment_ratios"]

RATIO_BOUNDS = (0.0, 0.2, 0.4, 1.0)
"""A group's ratios are above one of these, and at most the next: short, middle and long moments."""

_MEASURES = tuple(RankMeasure(name) for name in ("R@1", "R@5", "R@10", "R@100", "SumR"))


@attrs.frozen(kw_only=True)
class MomentGroup:
    """The queries whose moments fill a like share of their videos.

    Attributes:
        above: the ratios of the group are larger than this.
        up_to: and at most this.
        queries: how many there are.
        figures: R@1, R@5, R@10, R@100 and SumR with their intervals; empty without a query.
    """

    above: float
    up_to: float
    queries: int
    figures: Mapping[str, Estimate]

    @property
    def name(self) -> str:
        """Such as `(0, 0.2]`."""
        return f"({self.above:g}, {self.up_to:g}]"

    def to_dict(self) -> dict[str, Any]:
        """As JSON: `queries`, each figure's value, and `intervals`."""
        values = {name: figure.value for name, figure in self.figures.items()}
        return {
            "queries": self.queries,
            **values,
            "intervals": {name: figure.to_dict() for name, figure in self.figures.items()},
        }


def moment_ratios(
    captions: Sequence[BenchmarkCaption], durations: Mapping[str, float | None]
) -> npt.NDArray[np.float64]:
    """Length of each caption's moment by that of its video, float64 [Q]; NaN where one of them is not known.

    A moment that annotators let end after its video fills all of it: the ratio is at most 1.

    >>> caption = BenchmarkCaption(id="1", video="a", text="a dog", start_s=5.0, end_s=10.0)
    >>> moment_ratios([caption], {"a": 20.0}).tolist()
    [0.25]

    Source: Dong et al., Partially Relevant Video Retrieval (ACM MM 2022, arXiv 2208.12510), section 4.
    """
    ratios = np.full(len(captions), np.nan)
    for number, caption in enumerate(captions):
        duration = durations.get(caption.video)
        if caption.start_s is not None and caption.end_s is not None and duration:
            # an annotator may have named the end first
            ratios[number] = min(abs(caption.end_s - caption.start_s) / duration, 1.0)
    return ratios


def moment_groups(
    ranks: Sequence[QueryRank], ratios: npt.NDArray[np.float64], *, bootstrap: Bootstrap
) -> tuple[MomentGroup, ...]:
    """Figures of each group of `RATIO_BOUNDS`.

    Args:
        ranks: of each query, [Q].
        ratios: theirs, [Q]; a query whose ratio is NaN or 0 is in no group.
        bootstrap: how intervals are found.
    """
    groups = []
    for above, up_to in pairwise(RATIO_BOUNDS):
        inside = (ratios > above) & (ratios <= up_to)
        own = [rank for rank, chosen in zip(ranks, inside.tolist(), strict=True) if chosen]
        found = estimate(own, _MEASURES, bootstrap=bootstrap) if own else {}
        figures = {str(figure.measure): one for figure, one in found.items()}
        groups.append(MomentGroup(above=above, up_to=up_to, queries=len(own), figures=figures))
    return tuple(groups)
