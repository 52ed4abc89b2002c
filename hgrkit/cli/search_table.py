"""What `hgrkit search` shows in a terminal: a line a hit, and bars for levels and phrases where they fit.

A module of its own, because it needs rich, which a search that prints JSON does not load.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from rich.cells import cell_len, chop_cells
from rich.color import Color
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.style import Style
from rich.table import Table
from rich.text import Text

from hgrkit.cli.output import clock, filled, legend, printable, shown_path
from hgrkit.pages.explanation import Explanation, HeatScale, SimilarityScale
from hgrkit.results import Hit, Phrase, SearchResult, percent, signed, when_seen

if TYPE_CHECKING:
    from hgrkit.pages.hit_explanation import HitExplanation, StripFrame

__all__ = ["fitting_table", "search_table", "shortened_name"]

_BAR = 12
_MOST_COLUMNS = 24
_NARROW = 76
"""Columns of a terminal below which the weights over time are left out."""

_INDENT = "            "
"""As wide as rank and score."""

_CONFIDENCE = 6
"""Columns of a confidence."""

_PROMPT = 2
"""Lines of a screen that the command itself and the next prompt take."""

_FRAME_COLUMNS, _FRAME_GAP, _FRAME_INDENT = 18, 1, 5
_FRAME_PIXELS = 24
"""Size and places of a film strip's frames, in columns; their height at most, in pixels."""

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_PARTS = " ▏▎▍▌▋▊▉█"
_COLOURS = {"event": "bright_black", "action": "yellow", "entity": "bright_blue"}
_EXCLUDED_COLOUR = "red"
_NOT = "not: "


def fitting_table(result: SearchResult, console: Console) -> RenderableType:
    """As much as fits on the screen, so that the best hit is still to be seen when the prompt is back.

    Bars for all hits, else for the best one, else phrases without bars, else those of the best one alone. What no
    screen would hold has bars for the best one.
    """
    many = len(result.hits)
    choices = [
        search_table(result, console.width, bars=bars, phrases=phrases)
        for bars, phrases in ((many, many), (1, many), (0, many), (1, 1), (0, 1))
    ]
    room = console.height - _PROMPT
    return next((table for table in choices if len(console.render_lines(table, pad=False)) <= room), choices[1])


def search_table(
    result: SearchResult,
    width: int,
    *,
    bars: int | None = None,
    phrases: int | None = None,
    explanation: Explanation | None = None,
) -> RenderableType:
    """Hits, best first: rank, score, confidence, video and moment on a line; then levels and phrases.

    Args:
        result: what was found.
        width: of the terminal, in columns.
        bars: so many of the first hits have a line with a bar for each level and phrase; all unless given.
        phrases: so many of the first of the others have their phrases side by side; all unless given.
        explanation: of that result, to show each hit's film strip below it.
    """
    hits = result.hits
    scale = SimilarityScale.of(hits)
    paths = [printable(shown_path(hit.video)) for hit in hits]
    folder = _common_folder(paths)
    parts: list[RenderableType] = []
    for place, hit in enumerate(hits):
        parts += _headline(hit, paths[place].removeprefix(folder), width)
        if bars is None or place < bars:
            parts.append(_bars(hit, scale, width))
        elif phrases is None or place < phrases:
            parts.append(_phrases(hit, width))
        if explanation is not None:
            parts.append(film_strip(explanation.hits[place], width))
    if folder:
        parts.append(Text(f"in {folder}", "bright_black", overflow="fold"))
    words = legend(phrase.role for hit in hits for phrase in hit.phrases)
    if words:
        parts.append(Text("\n".join(filled(words.split("; "), "; ", width)), "bright_black"))
    return Group(*parts)


def shortened_name(name: str, width: int) -> str:
    """A name in so many columns: what does not fit is taken out of its middle, so that its suffix stays.

    >>> shortened_name("holiday in the mountains, second day.mp4", 24)
    'holiday in t…ond day.mp4'
    """
    if cell_len(name) <= width:
        return name
    room = max(4, width) - 1
    tail = max(room // 2, min(room - 1, cell_len(PurePath(name).suffix) + 1))
    head, end = chop_cells(name, room - tail)[0], chop_cells(name[::-1], tail)[0][::-1]
    return f"{head}…{end}"


def _common_folder(paths: Sequence[str]) -> str:
    """The folder that all videos are in, with its last slash; empty if there is none."""
    folders = {path.removesuffix(PurePath(path).name) for path in paths}
    return folders.pop() if len(folders) == 1 else ""


def _headline(hit: Hit, path: str, width: int) -> list[RenderableType]:
    """Rank, score, video and moment; what has no room beside the name stands below it, and the name is whole.

    A name that is longer than the terminal is wide loses its middle.
    """
    moment = f"{clock(hit.start_s)}-{clock(hit.end_s)}"
    room = width - len(_INDENT) - (0 if hit.confidence is None else _CONFIDENCE)
    beside = room - len(moment) - 2
    name = path if cell_len(path) <= beside else PurePath(path).name
    fits = cell_len(name) <= beside
    line = Text.assemble(
        (f"{hit.rank:>3}", "bold"),
        f" {hit.score:>6.3f}  ",
        "" if hit.confidence is None else f"{percent(hit.confidence):>4}  ",
        (shortened_name(name, room), "bold"),
        f"  {moment}" if fits else "",
    )
    line.no_wrap = True
    below = [] if fits else [Text(_INDENT + moment, overflow="fold")]
    if path != name:
        below.append(Text(_INDENT + path.removesuffix(name), "bright_black", overflow="fold"))
    return [line, *below]


def _phrases(hit: Hit, width: int) -> Text:
    """Phrases side by side, each with its similarity and the time at which it is seen best."""
    shown = [f"{printable(one.text)} {one.similarity:+.2f} at {when_seen(one)}" for one in hit.phrases]
    shown += [f"{_NOT}{printable(one.text)} {one.similarity:+.2f}" for one in hit.excluded]
    lines = filled(shown, ", ", width - len(_INDENT))
    text = Text("\n".join(_INDENT + line for line in lines), "bright_black")
    for phrase in hit.excluded:  # a phrase that had to be divided is not struck through, and still says "not"
        text.highlight_words([_NOT + printable(phrase.text)], "strike")
    return text


def _bars(hit: Hit, scale: SimilarityScale, width: int) -> RenderableType:
    """A line for each level and phrase."""
    times = width >= _NARROW
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0), expand=False)
    table.add_column(overflow="fold", ratio=1, min_width=12)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    if times:
        table.add_column(no_wrap=True)
    for level, score in (
        ("event", hit.levels.event),
        ("action", hit.levels.action),
        ("entity", hit.levels.entity),
    ):
        cells = (signed(score), "" if score is None else _bar(scale.part(score), _COLOURS[level]))
        table.add_row(Text(level, "bright_black"), *cells, *([""] if times else []))
    heat = HeatScale.of(hit)
    for phrase in hit.phrases:
        table.add_row(
            Text.assemble((printable(phrase.text), "italic"), (f" {phrase.role}", "bright_black")),
            f"{phrase.similarity:+.2f}",
            _bar(scale.part(phrase.similarity), _COLOURS[phrase.level]),
            *([_columns(phrase, heat)] if times else []),
        )
    for excluded in hit.excluded:
        table.add_row(
            Text.assemble(_NOT, (printable(excluded.text), "italic strike")),
            f"{excluded.similarity:+.2f}",
            _bar(scale.part(excluded.similarity), _EXCLUDED_COLOUR),
            *([Text(f"at {clock(excluded.best_time_s)}", "bright_black")] if times else []),
        )
    return Padding(table, (0, 0, 0, 5))


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
    return text.append(f" {when_seen(phrase)}", "bright_black")


def film_strip(explained: HitExplanation, width: int) -> Text:
    """Show as many frames of a hit's strip as fit side by side, evenly picked, with their times below them.

    Each character shows two pixels, one above the other, in a terminal of many colours.

    Args:
        explained: a hit and its pictures.
        width: width of the terminal, in columns.
    """
    if explained.note:
        return Text(f"{' ' * _FRAME_INDENT}no pictures: {printable(explained.note)}", "bright_black")
    room = max(1, (width - _FRAME_INDENT) // (_FRAME_COLUMNS + _FRAME_GAP))
    shown = _evenly(explained.strip, room)
    pictures = [_pixels(frame.jpeg) for frame in shown if frame.jpeg is not None]
    if not pictures:
        return Text()
    rows = [_row(pictures, top) for top in range(0, len(pictures[0]), 2)]
    times = (f"{clock(frame.time_s):^{_FRAME_COLUMNS}}" for frame in shown)
    rows.append(Text(" " * _FRAME_INDENT + (" " * _FRAME_GAP).join(times), "bright_black"))
    return Text("\n").join(rows)


def _evenly(strip: tuple[StripFrame, ...], room: int) -> list[StripFrame]:
    if len(strip) <= room:
        return list(strip)
    return [strip[(2 * place + 1) * len(strip) // (2 * room)] for place in range(room)]


def _pixels(jpeg: bytes) -> npt.NDArray[np.uint8]:
    """Return a picture with one pixel a column and two a row, [H, W, 3]."""
    from av.packet import Packet  # loads FFmpeg, which a search without film strips does not need
    from av.video.codeccontext import VideoCodecContext

    codec = VideoCodecContext.create("mjpeg", "r")
    (frame,) = [*codec.decode(Packet(jpeg)), *codec.decode(None)]
    height = min(_FRAME_PIXELS, max(2, 2 * round(_FRAME_COLUMNS * frame.height / frame.width / 2)))
    picture = frame.reformat(_FRAME_COLUMNS, height, "rgb24", interpolation="AREA").to_ndarray()
    return np.ascontiguousarray(picture, np.uint8)


def _row(pictures: list[npt.NDArray[np.uint8]], top: int) -> Text:
    row = Text(" " * _FRAME_INDENT)
    for picture in pictures:
        for upper, lower in zip(picture[top].tolist(), picture[top + 1].tolist(), strict=True):
            row.append("▀", Style(color=Color.from_rgb(*upper), bgcolor=Color.from_rgb(*lower)))
        row.append(" " * _FRAME_GAP)
    return row
