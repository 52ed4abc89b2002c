"""The part of `hgrkit evaluate` that measures a model on a benchmark: from features, videos or a library."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, cast

import attrs

from hgrkit.cli.output import echo, printable, shortened, stderr
from hgrkit.cli.progress import IndexBar
from hgrkit.errors import ConfigError, LibraryNotFoundError, MissingPathError

if TYPE_CHECKING:
    from hgrkit.research.datasets.benchmark import Benchmark
    from hgrkit.research.evaluation.benchmark_evaluation import BenchmarkEvaluation, BenchmarkProtocol
    from hgrkit.retriever import Retriever

__all__ = ["EVENT_ONLY", "BenchmarkRun", "tell_problems"]

_PICTURES = frozenset((".jpg", ".jpeg", ".png", ".webp"))
_SHOWN = 20

EVENT_ONLY = (1.0, 0.0, 0.0)
"""Weights of the levels when the event alone is compared."""


@attrs.frozen(kw_only=True)
class BenchmarkRun:
    """What `hgrkit evaluate --benchmark` was asked to do.

    Attributes:
        name: the benchmark.
        annotations: the folder of its files.
        model: an installed model or a model folder; a library's own unless given.
        features: frame features by video name.
        videos: a folder of videos to decode.
        library: a library that holds the videos; with `videos`, where they are indexed.
        parser: reads the captions.
        device: where the model runs.
        protocol: how ranks are counted.
        allow_missing: measure what is there.
        event_only: score by the event level alone.
    """

    name: str
    annotations: Path
    model: str | None
    features: Path | None
    videos: Path | None
    library: Path | None
    parser: str
    device: str
    protocol: str
    allow_missing: bool
    event_only: bool = False

    def run(self) -> BenchmarkEvaluation:
        """Measure; what is missing goes to standard error, too.

        Raises:
            ConfigError: if it was not said where the videos' features come from, or said twice.
            BenchmarkError: if something is missing and that is not allowed.
        """
        asked = self.benchmark()
        with stderr().status("reading captions and scoring them against every video"):
            found = self._on_features(asked) if self.features is not None else None
        found = found if found is not None else self._on_library(asked)
        if not self.event_only:
            tell_problems(asked, found.missing, found.parser_failures)
        return found

    @property
    def partially_relevant(self) -> bool:
        """Whether captions describe moments of untrimmed videos.

        Raises:
            BenchmarkNotFoundError: if there is no such benchmark.
        """
        from hgrkit.research.datasets.catalogue import find_recipe

        return find_recipe(self.name).task == "partially relevant retrieval"

    def benchmark(self) -> Benchmark:
        """What is asked, read from the annotation files.

        Raises:
            ConfigError: if it was not said where the videos' features come from, or said twice.
        """
        from hgrkit.research.datasets.catalogue import benchmark

        if (self.features is None) == (self.videos is None and self.library is None):
            raise ConfigError("with --benchmark, give --features FILE, --videos DIR or --library LIB.")
        return benchmark(self.name, annotations=self.annotations, features=self.features)

    def _on_features(self, benchmark: Benchmark) -> BenchmarkEvaluation:
        from hgrkit.matching.matcher import Matcher
        from hgrkit.model.loaded import LoadedModel
        from hgrkit.research.evaluation.evaluate import evaluate

        model = LoadedModel.load(self.model or "default", device=self.device).model
        if self.event_only:
            model.matcher = Matcher(
                sharpness=model.matcher.sharpness, fusion=model.matcher.fusion, level_weights=EVENT_ONLY
            )
        return evaluate(
            model,
            benchmark,
            parser=self.parser,
            protocol=cast("BenchmarkProtocol", self.protocol),
            allow_missing=self.allow_missing,
        )

    def _on_library(self, benchmark: Benchmark) -> BenchmarkEvaluation:
        from hgrkit.research.evaluation.benchmark_evaluation import CaptionScores, evaluate_scores
        from hgrkit.research.evaluation.video_names import match_names

        names = [video.name for video in benchmark.videos]
        scratch = nullcontext() if self.library is not None else tempfile.TemporaryDirectory()
        with scratch as folder:
            path = self.library if self.library is not None else Path(str(folder)) / "library"
            if self.videos is not None:
                self.index(benchmark, path, feature_cache=self.library is not None)
            with self.open(path) as retriever, stderr().status("scoring every caption against every video"):
                paths = retriever.library.indexed_paths()
                keys = match_names(names, paths)
                row_of = {stored: row for row, stored in enumerate(paths)}
                rows = [row_of[key] for key in keys.values()]
                weights = EVENT_ONLY if self.event_only else None

                def score(texts: Sequence[str]) -> CaptionScores:
                    captions = retriever.read(texts)
                    return CaptionScores(
                        scores=retriever.scores(captions, level_weights=weights, querybank_norm=True)[rows],
                        failures=len(captions.failures),
                        omitted=attrs.asdict(captions.omitted),
                    )

                return evaluate_scores(
                    benchmark,
                    list(keys),
                    score,
                    protocol=cast("BenchmarkProtocol", self.protocol),
                    allow_missing=self.allow_missing,
                )

    def open(self, path: Path) -> Retriever:
        """A library with the model and the parser of this run."""
        from hgrkit.retriever import Retriever

        return Retriever.open(path, model=self.model, parser=self.parser, device=self.device)

    def index(self, benchmark: Benchmark, library: Path, *, feature_cache: bool) -> None:
        """Decode the benchmark's videos, and no others, into the library; `feature_cache` keeps their features."""
        from hgrkit.research.evaluation.benchmark_evaluation import require_complete
        from hgrkit.research.evaluation.video_names import match_names
        from hgrkit.retriever import Retriever

        keys = match_names((video.name for video in benchmark.videos), _files(self.videos))
        require_complete(benchmark, list(keys), allow_missing=self.allow_missing)
        try:
            made = Retriever.open(library, mode="w", model=self.model, parser=self.parser, device=self.device)
        except LibraryNotFoundError:
            made = Retriever.create(library, model=self.model or "default", parser=self.parser, device=self.device)
        with made as retriever, IndexBar() as bar:
            report = retriever.index(*keys.values(), feature_cache=feature_cache, on_progress=bar.show)
        failed = [printable(f"failed {failure.path}: {failure.reason}") for failure in report.failures]
        for line in shortened(failed, "failed"):
            echo(line, err=True)


def _files(folder: Path | None) -> list[str]:
    """Videos and photographs below a folder.

    Raises:
        MissingPathError: if there is no such folder.
    """
    from hgrkit.indexing.walk import VIDEO_SUFFIXES

    if folder is None or not folder.is_dir():
        raise MissingPathError(f"there is no folder {str(folder)!r} of videos.")
    return sorted(
        str(path)
        for path in folder.rglob("*")
        if path.suffix.lower() in VIDEO_SUFFIXES | _PICTURES and path.is_file()
    )


def tell_problems(benchmark: Benchmark, missing: Sequence[str], parser_failures: int) -> None:
    """Say on standard error what was not there."""
    for problem in benchmark.problems:
        echo(printable(problem), err=True)
    if missing:
        more = f" and {len(missing) - _SHOWN:,} more" if len(missing) > _SHOWN else ""
        echo(f"{len(missing):,} videos are not there: {', '.join(missing[:_SHOWN])}{more}", err=True)
    if parser_failures:
        echo(f"{parser_failures:,} captions cannot be read; they rank last", err=True)
