"""Bars on stderr for work that takes longer than a second: indexing, training, and work done in portions."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Self

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from hgrkit.cli.output import printable, stderr

if TYPE_CHECKING:
    from hgrkit.indexing.report import IndexProgress
    from hgrkit.research.training.records import TrainingProgress

__all__ = ["IndexBar", "PortionBar", "TrainBar"]


class _Bar:
    """A bar with one task while its context lasts; nothing at all when stderr is no terminal."""

    def __init__(self, *columns: ProgressColumn, label: str = "reading") -> None:
        if not columns:
            description = TextColumn("{task.description}", markup=False)
            columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), description)
        console = stderr()
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task: TaskID = self._progress.add_task(label, total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if not self._progress.disable:  # Rich before 15 ends a bar that never was with an empty line
            self._progress.stop()


class IndexBar(_Bar):
    """Follows an indexing run: videos, time left and the video that was done last."""

    def show(self, progress: IndexProgress) -> None:
        """One more video is done."""
        name = printable(PurePath(progress.path).name)
        self._progress.update(self._task, completed=progress.done, total=progress.total, description=name)


class TrainBar(_Bar):
    """Follows a training run: steps, time left, epoch, loss and the last dev Rsum."""

    def show(self, progress: TrainingProgress) -> None:
        """One more step is done."""
        measured = "" if progress.dev_rsum is None else f", dev Rsum {progress.dev_rsum:.1f}"
        self._progress.update(
            self._task,
            completed=progress.step,
            total=progress.total,
            description=f"epoch {progress.epoch}, loss {progress.loss:.4f}{measured}",
        )


class PortionBar(_Bar):
    """Shows how much is done of work in portions: verifying, repairing, exporting, parsing."""

    def __init__(self, label: str) -> None:
        super().__init__(TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), label=label)

    def show(self, done: int, total: int) -> None:
        """So many portions are done, of so many."""
        self._progress.update(self._task, completed=done, total=total)
