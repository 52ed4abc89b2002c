"""Counts what becomes of the files of a run and tells of each: the source of its report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import final, get_args

from hgrkit.indexing.report import Failure, IndexProgress, IndexReport, Outcome
from hgrkit.indexing.source import VideoEnd
from hgrkit.indexing.walk import LeftOut

__all__ = ["Tally"]


@final
class Tally:
    """Takes the files one by one, once they are dealt with.

    Args:
        total: files of the run.
        on_progress: called after each.
    """

    def __init__(self, total: int, on_progress: Callable[[IndexProgress], object] | None = None) -> None:
        self._total = total
        self._on_progress = on_progress
        self._outcomes: dict[Outcome, int] = dict.fromkeys(get_args(Outcome), 0)
        self._failures: list[Failure] = []
        self._decoded_frames = 0

    def count(self, end: VideoEnd) -> None:
        """One more file is done."""
        self._outcomes[end.outcome] += 1
        self._decoded_frames += end.decoded_frames
        if end.outcome == "failed":
            self._failures.append(Failure(end.file.path, end.reason or "unknown"))
        if self._on_progress is not None:
            done = sum(self._outcomes.values())
            self._on_progress(IndexProgress(path=end.file.path, outcome=end.outcome, done=done, total=self._total))

    def report(
        self,
        left_out: LeftOut,
        *,
        in_trash: Sequence[str] = (),
        missing: Sequence[str] = (),
        pruned: int = 0,
        emptied: Sequence[str] = (),
    ) -> IndexReport:
        """The outcome of the run, with what was left out of it and what was found to be missing after it."""
        return IndexReport(
            indexed=self._outcomes["indexed"],
            unchanged=self._outcomes["unchanged"],
            moved=self._outcomes["moved"],
            duplicates=self._outcomes["duplicate"],
            failures=tuple(sorted(self._failures, key=lambda failure: failure.path)),
            unreadable=left_out.unreadable,
            skipped=left_out.skipped,
            in_trash=tuple(in_trash),
            missing=tuple(missing),
            pruned=pruned,
            emptied=tuple(emptied),
            decoded_frames=self._decoded_frames,
        )
