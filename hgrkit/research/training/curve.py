"""Draws a run as one SVG picture that needs nothing else: the loss, and Rsum on the dev clips."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hgrkit.research.training.records import EpochRecord

__all__ = ["draw_curve"]

_WIDTH, _HEIGHT = 640, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 62, 44, 48
_PLOT_WIDTH, _PLOT_HEIGHT = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
_LOSS, _RSUM = "#b4461e", "#1f6f8b"

Points = Sequence[tuple[float, float]]


def draw_curve(log: Sequence[EpochRecord]) -> str:
    """The picture of at least one epoch: loss to the left axis, dev Rsum to the right one, the best epoch marked.

    Args:
        log: one record an epoch.

    Returns:
        An SVG document.
    """
    last = max(2, log[-1].epoch)
    losses = [(record.epoch, record.loss) for record in log]
    rsums = [(record.epoch, record.dev_rsum) for record in log if record.dev_rsum is not None]
    parts = [_text(_WIDTH / 2, 20, _title(log), "middle", "#222"), *_epoch_axis(last)]
    parts += _series(losses, last, _LOSS, "loss", side="left")
    if rsums:
        parts += _series(rsums, last, _RSUM, "dev Rsum", side="right")
        best = max(record.epoch for record in log if record.best)
        spot = next(_placed([point], last, *_axis(rsums))[0] for point in rsums if point[0] == best)
        parts.append(f'<circle cx="{spot[0]:.1f}" cy="{spot[1]:.1f}" r="5" fill="{_RSUM}"/>')
    style = 'font-family="sans-serif" font-size="12"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" '
        f'height="{_HEIGHT}" role="img" {style}><title>{_title(log)}</title>'
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>{"".join(parts)}</svg>\n'
    )


def _title(log: Sequence[EpochRecord]) -> str:
    best = max((record for record in log if record.best), key=lambda record: record.epoch)
    measured = f"; best dev Rsum {best.dev_rsum:.1f} at epoch {best.epoch}" if best.dev_rsum is not None else ""
    return f"{len(log)} epochs, loss {log[-1].loss:.4g}{measured}"


def _series(points: Points, last: int, colour: str, name: str, *, side: str) -> list[str]:
    """A line with its axis."""
    low, high = _axis(points)
    placed = _placed(points, last, low, high)
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
    x, anchor, shift = (_LEFT, "end", -8) if side == "left" else (_WIDTH - _RIGHT, "start", 8)
    parts = [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>']
    parts += [f'<circle cx="{x_:.1f}" cy="{y_:.1f}" r="2.5" fill="{colour}"/>' for x_, y_ in placed]
    parts.append(_text(x, _TOP - 10, name, "middle", colour))
    for quarter in range(5):
        value = low + (high - low) * quarter / 4
        y = _TOP + _PLOT_HEIGHT * (1 - quarter / 4)
        parts.append(_text(x + shift, y + 4, f"{value:.4g}", anchor, colour))
    return parts


def _epoch_axis(last: int) -> list[str]:
    step = max(1, math.ceil((last - 1) / 10))
    parts = [
        f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}" stroke="#ddd"/>'
        for y in (_TOP + _PLOT_HEIGHT * quarter / 4 for quarter in range(5))
    ]
    for epoch in range(1, last + 1, step):
        parts.append(_text(_x(epoch, last), _HEIGHT - _BOTTOM + 18, str(epoch), "middle", "#444"))
    return [*parts, _text(_LEFT + _PLOT_WIDTH / 2, _HEIGHT - 10, "epoch", "middle", "#444")]


def _axis(points: Points) -> tuple[float, float]:
    """Round ends of an axis that holds all values, a quarter of which is a number of one or two digits."""
    values = [value for _, value in points]
    spread = max(max(values) - min(values), abs(max(values)) * 1e-2, 1e-9)
    power = 10.0 ** math.floor(math.log10(spread / 4))
    for step in (factor * power * scale for scale in (1, 10, 100) for factor in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8)):
        low = math.floor(min(values) / step) * step
        if low + 4 * step >= max(values):
            return low, low + 4 * step
    return min(values), max(values)


def _placed(points: Points, last: int, low: float, high: float) -> Points:
    return [(_x(epoch, last), _TOP + _PLOT_HEIGHT * (high - value) / (high - low)) for epoch, value in points]


def _x(epoch: float, last: int) -> float:
    return _LEFT + _PLOT_WIDTH * (epoch - 1) / (last - 1)


def _text(x: float, y: float, words: str, anchor: str, colour: str) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} fill="{colour}">{words}</text>'
