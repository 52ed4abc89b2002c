"""`hgrkit evaluate`: captions or foils against a library, a model on a benchmark, a release against its model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import attrs
import typer

import hgrkit
from hgrkit.cli.output import (
    echo,
    echo_json,
    measures_table,
    plain_table,
    printable,
    shortened,
    stderr,
    stdout,
    with_interval,
)
from hgrkit.cli.progress import IndexBar
from hgrkit.cli.usage import Trust
from hgrkit.errors import ConfigError
from hgrkit.research import evaluation  # loads what is asked of it

if TYPE_CHECKING:
    from hgrkit.indexing.report import IndexReport
    from hgrkit.research.datasets.benchmark import Benchmark

__all__ = ["evaluate"]

_Protocol = Literal["standard", "released"]

_WIDTH = 200
"""Columns that the widest table takes; a narrower terminal folds its lines."""

_SHOWN = 20


def evaluate(
    library: Annotated[
        Path | None, typer.Option("--library", "-l", metavar="LIB", help="The library to evaluate.")
    ] = None,
    captions: Annotated[
        Path | None, typer.Option(help="JSON file: the list of captions of each video's file name, for a library.")
    ] = None,
    foils: Annotated[Path | None, typer.Option(help="JSON lines of captions and foils, for a library.")] = None,
    ranks: Annotated[
        Path | None, typer.Option(help="Write each caption's rank to this file, .jsonl or .parquet.")
    ] = None,
    video_ranks: Annotated[
        Path | None, typer.Option(help="Write each video's rank to this file: the other direction.")
    ] = None,
    resamples: Annotated[int, typer.Option(help="Number of bootstrap resamples for the intervals.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0,
    release: Annotated[Path | None, typer.Option(help="Folder in the layout of the released code.")] = None,
    model: Annotated[
        str | None, typer.Option(help="Model folder or installed model, for a release or a benchmark.")
    ] = None,
    scores: Annotated[Path | None, typer.Option(help="Write a release's level scores to this .npz file.")] = None,
    benchmark: Annotated[str | None, typer.Option(help="A benchmark, such as msr-vtt/1k-a.")] = None,
    annotations: Annotated[Path | None, typer.Option(help="Folder of the benchmark's annotation files.")] = None,
    features: Annotated[
        Path | None, typer.Option(help="Frame features of its videos: .npz, .h5, .parquet, .lance.")
    ] = None,
    videos: Annotated[Path | None, typer.Option(help="Folder of its videos, which are then decoded.")] = None,
    protocol: Annotated[
        _Protocol, typer.Option(help="Protocol of a benchmark: standard or released.")
    ] = "standard",
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Measure the parts of a benchmark that exist.")
    ] = False,
    baselines: Annotated[
        bool,
        typer.Option("--baselines", help="Also measure baselines: chance, the event level alone, trained ones."),
    ] = False,
    baselines_train: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="CAPTIONS FEATURES", help="Captions and frame features to train baselines on."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write a page of charts, breakdowns and the worst queries, .html.")
    ] = None,
    parser: Annotated[str, typer.Option(help="Parser that reads the captions.")] = "lark",
    device: Annotated[str, typer.Option(help="Where the model runs: auto, cpu, cuda or mps.")] = "cpu",
    trust: Trust = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure retrieval in both directions. Values are percentages and ranks."""
    _Asked(**locals()).run()  # nothing else is local yet: these are the options as they were typed


@attrs.frozen(kw_only=True)
class _Asked:
    """What was typed: the options of `hgrkit evaluate`, by their names."""

    library: Path | None
    captions: Path | None
    foils: Path | None
    ranks: Path | None
    video_ranks: Path | None
    resamples: int
    seed: int
    release: Path | None
    model: str | None
    scores: Path | None
    benchmark: str | None
    annotations: Path | None
    features: Path | None
    videos: Path | None
    protocol: _Protocol
    allow_missing: bool
    baselines: bool
    baselines_train: tuple[Path, Path] | None
    report: Path | None
    parser: str
    device: str
    trust: bool
    json: bool

    @property
    def bootstrap(self) -> evaluation.Bootstrap:
        """How intervals are found."""
        return evaluation.Bootstrap(self.resamples, self.seed)

    def run(self) -> None:
        if self.foils is not None:
            _print_foils(_foils(self, self.foils), json=self.json)
            return
        _check(self)
        if self.benchmark is not None:
            measured = _benchmark(self, self.benchmark)
        elif self.library is not None and self.captions is not None and self.release is None:
            measured = _library(self, self.library, self.captions)
        elif self.release is not None and self.model is not None and self.library is None:
            measured = _release(self, self.release, self.model)
        else:
            raise ConfigError(
                "give --library LIB and --captions FILE, --release DIR and --model MODEL, or --benchmark NAME, "
                "--annotations DIR and --features FILE or --videos DIR."
            )
        if self.json:
            echo_json(measured)
        else:
            stdout().print(measures_table(measured), width=_WIDTH, crop=False)


def _check(asked: _Asked) -> None:
    """Refuse options that do not go together, before anything is read."""
    beside = asked.baselines or asked.baselines_train is not None
    if asked.release is not None and (beside or asked.report is not None):
        name = "--baselines" if asked.report is None else "--report"
        raise ConfigError(f"{name} can be used with --library or --benchmark, not with --release.")
    if asked.report is not None:
        evaluation.require_folder(asked.report)
    if asked.baselines_train is not None and not asked.baselines:
        raise ConfigError("--baselines-train needs --baselines.")
    if asked.benchmark is not None:
        _refuse(captions=asked.captions, release=asked.release, scores=asked.scores)
        return
    _refuse(
        annotations=asked.annotations,
        features=asked.features if not asked.baselines else None,
        videos=asked.videos,
    )
    ranks = asked.ranks or asked.video_ranks
    if (ranks is not None and asked.library is None) or (asked.scores is not None and asked.release is None):
        raise ConfigError("--ranks and --video-ranks need --library, and --scores needs --release.")


def _refuse(**given: object) -> None:
    """Refuse options that mean nothing beside the others."""
    surplus = [f"--{name}" for name, value in given.items() if value is not None]
    if surplus:
        raise ConfigError(f"{', '.join(surplus)} and --benchmark cannot be combined like this; see --help.")


def _foils(asked: _Asked, foils: Path) -> evaluation.FoilEvaluation:
    surplus = ("captions", "release", "benchmark", "model", "features", "ranks", "video_ranks", "report")
    given = [f"--{name.replace('_', '-')}" for name in surplus if getattr(asked, name)]
    if given:
        raise ConfigError(f"--foils cannot be combined with {', '.join(given)}; use only one of them.")
    if asked.library is None:
        raise ConfigError("--foils needs --library LIB, the videos that the sentences are compared with.")
    pairs = evaluation.read_foils(foils)
    with (
        stderr().status("choosing between captions and foils"),
        hgrkit.Retriever.open(
            asked.library, parser=asked.parser, device=asked.device, trust=asked.trust
        ) as retriever,
    ):
        return evaluation.choose_foils(
            retriever, pairs, allow_missing=asked.allow_missing, bootstrap=asked.bootstrap
        )


def _library(asked: _Asked, library: Path, captions: Path) -> Mapping[str, Any]:
    read = evaluation.read_captions(captions)
    with ExitStack() as opened, stderr().status("scoring every caption against every video"):
        retriever = opened.enter_context(
            hgrkit.Retriever.open(library, parser=asked.parser, device=asked.device, trust=asked.trust)
        )
        source = evaluation.LibrarySource(retriever, library)
        found = evaluation.evaluate_library(
            source, read, baselines=_baselines(asked, opened), bootstrap=asked.bootstrap
        )
        return _written(asked, found, source, f"{captions.name} against {library.name}")


def _benchmark(asked: _Asked, name: str) -> Mapping[str, Any]:
    from hgrkit.research.datasets.catalogue import benchmark, find_recipe

    if asked.annotations is None:
        raise ConfigError("--benchmark needs --annotations DIR, the folder of its published files.")
    moments = find_recipe(name).task == "partially relevant retrieval"
    if moments and (asked.baselines or asked.protocol != "standard"):
        raise ConfigError(
            f"{name} is partially relevant retrieval: leave out --baselines, because fixed windows are always the "
            "baseline, and use --protocol 'standard'."
        )
    # Before the annotations are read: a missing option should not wait for them.
    if (asked.features is None) == (asked.videos is None and asked.library is None):
        raise ConfigError("with --benchmark, give --features FILE, --videos DIR or --library LIB.")
    bench = benchmark(name, annotations=asked.annotations, features=asked.features)
    with ExitStack() as opened:
        source = _source(asked, bench, opened, keep_features=moments)
        if moments:
            found = _moments(asked, bench, source)
            return _written(asked, found, source, name, explain=False)
        with stderr().status("reading captions and scoring them against every video"):
            evaluated = evaluation.evaluate_benchmark(
                source,
                bench,
                protocol=asked.protocol,
                allow_missing=asked.allow_missing,
                baselines=_baselines(asked, opened),
                bootstrap=asked.bootstrap,
            )
        _tell_problems(bench, evaluated.missing, evaluated.parser_failures)
        return _written(asked, evaluated, source, name)


def _source(asked: _Asked, bench: Benchmark, opened: ExitStack, *, keep_features: bool) -> evaluation.VideoSource:
    with IndexBar() as bar:
        return opened.enter_context(
            evaluation.open_source(
                bench,
                features=asked.features,
                videos=asked.videos,
                library=asked.library,
                model=asked.model,
                parser=asked.parser,
                device=asked.device,
                allow_missing=asked.allow_missing,
                keep_features=keep_features,
                on_progress=bar.show,
                on_indexed=_tell_failures,
            )
        )


def _moments(asked: _Asked, bench: Benchmark, source: evaluation.VideoSource) -> evaluation.MomentEvaluation:
    frames = source.frames
    with stderr().status("scoring windows") as status:
        found = evaluation.evaluate_moments(
            source.model,
            bench,
            frames,
            parser=source.parser,
            allow_missing=asked.allow_missing,
            bootstrap=asked.bootstrap,
            on_progress=lambda done: status.update(f"scoring windows of video {done:,} of {len(frames):,}"),
        )
    _tell_problems(bench, found.missing, found.parser_failures)
    if found.figures.right_video is None:
        echo(
            "the lengths of some videos are unknown, so moments and fixed windows were not measured; "
            "give the videos with --videos DIR.",
            err=True,
        )
    return found


def _release(asked: _Asked, release: Path, model: str) -> Mapping[str, Any]:
    from hgrkit.model.registry import model_folder
    from hgrkit.research.release.experiment import evaluate_release

    with stderr().status("scoring every caption against every video"):
        return evaluate_release(
            release, model_folder(model), scores_out=asked.scores, resamples=asked.resamples, seed=asked.seed
        )


def _baselines(asked: _Asked, opened: ExitStack) -> evaluation.Baselines | None:
    from hgrkit.video.feature_file import FeatureFile

    if not asked.baselines:
        return None
    train = None
    if asked.baselines_train is not None:
        captions, features = asked.baselines_train
        train = (evaluation.read_captions(captions), opened.enter_context(FeatureFile(features)))
    # For a benchmark --features are where its videos come from, and for a library those of its videos.
    own = asked.features if asked.benchmark is None else None
    return evaluation.Baselines(
        train=train, features=None if own is None else opened.enter_context(FeatureFile(own))
    )


def _written(
    asked: _Asked, found: evaluation.Evaluated, source: evaluation.VideoSource, title: str, *, explain: bool = True
) -> Mapping[str, Any]:
    """What was measured as JSON, after the files that were asked for are written."""
    for path, direction in zip((asked.ranks, asked.video_ranks), evaluation.DIRECTIONS, strict=True):
        if path is not None:
            evaluation.write_rank_file(found.query_ranks, path, direction)
    if asked.report is not None:
        with stderr().status("writing the report"):
            evaluation.write_report(
                asked.report, found, source, title=title, explain=explain, bootstrap=asked.bootstrap
            )
    return found.to_dict()


def _tell_failures(report: IndexReport) -> None:
    failed = [printable(f"failed {failure.path}: {failure.reason}") for failure in report.failures]
    for line in shortened(failed, "failed"):
        echo(line, err=True)


def _tell_problems(benchmark: Benchmark, missing: Sequence[str], parser_failures: int) -> None:
    """Say on standard error what was not found."""
    for problem in benchmark.problems:
        echo(printable(problem), err=True)
    if missing:
        more = f" and {len(missing) - _SHOWN:,} more" if len(missing) > _SHOWN else ""
        echo(f"{len(missing):,} videos were not found: {', '.join(missing[:_SHOWN])}{more}", err=True)
    if parser_failures:
        echo(f"{parser_failures:,} captions cannot be parsed; they rank last", err=True)


def _print_foils(found: evaluation.FoilEvaluation, *, json: bool) -> None:
    """Accuracy of each type, all levels beside the event level alone."""
    if json:
        echo_json(found.to_dict())
        return
    systems = (found.fused, found.event_only)
    table = plain_table("type", "n", f"accuracy [{evaluation.LEVEL} %]", f"event only [{evaluation.LEVEL} %]")
    for name, accuracy in found.fused.types.items():
        both = (system.types[name] for system in systems)
        table.add_row(name, str(accuracy.n), *(with_interval(one.accuracy, one.interval) for one in both))
    table.add_row("mean", "", *(with_interval(system.mean, system.mean_interval) for system in systems))
    stdout().print(table)
