"""What `hgrkit search` shows in a terminal: a table of hits with a bar for every level and phrase."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hgrkit.cli.output import clock, printable, shown_path
from hgrkit.cli.thumbnails import film_strip
from hgrkit.explain.bar_scale import HeatScale, SimilarityScale
from hgrkit.explain.explanation import Explanation
from hgrkit.results import Hit, Phrase, SearchResult, signed

__all__ = ["search_table"]

_BAR = 12
_MOST_COLUMNS = 24
_NARROW = 76
"""Columns of a terminal below which the weights over time are left out."""

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_PARTS = " ▏▎▍▌▋▊▉█"
_COLOURS = {"event": "bright_black", "action": "yellow", "entity": "bright_blue"}


def search_table(result: SearchResult, width: int, *, explanation: Explanation | None = None) -> RenderableType:
    """Hits as a table: the video and its moment, then a line for each level and each phrase.

    Args:
        result: what was found.
        width: of the terminal, in columns.
        explanation: of that result, to show each hit's film strip below it.
    """
    if explanation is None:
        return _table(result.hits, result.hits, width)
    parts: list[RenderableType] = []
    for hit, explained in zip(result.hits, explanation.hits, strict=True):
        parts += [_table([hit], result.hits, width), film_strip(explained, width)]
    return Group(*parts)


def _table(hits: Sequence[Hit], among: Sequence[Hit], width: int) -> Table:
    scale = SimilarityScale.of(among)
    table = Table(box=box.SIMPLE_HEAD, show_header=False, pad_edge=False, expand=False)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold", ratio=1, min_width=12)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    if width >= _NARROW:
        table.add_column(no_wrap=True)
    for hit in hits:
        _add_hit(table, hit, scale, times=width >= _NARROW)
    return table


def _add_hit(table: Table, hit: Hit, scale: SimilarityScale, *, times: bool) -> None:
    name = PurePath(hit.video).name
    folder = shown_path(hit.video).removesuffix(name)
    title = Text.assemble(
        (printable(name), "bold"),
        f"  {clock(hit.start_s)}-{clock(hit.end_s)}",
        (f"\n{printable(folder)}" if folder else "", "bright_black"),
    )
    blank = [Text()] if times else []
    table.add_row(Text(str(hit.rank), "bold"), title, Text(f"{hit.score:.3f}", "bold"), Text(), *blank)
    for level, score in (
        ("event", hit.levels.event),
        ("action", hit.levels.action),
        ("entity", hit.levels.entity),
    ):
        table.add_row(
            "", Text(level, "bright_black"), signed(score), _bar(scale.part(score), _COLOURS[level]), *blank
        )
    heat = HeatScale.of(hit)
    for place, phrase in enumerate(hit.phrases):
        last = [_columns(phrase, heat)] if times else []
        table.add_row(
            "",
            Text.assemble("  ", (printable(phrase.text), "italic"), (f" {phrase.role}", "bright_black")),
            f"{phrase.similarity:+.2f}",
            _bar(scale.part(phrase.similarity), _COLOURS[phrase.level]),
            *last,
            end_section=place == len(hit.phrases) - 1,
        )


def _bar(part: float, colour: str) -> Text:
    """A level bar, in eighths of a character."""
    eighths = round(8 * _BAR * part)
    whole, rest = divmod(eighths, 8)
    return Text(("█" * whole + (_PARTS[rest] if rest else "")).ljust(_BAR), colour)


def _columns(phrase: Phrase, scale: HeatScale) -> Text:
    """A column for each frame, or for the best of a few that follow each other; then the best frame's time."""
    shown = min(_MOST_COLUMNS, len(phrase.weights))
    text = Text()
    for column in range(shown):
        start, stop = (number * len(phrase.weights) // shown for number in (column, column + 1))
        weight = max(phrase.weights[start:stop])
        style = "bold" if weight == max(phrase.weights) else _COLOURS[phrase.level]
        text.append(_EIGHTHS[max(1, round(8 * scale.part(weight)))], style)
    return text.append(f" {clock(phrase.best_time_s)}", "bright_black")
