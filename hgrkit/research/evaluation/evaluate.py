"""Evaluates a model on a benchmark, from frame features: `evaluate(model, benchmark(...))["R@1"]`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.arguments import check_callable, check_flag, check_instance, shown
from hgrkit.errors import ConfigError
from hgrkit.model.hgr_model import HgrModel
from hgrkit.model.scorer import embed_captions, embed_videos
from hgrkit.model.video import frame_features
from hgrkit.parsing.protocol import GraphParser
from hgrkit.parsing.registry import load_parser
from hgrkit.research.datasets.benchmark import Benchmark
from hgrkit.research.evaluation.benchmark_evaluation import (
    BenchmarkEvaluation,
    BenchmarkProtocol,
    CaptionScores,
    evaluate_scores,
)
from hgrkit.research.evaluation.video_names import match_names
from hgrkit.video.feature_file import FeatureFile

__all__ = ["evaluate"]

Float32 = npt.NDArray[np.float32]


def evaluate(
    model: HgrModel,
    benchmark: Benchmark,
    *,
    features: Mapping[str, Float32] | None = None,
    parser: str | GraphParser = "lark",
    protocol: BenchmarkProtocol = "standard",
    allow_missing: bool = False,
    on_progress: Callable[[int], object] | None = None,
) -> BenchmarkEvaluation:
    """Rank exhaustively and exactly.

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
        allow_missing: go on without videos that have no features, or with incomplete annotations.
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
        keys = match_names((video.name for video in benchmark.videos), table)

        def score(texts: Sequence[str]) -> CaptionScores:
            videos = embed_videos(model, (_checked(table[key], name, model) for name, key in keys.items()))
            captions = embed_captions(model, loaded, texts, on_progress=on_progress)
            omitted = {**attrs.asdict(captions.omitted), "frames": videos.omitted_frames}
            return CaptionScores(
                scores=videos.scores(captions, querybank_norm=True),
                failures=len(captions.failures),
                omitted=omitted,
            )

        return evaluate_scores(benchmark, list(keys), score, protocol=protocol, allow_missing=allow_missing)


def _checked(features: Float32, name: str, model: HgrModel) -> Float32:
    """A video's features, if they fit the model."""
    checked: Float32 = frame_features(repr(name), features, model.feature_dim).numpy()
    return checked
