"""What `hgrkit evaluate` does with ranks, wherever they come from: files, intervals and the table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from rich.table import Table

if TYPE_CHECKING:
    from hgrkit.research.evaluation.rank_file import QueryRank

__all__ = ["WIDTH", "Ruler", "measures_table"]

WIDTH = 200
"""Columns that the widest table takes; a narrower terminal folds its lines."""

_DIRECTIONS = ("text_to_video", "video_to_text")
_MOMENTS = ("right_video_moments", "corpus_moments")


@attrs.frozen(kw_only=True)
class Ruler:
    """How ranks are reported.

    Attributes:
        ranks: the file to write the captions' ranks to.
        video_ranks: the file to write the videos' ranks to.
        resamples: of the bootstrap.
        seed: of the bootstrap.
    """

    ranks: Path | None = None
    video_ranks: Path | None = None
    resamples: int = 1000
    seed: int = 0

    def report(self, measured: Mapping[str, Any], rows: Sequence[QueryRank]) -> dict[str, Any]:
        """Write the files, and add `intervals` to what was measured."""
        from hgrkit.research.evaluation.rank_file import write_rank_file

        for path, direction in zip((self.ranks, self.video_ranks), _DIRECTIONS, strict=True):
            if path is not None:
                write_rank_file((row for row in rows if row.direction == direction), path)
        return self.with_intervals(measured, rows)

    def with_intervals(self, measured: Mapping[str, Any], rows: Sequence[QueryRank]) -> dict[str, Any]:
        """What was measured, and `intervals` beside it."""
        from hgrkit.research.evaluation.bootstrap import report

        found = report(rows, resamples=self.resamples, seed=self.seed)
        return {**measured, "intervals": {**measured.get("intervals", {}), **found}}


def measures_table(measured: Mapping[str, Any]) -> Table:
    """Every measure of what was evaluated, and of its baselines if there are any, side by side."""
    systems = {**measured.get("baselines", {}), "model": measured}
    level = measured["intervals"]["level"]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", no_wrap=True)
    for name in systems:
        heading = f"{name} [{level} %]" if name == "model" else name.replace("_", " ")
        table.add_column(heading, justify="right", no_wrap=True)
    for label, path in _rows(measured["intervals"]):
        table.add_row(label, *(_cell(system["intervals"], path) for system in systems.values()))
    for direction in _DIRECTIONS:
        if direction in measured:
            table.add_row(
                f"{_words(direction)} queries", *[""] * (len(systems) - 1), str(measured[direction]["queries"])
            )
    return table


def _rows(intervals: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The label of every figure and where it stands."""
    for direction in (*_DIRECTIONS, *_MOMENTS):
        for name in intervals.get(direction, {}):
            yield f"{_words(direction)} {name}", (direction, name)
    for name, value in intervals.items():
        if isinstance(value, Mapping) and "value" in value:
            yield name, (name,)


def _cell(intervals: Mapping[str, Any], path: Sequence[str]) -> str:
    found: Any = intervals
    for key in path:
        found = found[key]
    if found["interval"] is None:
        return f"{found['value']:.1f}"
    low, high = found["interval"]
    return f"{found['value']:.1f} [{low:.1f}, {high:.1f}]"


def _words(direction: str) -> str:
    return direction.replace("_", " ")
