"""Partially relevant retrieval: untrimmed videos, of which a sentence describes a moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import BenchmarkError, ShapeError
from hgrkit.model.hgr_model import HgrModel
from hgrkit.model.long_video import LongVideo, WindowSettings
from hgrkit.model.query.encoder import EmbeddedCaptions
from hgrkit.model.scorer import embed_captions, settings_of
from hgrkit.parsing.protocol import GraphParser
from hgrkit.parsing.registry import load_parser
from hgrkit.research.datasets.benchmark import Benchmark, BenchmarkCaption
from hgrkit.research.evaluation.benchmark_evaluation import require_complete
from hgrkit.research.evaluation.bootstrap import RESAMPLES, Estimate, report
from hgrkit.research.evaluation.long_video_search import (
    BestWindow,
    FixedWindows,
    LoadVideo,
    TimedFeatures,
    WayToSearch,
    find_moments,
    score_videos,
)
from hgrkit.research.evaluation.measures import DirectionMeasures
from hgrkit.research.evaluation.moment_recall import MomentRecall, moment_recall, overlaps
from hgrkit.research.evaluation.rank_file import QueryRank, query_ranks
from hgrkit.research.evaluation.rank_measure import RankMeasure
from hgrkit.research.evaluation.ranking import Relevance, rank
from hgrkit.research.evaluation.video_names import match_names

__all__ = ["evaluate_moments"]

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


def evaluate_moments(
    model: HgrModel,
    benchmark: Benchmark,
    frames: Mapping[str, TimedFeatures],
    *,
    parser: str | GraphParser = "lark",
    windows: WindowSettings | None = None,
    fixed_seconds: float = 10.0,
    allow_missing: bool = False,
    resamples: int = RESAMPLES,
    seed: int = 0,
    on_progress: Callable[[int], object] | None = None,
) -> MomentEvaluation:
    """Rank untrimmed videos for sentences by their best window, and find the moments in them.

    Args:
        model: the model, in evaluation mode.
        benchmark: captions with moments, videos with their lengths.
        frames: frame features by the videos' names, with or without a suffix; read twice for each video.
        parser: reads the captions; one that cannot be read ranks last and is counted.
        windows: which windows are looked at.
        fixed_seconds: length of the fixed windows beside them.
        allow_missing: go on without videos that are not there, or with incomplete annotations.
        resamples: of the intervals.
        seed: of the intervals.
        on_progress: called with the number of videos that are scored.

    Raises:
        BenchmarkError: if videos or captions are missing and that is not allowed, or nothing is there.
        ShapeError: if features do not fit the model.
        ConfigError: if `resamples` or `seed` is out of its range.

    Source: Dong et al., Partially Relevant Video Retrieval (ACM MM 2022, arXiv 2208.12510), sections 3 and 4.
    """
    keys = match_names((video.name for video in benchmark.videos), frames)
    names, missing = require_complete(benchmark, keys, allow_missing=allow_missing)
    wanted = set(names)
    captions = [caption for caption in benchmark.captions if caption.video in wanted]
    if not captions:
        raise BenchmarkError(f"no caption of {benchmark.name} describes a video that is there.")
    texts = list(dict.fromkeys(caption.text for caption in captions))
    embedded = embed_captions(model, load_parser(parser), texts)
    videos = _Videos(model, frames, [keys[name] for name in names], _lengths(benchmark, names), windows)
    timed = videos.timed
    ways: list[WayToSearch] = [BestWindow(), *([FixedWindows(fixed_seconds)] if timed else [])]
    scores = score_videos(len(names), videos.load, embedded, ways, on_progress=on_progress)
    asked = _Asked.of(captions, names, texts)
    figures = [
        asked.figures(own, way, videos.load, embedded, timed=timed, resamples=resamples, seed=seed)
        for own, way in zip(scores, ways, strict=True)
    ]
    return MomentEvaluation(
        benchmark=benchmark,
        figures=figures[0],
        fixed=figures[1] if timed else None,
        fixed_seconds=fixed_seconds,
        missing=missing,
        parser_failures=len(embedded.failures),
        omitted=attrs.asdict(embedded.omitted),
        resamples=resamples,
        seed=seed,
    )


def _lengths(benchmark: Benchmark, names: Sequence[str]) -> list[float | None]:
    """The videos' lengths in seconds, as far as the annotations say them."""
    durations = {video.name: video.duration_s for video in benchmark.videos}
    return [durations[name] for name in names]


@attrs.frozen(eq=False)
class _Videos:
    """The videos that are there, embedded one at a time."""

    model: HgrModel
    frames: Mapping[str, TimedFeatures]
    keys: Sequence[str]
    lengths: Sequence[float | None]
    windows: WindowSettings | None

    @property
    def timed(self) -> bool:
        """Whether every video's length is known."""
        return all(
            length is not None or self.frames[key].duration_s is not None
            for key, length in zip(self.keys, self.lengths, strict=True)
        )

    def load(self, number: int) -> LongVideo:
        """Embed one; a length that came with the features is believed before the annotations'."""
        found, key = self.frames[self.keys[number]], self.keys[number]
        if found.features.ndim != 2 or found.features.shape[1] != self.model.feature_dim:
            raise ShapeError(
                f"features of {key!r} must be [F, {self.model.feature_dim}] for this model, "
                f"got {list(found.features.shape)}."
            )
        return LongVideo.embed(
            self.model,
            found.features,
            settings=settings_of(self.model.matcher),
            windows=self.windows if self.windows is not None else WindowSettings(),
            duration_s=self.lengths[number] if found.duration_s is None else found.duration_s,
            times_s=found.times_s,
        )


@attrs.frozen(eq=False)
class _Asked:
    """The queries: their records, the row of the right video and the column of the words, int64 [Q] each."""

    captions: Sequence[BenchmarkCaption]
    names: Sequence[str]
    rows: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int64]

    @classmethod
    def of(cls, captions: Sequence[BenchmarkCaption], names: Sequence[str], texts: Sequence[str]) -> _Asked:
        row_of = {name: row for row, name in enumerate(names)}
        column_of = {text: column for column, text in enumerate(texts)}
        return cls(
            captions,
            names,
            np.array([row_of[caption.video] for caption in captions], np.int64),
            np.array([column_of[caption.text] for caption in captions], np.int64),
        )

    def figures(
        self,
        scores: npt.NDArray[np.float32],
        way: WayToSearch,
        load: LoadVideo,
        embedded: EmbeddedCaptions,
        *,
        timed: bool,
        resamples: int,
        seed: int,
    ) -> MomentFigures:
        """Ranks from scores [V, T], and moments in the right video and in the one in first place."""
        right = Relevance.from_pairs(np.arange(len(self.rows)), self.rows, (len(self.rows), len(self.names)))
        ranking = rank(scores[:, self.columns].T, right)
        own = [caption.video for caption in self.captions]
        ranks = query_ranks(
            ranking,
            "text_to_video",
            [caption.id for caption in self.captions],
            videos=own,
            captions=[caption.text for caption in self.captions],
            candidates=self.names,
        )
        gold = [
            (caption.start_s, caption.end_s)
            for caption in self.captions
            if caption.start_s is not None and caption.end_s is not None
        ]
        if not timed or len(gold) < len(self.captions):
            return MomentFigures(ranks=ranks, right_video=None, corpus=None)
        found = find_moments(self.rows, self.columns, load, embedded, way)
        overlap = overlaps(found, np.sort(np.array(gold), axis=1))
        first = np.where(ranking.ranks == 1, overlap, 0.0)
        return MomentFigures(
            ranks=ranks,
            right_video=moment_recall(overlap, own, resamples=resamples, seed=seed),
            corpus=moment_recall(first, own, resamples=resamples, seed=seed),
        )
