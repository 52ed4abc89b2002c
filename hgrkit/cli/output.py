"""What commands print: one JSON object on stdout, or text for people; progress goes to stderr."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from hgrkit.results import clock

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["clock", "echo", "echo_json", "printable", "stderr", "stdout"]


def stdout() -> Console:
    """A console for results; plain text when it is piped."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)


def stderr() -> Console:
    """A console for progress, which never mixes with results."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def echo(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print a line in the encoding of the output; typer would take UTF-8 where that is ASCII."""
    typer.echo(text, file=sys.stderr if err else sys.stdout, nl=nl)


def echo_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object on one line; bytes of a path that are no UTF-8 stay as escapes."""
    echo(json.dumps(value, ensure_ascii=True))


def printable(text: str) -> str:
    """Text on one line that any terminal takes: no bytes that are not UTF-8, no control characters."""
    shown = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(" " if unicodedata.category(character) == "Cc" else character for character in shown)
