"""`hgrkit import-release`: a model of the released HGR code becomes a model folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hgrkit.cli.output import echo, echo_json

__all__ = ["import_release"]


def import_release(
    directory: Annotated[Path, typer.Argument(help="Folder in the layout of the released code, or a flat one.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The model folder to write.")],
    checkpoint: Annotated[
        Path | None, typer.Option(help="The epoch.N.th file to read; by default the highest N in the folder.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Import a model of the released HGR code: same weights, same scores, no pickle."""
    from hgrkit.research.release.importing import import_release as run

    report = run(directory, out, checkpoint=checkpoint)
    if json:
        echo_json(report.to_dict())
    else:
        echo(f"{report.checkpoint} is now the model folder {out}")
