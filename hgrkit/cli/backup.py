"""`hgrkit backup`: a whole copy of a library, also while another process writes to it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hgrkit.cli.output import echo, echo_json, printable
from hgrkit.cli.progress import PortionBar

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("backup")(backup)


def backup(
    library: Annotated[Path, typer.Argument(metavar="LIB", help="The library.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to make; it must not exist.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Copy a library, checked and whole, while others may write to it."""
    import attrs

    from hgrkit.library.backup import backup_library

    with PortionBar("backing up") as bar:
        report = backup_library(library, out, on_progress=bar.show)
    if json:
        echo_json(attrs.asdict(report))
    else:
        echo(
            f"backed up version {report.version}, {report.clips} clips of {report.videos} videos, "
            f"to {printable(report.out)}, {report.num_bytes} bytes"
        )
