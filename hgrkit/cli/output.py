"""What commands print: one JSON object on stdout, or text for people; progress goes to stderr."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Self

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hgrkit.results import clock

if TYPE_CHECKING:
    from hgrkit.indexing.report import IndexProgress

__all__ = ["IndexBar", "clock", "echo_json", "printable", "stderr", "stdout"]


class IndexBar:
    """A progress bar on stderr that follows an indexing run."""

    def __init__(self) -> None:
        console = stderr()
        self._progress = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}", markup=False),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("reading", total=None)

    def show(self, progress: IndexProgress) -> None:
        """One more video is done."""
        name = printable(PurePath(progress.path).name)
        self._progress.update(self._task, completed=progress.done, total=progress.total, description=name)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


def stdout() -> Console:
    """A console for results; plain text when it is piped."""
    return Console(highlight=False, soft_wrap=True)


def stderr() -> Console:
    """A console for progress, which never mixes with results."""
    return Console(stderr=True, highlight=False)


def echo_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object on one line; bytes of a path that are no UTF-8 stay as escapes."""
    typer.echo(json.dumps(value, ensure_ascii=True))


def printable(text: str) -> str:
    """Text on one line that any terminal takes: no bytes that are not UTF-8, no control characters."""
    shown = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(" " if unicodedata.category(character) == "Cc" else character for character in shown)
