"""`hgrkit verify`: whether a library is, to the last byte, what was written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hgrkit.cli.output import echo, echo_json, printable, shown_path
from hgrkit.cli.progress import PortionBar

if TYPE_CHECKING:
    from hgrkit.library.verify import VerifyReport

__all__ = ["register"]

_NOT_WHOLE = 1
_VIDEOS_SHOWN = 3


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("verify")(verify)


def verify(
    library: Annotated[Path, typer.Argument(metavar="LIB", help="The library.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check every byte of a library, and change nothing. Exit status 1 if it is damaged."""
    import attrs

    from hgrkit.indexing.feature_cache import damaged_features
    from hgrkit.library.verify import Note, verify_library

    with PortionBar("verifying") as bar:
        report = verify_library(library, on_progress=bar.show)
        remark = "cached features that are damaged; they are decoded anew when they are needed"
        features = [path.relative_to(library).as_posix() for path in damaged_features(library)]
    report = attrs.evolve(report, notes=(*report.notes, *(Note(file=file, remark=remark) for file in features)))
    if json:
        echo_json(report.to_dict())
    else:
        _show(report)
    if not report.whole:
        raise typer.Exit(_NOT_WHOLE)


def _show(report: VerifyReport) -> None:
    for damage in report.damages:
        _block(
            f"damaged: {damage.file}",
            damage.problem,
            f"videos: {_some(damage.videos)}",
            f"`hgrkit repair` would {damage.repair}",
        )
    for note in report.notes:
        _block(f"no damage: {note.file}", note.remark)
    state = "whole" if report.whole else f"not whole (damages: {len(report.damages)}); run `hgrkit repair`"
    echo(f"{printable(report.library)} is {state}")
    echo(
        f"videos {report.videos}, clips {report.clips}, bytes {report.num_bytes}, "
        f"version {report.version}, format {report.format_version}"
    )


def _block(heading: str, *lines: str) -> None:
    echo(printable(heading))
    for line in lines:
        echo(f"  {printable(line)}")


def _some(videos: Sequence[str]) -> str:
    more = len(videos) - _VIDEOS_SHOWN
    shown = ", ".join(map(shown_path, videos[:_VIDEOS_SHOWN])) or "none"
    return f"{shown} and {more} more" if more > 0 else shown
