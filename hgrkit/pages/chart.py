"""Line and bar charts as SVG pictures: what a training run's curve and an evaluation's report draw."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from hgrkit.graph.rendering import render

__all__ = ["Axis", "Point", "draw_chart", "quarters"]

Point = tuple[float, float]
"""A place in the plot: x from its left to its right side, y from its bottom to its top, both in [0, 1]."""


@attrs.frozen
class Axis:
    """One side of a plot.

    Attributes:
        name: what is measured.
        ticks: places along the side, in [0, 1], and what is written there.
        kind: the series that is read from it, whose colour it has; that of plain words unless given.
    """

    name: str
    ticks: Sequence[tuple[float, str]]
    kind: str = ""


def draw_chart(
    title: str,
    *,
    bottom: Axis,
    left: Axis,
    right: Axis | None = None,
    lines: Sequence[tuple[str, Sequence[Point]]] = (),
    dots: Sequence[tuple[str, Point, str, float]] = (),
    bars: Sequence[tuple[str, float, float, float, str]] = (),
    standalone: bool = False,
) -> str:
    """A chart as one `<svg>` element. A series' kind decides its colour and dashes.

    Args:
        title: what the chart shows, for those who do not see it.
        bottom: the axis of x.
        left: the axis of y.
        right: a second axis of y.
        lines: each one's kind and its points from left to right.
        dots: each one's kind, place, words when pointed at, and radius in pixels; they lie above all lines.
        bars: each one's kind, left end, width and height in [0, 1], and words when pointed at.
        standalone: as a file of its own, with its title above and its colours; else these are the page's.
    """
    axes = {"bottom": bottom, "left_axis": left, "right_axis": right}
    return render("chart.svg", title=title, **axes, lines=lines, dots=dots, bars=bars, standalone=standalone)


def quarters(low: float, high: float, shown: str = "{:g}") -> list[tuple[float, str]]:
    """Ticks at the ends and quarters of an axis."""
    return [(quarter / 4, shown.format(low + (high - low) * quarter / 4)) for quarter in range(5)]
