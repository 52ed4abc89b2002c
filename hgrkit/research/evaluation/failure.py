"""Queries that went wrong: which they are, and what a report says of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import attrs

from hgrkit.graph import RoleGraph
from hgrkit.levels import PerLevel
from hgrkit.research.evaluation.rank_file import Direction, QueryRank

__all__ = ["Answer", "Failure", "PhraseScores", "worst_queries"]

_EACH_VIDEO = 2
"""Worst queries of one video that are shown: its others tell little more."""


@attrs.frozen(kw_only=True, eq=False)
class Answer:
    """One video's answer to a query.

    Attributes:
        video: its name.
        score: the fused score.
        levels: each level's score; `None` where the query has no action or no entity.
    """

    video: str
    score: float
    levels: PerLevel[float | None]


@attrs.frozen(kw_only=True)
class PhraseScores:
    """One phrase of a query, in the right video and in the one that was preferred.

    Attributes:
        text: its words.
        role: `V` for an action, else its role.
        right: its similarity to the right video.
        preferred: its similarity to the video in first place.
    """

    text: str
    role: str
    right: float
    preferred: float


@attrs.frozen(kw_only=True, eq=False)
class Failure:
    """A caption whose right video stands far down.

    Attributes:
        row: its rank.
        graph: how it was read; `None` if it could not be.
        right: the right video's answer; `None` if there is nothing to say.
        preferred: the answer of the video in first place.
        phrases: the caption's phrases, in graph order.
    """

    row: QueryRank
    graph: RoleGraph | None = None
    right: Answer | None = None
    preferred: Answer | None = None
    phrases: tuple[PhraseScores, ...] = ()


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
