"""What came of partially relevant retrieval: ranks of untrimmed videos, and moments found in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np

from hgrkit.datasets.benchmark import Benchmark
from hgrkit.evaluation.bootstrap import RESAMPLES, Estimate, report
from hgrkit.evaluation.measures import DirectionMeasures
from hgrkit.evaluation.moment_recall import MomentRecall
from hgrkit.evaluation.query_rank import QueryRank
from hgrkit.evaluation.rank_measure import RankMeasure

__all__ = ["RECALLS", "MomentEvaluation", "MomentFigures"]

RECALLS = (1, 5, 10, 100)
"""The k of R@k that papers on partially relevant retrieval report; SumR is their sum."""

_MEASURES = tuple(RankMeasure(name) for name in (*(f"R@{k}" for k in RECALLS), "SumR", "MedR", "MeanR", "mRR"))


@attrs.frozen(kw_only=True, eq=False, repr=False)
class MomentFigures:
    """What came of one way to search.

    Attributes:
        ranks: every caption's rank, its untrimmed video being right.
        right_video: moments looked for in the right video; `None` where the videos' lengths are not known.
        corpus: moments in the video in first place; right if the video is right and the overlap large enough.
    """

    ranks: tuple[QueryRank, ...]
    right_video: MomentRecall | None
    corpus: MomentRecall | None

    def to_dict(self, *, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Any]:
        """`text_to_video`, `moments` (`None` if not measured) and `intervals` of both."""
        measures = DirectionMeasures(ranks=np.array([row.rank for row in self.ranks], np.int64))
        figures = {str(measure): measures[str(measure)] for measure in _MEASURES}
        intervals = report(self.ranks, _MEASURES, resamples=resamples, seed=seed)
        moments = {
            name: recall
            for name, recall in (("right_video", self.right_video), ("corpus", self.corpus))
            if recall is not None
        }
        return {
            "text_to_video": {**figures, "queries": len(self.ranks)},
            "moments": {name: recall.to_dict() for name, recall in moments.items()} or None,
            "intervals": {
                **intervals,
                **{f"{name}_moments": recall.intervals() for name, recall in moments.items()},
            },
        }


@attrs.frozen(kw_only=True, eq=False, repr=False)
class MomentEvaluation:
    """What came of a benchmark.

    Attributes:
        benchmark: what was asked.
        figures: of scenes and windows at several scales.
        fixed: of windows of one length; `None` where the videos' lengths are not known.
        fixed_seconds: that length.
        missing: videos that were not there; their captions were not asked.
        parser_failures: different captions that could not be read; they rank last.
        omitted: what the model's limits left out: actions, entities and tokens.
        resamples: of the intervals.
        seed: of the intervals.
    """

    benchmark: Benchmark
    figures: MomentFigures
    fixed: MomentFigures | None
    fixed_seconds: float
    missing: tuple[str, ...]
    parser_failures: int
    omitted: Mapping[str, int]
    resamples: int
    seed: int

    @property
    def query_ranks(self) -> tuple[QueryRank, ...]:
        """Every caption's rank."""
        return self.figures.ranks

    def __getitem__(self, name: str) -> Estimate:
        """A measure of text to video with its interval, such as `SumR`.

        Raises:
            ConfigError: if there is no measure of that name in one direction.
        """
        wanted = RankMeasure(name)
        found = report(self.figures.ranks, [wanted], resamples=self.resamples, seed=self.seed)
        figure = found["text_to_video"][str(wanted)]
        return Estimate(figure["value"], tuple(figure["interval"]))

    def to_dict(self) -> dict[str, Any]:
        """What `hgrkit evaluate --benchmark --json` prints."""
        found = len({video.name for video in self.benchmark.videos}) - len(self.missing)
        baselines = {}
        if self.fixed is not None:
            fixed = self.fixed.to_dict(resamples=self.resamples, seed=self.seed)
            baselines["fixed_windows"] = {"seconds": self.fixed_seconds, **fixed}
        return {
            "benchmark": self.benchmark.to_dict(),
            "protocol": "standard",
            "videos": {"found": found, "missing": len(self.missing), "names": list(self.missing)},
            **self.figures.to_dict(resamples=self.resamples, seed=self.seed),
            "baselines": baselines,
            "parser_failures": self.parser_failures,
            "omitted": dict(self.omitted),
        }

    def __repr__(self) -> str:
        return f"MomentEvaluation({self.benchmark.name!r}, queries={len(self.figures.ranks)})"
