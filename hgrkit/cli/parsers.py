"""`hgrkit parsers`: which parsers are installed, and whether their models are available."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from hgrkit.cli.output import echo_json, printable, stdout

__all__ = ["parsers"]

_WORDS = {True: "yes", False: "no", None: "unknown"}


def parsers(json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """List the installed parsers, and whether their models are available."""
    from hgrkit.parsing.registry import installed_parsers

    found = installed_parsers()
    if json:
        echo_json({"parsers": [parser.to_dict() for parser in found]})
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("parser", "version", "distribution", "models", "where"):
        table.add_column(column)
    for parser in found:
        row = (parser.name, parser.version, parser.distribution, _WORDS[parser.models], parser.models_at)
        table.add_row(*map(printable, row))
    stdout().print(table)
