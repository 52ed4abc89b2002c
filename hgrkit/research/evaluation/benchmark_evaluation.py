"""Evaluates scores on a benchmark under its protocol: what was there, who is right, ranks and measures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import BenchmarkError, ConfigError
from hgrkit.research.datasets.benchmark import Benchmark, BenchmarkCaption
from hgrkit.research.evaluation.bootstrap import Estimate, Figure, estimate
from hgrkit.research.evaluation.measures import DirectionMeasures, RetrievalMeasures
from hgrkit.research.evaluation.rank_file import QueryRank, query_ranks
from hgrkit.research.evaluation.rank_measure import RankMeasure
from hgrkit.research.evaluation.ranking import Ranking, Relevance, rank

__all__ = [
    "PROTOCOLS",
    "BenchmarkEvaluation",
    "BenchmarkProtocol",
    "CaptionScores",
    "evaluate_scores",
    "require_complete",
]

BenchmarkProtocol = Literal["standard", "released"]

PROTOCOLS: tuple[BenchmarkProtocol, ...] = ("standard", "released")
"""`standard`: every annotated caption is a query, and its own video is right. `released`: every different caption
is one query, and every video annotated with these words is right, as the code of the HGR paper counts."""

_QUERIES_AT_ONCE = 4096


@attrs.frozen(kw_only=True, eq=False)
class CaptionScores:
    """What a scorer says of C captions.

    Attributes:
        scores: every video's score for every caption, [V, C].
        failures: captions that could not be read.
        omitted: what the model's limits left out.
    """

    scores: npt.NDArray[np.float32] = attrs.field(repr=False)
    failures: int = 0
    omitted: Mapping[str, int] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True, eq=False, repr=False, slots=False)
class BenchmarkEvaluation:
    """What came of it.

    Attributes:
        benchmark: what was asked.
        protocol: how it was counted.
        measures: both directions.
        query_ranks: every query of both directions, captions first.
        missing: the benchmark's videos that were not there; their captions were not asked.
        parser_failures: different captions that could not be read; they rank last.
        omitted: what the model's limits left out: actions, entities, tokens and frames.
    """

    benchmark: Benchmark
    protocol: BenchmarkProtocol
    measures: RetrievalMeasures
    query_ranks: tuple[QueryRank, ...]
    missing: tuple[str, ...]
    parser_failures: int
    omitted: Mapping[str, int]

    @cached_property
    def estimates(self) -> dict[Figure, Estimate]:
        """The usual measures with intervals, clustered by video."""
        return estimate(self.query_ranks)

    def __getitem__(self, name: str) -> Estimate:
        """A measure of text to video (`Rsum`: of both directions) with its interval.

        Raises:
            ConfigError: if there is no measure of that name.
        """
        measure = RankMeasure(name)
        figure = Figure(measure, None if measure.both_directions else "text_to_video")
        return (
            self.estimates[figure] if figure in self.estimates else estimate(self.query_ranks, [measure])[figure]
        )

    def to_dict(self) -> dict[str, Any]:
        """What `hgrkit evaluate --benchmark --json` prints."""
        found = len({video.name for video in self.benchmark.videos}) - len(self.missing)
        return {
            "benchmark": self.benchmark.to_dict(),
            "protocol": self.protocol,
            "videos": {"found": found, "missing": len(self.missing), "names": list(self.missing)},
            **self.measures.to_dict(),
            "parser_failures": self.parser_failures,
            "omitted": dict(self.omitted),
        }

    def __repr__(self) -> str:
        return f"BenchmarkEvaluation({self.benchmark.name!r}, {self.measures.text_to_video!r})"


def evaluate_scores(
    benchmark: Benchmark,
    videos: Sequence[str],
    score: Callable[[Sequence[str]], CaptionScores],
    *,
    protocol: BenchmarkProtocol = "standard",
    allow_missing: bool = False,
) -> BenchmarkEvaluation:
    """Rank a benchmark's videos for its captions and the other way round.

    Args:
        benchmark: what is asked.
        videos: the V videos that are there, by the benchmark's names; others of them are left out of the ranking.
        score: different captions to their scores, videos in the order of `videos`; not called if something is
            missing and that is not allowed.
        protocol: one of `PROTOCOLS`.
        allow_missing: go on without videos that are not there, or with incomplete annotations.

    Raises:
        BenchmarkError: if videos or captions are missing and that is not allowed, or no video is there.
        ConfigError: if there is no such protocol.
    """
    if protocol not in PROTOCOLS:
        raise ConfigError(f"no protocol named {protocol!r}; there are {', '.join(PROTOCOLS)}.")
    names, missing = require_complete(benchmark, videos, allow_missing=allow_missing)
    wanted = set(names)
    captions = [caption for caption in benchmark.captions if caption.video in wanted]
    if not captions:
        raise BenchmarkError(f"no caption of {benchmark.name} describes a video that is there.")
    texts = list(dict.fromkeys(caption.text for caption in captions))
    scored = score(texts)
    row_of = {name: row for row, name in enumerate(videos)}
    scores = scored.scores[[row_of[name] for name in names]] if list(videos) != names else scored.scores
    pairs = _Pairs.of(captions, names, texts)
    forward, backward = _released(scores, pairs) if protocol == "released" else _standard(scores, pairs)
    queries = _first_of_each(captions) if protocol == "released" else captions
    ids = [caption.id for caption in queries]
    return BenchmarkEvaluation(
        benchmark=benchmark,
        protocol=protocol,
        measures=RetrievalMeasures(
            text_to_video=DirectionMeasures(ranks=forward.ranks),
            video_to_text=DirectionMeasures(ranks=backward.ranks),
        ),
        query_ranks=(
            *query_ranks(
                forward,
                "text_to_video",
                ids,
                videos=[caption.video for caption in queries],
                captions=[caption.text for caption in queries],
                candidates=names,
            ),
            *query_ranks(backward, "video_to_text", names, videos=names, candidates=ids),
        ),
        missing=missing,
        parser_failures=scored.failures,
        omitted=scored.omitted,
    )


def require_complete(
    benchmark: Benchmark, videos: Iterable[str], *, allow_missing: bool
) -> tuple[list[str], tuple[str, ...]]:
    """Refuse a smaller benchmark unless that is allowed.

    Args:
        benchmark: what is asked.
        videos: what is there, by the benchmark's names.
        allow_missing: whether less than all is enough.

    Returns:
        The videos with captions that are there, in the benchmark's order, and all that are not there.

    Raises:
        BenchmarkError: if no video is there; or some are not, or the annotations are not complete, and that is
            not allowed.
    """
    there = set(videos)
    names = list(dict.fromkeys(video.name for video in benchmark.videos))
    found, missing = [name for name in names if name in there], tuple(name for name in names if name not in there)
    described = {caption.video for caption in benchmark.captions}
    if not found:
        raise BenchmarkError(
            f"none of the {len(names):,} videos of {benchmark.name} is there, such as {names[0]!r}."
        )
    if not allow_missing and benchmark.problems:
        more = f" (and {len(benchmark.problems) - 1} more problems)" if len(benchmark.problems) > 1 else ""
        raise BenchmarkError(f"{benchmark.problems[0]}{more}; --allow-missing measures what is there.")
    if not allow_missing and missing:
        listed = ", ".join(map(repr, missing[:5])) + (", ..." if len(missing) > 5 else "")
        raise BenchmarkError(
            f"{len(missing):,} of the {len(names):,} videos of {benchmark.name} are not there: {listed}; "
            "--allow-missing measures the others."
        )
    return [name for name in found if name in described], missing


@attrs.frozen(kw_only=True, eq=False)
class _Pairs:
    """Which caption belongs to which video, by number.

    Attributes:
        rows: each caption's video, int64 [C].
        columns: each caption's words among the different ones, int64 [C].
        num_videos: V.
        num_texts: T, the different captions.
    """

    rows: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int64]
    num_videos: int
    num_texts: int

    @classmethod
    def of(cls, captions: Sequence[BenchmarkCaption], names: Sequence[str], texts: Sequence[str]) -> _Pairs:
        row_of = {name: row for row, name in enumerate(names)}
        column_of = {text: column for column, text in enumerate(texts)}
        return cls(
            rows=np.array([row_of[caption.video] for caption in captions], np.int64),
            columns=np.array([column_of[caption.text] for caption in captions], np.int64),
            num_videos=len(names),
            num_texts=len(texts),
        )


def _released(scores: npt.NDArray[np.float32], pairs: _Pairs) -> tuple[Ranking, Ranking]:
    """Different captions against all videos that list them: scores [V, T]."""
    right = Relevance.from_pairs(pairs.columns, pairs.rows, (pairs.num_texts, pairs.num_videos))
    return rank(scores.T, right), rank(scores, right.transposed)


def _standard(scores: npt.NDArray[np.float32], pairs: _Pairs) -> tuple[Ranking, Ranking]:
    """Every caption against its own video: scores [V, T], some captions at a time."""
    parts = []
    for start in range(0, len(pairs.rows), _QUERIES_AT_ONCE):
        part = slice(start, start + _QUERIES_AT_ONCE)
        own = pairs.rows[part]
        right = Relevance.from_pairs(np.arange(len(own)), own, (len(own), pairs.num_videos))
        parts.append(rank(scores[:, pairs.columns[part]].T, right))
    of_videos = Relevance.from_pairs(pairs.rows, np.arange(len(pairs.rows)), (pairs.num_videos, len(pairs.rows)))
    return _joined(parts), rank(scores, of_videos, columns=pairs.columns)


def _joined(parts: Sequence[Ranking]) -> Ranking:
    fields = [field.name for field in attrs.fields(Ranking)]
    return Ranking(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in fields})


def _first_of_each(captions: Iterable[BenchmarkCaption]) -> list[BenchmarkCaption]:
    """The first caption of each different text, in their order."""
    first: dict[str, BenchmarkCaption] = {}
    for caption in captions:
        first.setdefault(caption.text, caption)
    return list(first.values())
