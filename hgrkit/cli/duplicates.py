"""`hgrkit duplicates`: which videos of a library show the same."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hgrkit.cli.output import clock, echo, echo_json, printable, shown_path
from hgrkit.cli.progress import PortionBar

__all__ = ["duplicates"]


def duplicates(
    library: Annotated[list[Path], typer.Argument(metavar="LIB", help="The library, or several.")],
    threshold: Annotated[float | None, typer.Option(help="Minimum similarity, above 0 and up to 1.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Find near-duplicate videos, such as resized or trimmed copies. Changes nothing."""
    from hgrkit.library.duplicates import find_duplicates
    from hgrkit.library.library import Library

    with Library.open(library) as opened, PortionBar("comparing videos") as bar:
        groups = find_duplicates(opened, threshold, on_progress=bar.show)
    if json:
        echo_json({"groups": [group.to_dict() for group in groups]})
        return
    for group in groups:
        echo(f"similarity {group.similarity:.3f}")
        for path, duration_s in zip(group.videos, group.durations_s, strict=True):
            length = "-" if duration_s is None else clock(duration_s)
            echo(f"  {length:>9}  {printable(shown_path(path))}")
    count = sum(len(group.videos) for group in groups)
    echo(f"groups {len(groups)}, videos in them {count}" if groups else "no near-duplicates found")
