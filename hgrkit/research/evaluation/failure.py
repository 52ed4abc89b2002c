"""Queries that went wrong: which they are, what a report says of each, and the card that shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import attrs

from hgrkit.graph import RoleGraph, draw_graph
from hgrkit.levels import LEVELS, PerLevel
from hgrkit.research.evaluation.rank_file import Direction, QueryRank
from hgrkit.research.evaluation.report_style import file_name, text

__all__ = ["Answer", "Failure", "PhraseScores", "failure_card", "worst_queries"]

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


def failure_card(number: int, failure: Failure) -> str:
    """An `<article>`: the caption and its rank, the levels and phrases of both videos, the caption's graph.

    Args:
        number: its place among the worst, from 1.
        failure: what went wrong.
    """
    row = failure.row
    of = "" if row.candidates is None else f" of {row.candidates:,}"
    graph = "" if failure.graph is None else f'<div class="graph">{draw_graph(failure.graph)}</div>'
    reason = (
        "" if failure.graph is not None else '<p class="about">This caption cannot be read; it ranks last.</p>'
    )
    return (
        f'<article><h3><span class="number">{number}</span>{text(row.caption)}</h3>'
        f'<p class="rank">rank <strong>{row.rank:,}</strong>{of}</p>{reason}'
        f'<div class="sides">{_scores(failure)}{graph}</div></article>'
    )


def _scores(failure: Failure) -> str:
    """A table: the score, the levels, then the phrases."""
    if failure.right is None or failure.preferred is None:
        names = [failure.row.positive or failure.row.video, failure.row.top or ""]
        return f"<p>right: {file_name(names[0])}<br>preferred: {file_name(names[1])}</p>"
    right, preferred = failure.right, failure.preferred
    rows = [_row("score", "", right.score, preferred.score, kind="total")]
    rows += [_row(level, "", right.levels[level], preferred.levels[level], kind="level") for level in LEVELS]
    rows += [_phrase(phrase) for phrase in failure.phrases]
    return (
        f'<div class="scores">{_videos(right, preferred)}<table class="pairs"><thead><tr><th></th><th></th>'
        f'<th class="right">right</th><th class="preferred">preferred</th><th class="wide"></th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _videos(right: Answer, preferred: Answer) -> str:
    return (
        f'<dl><dt class="key right">right</dt><dd>{file_name(right.video)}</dd>'
        f'<dt class="key preferred">preferred</dt><dd>{file_name(preferred.video)}</dd></dl>'
    )


def _phrase(phrase: PhraseScores) -> str:
    return _row(phrase.text, phrase.role, phrase.right, phrase.preferred, kind="phrase")


def _row(name: str, role: str, right: float | None, preferred: float | None, *, kind: str) -> str:
    bars = "".join(
        f'<i class="{side}" style="width:{100 * min(max(value or 0.0, 0.0), 1.0):.1f}%"></i>'
        for side, value in (("right", right), ("preferred", preferred))
    )
    better = ("", "")
    if right is not None and preferred is not None:
        better = ("", " lead") if preferred > right else (" lead", "")
    label = f'<span class="role">{text(role)}</span>' if role else ""
    return (
        f'<tr class="{kind}"><th>{text(name)}</th><td>{label}</td>'
        f'<td class="right{better[0]}">{_shown(right)}</td>'
        f'<td class="preferred{better[1]}">{_shown(preferred)}</td>'
        f'<td class="wide"><div class="pair">{bars}</div></td></tr>'
    )


def _shown(value: float | None) -> str:
    """Two digits, and no minus before a zero; a dash where there is nothing to compare."""
    return "-" if value is None else f"{round(value, 2) + 0.0:.2f}"
