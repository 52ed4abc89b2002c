"""`hgrkit remove`: videos out of a library."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hgrkit.cli.output import echo, echo_json, quoted

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("remove")(remove)


def remove(
    library: Annotated[Path, typer.Argument(metavar="LIB", help="The library.")],
    paths: Annotated[list[str], typer.Argument(help="Videos, or folders above them.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Remove videos from a library. The video files themselves are not touched."""
    from hgrkit.library.library import Library
    from hgrkit.library.removal import named_videos

    with Library.open(library, "w") as opened:
        named = named_videos(paths, (video.path for video in opened.videos()))
        opened.update(remove=named)
        left = len(opened.videos())
    if json:
        echo_json({"removed": list(named), "left": left})
    else:
        echo(
            f"videos removed {len(named)}, left {left}; `hgrkit compact {quoted(str(library))}` frees their space"
        )
