"""`hgrkit parse`: sentences in, role graphs out."""

from __future__ import annotations

import json as json_format
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from hgrkit.errors import ConfigError, GraphError, MissingPathError

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("parse")(parse)


def parse(
    text: Annotated[str | None, typer.Argument(help="A sentence.")] = None,
    input: Annotated[  # noqa: A002
        Path | None, typer.Option("--input", "-i", help="A file with one sentence a line.")
    ] = None,
    parser: Annotated[str, typer.Option(help="Name of the parser.")] = "lark",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """Show how sentences are read: actions, entities and the roles between them."""
    from hgrkit.parsing.registry import load_parser, parse_texts

    if (text is None) == (input is None):
        raise ConfigError("give either a sentence or --input FILE, and not both.")
    loaded = load_parser(parser)
    for number, sentence in enumerate([text] if text is not None else _lines(input), 1):
        try:
            graph = parse_texts(loaded, [sentence])[0]
        except GraphError as error:
            raise GraphError(f"line {number}: {error}" if input else str(error)) from error
        if json:
            typer.echo(json_format.dumps({"caption": sentence, **graph.to_dict()}))
        else:
            typer.echo(str(graph))


def _lines(path: Path | None) -> Iterator[str]:
    if path is None or not path.is_file():
        raise MissingPathError(f"there is no file {str(path)!r}; --input takes a text file, one sentence a line.")
    with path.open(encoding="utf-8", errors="replace") as file:
        yield from (line.rstrip("\r\n") for line in file)
