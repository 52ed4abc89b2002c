"""Line and bar charts as SVG pictures: what a training run's curve and an evaluation's report draw."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from hgrkit.rendering import render

__all__ = ["Axis", "Bar", "Chart", "Dot", "Line", "Point", "draw_chart", "quarters"]

Point = tuple[float, float]
"""A place in the plot: x from its left to its right side, y from its bottom to its top, both in [0, 1]."""


@attrs.frozen(kw_only=True)
class Axis:
    """One side of the plot.

    Attributes:
        name: what is measured.
        ticks: places along the side, in [0, 1], and what is written there.
        kind: the series that is read from it, whose colour it has; the colour of plain words unless given.
    """

    name: str
    ticks: Sequence[tuple[float, str]]
    kind: str = ""


@attrs.frozen
class Line:
    """A series: its kind, which decides its colour and dashes, and its points from left to right."""

    kind: str
    points: Sequence[Point]


@attrs.frozen
class Dot:
    """A point that stands out: its series' kind, its place, its words when pointed at, its radius in pixels."""

    kind: str
    at: Point
    words: str
    radius: float = 4.0


@attrs.frozen
class Bar:
    """A bar from the bottom: its series' kind, its left end, width and height, and its words when pointed at."""

    kind: str
    left: float
    width: float
    height: float
    words: str


@attrs.frozen(kw_only=True)
class Chart:
    """A picture before it is drawn.

    Attributes:
        title: what it shows, for those who do not see it.
        bottom: the axis of x.
        left: the axis of y.
        right: a second axis of y.
        lines: series.
        dots: points of series, above all lines.
        bars: bars.
    """

    title: str
    bottom: Axis
    left: Axis
    right: Axis | None = None
    lines: Sequence[Line] = ()
    dots: Sequence[Dot] = ()
    bars: Sequence[Bar] = ()


def draw_chart(chart: Chart, *, standalone: bool = False) -> str:
    """The chart as one `<svg>` element.

    Args:
        chart: what is drawn.
        standalone: as a file of its own, with its title above and its colours; else these are the page's.
    """
    return render("chart.svg", chart=chart, standalone=standalone)


def quarters(low: float, high: float, shown: str = "{:g}") -> list[tuple[float, str]]:
    """Ticks at the ends and quarters of an axis."""
    return [(quarter / 4, shown.format(low + (high - low) * quarter / 4)) for quarter in range(5)]
