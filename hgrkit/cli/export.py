"""`hgrkit export`: every clip of a library, in a file that other programs read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import attrs
import typer

from hgrkit.cli.output import echo, echo_json, printable
from hgrkit.cli.progress import PortionBar
from hgrkit.errors import ConfigError

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export")(export)


def export(
    library: Annotated[Path, typer.Argument(metavar="LIB", help="The library.")],
    to: Annotated[str, typer.Option(metavar="FORMAT", help="parquet or npz.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write.")],
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Export every clip with its video, its times and its vectors."""
    from hgrkit.library.export import ExportFormat, export_library
    from hgrkit.library.library import Library

    if out.resolve().is_relative_to(library.resolve()):
        raise ConfigError(f"{out} lies inside the library {library}; write the file somewhere else.")
    with Library.open(library) as opened, PortionBar("exporting") as bar:
        report = export_library(opened, out, to=cast("ExportFormat", to), overwrite=force, on_progress=bar.show)
    if json:
        echo_json(attrs.asdict(report))
    else:
        echo(
            f"exported {report.clips} clips of {report.videos} videos to {printable(report.file)}, "
            f"{report.num_bytes} bytes"
        )
