"""`hgrkit index`: videos in, a library out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hgrkit.cli.output import echo_json, stderr

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("index")(index)


def index(
    paths: Annotated[list[str], typer.Argument(help="Videos, folders of videos, or files of frame features.")],
    library: Annotated[Path, typer.Option("--library", "-l", help="The library; made if it does not exist.")],
    model: Annotated[str, typer.Option(help="Installed model or model folder.")] = "default",
    parser: Annotated[str, typer.Option(help="Parser that must be able to read queries.")] = "lark",
    frame_encoder: Annotated[
        str | None, typer.Option(help="Installed frame encoder; the model's own unless given.")
    ] = None,
    sampling: Annotated[
        str | None, typer.Option(help="fps:RATE or uniform:FRAMES; the model's own unless given.")
    ] = None,
    features: Annotated[
        Path | None,
        typer.Option(help="Frame features {name: [F, dim]} (.npz, .hdf5) instead of decoding the videos."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try again what failed before and has not changed.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Index videos: decode, encode and store them. What is unchanged is not decoded again."""
    from hgrkit.indexing.pipeline import IndexEvent
    from hgrkit.retriever import Retriever

    parts: dict[str, Any] = {
        "model": model,
        "parser": parser,
        "frame_encoder": frame_encoder,
        "sampling": sampling,
        "device": device,
    }
    with Retriever.open_or_create(library, **parts) as retriever, _progress() as progress:
        bar = progress.add_task("indexing", total=None)

        def show(event: IndexEvent) -> None:
            progress.update(bar, completed=event.done, total=event.total, description=Path(event.path).name)

        report = retriever.index(*paths, features=features, retry_failed=retry_failed, on_progress=show)
    if json:
        echo_json(report.to_dict())
        return
    for failure in report.failures:
        stderr().print(f"failed {failure.path}: {failure.reason}", markup=False)
    typer.echo(f"indexed {report.indexed}, unchanged {report.unchanged}, failed {len(report.failures)}")


def _progress() -> Progress:
    return Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
        console=stderr(),
        transient=True,
    )
