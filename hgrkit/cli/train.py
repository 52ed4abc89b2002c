"""`hgrkit train`: trains a model as the released code would."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hgrkit.cli.output import echo_json, stderr

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("train")(train)


def train(
    release: Annotated[Path, typer.Option(help="Folder in the layout of the released code: data and settings.")],
    model: Annotated[str, typer.Option(help="Model folder to start from.")],
    epochs: Annotated[int, typer.Option(min=1, help="Times that every pair is seen.")] = 1,
    shuffle: Annotated[bool, typer.Option("--shuffle/--no-shuffle", help="Shuffle the pairs.")] = True,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Model folder to write.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Train with the released behaviour: its loss, its optimiser, its order of pairs."""
    from hgrkit.model_registry import model_folder
    from hgrkit.release.training import train_release

    console = stderr()
    with console.status("training") as status:
        report = train_release(
            release,
            model_folder(model),
            epochs=epochs,
            shuffle=shuffle,
            out=out,
            on_progress=lambda step: status.update(f"training, step {step.number}, loss {step.loss:.4f}"),
        )
    if json:
        echo_json(report)
        return
    losses = report["losses"]
    typer.echo(
        f"{len(losses)} steps, loss {losses[0]:.4f} to {losses[-1]:.4f}" + (f", model in {out}" if out else "")
    )
