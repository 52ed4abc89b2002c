"""Where retrieval is weak: queries grouped by length and by the roles of their graphs, and the worst."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence

import attrs

from hgrkit.graph import RoleGraph
from hgrkit.research.evaluation.bootstrap import Bootstrap, Estimate, estimate
from hgrkit.research.evaluation.measures import RankMeasure
from hgrkit.research.evaluation.rank_file import Direction, QueryRank

__all__ = ["BREAKDOWN_MEASURES", "Group", "break_down", "worst_queries"]

BREAKDOWN_MEASURES = tuple(RankMeasure(name) for name in ("R@1", "R@10", "MedR"))

_EACH_VIDEO = 2
"""Worst queries of one video that are shown: its others tell little more."""

_LENGTHS = {most: f"{least} to {most} words" for least, most in ((1, 4), (5, 6), (7, 8), (9, 11), (12, 15))}
_LENGTHS |= {sys.maxsize: "16 words and more"}
"""Groups of captions by their most words."""

_ACTIONS = ("no action", "1 action", "2 actions", "3 actions and more")


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
