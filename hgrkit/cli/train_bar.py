"""A bar on stderr that follows a training run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hgrkit.cli.output import stderr

if TYPE_CHECKING:
    from hgrkit.training.records import TrainingProgress

__all__ = ["TrainBar"]


class TrainBar:
    """Steps, time left, epoch, loss and the last dev Rsum; nothing at all when stderr is no terminal."""

    def __init__(self) -> None:
        console = stderr()
        self._progress = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("reading", total=None)

    def show(self, progress: TrainingProgress) -> None:
        """One more step is done."""
        measured = "" if progress.dev_rsum is None else f", dev Rsum {progress.dev_rsum:.1f}"
        self._progress.update(
            self._task,
            completed=progress.step,
            total=progress.total,
            description=f"epoch {progress.epoch}, loss {progress.loss:.4f}{measured}",
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
