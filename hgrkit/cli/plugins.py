"""`hgrkit plugins`: everything that is installed under hgrkit's entry points."""

from __future__ import annotations

from typing import Annotated

import attrs
import typer

from hgrkit.cli.output import echo_json, printable, stdout
from hgrkit.plugins import installed_plugins

__all__ = ["plugins"]


def plugins(json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """List the installed parsers, frame encoders, text encoders and models."""
    from rich.table import Table

    found = installed_plugins()
    if json:
        echo_json({"plugins": [attrs.asdict(plugin) for plugin in found]})
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("kind", "name", "version", "distribution"):
        table.add_column(column)
    for plugin in found:
        table.add_row(*map(printable, attrs.astuple(plugin)))
    stdout().print(table)
