"""`hgrkit mcp`: serves a library to agents by the Model Context Protocol."""

from __future__ import annotations

import importlib.util
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from hgrkit.cli.clips import check_clips_folder
from hgrkit.cli.configuration import configured
from hgrkit.cli.output import echo
from hgrkit.errors import ConfigError, MissingPackageError

__all__ = ["mcp"]

_SKILL = Path(__file__).parents[1] / "agents" / "skills" / "search-video" / "SKILL.md"


def mcp(
    library: Annotated[
        list[Path] | None,
        typer.Argument(metavar="LIB...", help="The library, or several that are searched as one."),
    ] = None,
    http: Annotated[
        bool, typer.Option("--http", help="Serve by streamable HTTP instead of standard input and output.")
    ] = False,
    host: Annotated[
        str,
        typer.Option(metavar="HOST", help="The address of --http; one that is not 127.0.0.1 needs --token."),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="PORT", help="The port of --http; 0 takes one that is free.")
    ] = 8766,
    token: Annotated[
        str | None,
        typer.Option(metavar="TOKEN", envvar="HGRKIT_TOKEN", help="What clients of --http have to know."),
    ] = None,
    clips_out: Annotated[Path, typer.Option(metavar="DIR", help="The folder that cut clips go into.")] = Path(
        "clips"
    ),
    parser: Annotated[str, typer.Option(metavar="PARSER", help="What reads the queries.")] = "lark",
    device: Annotated[str, typer.Option(metavar="DEVICE", help="auto, cpu, cuda or mps.")] = "auto",
    skill: Annotated[
        bool, typer.Option("--skill", help="Print a skill file that tells an agent how to search, and exit.")
    ] = False,
) -> None:
    """Serve a library to agents by the Model Context Protocol: tools to search, look, list and cut."""
    if skill:
        echo(_SKILL.read_text(encoding="utf-8").rstrip())
        return
    if not library and (set_library := configured("library")):
        library = [Path(set_library)]
    if not library:
        raise ConfigError("mcp needs the library to serve; type: hgrkit mcp LIB")
    check_clips_folder(clips_out)
    if importlib.util.find_spec("mcp") is None:
        raise MissingPackageError("hgrkit mcp needs the extra mcp; type: pip install 'hgrkit[mcp]'")
    from hgrkit.agents.server import LibraryServer, serve_http
    from hgrkit.retriever import Retriever

    with Retriever.open(library, parser=parser, device=device, follow=True) as retriever:
        server = LibraryServer(retriever, clips_out=clips_out.absolute(), any_example=not http)
        with suppress(KeyboardInterrupt):  # how it is stopped
            if http:
                serve_http(
                    server, port, host=host, token=token, on_ready=lambda address: echo(f"hgrkit mcp: {address}")
                )
            else:
                if sys.stdin.isatty():
                    echo("hgrkit mcp: waiting for an agent on stdin; press Ctrl-C to stop.", err=True)
                server.run("stdio")
