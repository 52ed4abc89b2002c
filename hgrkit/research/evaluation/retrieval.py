"""The evaluator: scores and ground truth in, the rank of every query out, and what is measured of the ranks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Self, final

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.research.evaluation.bootstrap import (
    DEFAULT_BOOTSTRAP,
    Bootstrap,
    Estimate,
    Estimates,
    Figure,
    estimate,
)
from hgrkit.research.evaluation.measures import DirectionMeasures, RankMeasure, RetrievalMeasures
from hgrkit.research.evaluation.random_baseline import RandomBaseline
from hgrkit.research.evaluation.rank_file import Direction, QueryRank
from hgrkit.research.evaluation.ranking import Ranking, Relevance, rank

__all__ = ["GroundTruth", "Retrieval", "caption_ids", "rank_queries"]


@final
@attrs.frozen(kw_only=True, eq=False, repr=False)
class GroundTruth:
    """The queries of both directions, and which answers are right.

    Attributes:
        videos: the videos' names, [V], each once: the candidates of every caption.
        ids: the captions' names, [C], each once.
        captions: their words, [C].
        owners: the video that each caption belongs to, [C]: what resampling keeps together.
        relevance: which videos are right for which captions, (C, V).
        columns: the column of the scores that each caption takes, int64 [C], where equal captions share one.
        asked: the videos that are queries of the other direction, by name, and their rows; all unless given.
    """

    videos: Sequence[str]
    ids: Sequence[str]
    captions: Sequence[str]
    owners: Sequence[str]
    relevance: Relevance
    columns: npt.NDArray[np.int64] | None = None
    asked: Mapping[str, int] | None = None

    @classmethod
    def from_positives(
        cls, positives: npt.ArrayLike | Relevance, *, videos: Sequence[str], captions: Sequence[str]
    ) -> Self:
        """Every caption against every video; a caption belongs to the first video that it describes.

        Args:
            positives: whether the caption describes the video, bool [V, C], or the pairs of video and caption.
            videos: the videos' names, [V].
            captions: the captions' words, [C]; one that describes none belongs to a video without a name.

        Raises:
            BenchmarkError: if `positives` is no table.
        """
        right = positives if isinstance(positives, Relevance) else Relevance.from_table(positives)
        described = right.transposed
        owners = [""] * len(captions)
        # Pairs are sorted by caption and then by video: the first of each caption is its first video.
        columns, first = np.unique(described.queries, return_index=True)
        for column, row in zip(columns.tolist(), described.candidates[first].tolist(), strict=True):
            owners[column] = videos[row]
        return cls(videos=videos, ids=caption_ids(owners), captions=captions, owners=owners, relevance=described)


def rank_queries(
    scores: npt.ArrayLike, truth: GroundTruth, *, both_directions: bool = True
) -> tuple[QueryRank, ...]:
    """The rank of every caption among the videos, then of every video that is asked among the captions.

    Args:
        scores: [V, C], or [V, T] if captions share columns.
        truth: the queries, and which answers are right.
        both_directions: whether the videos are queries, too.

    Raises:
        BenchmarkError: if the shapes differ or a score is not a number.
    """
    table = np.asarray(scores)
    forward = rank(table.T, truth.relevance, rows=truth.columns)
    found = _named(
        forward, "text_to_video", truth.ids, videos=truth.owners, captions=truth.captions, candidates=truth.videos
    )
    if not both_directions:
        return found
    asked = dict(zip(truth.videos, range(len(truth.videos)), strict=True)) if truth.asked is None else truth.asked
    rows = list(asked.values())
    backward = rank(table, truth.relevance.transposed.take(rows), rows=rows, columns=truth.columns)
    names = list(asked)
    words = [""] * len(names)
    return found + _named(backward, "video_to_text", names, videos=names, captions=words, candidates=truth.ids)


def _named(
    ranking: Ranking,
    direction: Direction,
    queries: Sequence[str],
    *,
    videos: Sequence[str],
    captions: Sequence[str],
    candidates: Sequence[str],
) -> tuple[QueryRank, ...]:
    """What a ranking says in numbers, by names."""
    numbers = (column.tolist() for column in (ranking.ranks, ranking.positives, ranking.tops, ranking.counts))
    return tuple(
        QueryRank(
            direction=direction,
            query=query,
            video=video,
            caption=caption,
            rank=rank_,
            positive=candidates[positive] if positive >= 0 else None,
            top=candidates[top],
            candidates=len(candidates),
            right=right,
        )
        for query, video, caption, rank_, positive, top, right in zip(
            queries, videos, captions, *numbers, strict=True
        )
    )


def caption_ids(videos: Sequence[str]) -> tuple[str, ...]:
    """Names of captions, `VIDEO#n`, n counting each video's from 0.

    >>> caption_ids(["a", "b", "a"])
    ('a#0', 'b#0', 'a#1')
    """
    seen: Counter[str] = Counter()
    names = []
    for video in videos:
        names.append(f"{video}#{seen[video]}")
        seen[video] += 1
    return tuple(names)


@final
@attrs.frozen(kw_only=True, eq=False, repr=False, slots=False)
class Retrieval:
    """The ranks of all queries of both directions, and what is measured of them.

    Attributes:
        query_ranks: captions first.
        bootstrap: how intervals are found.
        baselines: the same queries answered by simpler means, by the name of the baseline.
    """

    query_ranks: tuple[QueryRank, ...]
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP
    baselines: Mapping[str, Retrieval | RandomBaseline] = attrs.field(factory=dict)

    @cached_property
    def measures(self) -> RetrievalMeasures:
        """The usual measures of both directions, without intervals."""
        return RetrievalMeasures(
            text_to_video=DirectionMeasures(ranks=self._ranks("text_to_video")),
            video_to_text=DirectionMeasures(ranks=self._ranks("video_to_text")),
        )

    def _ranks(self, direction: Direction) -> npt.NDArray[np.int64]:
        return np.array([row.rank for row in self.query_ranks if row.direction == direction], np.int64)

    @cached_property
    def estimates(self) -> Estimates:
        """The usual measures with intervals, clustered by video."""
        return estimate(self.query_ranks, bootstrap=self.bootstrap)

    def __getitem__(self, name: str) -> Estimate:
        """A measure of text to video (`Rsum`: of both directions) with its interval.

        Raises:
            ConfigError: if there is no measure of that name.
        """
        measure = RankMeasure(name)
        figure = Figure(measure, None if measure.both_directions else "text_to_video")
        # The usual measures share their resamples; only others need draws of their own.
        if figure in self.estimates:
            return self.estimates[figure]
        return estimate(self.query_ranks, [measure], bootstrap=self.bootstrap)[figure]

    def to_dict(self) -> dict[str, Any]:
        """`text_to_video`, `video_to_text`, `Rsum`, `intervals` and, if there are any, `baselines`."""
        beside = {name: baseline.to_dict() for name, baseline in self.baselines.items()}
        return {
            **self.measures.to_dict(),
            "intervals": self.estimates.to_dict(),
            **({"baselines": beside} if beside else {}),
        }

    def __repr__(self) -> str:
        return f"Retrieval({self.measures.text_to_video!r}, baselines={list(self.baselines)})"
