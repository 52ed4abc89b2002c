"""Places a role graph on a plane: boxes in three rows and the lines between them, for whatever draws them."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Sequence
from typing import Literal

import attrs

from hgrkit.graph.role_graph import Node, RoleGraph

__all__ = ["LINE_HEIGHT", "PADDING", "ROLE_MEANINGS", "GraphLayout", "PlacedBox", "PlacedLine", "lay_out"]

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
PADDING = 10.0

_CHARACTER = 8.0  # pixels: the widest that common fonts are on average at this size
_GAP = 22.0
_RISE = 64.0  # between two rows
_LABEL = 20.0
_MARGIN = 12.0

BoxKind = Literal["event", "action", "entity"]


@attrs.define
class PlacedBox:
    """A node's place: its lines of text, its size and where its centre and top are.

    Attributes:
        kind: the node's level.
        node: the node's id; `None` for the sentence.
        lines: the words.
        width: in pixels.
        x: of the centre.
        y: of the top.
        labels: the roles that end above the box.
    """

    kind: BoxKind
    node: int | None
    lines: list[str]
    width: float
    x: float = 0.0
    y: float = 0.0
    labels: list[str] = attrs.field(factory=list)

    @property
    def height(self) -> float:
        """From top to bottom."""
        return len(self.lines) * LINE_HEIGHT + PADDING

    @property
    def left(self) -> float:
        """Where the box begins."""
        return self.x - self.width / 2

    @property
    def right(self) -> float:
        """Where the box ends."""
        return self.x + self.width / 2


@attrs.frozen(kw_only=True)
class PlacedLine:
    """A line from the bottom of one box to the top of another, or to the role above it.

    Attributes:
        start: x and y of the upper end.
        stop: x and y of the lower end.
        loose: whether no verb governs the phrase.
        role: what stands at the lower end; empty for no words.
        role_at: x and y of the foot of those words' middle.
    """

    start: tuple[float, float]
    stop: tuple[float, float]
    loose: bool = False
    role: str = ""
    role_at: tuple[float, float] = (0.0, 0.0)


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


def lay_out(graph: RoleGraph) -> GraphLayout:
    """The sentence above its actions, and they above their entities, without a box touching another."""
    entities = {node.id: _box("entity", node.id, graph.phrase(node), 22) for node in _in_order(graph.entities)}
    actions = {node.id: _box("action", node.id, graph.phrase(node), 22) for node in _in_order(graph.actions)}
    for edge in graph.edges:
        entities[edge.entity].labels.append(_label(edge.role))
    for box in entities.values():
        box.width = max(box.width, sum(map(_label_width, box.labels)) + 6 * (len(box.labels) - 1))
    event = _box("event", None, graph.text, 72)
    width, height = _arrange(graph, event, actions, entities)
    return GraphLayout(
        width=width,
        height=height,
        boxes=(event, *actions.values(), *entities.values()),
        lines=tuple(_lines(graph, event, actions, entities)),
    )


def _arrange(
    graph: RoleGraph, event: PlacedBox, actions: dict[int, PlacedBox], entities: dict[int, PlacedBox]
) -> tuple[float, float]:
    """Give every box its place; returns the picture's size."""
    _row(list(entities.values()))
    for action, box in actions.items():
        centres = [entities[edge.entity].x for edge in graph.edges if edge.action == action]
        box.x = (min(centres) + max(centres)) / 2 if centres else 0.0
    _row(list(actions.values()), keep=True)
    rows = [*actions.values(), *entities.values()] or [event]
    event.x = (min(box.left for box in rows) + max(box.right for box in rows)) / 2
    boxes = (event, *actions.values(), *entities.values())
    left = min(box.left for box in boxes) - _MARGIN
    for box in boxes:
        box.x -= left
    event.y = _MARGIN
    below = event.y + event.height + (_RISE / 2 if actions else 0)
    for box in actions.values():
        box.y = below
    below = max([below, *(box.y + box.height for box in actions.values())])
    for box in entities.values():
        box.y = below + _RISE + _LABEL
    bottom = max(box.y + box.height for box in boxes)
    return max(box.right for box in boxes) + _MARGIN, bottom + _MARGIN


def _row(boxes: Sequence[PlacedBox], *, keep: bool = False) -> None:
    """Boxes from left to right without touching; with `keep`, each no further left than it wants to be."""
    edge = float("-inf") if keep else 0.0
    for box in boxes:
        wanted = box.left if keep else edge
        box.x = max(wanted, edge) + box.width / 2
        edge = box.right + _GAP


def _lines(
    graph: RoleGraph, event: PlacedBox, actions: dict[int, PlacedBox], entities: dict[int, PlacedBox]
) -> list[PlacedLine]:
    """The lines between boxes, with the roles that they end at."""
    bottom = (event.x, event.y + event.height)
    lines = [PlacedLine(start=bottom, stop=(box.x, box.y)) for box in actions.values()]
    used = dict.fromkeys(entities, 0.0)
    for edge in sorted(graph.edges, key=lambda edge: actions[edge.action].x):
        action, entity, label = actions[edge.action], entities[edge.entity], _label(edge.role)
        total = sum(map(_label_width, entity.labels)) + 6 * (len(entity.labels) - 1)
        x = entity.x - total / 2 + used[edge.entity] + _label_width(label) / 2
        used[edge.entity] += _label_width(label) + 6
        lines.append(
            PlacedLine(
                start=(action.x, action.y + action.height),
                stop=(x, entity.y - _LABEL),
                role=label,
                role_at=(x, entity.y - 6),
            )
        )
    loose = [box for box in entities.values() if not box.labels]
    return lines + [PlacedLine(start=bottom, stop=(box.x, box.y), loose=True) for box in loose]


def _box(kind: BoxKind, node: int | None, text: str, columns: int) -> PlacedBox:
    lines = textwrap.wrap(text, columns) or [text]
    return PlacedBox(kind, node, lines, max(map(_columns, lines)) * _CHARACTER + 2 * PADDING)


def _in_order(nodes: Sequence[Node]) -> list[Node]:
    return sorted(nodes, key=lambda node: (node.span.start, node.span.stop))


def _label(role: str) -> str:
    meaning = ROLE_MEANINGS.get(role)
    name = role.removeprefix("ARGM-")
    return f"{name} · {meaning}" if meaning else name


def _label_width(label: str) -> float:
    return _columns(label) * _CHARACTER * 0.85


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
