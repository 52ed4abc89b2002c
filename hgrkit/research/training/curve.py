"""Draws a run as one SVG picture that needs nothing else: the loss, and Rsum on the dev clips."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hgrkit.pages.chart import Axis, Point, draw_chart, quarters
from hgrkit.research.training.records import EpochRecord

__all__ = ["draw_curve"]

Values = dict[int, float]
"""What was measured, by epoch."""


def draw_curve(log: Sequence[EpochRecord]) -> str:
    """The picture of at least one epoch: loss to the left axis, dev Rsum to the right one, the best epoch marked.

    Args:
        log: one record an epoch.

    Returns:
        An SVG document.
    """
    last = max(2, log[-1].epoch)
    best = max((record for record in log if record.best), key=lambda record: record.epoch)
    series = {"loss": {record.epoch: record.loss for record in log}}
    if rsums := {record.epoch: record.dev_rsum for record in log if record.dev_rsum is not None}:
        series["rsum"] = rsums
    ends = {kind: _ends(list(values.values())) for kind, values in series.items()}
    placed = {kind: _placed(values, last, *ends[kind]) for kind, values in series.items()}
    radii = {("rsum", best.epoch): 5.0}  # the best epoch stands out
    dots = [
        (kind, point, f"epoch {epoch}: {series[kind][epoch]:.4g}", radii.get((kind, epoch), 3.0))
        for kind, points in placed.items()
        for epoch, point in points.items()
    ]
    axes = {
        kind: Axis("dev Rsum" if kind == "rsum" else kind, quarters(*ends[kind], "{:.4g}"), kind)
        for kind in series
    }
    return draw_chart(
        _title(log, best),
        bottom=Axis("epoch", _epoch_ticks(last)),
        left=axes["loss"],
        right=axes.get("rsum"),
        lines=[(kind, list(points.values())) for kind, points in placed.items()],
        dots=dots,
        standalone=True,
    )


def _title(log: Sequence[EpochRecord], best: EpochRecord) -> str:
    measured = f"; best dev Rsum {best.dev_rsum:.1f} at epoch {best.epoch}" if best.dev_rsum is not None else ""
    return f"{len(log)} epochs, loss {log[-1].loss:.4g}{measured}"


def _epoch_ticks(last: int) -> list[tuple[float, str]]:
    step = max(1, math.ceil((last - 1) / 10))
    return [((epoch - 1) / (last - 1), str(epoch)) for epoch in range(1, last + 1, step)]


def _placed(values: Values, last: int, low: float, high: float) -> dict[int, Point]:
    return {epoch: ((epoch - 1) / (last - 1), (value - low) / (high - low)) for epoch, value in values.items()}


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """Round ends of an axis that holds all values, a quarter of which is a number of one or two digits."""
    spread = max(max(values) - min(values), abs(max(values)) * 1e-2, 1e-9)
    power = 10.0 ** math.floor(math.log10(spread / 4))
    for step in (factor * power * scale for scale in (1, 10, 100) for factor in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8)):
        low = math.floor(min(values) / step) * step
        if low + 4 * step >= max(values):
            return low, low + 4 * step
    return min(values), max(values)
