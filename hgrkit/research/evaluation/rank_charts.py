"""Draws ranks as SVG pictures for a report: the recall curve and the histogram of ranks."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hgrkit.research.evaluation.random_baseline import rank_probabilities
from hgrkit.research.evaluation.rank_file import Direction, QueryRank
from hgrkit.research.evaluation.ranking import Ranks

__all__ = ["rank_histogram", "recall_curve"]

_WIDTH, _HEIGHT = 560.0, 300.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 50.0, 14.0, 12.0, 40.0
_PLOT_WIDTH = _WIDTH - _LEFT - _RIGHT
_PLOT_HEIGHT = _HEIGHT - _TOP - _BOTTOM
_CLASSES: dict[Direction, str] = {"text_to_video": "forward", "video_to_text": "backward"}

Points = Sequence[tuple[float, float]]


def recall_curve(rows: Sequence[QueryRank]) -> str:
    """R@k over k, on a logarithmic axis; the dashed lines are what random order comes to.

    Args:
        rows: ranks of one or both directions, with their numbers of candidates.

    Returns:
        One `<svg>` element; its colours are those of the classes `forward` and `backward` of the page.
    """
    most = max(2, *(row.candidates or row.rank for row in rows))
    parts = [_grid("per cent found"), *_rank_axis(most)]
    for direction, own in _by_direction(rows).items():
        ranks, last = _ranks(own), max(2, *(row.candidates or row.rank for row in own))
        cutoffs = np.unique(np.geomspace(1, last, 160).astype(np.int64))
        found = 100.0 * np.searchsorted(ranks, cutoffs, side="right") / len(ranks)
        kind, name = _CLASSES[direction], direction.replace("_", " ")
        if all(row.candidates is not None and row.right is not None for row in own):
            parts.append(_line(_placed(cutoffs, _random_order(own, last)[cutoffs - 1], most), f"{kind} chance"))
        parts.append(_line(_placed(cutoffs, found, most), kind))
        for k in (k for k in (1, 5, 10, 100, 1000) if k <= last):
            value = 100.0 * float(np.mean(ranks <= k))
            spot = f'cx="{_x(k, most):.1f}" cy="{_y(value):.1f}" r="4"'
            parts.append(f'<circle class="{kind}" {spot}><title>{name}: R@{k} {value:.1f} %</title></circle>')
    return _picture("Recall curve: share of queries with a right answer among the first k", parts)


def rank_histogram(rows: Sequence[QueryRank]) -> str:
    """The share of queries by rank, in bins that grow with the rank.

    Args:
        rows: ranks of one or both directions.

    Returns:
        One `<svg>` element, as `recall_curve` does.
    """
    edges = _bins(max(row.rank for row in rows))
    step = _PLOT_WIDTH / (len(edges) - 1)
    shares = {direction: _shares(_ranks(own), edges) for direction, own in _by_direction(rows).items()}
    top = _round_up(max(float(share.max()) for share in shares.values()))
    parts = [_grid("per cent of queries", top)]
    width = 0.8 * step / len(shares)
    for place, (direction, share) in enumerate(shares.items()):
        for number, value in enumerate(share.tolist()):
            x = _LEFT + step * number + 0.1 * step + width * place
            y = _y(value, top)
            name = f"{direction.replace('_', ' ')}, rank {_bin_name(edges, number)}: {value:.1f} %"
            size = f'width="{width - 1:.1f}" height="{max(_TOP + _PLOT_HEIGHT - y, 0.0):.1f}"'
            parts.append(
                f'<rect class="{_CLASSES[direction]}" x="{x:.1f}" y="{y:.1f}" {size} rx="1.5">'
                f"<title>{name}</title></rect>"
            )
    for number in range(len(edges) - 1):
        parts.append(_label(_LEFT + step * (number + 0.5), _HEIGHT - 22, f"{edges[number]:,}"))
    parts.append(_label(_LEFT + _PLOT_WIDTH / 2, _HEIGHT - 5, "rank of the best right answer, from"))
    return _picture("Histogram of ranks", parts)


def _by_direction(rows: Sequence[QueryRank]) -> dict[Direction, list[QueryRank]]:
    found: dict[Direction, list[QueryRank]] = {}
    for row in rows:
        found.setdefault(row.direction, []).append(row)
    return found


def _ranks(rows: Sequence[QueryRank]) -> Ranks:
    return np.sort(np.array([row.rank for row in rows], np.int64))


def _random_order(rows: Sequence[QueryRank], last: int) -> npt.NDArray[np.float64]:
    """R@1 to R@last in per cent when answers come in random order."""
    total = np.zeros(last)
    for (candidates, right), queries in Counter((row.candidates or 0, row.right or 0) for row in rows).items():
        reached = np.cumsum(rank_probabilities(candidates, right)[:-1])
        total[: len(reached)] += queries * reached
        total[len(reached) :] += queries * float(right > 0)
    return 100.0 * total / len(rows)


def _bins(last: int) -> list[int]:
    """Where bins begin: 1, 2, 3, 6, 11, 21, 51, 101, ... and one past the last rank."""
    edges, scale = [1, 2, 3, 6, 11], 10
    while edges[-1] <= last:
        edges += [2 * scale + 1, 5 * scale + 1, 10 * scale + 1]
        scale *= 10
    return [*(edge for edge in edges if edge <= last), last + 1]


def _bin_name(edges: Sequence[int], number: int) -> str:
    first, last = edges[number], edges[number + 1] - 1
    if first == last:
        return str(first)
    return f"{first}+" if number == len(edges) - 2 else f"{first}-{last}"


def _shares(ranks: Ranks, edges: Sequence[int]) -> npt.NDArray[np.float64]:
    counts = np.histogram(ranks, bins=np.array(edges, np.float64) - 0.5)[0]
    return 100.0 * counts / len(ranks)


def _round_up(value: float) -> float:
    """The next of 4, 8, 20, 40, 60, 80 and 100."""
    return next(top for top in (4.0, 8.0, 20.0, 40.0, 60.0, 80.0, 100.0) if value <= top)


def _x(rank: float, most: int) -> float:
    return _LEFT + _PLOT_WIDTH * math.log(rank) / math.log(most)


def _y(value: float, top: float = 100.0) -> float:
    return _TOP + _PLOT_HEIGHT * (1 - value / top)


def _placed(ranks: npt.NDArray[np.int64], values: npt.NDArray[np.float64], most: int) -> Points:
    return [(_x(rank, most), _y(value)) for rank, value in zip(ranks.tolist(), values.tolist(), strict=True)]


def _line(points: Points, kind: str) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline class="{kind}" points="{path}"/>'


def _grid(title: str, top: float = 100.0) -> str:
    """Horizontal lines at quarters of the axis, with what they stand for."""
    lines = []
    for quarter in range(5):
        value = top * quarter / 4
        y = _y(value, top)
        lines.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        lines.append(f'<text class="tick left" x="{_LEFT - 7}" y="{y + 4:.1f}">{value:g}</text>')
    middle = _TOP + _PLOT_HEIGHT / 2
    turned = f'transform="rotate(-90 11 {middle:.0f})"'
    return "".join(lines) + f'<text class="tick" x="11" y="{middle:.0f}" {turned}>{title}</text>'


def _rank_axis(most: int) -> list[str]:
    """Marks at 1, 2, 5, 10, ... below the plot."""
    marks = [base * 10**power for power in range(8) for base in (1, 2, 5) if base * 10**power <= most]
    shown = marks if len(marks) <= 8 else [mark for mark in marks if str(mark).strip("0") == "1"]
    labels = [_label(_x(mark, most), _HEIGHT - 22, f"{mark:,}") for mark in shown]
    return [*labels, _label(_LEFT + _PLOT_WIDTH / 2, _HEIGHT - 5, "k: first answers that are looked at")]


def _label(x: float, y: float, words: str) -> str:
    return f'<text class="tick" x="{x:.1f}" y="{y:.1f}">{words}</text>'


def _picture(title: str, parts: Sequence[str]) -> str:
    box = f'viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}"'
    return f'<svg class="chart" role="img" {box}><title>{title}</title>{"".join(parts)}</svg>'
