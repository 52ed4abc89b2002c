"""Draws an explanation as one PNG picture for papers and chats: the question's graph and the first hits."""

from __future__ import annotations

import textwrap

from hgrkit.graph.layout import LINE_HEIGHT, PADDING, GraphLayout, PlacedBox, lay_out
from hgrkit.pages.bar_scale import HeatScale, SimilarityScale
from hgrkit.pages.canvas import DARK, LIGHT, Canvas, Palette, one_line, require_pillow, shortened
from hgrkit.pages.explanation import Explanation
from hgrkit.pages.hit_explanation import HitExplanation
from hgrkit.results import Phrase, clock, signed

__all__ = ["draw_poster"]

_PADDING = 18.0
_HEAD = 34.0
_FACTS = 262.0
_GUTTER = 24.0
_FILM = 76.0
_TIMES = 17.0
_MOMENT = 16.0
_ROW = 34.0
_FOOT = 26.0
_WIDEST_FRAME = 130.0
_CLEARLY_MORE = 1.1


def hit_height(explained: HitExplanation) -> float:
    """How much room a hit takes, from top to bottom."""
    rows = _ROW * len(explained.hit.phrases)
    return 2 * _PADDING + _HEAD + _FILM + _TIMES + _MOMENT + rows + (_FOOT if explained.hit.phrases else 0)


def draw_hit(
    canvas: Canvas, explained: HitExplanation, scale: SimilarityScale, *, x: float, y: float, width: float
) -> None:
    """Draw a hit with its upper left corner at x, y."""
    colours, hit = canvas.palette, explained.hit
    canvas.box(x, y, width, hit_height(explained), colours.panel, outline=colours.line, radius=12)
    left, right = x + _PADDING, x + width - _PADDING
    name = shortened(f"#{hit.rank}  {one_line(explained.name)}", 17, width - 180)
    canvas.words(left, y + _PADDING + 15, name, size=17)
    canvas.words(right, y + _PADDING + 15, f"score {hit.score:.3f}", size=17, anchor="rs")
    top = y + _PADDING + _HEAD
    _draw_levels(canvas, explained, scale, left, top)
    columns = _columns(explained, left + _FACTS + _GUTTER, right)
    _draw_film(canvas, explained, columns, top)
    _draw_moment(canvas, explained, columns, left, top + _FILM + _TIMES)
    row = top + _FILM + _TIMES + _MOMENT
    for phrase in hit.phrases:
        _draw_phrase(canvas, phrase, scale, left=left, top=row)
        _draw_heat(canvas, phrase, HeatScale.of(hit), columns, row + 6)
        row += _ROW
    if (weakest := explained.weakest) is not None:
        words = f"Spoke against it most: {one_line(weakest.text)} ({_role(weakest)}) {weakest.similarity:+.2f}"
        canvas.words(left, row + 18, shortened(words, 13, width - 2 * _PADDING), size=13, colour=colours.soft)


def _columns(explained: HitExplanation, left: float, right: float) -> list[float]:
    """Where each time begins, and where the last one ends; shown frames are as wide as each other."""
    frame_width = min(_WIDEST_FRAME, (right - left) / max(1, len(explained.strip)))
    edges = [left]
    for frame in explained.strip:
        times = frame.stop - frame.start
        begin = edges[-1]
        edges += [begin + frame_width * (number + 1) / times for number in range(times)]
    return edges


def _draw_levels(
    canvas: Canvas, explained: HitExplanation, scale: SimilarityScale, left: float, top: float
) -> None:
    levels = explained.hit.levels
    rows = (("event", levels.event), ("action", levels.action), ("entity", levels.entity))
    for row, (level, score) in enumerate(rows):
        y = top + 18 + 22 * row
        canvas.words(left, y + 5, level, size=13.5)
        canvas.words(left + 98, y + 5, signed(score), size=13.5, anchor="rs")
        canvas.box(left + 108, y - 3, _FACTS - 108, 6, canvas.palette.line)
        canvas.box(left + 108, y - 3, (_FACTS - 108) * scale.part(score), 6, canvas.palette.lines[level])


def _draw_film(canvas: Canvas, explained: HitExplanation, columns: list[float], top: float) -> None:
    colours = canvas.palette
    start, stop = explained.moment
    for frame in explained.strip:
        left, right = columns[frame.start] + 1, columns[frame.stop] - 1
        canvas.box(left, top, right - left, _FILM, colours.page if frame.jpeg else colours.line)
        if frame.jpeg is not None:
            canvas.photograph(left, top, right - left, _FILM, frame.jpeg)
        inside = start < frame.stop and frame.start < stop
        canvas.words(
            (left + right) / 2,
            top + _FILM + 13,
            clock(frame.time_s),
            size=10.5,
            colour=colours.ink if inside else colours.soft,
            anchor="ms",
        )
    if explained.note:
        words = shortened(f"No pictures: {one_line(explained.note)}", 13, columns[-1] - columns[0] - 20)
        canvas.words(columns[0] + 10, top + _FILM / 2, words, size=13)


def _draw_moment(canvas: Canvas, explained: HitExplanation, columns: list[float], left: float, top: float) -> None:
    hit, mark = explained.hit, canvas.palette.mark
    start, stop = explained.moment
    begin, end = columns[start] + 2, columns[stop] - 2
    canvas.words(left, top + 8, f"moment {clock(hit.start_s)} to {clock(hit.end_s)}", size=13.5, colour=mark)
    canvas.box(begin, top + 5, end - begin, 2.5, mark)
    canvas.box(begin, top, 2.5, 6, mark)
    canvas.box(end - 2.5, top, 2.5, 6, mark)


def _draw_phrase(canvas: Canvas, phrase: Phrase, scale: SimilarityScale, *, left: float, top: float) -> None:
    colours = canvas.palette
    text = shortened(one_line(phrase.text), 14, _FACTS - 118)
    canvas.box(left, top + 8, 3, 22, colours.lines[phrase.level])
    canvas.words(left + 10, top + 20, text, size=14)
    canvas.words(left + _FACTS - 46, top + 20, _role(phrase), size=11, colour=colours.soft, anchor="rs")
    canvas.words(left + _FACTS, top + 20, f"{phrase.similarity:+.2f}", size=14, anchor="rs")
    canvas.box(left + 10, top + 26, _FACTS - 10, 3.5, colours.line)
    canvas.box(
        left + 10, top + 26, (_FACTS - 10) * scale.part(phrase.similarity), 3.5, colours.lines[phrase.level]
    )


def _draw_heat(canvas: Canvas, phrase: Phrase, scale: HeatScale, columns: list[float], top: float) -> None:
    height = _ROW - 10
    colours = canvas.palette
    canvas.box(columns[0], top, columns[-1] - columns[0], height, colours.page)
    best = max(phrase.weights)
    for place, weight in enumerate(phrase.weights):
        more = weight >= _CLEARLY_MORE * scale.even
        line = colours.ink if weight == best else colours.lines[phrase.level]
        fill = line if more or weight == best else colours.pale[phrase.level]
        tall = height * scale.part(weight)
        left, right = columns[place] + 0.5, columns[place + 1] - 0.5
        canvas.box(left, top + height - tall, right - left, tall, fill)
        canvas.box(left, top + height - tall, right - left, min(tall, 1.5), line)
    even = top + height * (1 - scale.part(scale.even))
    canvas.dashes(columns[0], even, columns[-1] - columns[0], colours.soft)


def _role(phrase: Phrase) -> str:
    return "action" if phrase.level == "action" else phrase.role.removeprefix("ARGM-")


_WIDTH = 1200.0
_MARGIN = 32.0
_TITLE = 27.0
_TITLE_LINE = 34.0
_TITLE_COLUMNS = 78
_TITLE_LINES = 6
_GAP = 18.0
_WIDEST_GRAPH = 4000.0
"""Logical pixels; a graph of a hundred phrases would make a picture that no memory holds."""


def draw_poster(explanation: Explanation, *, dark: bool = False, hits: int = 5, density: int = 2) -> bytes:
    """A PNG picture of an explanation.

    Args:
        explanation: what is shown.
        dark: light words on a dark ground.
        hits: how many hits are shown, at most.
        density: 1 or 2 real pixels for a logical one; 1,200 logical ones are the width, or what the graph takes,
            which is left out where it takes more than 4,000.

    Raises:
        MissingPackageError: if Pillow is not installed.
    """
    require_pillow()
    palette: Palette = DARK if dark else LIGHT
    layout = lay_out(explanation.graph)
    drawn = layout.width <= _WIDEST_GRAPH
    width = max(_WIDTH, layout.width + 2 * _MARGIN) if drawn else _WIDTH
    title = textwrap.wrap(one_line(explanation.query), _TITLE_COLUMNS, max_lines=_TITLE_LINES) or [""]
    shown = explanation.hits[:hits]
    scale = SimilarityScale.of([explained.hit for explained in explanation.hits])
    graph_y = _MARGIN + _TITLE_LINE * len(title) + 6
    first_y = graph_y + (layout.height if drawn else LINE_HEIGHT) + 8
    height = first_y + sum(hit_height(explained) + _GAP for explained in shown) + _MARGIN - _GAP
    canvas = Canvas(width, max(height, first_y + _MARGIN), palette)
    for row, line in enumerate(title):
        canvas.words(_MARGIN, _MARGIN + _TITLE_LINE * row + _TITLE * 0.8, line, size=_TITLE)
    if drawn:
        _draw_graph(canvas, layout, (width - layout.width) / 2, graph_y)
    else:
        canvas.words(_MARGIN, graph_y + 14, "the graph is too wide for a picture", colour=palette.soft)
    for explained in shown:
        draw_hit(canvas, explained, scale, x=_MARGIN, y=first_y, width=width - 2 * _MARGIN)
        first_y += hit_height(explained) + _GAP
    return canvas.png(density=density)


def _draw_graph(canvas: Canvas, layout: GraphLayout, left: float, top: float) -> None:
    soft = canvas.palette.soft
    for line in layout.lines:
        start = (left + line.start[0], top + line.start[1])
        canvas.curve(start, (left + line.stop[0], top + line.stop[1]), soft)
        if line.role:
            x, y = line.role_at
            canvas.words(left + x, top + y, line.role, size=11.5, colour=soft, anchor="ms")
    for box in layout.boxes:
        _draw_box(canvas, box, left, top)


def _draw_box(canvas: Canvas, box: PlacedBox, left: float, top: float) -> None:
    radius = {"event": 8.0, "action": box.height / 2, "entity": 2.0}[box.kind]
    colours = canvas.palette
    canvas.box(
        left + box.left,
        top + box.y,
        box.width,
        box.height,
        colours.fills[box.kind],
        outline=colours.lines[box.kind],
        radius=radius,
    )
    for row, line in enumerate(box.lines):
        y = top + box.y + PADDING / 2 + (row + 0.75) * LINE_HEIGHT
        canvas.words(left + box.x, y, one_line(line), anchor="ms")
