"""`hgrkit compact`: the space of what was removed and replaced, given back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import attrs
import typer

from hgrkit.cli.output import echo, echo_json, stderr

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("compact")(compact)


def compact(
    library: Annotated[Path, typer.Argument(metavar="LIB", help="The library.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Free the space of removed and replaced videos. Searches go on meanwhile."""
    from hgrkit.indexing.feature_cache import prune_features
    from hgrkit.library.library import Library

    with Library.open(library, "w") as opened:
        with stderr().status("rewriting"):
            report = opened.compact()
        freed = prune_features(library, {video.content for video in opened.videos()})
    if json:
        echo_json({**attrs.asdict(report), "cache_bytes_freed": freed})
    else:
        echo(f"{report.bytes_before} bytes are now {report.bytes_after}; {freed} bytes of cached features deleted")
