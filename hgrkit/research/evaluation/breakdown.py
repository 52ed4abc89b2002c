"""Where retrieval is weak: queries grouped by length and by the roles of their graphs, and the worst."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import attrs

from hgrkit.graph import RoleGraph
from hgrkit.research.evaluation.bootstrap import Bootstrap, Estimate, estimate
from hgrkit.research.evaluation.measures import RankMeasure
from hgrkit.research.evaluation.rank_file import Direction, QueryRank

__all__ = ["BREAKDOWN_MEASURES", "Group", "by_actions", "by_length", "by_role", "worst_queries"]

BREAKDOWN_MEASURES = tuple(RankMeasure(name) for name in ("R@1", "R@10", "MedR"))

_EACH_VIDEO = 2
"""Worst queries of one video that are shown: its others tell little more."""

_LENGTHS = ((1, 4), (5, 6), (7, 8), (9, 11), (12, 15), (16, None))


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

    @classmethod
    def of(cls, name: str, rows: Sequence[QueryRank], *, bootstrap: Bootstrap) -> Group:
        """Measure some queries of one direction."""
        found = estimate(rows, BREAKDOWN_MEASURES, bootstrap=bootstrap)
        figures = {str(figure.measure): value for figure, value in found.items()}
        return cls(name=name, queries=len(rows), figures=figures)


def by_length(rows: Sequence[QueryRank], *, bootstrap: Bootstrap) -> list[Group]:
    """Captions by their number of words; lengths that none has are left out.

    Args:
        rows: ranks of captions.
        bootstrap: how intervals are found.
    """
    groups = []
    for least, most in _LENGTHS:
        some = [row for row in rows if least <= len(row.caption.split()) <= (most or len(row.caption))]
        if some:
            name = f"{least} words and more" if most is None else f"{least} to {most} words"
            groups.append(Group.of(name, some, bootstrap=bootstrap))
    return groups


def by_actions(rows: Sequence[QueryRank], graphs: Mapping[str, RoleGraph], *, bootstrap: Bootstrap) -> list[Group]:
    """Captions by their number of actions.

    Args:
        rows: ranks of captions.
        graphs: how captions were read, by their words; those that could not be read are left out.
        bootstrap: how intervals are found.
    """
    names = ("no action", "1 action", "2 actions", "3 actions and more")
    members: dict[str, list[QueryRank]] = {name: [] for name in names}
    for row in rows:
        if row.caption in graphs:
            members[names[min(len(graphs[row.caption].actions), 3)]].append(row)
    return [Group.of(name, some, bootstrap=bootstrap) for name, some in members.items() if some]


def by_role(rows: Sequence[QueryRank], graphs: Mapping[str, RoleGraph], *, bootstrap: Bootstrap) -> list[Group]:
    """Captions in which a role occurs, the commonest role first; a caption stands in several groups.

    Args:
        rows: ranks of captions.
        graphs: how captions were read, by their words; those that could not be read are left out.
        bootstrap: how intervals are found.
    """
    members: dict[str, list[QueryRank]] = {}
    for row in rows:
        graph = graphs.get(row.caption)
        if graph is not None:
            for role in sorted({graph.role(node) for node in graph.entities}):
                members.setdefault(role, []).append(row)
    found = sorted(members.items(), key=lambda item: (-len(item[1]), item[0]))
    return [Group.of(role, some, bootstrap=bootstrap) for role, some in found]


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
