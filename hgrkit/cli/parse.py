"""`hgrkit parse`: sentences in, role graphs out."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from hgrkit.cli.output import echo_json, printable, stderr
from hgrkit.errors import ConfigError, GraphError, MissingPathError
from hgrkit.graph import RoleGraph, draw_graph

__all__ = ["register"]

_LINES_AT_ONCE = 64


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("parse")(parse)


def parse(
    text: Annotated[str | None, typer.Argument(help="A sentence.")] = None,
    input: Annotated[  # noqa: A002
        Path | None, typer.Option("--input", "-i", help="A file with one sentence a line.")
    ] = None,
    parser: Annotated[str, typer.Option(help="Name of the parser.")] = "lark",
    svg: Annotated[
        Path | None, typer.Option(help="Draw the sentence's graph into this file, for light and dark pages.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """Show how sentences are read: actions, entities and the roles between them."""
    from hgrkit.parsing.registry import load_parser, parse_each, parse_texts

    if (text is None) == (input is None):
        raise ConfigError("give either a sentence or --input FILE, and not both.")
    if svg is not None and text is None:
        raise ConfigError("--svg draws one sentence; give it in place of --input.")
    loaded = load_parser(parser)
    if text is not None:
        graph = parse_texts(loaded, [text])[0]
        if svg is not None:
            svg.write_text(draw_graph(graph), encoding="utf-8")
        _show(text, graph, json=json)
        return
    lines = enumerate(_lines(input), 1)
    while batch := list(islice(lines, _LINES_AT_ONCE)):
        for (number, line), graph in zip(batch, parse_each(loaded, [line for _, line in batch]), strict=True):
            if isinstance(graph, GraphError):
                stderr().print(printable(f"line {number}: {graph}"), markup=False, soft_wrap=True)
            _show(line, graph, json=json)


def _show(sentence: str, graph: RoleGraph | GraphError, *, json: bool) -> None:
    """Print one sentence; one that cannot be read keeps its line, with the reason in place of nodes."""
    if isinstance(graph, GraphError):
        record: dict[str, Any] = {"tokens": [], "nodes": [], "edges": [], "error": str(graph)}
        shown = ""
    else:
        record, shown = graph.to_dict(), str(graph)
    if json:
        echo_json({"caption": sentence, **record})
    else:
        typer.echo(shown)


def _lines(path: Path | None) -> Iterator[str]:
    if path is None or not path.is_file():
        raise MissingPathError(f"there is no file {str(path)!r}; --input takes a text file, one sentence a line.")
    with path.open(encoding="utf-8", errors="replace") as file:
        yield from (line.rstrip("\r\n") for line in file)
