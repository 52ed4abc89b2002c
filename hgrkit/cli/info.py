"""`hgrkit info`: what a library holds and what made it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import attrs
import typer

from hgrkit.cli.output import clock, echo, echo_json, printable, shown_path
from hgrkit.errors import ConfigError

if TYPE_CHECKING:
    from hgrkit.library.records import VideoRecord

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("info")(info)


def info(
    library: Annotated[Path | None, typer.Argument(metavar="LIB", help="The library.", show_default=False)] = None,
    named: Annotated[
        Path | None, typer.Option("--library", "-l", metavar="LIB", help="The library, instead of LIB.")
    ] = None,
    videos: Annotated[bool, typer.Option("--videos", help="List every video.")] = False,
    failed: Annotated[bool, typer.Option("--failed", help="List the videos that failed, and why.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Describe a library: what it holds, what made it, and the state of its videos."""
    from hgrkit.library.library import Library

    if library is None and named is None:
        raise ConfigError("info needs the library; type: hgrkit info LIB")
    if library is not None and named is not None:
        both = f"{str(library)!r} and {str(named)!r}"
        raise ConfigError(f"info takes one library, got {both}; leave one of them out.")
    folder = library or named or Path()
    with Library.open(folder) as opened:
        records, counts = opened.videos(), opened.counts()
        description: dict[str, Any] = {
            "library": str(folder),
            "indexed": counts.indexed,
            "failed": counts.failed,
            "clips": counts.clips,
            "duration_s": sum(record.duration_s or 0.0 for record in records if record.state == "indexed"),
            "manifest": attrs.asdict(opened.manifest),
        }
    listed = [record for record in records if videos or (failed and record.state == "failed")]
    if json:
        shown = {"videos": [_record(record) for record in listed]} if videos or failed else {}
        echo_json({**description, **shown})
        return
    for name, value in _facts(description).items():
        echo(f"{name:<25}  {printable(str(value))}")
    for record in listed:
        echo(_line(record))


def _record(record: VideoRecord) -> dict[str, Any]:
    return {
        "path": record.path,
        "state": record.state,
        "reason": record.reason,
        "clips": record.clips,
        "duration_s": record.duration_s,
    }


def _facts(description: dict[str, Any]) -> dict[str, Any]:
    """What is said of the library, a fact on a line, however long it is."""
    facts = {name: description[name] for name in ("library", "indexed", "failed", "clips")}
    made_with = {name.replace("_", " "): value for name, value in description["manifest"].items()}
    return {**facts, "duration": clock(description["duration_s"]), **made_with}


def _line(record: VideoRecord) -> str:
    """One video on one line, however long its name is."""
    length = clock(record.duration_s) if record.duration_s is not None else "-"
    return printable(f"{record.state:<7}  {shown_path(record.path)}  {length}  {record.reason or ''}").rstrip()
