"""`hgrkit repair`: a damaged library made whole again, from what of it is intact."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hgrkit.cli.output import echo, echo_json, printable, shown_path
from hgrkit.cli.progress import PortionBar

if TYPE_CHECKING:
    from hgrkit.library.repair import RepairReport

__all__ = ["register"]

_NOT_WHOLE = 1


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("repair")(repair)


def repair(
    library: Annotated[Path, typer.Argument(metavar="LIB", help="The library.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Repair a damaged library, and keep what is replaced. Exit status 1 if it stays damaged."""
    import attrs

    from hgrkit.indexing.feature_cache import damaged_features
    from hgrkit.library.repair import repair_library

    with PortionBar("repairing") as bar:
        report = repair_library(library, dry_run=dry_run, on_progress=bar.show)
        features = damaged_features(library)
    for path in () if dry_run else features:
        path.unlink(missing_ok=True)
    steps = [f"delete {path.relative_to(library).as_posix()}" for path in features]
    report = attrs.evolve(report, steps=(*report.steps, *steps))
    if json:
        echo_json(report.to_dict())
    else:
        _show(report)
    if not report.whole:
        raise typer.Exit(_NOT_WHOLE)


def _show(report: RepairReport) -> None:
    for step in report.steps:
        echo(printable(f"{'would' if report.dry_run else 'done:'} {step}"))
    if report.unnamed:
        echo(f"videos that are lost and whose paths cannot be read: {report.unnamed}")
    if report.lost_from is not None:
        echo(f"what was committed from version {report.lost_from} on is lost; index the videos again")
    for title, videos in (
        ("to be indexed again, they are no longer in the library:", report.dropped),
        ("to be indexed again, they may be an older state of themselves:", report.doubtful),
    ):
        if videos:
            echo(title)
            for video in videos:
                echo(f"  {printable(shown_path(video))}")
    if report.kept_in is not None:
        echo(f"what was replaced is kept in {printable(report.kept_in)}; delete it when you have looked")
    state = "whole" if report.whole else "not whole"
    echo(f"{printable(report.library)} {'would be' if report.dry_run else 'is'} {state}")
