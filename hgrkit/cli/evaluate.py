"""`hgrkit evaluate`: captions against a library, a release against its model, or a model on a benchmark."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import attrs
import numpy as np
import numpy.typing as npt
import typer

from hgrkit.cli.baselines import BaselineRun, Features
from hgrkit.cli.evaluate_benchmark import EVENT_ONLY, BenchmarkRun
from hgrkit.cli.evaluate_foils import FoilRun
from hgrkit.cli.evaluate_moments import MomentRun
from hgrkit.cli.evaluate_report import ReportRun
from hgrkit.cli.output import echo_json, stderr, stdout
from hgrkit.cli.ruler import WIDTH, Ruler, measures_table
from hgrkit.errors import ConfigError

if TYPE_CHECKING:
    from hgrkit.model.hgr_model import HgrModel
    from hgrkit.model.query.encoder import EmbeddedCaptions
    from hgrkit.research.evaluation.benchmark_evaluation import BenchmarkEvaluation, BenchmarkProtocol
    from hgrkit.research.evaluation.captions import CaptionEvaluation, Captions
    from hgrkit.retriever import Retriever

__all__ = ["register"]

ScoreTexts = Callable[[Sequence[str]], npt.NDArray[np.float32]]


@attrs.frozen(kw_only=True, eq=False, slots=False)
class LibrarySubject:
    """Captions and the library that they are evaluated against; sentences are read once.

    Attributes:
        retriever: the open library.
        folder: where it is.
        captions: what is asked.
    """

    retriever: Retriever
    folder: Path
    captions: Captions
    _read: dict[tuple[str, ...], EmbeddedCaptions] = attrs.field(factory=dict, init=False, repr=False)

    def evaluated(self) -> CaptionEvaluation:
        """By the model's own score."""
        return self.scored(lambda texts: self.retriever.scores(self._reading(texts), querybank_norm=True))

    def event_only(self) -> CaptionEvaluation:
        """By the event level alone."""
        return self.scored(
            lambda texts: self.retriever.scores(
                self._reading(texts), level_weights=EVENT_ONLY, querybank_norm=True
            )
        )

    def model(self) -> HgrModel:
        """The library's model."""
        return self.retriever.model

    def videos(self) -> tuple[str, ...]:
        """The library's videos."""
        return self.retriever.library.indexed_paths()

    def features(self) -> Features:
        """What the library kept."""
        from hgrkit.indexing.feature_cache import kept_features

        return kept_features(self.retriever.library, self.folder)

    def scored(self, score: ScoreTexts) -> CaptionEvaluation:
        """By other scores."""
        from hgrkit.research.evaluation.captions import evaluate_captions

        return evaluate_captions(self.captions, self.videos(), score)

    def _reading(self, texts: Sequence[str]) -> EmbeddedCaptions:
        key = tuple(texts)
        if key not in self._read:
            self._read[key] = self.retriever.read(texts)
        return self._read[key]


@attrs.frozen(kw_only=True, eq=False, slots=False)
class BenchmarkSubject:
    """A benchmark as it was measured.

    Attributes:
        run: what was asked.
        measured: what came of it.
    """

    run: BenchmarkRun
    measured: BenchmarkEvaluation

    def event_only(self) -> BenchmarkEvaluation:
        """By the event level alone.

        Raises:
            ConfigError: if the videos were decoded for this run only.
        """
        if self.run.features is None and self.run.library is None:
            raise ConfigError("--baselines look at the videos again; add --library LIB, where they are indexed.")
        return attrs.evolve(self.run, videos=None, event_only=True).run()

    def model(self) -> HgrModel:
        """The model that was measured."""
        from hgrkit.model.loaded import LoadedModel

        if self.run.library is None:
            return LoadedModel.load(self.run.model or "default", device=self.run.device).model
        with self.run.open(self.run.library) as retriever:
            return retriever.model

    def videos(self) -> tuple[str, ...]:
        """The benchmark's videos that were there and have captions."""
        return tuple(row.query for row in self.measured.query_ranks if row.direction == "video_to_text")

    def features(self) -> Features:
        """What the library kept, by the benchmark's names."""
        return self._kept

    @cached_property
    def _kept(self) -> Features:
        from hgrkit.indexing.feature_cache import kept_features
        from hgrkit.research.evaluation.video_names import match_names

        if self.run.library is None:
            raise ConfigError("there are no frame features of the evaluated videos; give --features FILE.")
        with self.run.open(self.run.library) as retriever:
            kept = kept_features(retriever.library, self.run.library)
        return {name: kept[path] for name, path in match_names(self.videos(), kept).items()}

    def scored(self, score: ScoreTexts) -> BenchmarkEvaluation:
        """By other scores."""
        from hgrkit.research.evaluation.benchmark_evaluation import CaptionScores, evaluate_scores

        return evaluate_scores(
            self.measured.benchmark,
            self.videos(),
            lambda texts: CaptionScores(scores=score(texts)),
            protocol=cast("BenchmarkProtocol", self.run.protocol),
            allow_missing=True,
        )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("evaluate")(evaluate)


def evaluate(
    library: Annotated[
        Path | None, typer.Option("--library", "-l", metavar="LIB", help="The library to evaluate.")
    ] = None,
    captions: Annotated[
        Path | None, typer.Option(help="JSON file: the list of captions of each video's file name, for a library.")
    ] = None,
    foils: Annotated[
        Path | None, typer.Option(help="JSON lines of captions and foils to choose between, for a library.")
    ] = None,
    ranks: Annotated[
        Path | None, typer.Option(help="Write each caption's rank to this file, .jsonl or .parquet.")
    ] = None,
    video_ranks: Annotated[
        Path | None, typer.Option(help="Write each video's rank to this file: the other direction.")
    ] = None,
    resamples: Annotated[int, typer.Option(help="Resamples of the bootstrap for the intervals.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0,
    release: Annotated[Path | None, typer.Option(help="Folder in the layout of the released code.")] = None,
    model: Annotated[
        str | None, typer.Option(help="Model folder or installed model, for a release or a benchmark.")
    ] = None,
    scores: Annotated[Path | None, typer.Option(help="Write a release's level scores to this .npz file.")] = None,
    benchmark: Annotated[str | None, typer.Option(help="A benchmark, such as msr-vtt/1k-a.")] = None,
    annotations: Annotated[Path | None, typer.Option(help="Folder of the benchmark's annotation files.")] = None,
    features: Annotated[Path | None, typer.Option(help="Frame features of its videos, .npz or .hdf5.")] = None,
    videos: Annotated[Path | None, typer.Option(help="Folder of its videos, which are then decoded.")] = None,
    protocol: Annotated[
        Literal["standard", "released"], typer.Option(help="How a benchmark is counted: standard or released.")
    ] = "standard",
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Measure a benchmark although parts of it are missing.")
    ] = False,
    baselines: Annotated[
        bool,
        typer.Option("--baselines", help="Show chance, the event level and trained baselines beside the model."),
    ] = False,
    baselines_train: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="CAPTIONS FEATURES", help="What baselines are trained on."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write a page of charts, breakdowns and the worst queries, .html.")
    ] = None,
    parser: Annotated[str, typer.Option(help="Parser that reads the captions.")] = "lark",
    device: Annotated[str, typer.Option(help="Where the model runs: auto, cpu, cuda or mps.")] = "cpu",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure retrieval in both directions. Values are percentages and ranks."""
    if foils is not None:
        FoilRun(
            library=library,
            foils=foils,
            parser=parser,
            device=device,
            allow_missing=allow_missing,
            resamples=resamples,
            seed=seed,
        ).show(
            json=json,
            captions=captions,
            release=release,
            benchmark=benchmark,
            model=model,
            features=features,
            ranks=ranks or video_ranks,
            report=report,
        )
        return
    ruler = Ruler(ranks=ranks, video_ranks=video_ranks, resamples=resamples, seed=seed)
    if (baselines or baselines_train is not None or report is not None) and release is not None:
        name = "--baselines" if report is None else "--report"
        raise ConfigError(f"{name} goes with --library or --benchmark, not with --release.")
    page = None if report is None else ReportRun(path=report, resamples=resamples, seed=seed)
    beside = BaselineRun.asked(baselines, train=baselines_train, features=features, ruler=ruler)
    if benchmark is not None:
        _refuse(captions=captions, release=release, scores=scores)
        if annotations is None:
            raise ConfigError("--benchmark needs --annotations DIR, the folder of its published files.")
        run = BenchmarkRun(
            name=benchmark,
            annotations=annotations,
            model=model,
            features=features,
            videos=videos,
            library=library,
            parser=parser,
            device=device,
            protocol=protocol,
            allow_missing=allow_missing,
        )
        if run.partially_relevant:
            _print(MomentRun(run=run, ruler=ruler, page=page).measured(baselines=beside is not None), json=json)
            return
        evaluated = run.run()
        measured = ruler.report(evaluated.to_dict(), evaluated.query_ranks)
        if beside is not None:
            measured["baselines"] = beside.beside(evaluated, BenchmarkSubject(run=run, measured=evaluated))
        if page is not None:
            page.write_benchmark(measured, evaluated.query_ranks, run)
        _print(measured, json=json)
        return
    _refuse(annotations=annotations, features=features if beside is None else None, videos=videos)
    _fit(library=library, release=release, ranks=ranks or video_ranks, scores=scores)
    if library is not None and captions is not None and release is None:
        with stderr().status("scoring every caption against every video"):
            measured = _library(library, captions, ruler, beside, page, parser=parser, device=device)
    elif release is not None and model is not None and library is None:
        from hgrkit.model.registry import model_folder
        from hgrkit.research.release.experiment import evaluate_release

        with stderr().status("scoring every caption against every video"):
            measured = evaluate_release(
                release, model_folder(model), scores_out=scores, resamples=resamples, seed=seed
            )
    else:
        raise ConfigError(
            "give --library LIB and --captions FILE, --release DIR and --model MODEL, or --benchmark NAME, "
            "--annotations DIR and --features FILE or --videos DIR."
        )
    _print(measured, json=json)


def _fit(*, library: Path | None, release: Path | None, ranks: Path | None, scores: Path | None) -> None:
    """Refuse files that what is evaluated does not give.

    Raises:
        ConfigError: if one of them was named.
    """
    if (ranks is not None and library is None) or (scores is not None and release is None):
        raise ConfigError("--ranks and --video-ranks go with --library, and --scores with --release.")


def _refuse(**given: object) -> None:
    """Refuse options that mean nothing beside the others.

    Raises:
        ConfigError: if one of them was given.
    """
    surplus = [f"--{name}" for name, value in given.items() if value is not None]
    if surplus:
        raise ConfigError(f"{', '.join(surplus)} and --benchmark do not go together as given; see --help.")


def _print(measured: dict[str, Any], *, json: bool) -> None:
    if json:
        echo_json(measured)
    else:
        stdout().print(measures_table(measured), width=WIDTH, crop=False)


def _library(
    library: Path,
    captions: Path,
    ruler: Ruler,
    beside: BaselineRun | None,
    page: ReportRun | None,
    *,
    parser: str,
    device: str,
) -> dict[str, Any]:
    from hgrkit.research.evaluation.captions import read_captions
    from hgrkit.retriever import Retriever

    annotations = read_captions(captions)
    with Retriever.open(library, parser=parser, device=device) as retriever:
        subject = LibrarySubject(retriever=retriever, folder=library, captions=annotations)
        evaluated = subject.evaluated()
        measured = ruler.report(evaluated.measures.to_dict(), evaluated.query_ranks)
        if beside is not None:
            measured["baselines"] = beside.beside(evaluated, subject)
        if page is not None:
            page.write_library(
                measured, evaluated.query_ranks, retriever, f"{captions.name} against {library.name}"
            )
        return measured
