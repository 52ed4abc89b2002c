"""A bar on stderr for work that is done in portions: verifying, repairing, exporting."""

from __future__ import annotations

from typing import Self

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from hgrkit.cli.output import stderr

__all__ = ["PortionBar"]


class PortionBar:
    """Shows how much is done; nothing at all when stderr is no terminal."""

    def __init__(self, label: str) -> None:
        console = stderr()
        columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._progress.add_task(label, total=None)

    def show(self, done: int, total: int) -> None:
        """So many portions are done, of so many."""
        self._progress.update(self._task, completed=done, total=total)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
