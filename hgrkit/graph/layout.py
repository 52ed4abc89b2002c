"""Places a role graph on a plane: boxes in three rows and the lines between them, from words alone."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Literal

import attrs

__all__ = ["LINE_HEIGHT", "ROLE_MEANINGS", "GraphLayout", "PlacedBox", "PlacedLine", "arrange", "text_width"]

ROLE_MEANINGS = {
    "ARG0": "who",
    "ARG1": "what, whom",
    "ARGM-ADV": "besides",
    "ARGM-COM": "with whom",
    "ARGM-DIR": "which way",
    "ARGM-LOC": "where",
    "ARGM-MNR": "how",
    "ARGM-MOD": "can, will",
    "ARGM-NEG": "not",
    "ARGM-PRD": "being what",
    "ARGM-PRP": "why",
    "ARGM-TMP": "when",
}
"""What a role asks; the roles that mean something else with every verb are not among them."""

LINE_HEIGHT = 19.0
"""From one line of text to the next, in pixels."""

# Fonts differ from machine to machine: on average, the widest common ones take 0.57 of their size for a character.
_CHARACTER = 0.57
_FONT_SIZE = 14.0
_ROLE_FONT_SIZE = 11.9
_PADDING = 10.0
_GAP = 22.0  # between boxes of a row
_RISE = 64.0  # between two rows
_ROLE_HEIGHT = 20.0
_ROLE_GAP = 6.0
_MARGIN = 12.0

BoxKind = Literal["event", "action", "entity"]


@attrs.define
class PlacedBox:
    """A node's place: its lines of text, its size and where its centre and top are, in pixels.

    Attributes:
        kind: the node's level.
        node: the node's id; `None` for the sentence.
        lines: the words.
        width: wide enough for the words and for the roles above them.
        x: of the centre.
        y: of the top.
        roles: what stands above the box, at the ends of its lines.
        excluded: whether its words are struck through.
    """

    kind: BoxKind
    node: int | None
    lines: list[str]
    width: float
    x: float = 0.0
    y: float = 0.0
    roles: list[str] = attrs.field(factory=list)
    excluded: bool = False

    @property
    def height(self) -> float:
        """From top to bottom."""
        return len(self.lines) * LINE_HEIGHT + _PADDING

    @property
    def bottom(self) -> float:
        """Where the box ends below."""
        return self.y + self.height

    @property
    def left(self) -> float:
        """Where the box begins."""
        return self.x - self.width / 2

    @property
    def right(self) -> float:
        """Where the box ends."""
        return self.x + self.width / 2

    @property
    def baselines(self) -> list[tuple[str, float]]:
        """Every line of text with the y that it stands on."""
        top = self.y + _PADDING / 2
        return [(line, top + (row + 0.72) * LINE_HEIGHT) for row, line in enumerate(self.lines)]


@attrs.frozen(kw_only=True)
class PlacedLine:
    """A line from the bottom of one box to the top of another, or to the role above it.

    Attributes:
        start: x and y of the upper end.
        stop: x and y of the lower end.
        loose: whether no verb governs the phrase.
        role: what stands at the lower end; empty for no words.
    """

    start: tuple[float, float]
    stop: tuple[float, float]
    loose: bool = False
    role: str = ""


@attrs.frozen(kw_only=True)
class GraphLayout:
    """A role graph's picture before it is drawn.

    Attributes:
        width: of the picture, in pixels.
        height: of the picture.
        boxes: the sentence, the actions, the entities.
        lines: those to actions, those to entities, the loose ones.
    """

    width: float
    height: float
    boxes: tuple[PlacedBox, ...]
    lines: tuple[PlacedLine, ...]


def arrange(
    sentence: str,
    actions: Mapping[int, str],
    entities: Mapping[int, str],
    edges: Sequence[tuple[int, int, str]],
    *,
    excluded: Container[int] = (),
) -> GraphLayout:
    """The sentence above its actions, and they above their entities, without a box touching another.

    Args:
        sentence: its words.
        actions: each action's words by its id, in the order of reading.
        entities: each entity's words by its id, in the order of reading.
        edges: action, entity and role.
        excluded: ids of what is struck through.
    """
    rows = _Rows(
        event=_box("event", None, sentence, 72),
        actions={node: _box("action", node, words, 22) for node, words in actions.items()},
        entities={node: _box("entity", node, words, 22) for node, words in entities.items()},
        edges=edges,
    )
    for _, entity, role in edges:
        rows.entities[entity].roles.append(_role_label(role))
    for node, box in (*rows.actions.items(), *rows.entities.items()):
        box.excluded = node in excluded
    for box in rows.entities.values():
        box.width = max(box.width, _roles_width(box))
    rows.place_across()
    rows.place_down()
    return GraphLayout(
        width=max(box.right for box in rows.boxes) + _MARGIN,
        height=max(box.bottom for box in rows.boxes) + _MARGIN,
        boxes=rows.boxes,
        lines=tuple(rows.lines()),
    )


def text_width(text: str, font_size: float) -> float:
    """About how wide a line of text is in pixels, in any font; an overestimate rather than an underestimate."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return (len(text) + wide) * _CHARACTER * font_size


@attrs.frozen(kw_only=True)
class _Rows:
    event: PlacedBox
    actions: Mapping[int, PlacedBox]
    entities: Mapping[int, PlacedBox]
    edges: Sequence[tuple[int, int, str]]

    @property
    def boxes(self) -> tuple[PlacedBox, ...]:
        return (self.event, *self.actions.values(), *self.entities.values())

    def place_across(self) -> None:
        """Entities side by side, each action above the middle of its own, the sentence above the middle of all."""
        _spread(self.entities.values(), wanted=False)
        for node, box in self.actions.items():
            centres = [self.entities[entity].x for action, entity, _ in self.edges if action == node]
            box.x = (min(centres) + max(centres)) / 2 if centres else 0.0
        _spread(self.actions.values(), wanted=True)
        below = self.boxes[1:] or (self.event,)
        self.event.x = (min(box.left for box in below) + max(box.right for box in below)) / 2
        left = min(box.left for box in self.boxes) - _MARGIN
        for box in self.boxes:
            box.x -= left

    def place_down(self) -> None:
        self.event.y = _MARGIN
        for box in self.actions.values():
            box.y = self.event.bottom + _RISE / 2
        above = max(box.bottom for box in (self.event, *self.actions.values()))
        for box in self.entities.values():
            box.y = above + _RISE + _ROLE_HEIGHT

    def lines(self) -> list[PlacedLine]:
        """The lines between boxes, with the roles that they end at."""
        start = (self.event.x, self.event.bottom)
        lines = [PlacedLine(start=start, stop=(box.x, box.y)) for box in self.actions.values()]
        ends = {node: box.x - _roles_width(box) / 2 for node, box in self.entities.items()}
        # From left to right, so that the lines to one entity do not cross.
        for action, entity, role in sorted(self.edges, key=lambda edge: self.actions[edge[0]].x):
            above, label = self.actions[action], _role_label(role)
            width = text_width(label, _ROLE_FONT_SIZE)
            stop = (ends[entity] + width / 2, self.entities[entity].y - _ROLE_HEIGHT)
            ends[entity] += width + _ROLE_GAP
            lines.append(PlacedLine(start=(above.x, above.bottom), stop=stop, role=label))
        loose = [box for box in self.entities.values() if not box.roles]
        return lines + [PlacedLine(start=start, stop=(box.x, box.y), loose=True) for box in loose]


def _spread(boxes: Iterable[PlacedBox], *, wanted: bool) -> None:
    """Boxes from left to right without touching; if `wanted`, each no further left than it is."""
    edge = float("-inf") if wanted else 0.0
    for box in boxes:
        box.x = (max(box.left, edge) if wanted else edge) + box.width / 2
        edge = box.right + _GAP


def _box(kind: BoxKind, node: int | None, text: str, columns: int) -> PlacedBox:
    lines = textwrap.wrap(text, columns) or [text]
    width = max(text_width(line, _FONT_SIZE) for line in lines) + 2 * _PADDING
    return PlacedBox(kind, node, lines, width)


def _role_label(role: str) -> str:
    meaning = ROLE_MEANINGS.get(role)
    name = role.removeprefix("ARGM-")
    return f"{name} · {meaning}" if meaning else name


def _roles_width(box: PlacedBox) -> float:
    return sum(text_width(role, _ROLE_FONT_SIZE) for role in box.roles) + _ROLE_GAP * (len(box.roles) - 1)
