"""Evaluates scores on a benchmark under its protocol: what was there, who is right, ranks and measures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, final

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import BenchmarkError, ConfigError
from hgrkit.research.datasets.benchmark import Benchmark, BenchmarkCaption
from hgrkit.research.evaluation.bootstrap import DEFAULT_BOOTSTRAP, Bootstrap, Estimate
from hgrkit.research.evaluation.measures import RetrievalMeasures
from hgrkit.research.evaluation.rank_file import QueryRank
from hgrkit.research.evaluation.ranking import Relevance
from hgrkit.research.evaluation.retrieval import GroundTruth, Retrieval, rank_queries

__all__ = [
    "PROTOCOLS",
    "BenchmarkEvaluation",
    "BenchmarkProtocol",
    "CaptionScores",
    "captions_of",
    "evaluate_scores",
    "ground_truth",
    "require_complete",
    "videos_found",
]

BenchmarkProtocol = Literal["standard", "released"]

_LAST = ("intervals", "baselines")

PROTOCOLS: tuple[BenchmarkProtocol, ...] = ("standard", "released")
"""`standard`: every annotated caption is a query, and its own video is right. `released`: every different caption
is one query, and every video annotated with these words is right, as the code of the HGR paper counts."""


@attrs.frozen(kw_only=True, eq=False)
class CaptionScores:
    """The scores of C captions, and what was lost on the way to them.

    Attributes:
        scores: every video's score for every caption, [V, C].
        failures: captions that could not be read.
        omitted: what the model's limits left out.
    """

    scores: npt.NDArray[np.float32] = attrs.field(repr=False)
    failures: int = 0
    omitted: Mapping[str, int] = attrs.field(factory=dict)


@final
@attrs.frozen(kw_only=True, eq=False, repr=False)
class BenchmarkEvaluation:
    """A benchmark's ranks and measures under its protocol.

    Attributes:
        benchmark: what was asked.
        protocol: how it was counted.
        retrieval: the ranks of all queries, with the baselines if there are any.
        missing: the benchmark's videos that were not there; their captions were not asked.
        parser_failures: different captions that could not be read; they rank last.
        omitted: what the model's limits left out: actions, entities, tokens and frames.
    """

    benchmark: Benchmark
    protocol: BenchmarkProtocol
    retrieval: Retrieval
    missing: tuple[str, ...]
    parser_failures: int
    omitted: Mapping[str, int]

    @property
    def query_ranks(self) -> tuple[QueryRank, ...]:
        """Every query of both directions, captions first."""
        return self.retrieval.query_ranks

    @property
    def measures(self) -> RetrievalMeasures:
        """Both directions."""
        return self.retrieval.measures

    def __getitem__(self, name: str) -> Estimate:
        """A measure of text to video (`Rsum`: of both directions) with its interval.

        Raises:
            ConfigError: if there is no measure of that name.
        """
        return self.retrieval[name]

    def to_dict(self) -> dict[str, Any]:
        """What `hgrkit evaluate --benchmark --json` prints."""
        retrieval = self.retrieval.to_dict()
        beside: dict[str, Any] = {name: retrieval.pop(name) for name in _LAST if name in retrieval}
        return {
            "benchmark": self.benchmark.to_dict(),
            "protocol": self.protocol,
            "videos": videos_found(self.benchmark, self.missing),
            **retrieval,
            "parser_failures": self.parser_failures,
            "omitted": dict(self.omitted),
            **beside,
        }

    def __repr__(self) -> str:
        return f"BenchmarkEvaluation({self.benchmark.name!r}, {self.measures.text_to_video!r})"


def videos_found(benchmark: Benchmark, missing: Sequence[str]) -> dict[str, Any]:
    """How many of a benchmark's videos were there, and which were not, as JSON."""
    found = len({video.name for video in benchmark.videos}) - len(missing)
    return {"found": found, "missing": len(missing), "names": list(missing)}


def evaluate_scores(
    benchmark: Benchmark,
    videos: Sequence[str],
    score: Callable[[Sequence[str]], CaptionScores],
    *,
    protocol: BenchmarkProtocol = "standard",
    allow_missing: bool = False,
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
) -> BenchmarkEvaluation:
    """Rank a benchmark's videos for its captions and the other way round.

    Args:
        benchmark: what is asked.
        videos: the V videos that are there, by the benchmark's names; others of them are left out of the ranking.
        score: different captions to their scores, videos in the order of `videos`; not called if something is
            missing and that is not allowed.
        protocol: one of `PROTOCOLS`.
        allow_missing: continue without videos that are not there, or with incomplete annotations.
        bootstrap: how intervals are found.

    Raises:
        BenchmarkError: if videos or captions are missing and that is not allowed, or no video is there.
        ConfigError: if there is no such protocol.
    """
    if protocol not in PROTOCOLS:
        raise ConfigError(f"no protocol named {protocol!r}; there are {', '.join(PROTOCOLS)}.")
    names, missing = require_complete(benchmark, videos, allow_missing=allow_missing)
    captions = captions_of(benchmark, names)
    # Equal words have equal scores: they are read and scored once, whatever the protocol counts.
    texts = list(dict.fromkeys(caption.text for caption in captions))
    scored = score(texts)
    row_of = {name: row for row, name in enumerate(videos)}
    scores = scored.scores[[row_of[name] for name in names]] if list(videos) != names else scored.scores
    truth = ground_truth(captions, names, texts, protocol)
    return BenchmarkEvaluation(
        benchmark=benchmark,
        protocol=protocol,
        retrieval=Retrieval(query_ranks=rank_queries(scores, truth), bootstrap=bootstrap),
        missing=missing,
        parser_failures=scored.failures,
        omitted=scored.omitted,
    )


def captions_of(benchmark: Benchmark, videos: Iterable[str]) -> list[BenchmarkCaption]:
    """The captions of some of a benchmark's videos.

    Raises:
        BenchmarkError: if there is none.
    """
    wanted = set(videos)
    captions = [caption for caption in benchmark.captions if caption.video in wanted]
    if not captions:
        raise BenchmarkError(f"no caption of {benchmark.name} describes a video that was found.")
    return captions


def ground_truth(
    captions: Sequence[BenchmarkCaption],
    names: Sequence[str],
    texts: Sequence[str],
    protocol: BenchmarkProtocol = "standard",
) -> GroundTruth:
    """What is asked, and which videos are right, as a protocol counts it.

    Args:
        captions: of the videos, [C].
        names: the candidates, [V].
        texts: the different words of the captions, [T], in the order of the scores' columns.
        protocol: one of `PROTOCOLS`; under `released` a query has the name and the video of the first caption with
            its words.
    """
    row_of = {name: row for row, name in enumerate(names)}
    column_of = {text: column for column, text in enumerate(texts)}
    rows = np.array([row_of[caption.video] for caption in captions], np.int64)
    columns = np.array([column_of[caption.text] for caption in captions], np.int64)
    asked, queries = captions, np.arange(len(captions))
    if protocol == "released":
        # Reversed, so that the first caption of several with the same words is the one that stays.
        first = {caption.text: caption for caption in reversed(captions)}
        asked, queries = [first[text] for text in texts], columns
    return GroundTruth(
        videos=names,
        ids=[caption.id for caption in asked],
        captions=[caption.text for caption in asked],
        owners=[caption.video for caption in asked],
        relevance=Relevance.from_pairs(queries, rows, (len(asked), len(names))),
        columns=None if protocol == "released" else columns,
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
            f"none of the {len(names):,} videos of {benchmark.name} was found, such as {names[0]!r}."
        )
    if not allow_missing and benchmark.problems:
        more = f" (and {len(benchmark.problems) - 1} more problems)" if len(benchmark.problems) > 1 else ""
        raise BenchmarkError(f"{benchmark.problems[0]}{more}; --allow-missing evaluates what was found.")
    if not allow_missing and missing:
        listed = ", ".join(map(repr, missing[:5])) + (", ..." if len(missing) > 5 else "")
        raise BenchmarkError(
            f"{len(missing):,} of the {len(names):,} videos of {benchmark.name} were not found: {listed}; "
            "--allow-missing evaluates the others."
        )
    return [name for name in found if name in described], missing
