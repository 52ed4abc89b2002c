"""What `hgrkit evaluate` does, one function a kind of evaluation: a model, a benchmark, a library, foils."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import final

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.checks.arguments import check_callable, check_flag, check_instance, shown
from hgrkit.errors import ConfigError
from hgrkit.model.hgr_model import HgrModel
from hgrkit.parsing.protocol import GraphParser
from hgrkit.parsing.registry import load_parser
from hgrkit.research.datasets.benchmark import Benchmark
from hgrkit.research.evaluation.baselines import TrainingPairs, fit_baselines, video_vectors
from hgrkit.research.evaluation.benchmark_evaluation import (
    BenchmarkEvaluation,
    BenchmarkProtocol,
    CaptionScores,
    evaluate_scores,
)
from hgrkit.research.evaluation.bootstrap import DEFAULT_BOOTSTRAP, Bootstrap
from hgrkit.research.evaluation.captions import Captions, ScoreCaptions, evaluate_captions, match_names
from hgrkit.research.evaluation.foil_choice import FoilEvaluation, FoilPair, evaluate_foils
from hgrkit.research.evaluation.random_baseline import RandomBaseline, random_baseline
from hgrkit.research.evaluation.retrieval import Retrieval
from hgrkit.research.evaluation.sentence_vectors import sentence_vectors
from hgrkit.research.evaluation.video_source import FeatureSource, VideoSource
from hgrkit.retriever import Retriever
from hgrkit.video.feature_file import FeatureFile

__all__ = ["EVENT_ONLY", "Baselines", "choose_foils", "evaluate", "evaluate_benchmark", "evaluate_library"]

Features = Mapping[str, npt.NDArray[np.float32]]

EVENT_ONLY = (1.0, 0.0, 0.0)
"""Weights of the levels when the event alone is compared."""


@final
@attrs.frozen(kw_only=True, eq=False, repr=False)
class Baselines:
    """Simpler systems that answer the same queries: random order, the event level alone, and fitted baselines.

    Attributes:
        train: captions and frame features of the videos that the fitted ones learn from; none are fitted without.
        features: frame features of the evaluated videos; those of the source of the videos unless given.
    """

    train: tuple[Captions, Features] | None = None
    features: Features | None = None

    def beside(
        self,
        evaluated: Retrieval,
        again: Callable[[ScoreCaptions], Retrieval],
        source: VideoSource,
        videos: Mapping[str, str],
    ) -> Retrieval:
        """An evaluation with its baselines.

        Args:
            evaluated: by the model's own scores.
            again: the same evaluation by other scores, videos in the order of `videos`.
            source: where the videos come from.
            videos: the evaluated videos: their names, and what the source calls them.

        Raises:
            BenchmarkError: if captions or features do not fit.
        """
        paths = list(videos.values())

        def event_level(texts: Sequence[str]) -> npt.NDArray[np.float32]:
            return source.score(texts, paths, level_weights=EVENT_ONLY).scores

        found: dict[str, Retrieval | RandomBaseline] = {
            "chance": random_baseline(evaluated.query_ranks),
            "event_only": again(event_level),
        }
        if self.train is not None:
            captions, features = self.train
            named = (source.features, paths) if self.features is None else (self.features, list(videos))
            own = video_vectors(*named)
            pairs = TrainingPairs.read(captions, features, evaluated=list(videos))
            vectors = sentence_vectors(source.model, [text for texts in captions.values() for text in texts])
            fitted = fit_baselines(pairs, vectors)
            found |= {name: again(baseline.scorer(own)) for name, baseline in fitted.items()}
        return attrs.evolve(evaluated, baselines=found)


def evaluate(
    model: HgrModel,
    benchmark: Benchmark,
    *,
    features: Features | None = None,
    parser: str | GraphParser = "lark",
    protocol: BenchmarkProtocol = "standard",
    allow_missing: bool = False,
    on_progress: Callable[[int], object] | None = None,
) -> BenchmarkEvaluation:
    """Measure a model on a benchmark's frame features, exhaustively and exactly.

    >>> from hgrkit.research.datasets.catalogue import benchmark
    >>> bench = benchmark("msr-vtt/1k-a", annotations="ann/", features="resnet.h5")  # doctest: +SKIP
    >>> print(evaluate(model, bench)["R@1"])  # doctest: +SKIP
    21.7 [19.3, 24.2]

    Args:
        model: the model, in evaluation mode.
        benchmark: what is asked.
        features: each video's frame features [F, K] by the video's name, with or without a suffix; by default
            those that the benchmark names.
        parser: reads the captions; one that cannot be read ranks last and is counted.
        protocol: `standard` or `released`, see `PROTOCOLS`.
        allow_missing: continue without videos that have no features, or with incomplete annotations.
        on_progress: called with the number of captions that are read.

    Raises:
        BenchmarkError: if videos or captions are missing and that is not allowed.
        ConfigError: if there are no features.
        FeatureFileError: if the features cannot be read.
        ShapeError: if they do not fit the model.
    """
    check_instance("model", model, HgrModel, hint="load one: load_model(folder)")
    check_instance("benchmark", benchmark, Benchmark, hint="read one: benchmark(name, annotations=...)")
    check_flag("allow_missing", allow_missing)
    check_callable("on_progress", on_progress, takes="how many captions are read")
    if features is not None and not isinstance(features, Mapping):
        raise ConfigError(f"features must be a mapping from names to arrays [F, K], got {shown(features)}.")
    if features is None and benchmark.features is None:
        raise ConfigError(f"there are no frame features to evaluate on; give {benchmark.name} its features.")
    loaded = load_parser(parser)
    with nullcontext(features) if features is not None else FeatureFile(str(benchmark.features)) as table:
        source = FeatureSource(model=model, features=table, parser=loaded, on_progress=on_progress)
        return evaluate_benchmark(source, benchmark, protocol=protocol, allow_missing=allow_missing)


def evaluate_benchmark(
    source: VideoSource,
    benchmark: Benchmark,
    *,
    protocol: BenchmarkProtocol = "standard",
    allow_missing: bool = False,
    baselines: Baselines | None = None,
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
) -> BenchmarkEvaluation:
    """Rank a benchmark's videos for its captions and the other way round: `hgrkit evaluate --benchmark`.

    Args:
        source: where the videos are, such as `open_source` gives.
        benchmark: what is asked.
        protocol: `standard` or `released`, see `PROTOCOLS`.
        allow_missing: continue without videos that are not there, or with incomplete annotations.
        baselines: what to set beside the model.
        bootstrap: how intervals are found.

    Raises:
        BenchmarkError: if videos or captions are missing and that is not allowed.
        ShapeError: if features do not fit the model.
    """
    keys = match_names((video.name for video in benchmark.videos), source.paths)

    def evaluated(
        videos: Mapping[str, str], score: Callable[[Sequence[str]], CaptionScores], *, partly: bool
    ) -> BenchmarkEvaluation:
        return evaluate_scores(
            benchmark, list(videos), score, protocol=protocol, allow_missing=partly, bootstrap=bootstrap
        )

    found = evaluated(keys, lambda texts: source.score(texts, list(keys.values())), partly=allow_missing)
    if baselines is None:
        return found
    # Videos without captions were candidates of no query; baselines answer the very same queries.
    asked = {row.query: keys[row.query] for row in found.query_ranks if row.direction == "video_to_text"}
    retrieval = baselines.beside(
        found.retrieval,
        lambda score: evaluated(asked, lambda texts: CaptionScores(scores=score(texts)), partly=True).retrieval,
        source,
        asked,
    )
    return attrs.evolve(found, retrieval=retrieval)


def evaluate_library(
    source: VideoSource,
    captions: Captions,
    *,
    baselines: Baselines | None = None,
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
) -> Retrieval:
    """Rank a library's videos for captions and the other way round: `hgrkit evaluate --captions`.

    Args:
        source: the library, a `LibrarySource`.
        captions: by the names of the videos that they describe.
        baselines: what to set beside the model.
        bootstrap: how intervals are found.

    Raises:
        BenchmarkError: if a video is not in the library, or its name fits several.
    """
    paths = source.paths

    def by(score: ScoreCaptions) -> Retrieval:
        return evaluate_captions(captions, paths, score, bootstrap=bootstrap)

    found = by(lambda texts: source.score(texts, paths).scores)
    if baselines is None:
        return found
    return baselines.beside(found, by, source, dict(zip(paths, paths, strict=True)))


def choose_foils(
    retriever: Retriever,
    pairs: Sequence[FoilPair],
    *,
    allow_missing: bool = False,
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
) -> FoilEvaluation:
    """Choose between captions and foils by a library's videos: `hgrkit evaluate --foils`.

    Args:
        retriever: the open library.
        pairs: the choices, such as `read_foils` gives.
        allow_missing: leave out choices about videos that the library does not have.
        bootstrap: how intervals are found.

    Raises:
        BenchmarkError: if a video is not in the library, or its name fits several.
    """
    return evaluate_foils(
        pairs,
        retriever.library.indexed_paths(),
        lambda videos, texts: retriever.pair_scores(videos, texts, (None, EVENT_ONLY), querybank_norm=True),
        allow_missing=allow_missing,
        bootstrap=bootstrap,
    )
