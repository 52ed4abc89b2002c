"""Draws an explanation as one PNG picture for papers and chats: the question's graph and the first hits."""

from __future__ import annotations

import textwrap

from hgrkit.explain.bar_scale import SimilarityScale
from hgrkit.explain.canvas import DARK, LIGHT, Canvas, Palette, one_line, require_pillow
from hgrkit.explain.explanation import Explanation
from hgrkit.explain.poster_hit import draw_hit, hit_height
from hgrkit.graph.layout import LINE_HEIGHT, PADDING, GraphLayout, PlacedBox, lay_out

__all__ = ["draw_poster"]

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
