"""The page that `hgrkit evaluate --report` writes: measures, charts, breakdowns and the worst queries."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.graph import ROLE_MEANINGS, draw_graph
from hgrkit.graph.rendering import render
from hgrkit.levels import LEVELS
from hgrkit.pages.chart import Axis, draw_chart, quarters
from hgrkit.research.evaluation.breakdown import Group
from hgrkit.research.evaluation.failure import Failure
from hgrkit.research.evaluation.random_baseline import rank_probabilities
from hgrkit.research.evaluation.rank_file import Direction, QueryRank
from hgrkit.research.evaluation.ranking import Ranks

__all__ = ["Report", "rank_histogram", "recall_curve", "report_page"]

_DIRECTIONS = {"text_to_video": "Text to video", "video_to_text": "Video to text"}
_MOMENTS = {"right_video_moments": "Moments in the right video", "corpus_moments": "Moments in the first video"}
_KINDS: dict[Direction, str] = {"text_to_video": "forward", "video_to_text": "backward"}
_FEW = 20
"""Captions below which a group's figures are shown faintly."""


@attrs.frozen(kw_only=True, eq=False)
class Report:
    """What the page shows.

    Attributes:
        title: of what was evaluated.
        about: facts for the line below the title, such as the model and the number of videos.
        measured: what `hgrkit evaluate --json` prints, with `intervals` and perhaps `baselines`.
        rows: every query's rank.
        breakdowns: groups of captions under a heading each.
        failures: the worst captions.
        worst_videos: the worst queries of the other direction.
        captions: the words of every caption, by the query's name.
    """

    title: str
    about: Sequence[str]
    measured: Mapping[str, Any]
    rows: Sequence[QueryRank]
    breakdowns: Mapping[str, Sequence[Group]] = attrs.field(factory=dict)
    failures: Sequence[Failure] = ()
    worst_videos: Sequence[QueryRank] = ()
    captions: Mapping[str, str] = attrs.field(factory=dict)


def report_page(report: Report) -> str:
    """One HTML page that needs nothing else: no script, no font, no picture from elsewhere; light and dark."""
    return render(
        "report.html",
        report=report,
        intervals=report.measured["intervals"],
        directions=_DIRECTIONS,
        kinds=_KINDS,
        shown_directions={row.direction for row in report.rows},
        recall_curve=recall_curve(report.rows),
        rank_histogram=rank_histogram(report.rows),
        tables=_measure_tables(report.measured),
        few=_FEW,
        levels=LEVELS,
        role_meanings=ROLE_MEANINGS,
        draw_graph=draw_graph,
        file_name=lambda path: PurePath(path).name or path,
    )


def _measure_tables(measured: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Under each heading, every figure of the model and those of the baselines below it, by system and measure."""
    systems = {"model": measured, **measured.get("baselines", {})}
    tables: list[tuple[str, dict[str, Any]]] = [
        (heading, {name: system["intervals"].get(key, {}) for name, system in systems.items()})
        for key, heading in {**_DIRECTIONS, **_MOMENTS}.items()
        if key in measured["intervals"]
    ]
    rsums = {
        name: {"Rsum": system["intervals"]["Rsum"]}
        for name, system in systems.items()
        if "Rsum" in system["intervals"]
    }
    return [*tables, ("Both directions", rsums)] if "model" in rsums else tables


def recall_curve(rows: Sequence[QueryRank]) -> str:
    """R@k over k, on a logarithmic axis; the dashed lines are what random order comes to.

    Args:
        rows: ranks of one or both directions, with their numbers of candidates.

    Returns:
        One `<svg>` element; its colours are those of the classes `forward` and `backward` of the page.
    """
    most = max(2, *(row.candidates or row.rank for row in rows))
    lines, dots = [], []
    for direction, own in _by_direction(rows).items():
        ranks, last = _ranks(own), max(2, *(row.candidates or row.rank for row in own))
        cutoffs = np.unique(np.geomspace(1, last, 160).astype(np.int64))
        across = np.log(cutoffs) / math.log(most)
        kind, name = _KINDS[direction], direction.replace("_", " ")
        if all(row.candidates is not None and row.right is not None for row in own):
            random = _random_order(own, last)[cutoffs - 1]
            lines.append((f"{kind} random", list(zip(across.tolist(), random.tolist(), strict=True))))
        found = np.searchsorted(ranks, cutoffs, side="right") / len(ranks)
        lines.append((kind, list(zip(across.tolist(), found.tolist(), strict=True))))
        for k in (k for k in (1, 5, 10, 100, 1000) if k <= last):
            value = float(np.mean(ranks <= k))
            dots.append((kind, (math.log(k) / math.log(most), value), f"{name}: R@{k} {100 * value:.1f} %", 4.0))
    return draw_chart(
        "Recall curve: share of queries with a right answer among the first k",
        bottom=Axis("k: first answers that are looked at", _rank_ticks(most)),
        left=Axis("per cent found", quarters(0, 100)),
        lines=lines,
        dots=dots,
    )


def rank_histogram(rows: Sequence[QueryRank]) -> str:
    """The share of queries by rank, in bins that grow with the rank.

    Args:
        rows: ranks of one or both directions.

    Returns:
        One `<svg>` element, as `recall_curve` does.
    """
    edges = _bins(max(row.rank for row in rows))
    step = 1 / (len(edges) - 1)
    shares = {direction: _shares(_ranks(own), edges) for direction, own in _by_direction(rows).items()}
    highest = max(float(share.max()) for share in shares.values())
    top = next(top for top in (4.0, 8.0, 20.0, 40.0, 60.0, 80.0, 100.0) if highest <= top)
    width = 0.8 * step / len(shares)
    bars = [
        (
            _KINDS[direction],
            step * (number + 0.1) + width * place,
            width,
            value / top,
            f"{direction.replace('_', ' ')}, rank {_bin_name(edges, number)}: {value:.1f} %",
        )
        for place, (direction, share) in enumerate(shares.items())
        for number, value in enumerate(share.tolist())
    ]
    names = [(step * (number + 0.5), f"{edge:,}") for number, edge in enumerate(edges[:-1])]
    return draw_chart(
        "Histogram of ranks",
        bottom=Axis("rank of the best right answer, from", names),
        left=Axis("per cent of queries", quarters(0, top)),
        bars=bars,
    )


def _by_direction(rows: Sequence[QueryRank]) -> dict[Direction, list[QueryRank]]:
    found: dict[Direction, list[QueryRank]] = {}
    for row in rows:
        found.setdefault(row.direction, []).append(row)
    return found


def _ranks(rows: Sequence[QueryRank]) -> Ranks:
    return np.sort(np.array([row.rank for row in rows], np.int64))


def _random_order(rows: Sequence[QueryRank], last: int) -> npt.NDArray[np.float64]:
    """The share of queries found at 1 to `last` when answers come in random order."""
    total = np.zeros(last)
    for (candidates, right), queries in Counter((row.candidates or 0, row.right or 0) for row in rows).items():
        reached = np.cumsum(rank_probabilities(candidates, right)[:-1])
        total[: len(reached)] += queries * reached
        total[len(reached) :] += queries * float(right > 0)
    return total / len(rows)


def _rank_ticks(most: int) -> list[tuple[float, str]]:
    """Marks at 1, 2, 5, 10, ..., or at powers of ten where these are too many."""
    marks = [base * 10**power for power in range(8) for base in (1, 2, 5) if base * 10**power <= most]
    shown = marks if len(marks) <= 8 else [mark for mark in marks if str(mark).strip("0") == "1"]
    return [(math.log(mark) / math.log(most), f"{mark:,}") for mark in shown]


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
