"""`hgrkit evaluate`: captions against a library, or a release against its model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from hgrkit.cli.output import echo_json, stderr, stdout
from hgrkit.errors import ConfigError

__all__ = ["register"]

_COLUMNS = ("R@1", "R@5", "R@10", "MedR", "MeanR", "queries")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("evaluate")(evaluate)


def evaluate(
    library: Annotated[Path | None, typer.Option("--library", "-l", help="The library to evaluate.")] = None,
    captions: Annotated[
        Path | None, typer.Option(help="JSON: {video's file name: [captions]}, for a library.")
    ] = None,
    ranks: Annotated[Path | None, typer.Option(help="Write every query's rank to this JSON lines file.")] = None,
    release: Annotated[Path | None, typer.Option(help="Folder in the layout of the released code.")] = None,
    model: Annotated[str | None, typer.Option(help="Model folder, for a release.")] = None,
    scores: Annotated[Path | None, typer.Option(help="Write a release's level scores to this .npz file.")] = None,
    parser: Annotated[str, typer.Option(help="Parser that reads the captions.")] = "lark",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "cpu",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure retrieval in both directions, exhaustively and exactly; values are percentages and ranks."""
    if (ranks is not None and library is None) or (scores is not None and release is None):
        raise ConfigError("--ranks goes with --library, and --scores with --release.")
    if library is not None and captions is not None and release is None:
        with stderr().status("scoring every caption against every video"):
            measured = _library(library, captions, ranks, parser=parser, device=device)
    elif release is not None and model is not None and library is None:
        from hgrkit.model_registry import model_folder
        from hgrkit.release.evaluating import evaluate_release

        with stderr().status("scoring every caption against every video"):
            measured = evaluate_release(release, model_folder(model), scores_out=scores)
    else:
        raise ConfigError("give --library LIB and --captions FILE, or --release DIR and --model MODEL.")
    if json:
        echo_json(measured)
    else:
        stdout().print(_table(measured))


def _library(library: Path, captions: Path, ranks: Path | None, *, parser: str, device: str) -> dict[str, Any]:
    from hgrkit.evaluation.captions import evaluate_captions, read_captions, write_ranks
    from hgrkit.retriever import Retriever

    annotations = read_captions(captions)
    with Retriever.open(library, parser=parser, device=device) as retriever:
        evaluation = evaluate_captions(annotations, retriever.library.indexed_paths(), retriever.scores)
    if ranks is not None:
        write_ranks(evaluation, ranks)
    return dict(evaluation.measures.to_dict())


def _table(measured: dict[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("direction")
    for column in _COLUMNS:
        table.add_column(column, justify="right")
    for direction in ("text_to_video", "video_to_text"):
        values = measured[direction]
        cells = [str(values[name]) if name == "queries" else f"{values[name]:.1f}" for name in _COLUMNS]
        table.add_row(direction.replace("_", " "), *cells)
    table.add_row("Rsum", f"{measured['Rsum']:.1f}")
    return table
