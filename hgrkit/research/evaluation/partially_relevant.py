"""Partially relevant retrieval: untrimmed videos are ranked for sentences that describe a moment of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import BenchmarkError, ShapeError
from hgrkit.model.hgr_model import HgrModel
from hgrkit.model.long_video import LongVideo, WindowSettings
from hgrkit.model.scorer import embed_captions, settings_of
from hgrkit.parsing.protocol import GraphParser
from hgrkit.parsing.registry import load_parser
from hgrkit.research.datasets.benchmark import Benchmark, BenchmarkCaption
from hgrkit.research.evaluation.benchmark_evaluation import (
    captions_of,
    ground_truth,
    require_complete,
    videos_found,
)
from hgrkit.research.evaluation.bootstrap import (
    DEFAULT_BOOTSTRAP,
    Bootstrap,
    Estimate,
    estimate,
    percentile_interval,
)
from hgrkit.research.evaluation.captions import match_names
from hgrkit.research.evaluation.long_video_search import (
    BestWindow,
    FixedWindows,
    TimedFeatures,
    WayToSearch,
    find_moments,
    score_videos,
)
from hgrkit.research.evaluation.measures import DirectionMeasures, RankMeasure
from hgrkit.research.evaluation.moment_groups import MomentGroup, moment_groups, moment_ratios
from hgrkit.research.evaluation.rank_file import QueryRank
from hgrkit.research.evaluation.retrieval import rank_queries

__all__ = [
    "THRESHOLDS",
    "MomentEvaluation",
    "MomentFigures",
    "MomentRecall",
    "evaluate_moments",
    "moment_recall",
    "overlaps",
]

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

RECALLS = (1, 5, 10, 100)
"""The k of R@k that papers on partially relevant retrieval report; SumR is their sum."""

_REPORTED = (*(f"R@{k}" for k in RECALLS), "SumR", "MedR", "MeanR", "mRR")

THRESHOLDS = (0.3, 0.5, 0.7)
"""Overlaps that count as found."""


def overlaps(found: npt.ArrayLike, right: npt.ArrayLike) -> Float64:
    """Intersection over union of intervals, float64 [Q]; 0 where both are empty.

    >>> overlaps([[0.0, 4.0], [5.0, 6.0]], [[2.0, 6.0], [0.0, 1.0]]).round(3).tolist()
    [0.333, 0.0]

    Args:
        found: start and end of each found interval, [Q, 2].
        right: of the right ones, [Q, 2].

    Raises:
        BenchmarkError: if the shapes differ or an interval ends before it begins.
    """
    ours, theirs = np.asarray(found, np.float64), np.asarray(right, np.float64)
    if ours.shape != theirs.shape or ours.ndim != 2 or ours.shape[1] != 2:
        raise BenchmarkError(f"intervals must be two [Q, 2], got {list(ours.shape)} and {list(theirs.shape)}.")
    if (ours[:, 1] < ours[:, 0]).any() or (theirs[:, 1] < theirs[:, 0]).any():
        raise BenchmarkError("an interval must not end before it begins.")
    common = np.minimum(ours[:, 1], theirs[:, 1]) - np.maximum(ours[:, 0], theirs[:, 0])
    common = np.maximum(common, 0)
    either = (ours[:, 1] - ours[:, 0]) + (theirs[:, 1] - theirs[:, 0]) - common
    shares: Float64 = np.divide(common, either, out=np.zeros(len(ours)), where=either > 0)
    return shares


@attrs.frozen(kw_only=True)
class MomentRecall:
    """How well moments were found, each figure with its interval.

    Attributes:
        recalls: by the overlap from which a moment counts as found: R@1 in per cent.
        mean_overlap: the mean overlap, in per cent.
        queries: how many moments were asked for.
    """

    recalls: dict[float, Estimate]
    mean_overlap: Estimate
    queries: int

    @property
    def estimates(self) -> dict[str, Estimate]:
        """Every figure by its name: `R@1 IoU=0.5` and its like, then `mIoU`."""
        named = {f"R@1 IoU={threshold}": recall for threshold, recall in self.recalls.items()}
        return {**named, "mIoU": self.mean_overlap}

    def to_dict(self) -> dict[str, float | int]:
        """The figures without their intervals, and the number of queries."""
        return {**{name: figure.value for name, figure in self.estimates.items()}, "queries": self.queries}

    def intervals(self) -> dict[str, Any]:
        """The figures with their intervals: `{name: {"value", "interval"}}`."""
        return {name: figure.to_dict() for name, figure in self.estimates.items()}


def moment_recall(
    overlap: Float64, videos: Sequence[str], *, bootstrap: Bootstrap = DEFAULT_BOOTSTRAP
) -> MomentRecall:
    """R@1 at every threshold and the mean overlap, with intervals clustered by video.

    Args:
        overlap: each query's overlap, [Q]; 0 for a moment in the wrong video.
        videos: the video that each query belongs to, [Q].
        bootstrap: how intervals are found.

    Raises:
        BenchmarkError: if there is no query.
    """
    if not len(overlap):
        raise BenchmarkError("there is no moment to measure.")
    # All figures are means over queries, so that one product with the draws gives them all.
    values = np.stack([*(overlap >= threshold for threshold in THRESHOLDS), overlap], axis=1) * 100.0  # [Q, 4]
    names, clusters = np.unique(np.asarray(videos), return_inverse=True)
    sums = np.stack([np.bincount(clusters, column, minlength=len(names)) for column in values.T], axis=1)
    counts = np.bincount(clusters, minlength=len(names))
    drawn = np.concatenate([(block @ sums) / (block @ counts)[:, None] for block in bootstrap.draws(len(names))])
    estimates = [
        Estimate(float(value), percentile_interval(resampled))
        for value, resampled in zip(values.mean(axis=0), drawn.T, strict=True)
    ]
    return MomentRecall(
        recalls=dict(zip(THRESHOLDS, estimates, strict=False)), mean_overlap=estimates[-1], queries=len(overlap)
    )


@final
@attrs.frozen(kw_only=True, eq=False, repr=False)
class MomentFigures:
    """Ranks and moments of one way to search.

    Attributes:
        ranks: every caption's rank, its untrimmed video being right.
        right_video: moments looked for in the right video; `None` where the videos' lengths are not known.
        corpus: moments in the video in first place; right if the video is right and the overlap large enough.
        bootstrap: how intervals are found.
    """

    ranks: tuple[QueryRank, ...]
    right_video: MomentRecall | None
    corpus: MomentRecall | None
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP

    @classmethod
    def of(cls, ranks: tuple[QueryRank, ...], overlap: Float64 | None, bootstrap: Bootstrap) -> MomentFigures:
        """The figures of ranks, and of how far each moment found in its right video overlaps it, [Q], if known."""
        if overlap is None:
            return cls(ranks=ranks, right_video=None, corpus=None, bootstrap=bootstrap)
        # A moment found in a wrong video overlaps nothing.
        in_first_video = np.where([row.rank == 1 for row in ranks], overlap, 0.0)
        videos = [row.video for row in ranks]
        right_video, corpus = (
            moment_recall(one, videos, bootstrap=bootstrap) for one in (overlap, in_first_video)
        )
        return cls(ranks=ranks, right_video=right_video, corpus=corpus, bootstrap=bootstrap)

    def to_dict(self) -> dict[str, Any]:
        """`text_to_video`, `moments` (`None` if not measured) and `intervals` of both."""
        measures = DirectionMeasures(ranks=np.array([row.rank for row in self.ranks], np.int64))
        both = {"right_video": self.right_video, "corpus": self.corpus}
        moments = {name: recall for name, recall in both.items() if recall is not None}
        return {
            "text_to_video": {**{name: measures[name] for name in _REPORTED}, "queries": len(self.ranks)},
            "moments": {name: recall.to_dict() for name, recall in moments.items()} or None,
            "intervals": {
                **estimate(self.ranks, bootstrap=self.bootstrap).to_dict(),
                **{f"{name}_moments": recall.intervals() for name, recall in moments.items()},
            },
        }


@final
@attrs.frozen(kw_only=True, eq=False, repr=False)
class MomentEvaluation:
    """A benchmark of moments, searched by scenes and windows at several scales, and by fixed windows.

    Attributes:
        benchmark: what was asked.
        figures: of scenes and windows at several scales.
        fixed: of windows of one length; `None` where the videos' lengths are not known.
        fixed_seconds: that length.
        missing: videos that were not there; their captions were not asked.
        groups: the figures of ranks by moment-to-video ratio; queries whose ratio is not known are in none.
        parser_failures: different captions that could not be read; they rank last.
        omitted: what the model's limits left out: actions, entities and tokens.
    """

    benchmark: Benchmark
    figures: MomentFigures
    fixed: MomentFigures | None
    fixed_seconds: float
    missing: tuple[str, ...]
    groups: tuple[MomentGroup, ...]
    parser_failures: int
    omitted: Mapping[str, int]

    @property
    def query_ranks(self) -> tuple[QueryRank, ...]:
        """Every caption's rank."""
        return self.figures.ranks

    def __getitem__(self, name: str) -> Estimate:
        """A measure of text to video with its interval, such as `SumR`.

        Raises:
            ConfigError: if there is no measure of that name in one direction.
        """
        wanted, figures = RankMeasure(name), self.figures
        (found,) = estimate(figures.ranks, [wanted], bootstrap=figures.bootstrap).values()
        return found

    def to_dict(self) -> dict[str, Any]:
        """What `hgrkit evaluate --benchmark --json` prints."""
        fixed = None if self.fixed is None else {"seconds": self.fixed_seconds, **self.fixed.to_dict()}
        return {
            "benchmark": self.benchmark.to_dict(),
            "protocol": "standard",
            "videos": videos_found(self.benchmark, self.missing),
            **self.figures.to_dict(),
            "baselines": {} if fixed is None else {"fixed_windows": fixed},
            "moment_to_video_ratio": {group.name: group.to_dict() for group in self.groups},
            "parser_failures": self.parser_failures,
            "omitted": dict(self.omitted),
        }

    def __repr__(self) -> str:
        return f"MomentEvaluation({self.benchmark.name!r}, queries={len(self.figures.ranks)})"


def evaluate_moments(
    model: HgrModel,
    benchmark: Benchmark,
    frames: Mapping[str, TimedFeatures] | Mapping[str, Float32],
    *,
    parser: str | GraphParser = "lark",
    windows: WindowSettings | None = None,
    fixed_seconds: float = 10.0,
    allow_missing: bool = False,
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
    on_progress: Callable[[int], object] | None = None,
) -> MomentEvaluation:
    """Rank untrimmed videos for sentences by their best window, and find the moments in them.

    Args:
        model: the model, in evaluation mode.
        benchmark: captions with moments, videos with their lengths.
        frames: frame features [F, K] by the videos' names, with or without a suffix, with their times where these
            are known; read twice for each video.
        parser: reads the captions; one that cannot be read ranks last and is counted.
        windows: which windows are looked at.
        fixed_seconds: length of the fixed windows beside them.
        allow_missing: continue without videos that are not there, or with incomplete annotations.
        bootstrap: how intervals are found.
        on_progress: called with the number of videos that are scored.

    Raises:
        BenchmarkError: if videos or captions are missing and that is not allowed, or nothing is there.
        ShapeError: if features do not fit the model.

    Source: Dong et al., Partially Relevant Video Retrieval (ACM MM 2022, arXiv 2208.12510), sections 3 and 4.
    """
    keys = match_names((video.name for video in benchmark.videos), frames)
    names, missing = require_complete(benchmark, keys, allow_missing=allow_missing)
    captions = captions_of(benchmark, names)
    texts = list(dict.fromkeys(caption.text for caption in captions))
    embedded = embed_captions(model, load_parser(parser), texts)
    durations = {video.name: video.duration_s for video in benchmark.videos}
    videos = _Videos(model, frames, [keys[name] for name in names], [durations[name] for name in names], windows)
    # Fixed windows are cut in seconds, and moments are compared in seconds.
    ways: list[WayToSearch] = [BestWindow(), *([FixedWindows(fixed_seconds)] if videos.timed else [])]
    scores = score_videos(len(names), videos.load, embedded, ways, on_progress=on_progress)
    truth, moments = ground_truth(captions, names, texts), _moments(captions) if videos.timed else None
    figures = []
    for own, way in zip(scores, ways, strict=True):
        ranks, overlap = rank_queries(own, truth, both_directions=False), None
        if moments is not None and truth.columns is not None:
            rows = truth.relevance.candidates  # every query has one right video
            overlap = overlaps(find_moments(rows, truth.columns, videos.load, embedded, way), moments)
        figures.append(MomentFigures.of(ranks, overlap, bootstrap))
    return MomentEvaluation(
        benchmark=benchmark,
        figures=figures[0],
        fixed=figures[1] if videos.timed else None,
        fixed_seconds=fixed_seconds,
        missing=missing,
        groups=moment_groups(figures[0].ranks, videos.ratios(captions, names), bootstrap=bootstrap),
        parser_failures=len(embedded.failures),
        omitted=attrs.asdict(embedded.omitted),
    )


@attrs.frozen(eq=False)
class _Videos:
    """The videos that are there, embedded one at a time."""

    model: HgrModel
    frames: Mapping[str, TimedFeatures] | Mapping[str, Float32]
    keys: Sequence[str]
    lengths: Sequence[float | None]
    windows: WindowSettings | None

    @property
    def timed(self) -> bool:
        """Whether every video's length is known."""
        return all(
            length is not None or self.read(number).duration_s is not None
            for number, length in enumerate(self.lengths)
        )

    def ratios(self, captions: Sequence[BenchmarkCaption], names: Sequence[str]) -> Float64:
        """Each caption's moment-to-video ratio, [Q]; a length that came with the features takes precedence."""
        own = [self.read(number).duration_s for number in range(len(names))]
        known = [length if read is None else read for length, read in zip(self.lengths, own, strict=True)]
        return moment_ratios(captions, dict(zip(names, known, strict=True)))

    def read(self, number: int) -> TimedFeatures:
        """The frame features of one."""
        found = self.frames[self.keys[number]]
        return found if isinstance(found, TimedFeatures) else TimedFeatures(found)

    def load(self, number: int) -> LongVideo:
        """Embed one; a length that came with the features takes precedence over that of the annotations."""
        found, key = self.read(number), self.keys[number]
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


def _moments(captions: Sequence[BenchmarkCaption]) -> Float64 | None:
    """Start and end of each caption's moment in seconds, [Q, 2]; `None` if one of them is not known."""
    known = [
        (caption.start_s, caption.end_s)
        for caption in captions
        if caption.start_s is not None and caption.end_s is not None
    ]
    # An annotator may have named the end first; `overlaps` refuses such an interval.
    return np.sort(np.array(known), axis=1) if len(known) == len(captions) else None
