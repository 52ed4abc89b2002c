"""`hgrkit info`: what a library holds and what made it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from hgrkit.cli.output import clock, echo_json, printable, shown_path, stdout

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("info")(info)


def info(
    library: Annotated[Path, typer.Option("--library", "-l", help="The library.")],
    videos: Annotated[bool, typer.Option("--videos", help="List every video.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Describe a library: counts, what made it and, with --videos, the state of every video."""
    import attrs

    from hgrkit.library.library import Library

    with Library.open(library) as opened:
        records, counts = opened.videos(), opened.counts()
        description: dict[str, Any] = {
            "library": str(library),
            "indexed": counts.indexed,
            "failed": counts.failed,
            "clips": counts.clips,
            "duration_s": sum(record.duration_s or 0.0 for record in records if record.state == "indexed"),
            "manifest": attrs.asdict(opened.manifest),
        }
    if videos:
        description["videos"] = [
            {
                "path": record.path,
                "state": record.state,
                "reason": record.reason,
                "clips": record.clips,
                "duration_s": record.duration_s,
            }
            for record in records
        ]
    if json:
        echo_json(description)
    else:
        stdout().print(_table(description))


def _table(description: dict[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    for name in ("library", "indexed", "failed", "clips"):
        table.add_row(name, Text(printable(str(description[name]))))
    table.add_row("duration", clock(description["duration_s"]))
    for name, value in description["manifest"].items():
        table.add_row(name.replace("_", " "), Text(str(value)))
    for video in description.get("videos", ()):
        length = clock(video["duration_s"]) if video["duration_s"] is not None else "-"
        line = f"{printable(shown_path(video['path']))}  {length}  {video['reason'] or ''}".rstrip()
        table.add_row(video["state"], Text(line))
    return table
