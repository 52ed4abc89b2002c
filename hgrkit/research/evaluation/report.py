"""Writes the page of `hgrkit evaluate --report`: measures, charts, breakdowns and the worst queries."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import ConfigError, GraphError
from hgrkit.graph import ROLE_MEANINGS, RoleGraph, draw_graph
from hgrkit.graph.rendering import render
from hgrkit.levels import LEVELS
from hgrkit.pages.chart import Axis, draw_chart, quarters
from hgrkit.parsing.protocol import GraphParser
from hgrkit.parsing.registry import parse_each
from hgrkit.research.evaluation.benchmark_evaluation import BenchmarkEvaluation
from hgrkit.research.evaluation.bootstrap import DEFAULT_BOOTSTRAP, Bootstrap, Estimate, estimate
from hgrkit.research.evaluation.measures import RankMeasure
from hgrkit.research.evaluation.partially_relevant import MomentEvaluation
from hgrkit.research.evaluation.random_baseline import rank_distribution
from hgrkit.research.evaluation.rank_file import Direction, QueryRank
from hgrkit.research.evaluation.ranking import Ranks
from hgrkit.research.evaluation.retrieval import Retrieval
from hgrkit.research.evaluation.video_source import Failure, VideoSource

__all__ = [
    "Evaluated",
    "Group",
    "break_down",
    "rank_histogram",
    "recall_curve",
    "report_page",
    "require_folder",
    "worst_queries",
    "write_report",
]

BREAKDOWN_MEASURES = tuple(RankMeasure(name) for name in ("R@1", "R@10", "MedR"))

_EACH_VIDEO = 2
"""Worst queries of one video that are shown: its others tell little more."""

_LENGTHS = {most: f"{least} to {most} words" for least, most in ((1, 4), (5, 6), (7, 8), (9, 11), (12, 15))}
_LENGTHS |= {sys.maxsize: "16 words and more"}
"""Groups of captions by their most words."""

_ACTIONS = ("no action", "1 action", "2 actions", "3 actions and more")

_WORST = 12
_FEW = 20
"""Captions below which a group's figures are shown faintly."""

_DIRECTIONS = {"text_to_video": "Text to video", "video_to_text": "Video to text"}
_MOMENTS = {"right_video_moments": "Moments in the right video", "corpus_moments": "Moments in the first video"}
_KINDS: dict[Direction, str] = {"text_to_video": "forward", "video_to_text": "backward"}

Evaluated = Retrieval | BenchmarkEvaluation | MomentEvaluation
"""What can be reported."""


def require_folder(path: Path) -> None:
    """Refuse a page that could not be written, before anything is measured.

    Raises:
        ConfigError: if there is no folder to write it into.
    """
    if not path.parent.is_dir():
        raise ConfigError(f"there is no folder {str(path.parent)!r} to write the report into.")


def write_report(
    path: Path,
    evaluation: Evaluated,
    source: VideoSource,
    *,
    title: str,
    explain: bool = True,
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
) -> None:
    """Write one page of measures, charts, breakdowns and the worst queries.

    Args:
        path: the page, `.html`.
        evaluation: what to show.
        source: where its videos came from; reads the captions again.
        title: what was evaluated.
        explain: show the scores of the right and the preferred video, and not only their names.
        bootstrap: how intervals are found.

    Raises:
        ConfigError: if the page cannot be written.
    """
    require_folder(path)
    rows = evaluation.query_ranks
    captions = [row for row in rows if row.direction == "text_to_video"]
    graphs = _graphs(source.parser, captions)
    videos = max((row.candidates or 0 for row in captions), default=0)
    counts = [f"{len(captions):,} captions", *([f"{videos:,} videos"] if videos else [])]
    page = report_page(
        rows,
        evaluation.to_dict(),
        title=title,
        about=[f"model {source.name}", *counts, f"parser {source.parser.name}"],
        breakdowns=break_down(captions, graphs, bootstrap=bootstrap),
        failures=[
            source.explain(row, graphs[row.caption])
            if explain and row.caption in graphs
            else Failure(row=row, graph=graphs.get(row.caption))
            for row in worst_queries(captions, _WORST)
        ],
    )
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"the report cannot be written to {path}: {error.strerror}.") from error


def _graphs(parser: GraphParser, rows: Sequence[QueryRank]) -> dict[str, RoleGraph]:
    """How captions are read, by their words; those that cannot be are left out."""
    texts = list(dict.fromkeys(row.caption for row in rows))
    read = zip(texts, parse_each(parser, texts), strict=True)
    return {text: graph for text, graph in read if not isinstance(graph, GraphError)}


def report_page(
    rows: Sequence[QueryRank],
    measured: Mapping[str, Any],
    *,
    title: str,
    about: Sequence[str],
    breakdowns: Mapping[str, Sequence[Group]] | None = None,
    failures: Sequence[Failure] = (),
) -> str:
    """One HTML page that needs nothing else: no script, no font, no picture from elsewhere; light and dark.

    Args:
        rows: every query's rank; the worst videos among them are shown with the words of their captions.
        measured: what `hgrkit evaluate --json` prints, with `intervals` and perhaps `baselines`.
        title: what was evaluated.
        about: facts for the line below the title, such as the model and the number of videos.
        breakdowns: groups of captions under a heading each.
        failures: the worst captions.
    """
    return render(
        "report.html",
        title=title,
        about=about,
        intervals=measured["intervals"],
        directions=_DIRECTIONS,
        kinds=_KINDS,
        shown_directions={row.direction for row in rows},
        recall_curve=recall_curve(rows),
        rank_histogram=rank_histogram(rows),
        tables=_measure_tables(measured),
        breakdowns=breakdowns or {},
        few=_FEW,
        failures=failures,
        worst_videos=worst_queries(rows, _WORST, "video_to_text"),
        captions={row.query: row.caption for row in rows if row.direction == "text_to_video"},
        levels=LEVELS,
        role_meanings=ROLE_MEANINGS,
        draw_graph=draw_graph,
        file_name=lambda path: PurePath(path).name or path,
    )


@attrs.frozen(kw_only=True, eq=False)
class Group:
    """Some of the queries.

    Attributes:
        name: what they have in common.
        queries: how many there are.
        figures: the measures of `BREAKDOWN_MEASURES`, by name, with their intervals.
    """

    name: str
    queries: int
    figures: Mapping[str, Estimate]


def break_down(
    rows: Sequence[QueryRank], graphs: Mapping[str, RoleGraph], *, bootstrap: Bootstrap
) -> dict[str, list[Group]]:
    """Captions by role, by number of words and by number of actions, the groups of each under a heading.

    A caption stands in the group of every role that it has; the commonest role comes first. Groups without a
    caption are left out.

    Args:
        rows: ranks of captions.
        graphs: how captions were read, by their words; those that could not be read have no role and no action.
        bootstrap: how intervals are found.
    """
    lengths: dict[str, list[QueryRank]] = {name: [] for name in _LENGTHS.values()}
    actions: dict[str, list[QueryRank]] = {name: [] for name in _ACTIONS}
    roles: dict[str, list[QueryRank]] = {}
    for row in rows:
        length, graph = len(row.caption.split()), graphs.get(row.caption)
        if length:
            lengths[next(name for most, name in _LENGTHS.items() if length <= most)].append(row)
        if graph is not None:
            actions[_ACTIONS[min(len(graph.actions), len(_ACTIONS) - 1)]].append(row)
            for role in {graph.role(node) for node in graph.entities}:
                roles.setdefault(role, []).append(row)
    headings = {
        "By role": dict(sorted(roles.items(), key=lambda item: (-len(item[1]), item[0]))),
        "By number of words": lengths,
        "By number of actions": actions,
    }
    return {
        heading: [_measured(name, some, bootstrap) for name, some in groups.items() if some]
        for heading, groups in headings.items()
    }


def _measured(name: str, rows: Sequence[QueryRank], bootstrap: Bootstrap) -> Group:
    found = estimate(rows, BREAKDOWN_MEASURES, bootstrap=bootstrap)
    return Group(name=name, queries=len(rows), figures={str(figure.measure): one for figure, one in found.items()})


def worst_queries(
    rows: Sequence[QueryRank], count: int, direction: Direction = "text_to_video"
) -> list[QueryRank]:
    """The queries with the largest ranks, two of a video at most; none in first place.

    Args:
        rows: ranks of any directions.
        count: how many, at most.
        direction: of which direction.
    """
    found: list[QueryRank] = []
    shown: Counter[str] = Counter()
    for row in sorted(rows, key=lambda row: -row.rank):
        if len(found) == count or row.rank == 1:
            break
        if row.direction == direction and shown[row.video] < _EACH_VIDEO:
            shown[row.video] += 1
            found.append(row)
    return found


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
        if any(row.right for row in own) and all(None not in (row.candidates, row.right) for row in own):
            answerable = [row for row in own if row.right]
            found_by = np.cumsum(rank_distribution(answerable)) * len(answerable) / len(own)
            random = found_by[np.minimum(cutoffs, len(found_by)) - 1]
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
