"""Retrieval measures from a matrix of scores: what a benchmark reports of a model, a library or a release."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import numpy.typing as npt

from hgrkit.errors import BenchmarkError
from hgrkit.research.evaluation.rank_measure import CUTOFFS, RankMeasure
from hgrkit.research.evaluation.ranking import Ranks, Relevance, ranks, real_table

__all__ = ["CUTOFFS", "DirectionMeasures", "RetrievalMeasures", "measure", "ranks", "recall_at"]


def recall_at(query_ranks: Ranks, k: int) -> float:
    """R@k: per cent of the queries with a positive among the first k (TREC calls it Success@k)."""
    return RankMeasure(f"R@{k}").of(query_ranks)


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
        return self["MedR"]

    @property
    def mean_rank(self) -> float:
        """MeanR."""
        return self["MeanR"]

    def recall(self, k: int) -> float:
        """R@k in per cent."""
        return recall_at(self.ranks, k)

    def __getitem__(self, name: str | RankMeasure) -> float:
        """A measure by its name, such as `R@50` or `mRR`; of `Rsum`, this direction's part.

        Raises:
            ConfigError: if there is no measure of that name.
        """
        return (name if isinstance(name, RankMeasure) else RankMeasure(name)).of(self.ranks)

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
        return self.text_to_video["Rsum"] + self.video_to_text["Rsum"]

    def to_dict(self) -> Mapping[str, Any]:
        """What `hgrkit evaluate` reports."""
        return {
            "text_to_video": self.text_to_video.to_dict(),
            "video_to_text": self.video_to_text.to_dict(),
            "Rsum": self.rsum,
        }


def measure(scores: npt.ArrayLike, positives: npt.ArrayLike | Relevance) -> RetrievalMeasures:
    """Measures of both directions.

    Args:
        scores: [V, C], clips by captions.
        positives: whether the caption describes the clip, bool [V, C], or the pairs of clip and caption.

    Raises:
        BenchmarkError: if there is no clip or no caption, the shapes differ, or a score is not a number.
    """
    table = real_table(scores, "fiub", "scores")
    if not table.size:
        raise BenchmarkError(f"there is nothing to measure: scores are {list(table.shape)}.")
    right = positives if isinstance(positives, Relevance) else Relevance.from_table(positives)
    of_clips = ranks(table, right)
    return RetrievalMeasures(
        text_to_video=DirectionMeasures(ranks=ranks(table.T, right.transposed)),
        video_to_text=DirectionMeasures(ranks=of_clips),
    )
