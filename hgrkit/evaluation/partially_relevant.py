"""Partially relevant retrieval: untrimmed videos, of which a sentence describes a moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.datasets.benchmark import Benchmark, BenchmarkCaption
from hgrkit.embedders import embed_captions
from hgrkit.errors import BenchmarkError, ShapeError
from hgrkit.evaluation.benchmark_evaluation import require_complete
from hgrkit.evaluation.bootstrap import RESAMPLES
from hgrkit.evaluation.long_video_search import (
    BestWindow,
    FixedWindows,
    LoadVideo,
    TimedFeatures,
    WayToSearch,
    find_moments,
    score_videos,
)
from hgrkit.evaluation.moment_evaluation import MomentEvaluation, MomentFigures
from hgrkit.evaluation.moment_recall import moment_recall, overlaps
from hgrkit.evaluation.query_rank import query_ranks
from hgrkit.evaluation.ranking import Relevance, rank
from hgrkit.evaluation.video_names import match_names
from hgrkit.long_video import LongVideo, WindowSettings
from hgrkit.model import HgrModel
from hgrkit.parsing.protocol import GraphParser
from hgrkit.parsing.registry import load_parser
from hgrkit.query.captions import EmbeddedCaptions
from hgrkit.scorer import settings_of

__all__ = ["evaluate_moments"]


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
