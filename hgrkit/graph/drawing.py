"""Draws a role graph as a picture: the sentence above, its actions below it, and who or what plays which role."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Sequence
from html import escape

import attrs

from hgrkit.graph.role_graph import Node, RoleGraph

__all__ = ["ROLE_MEANINGS", "draw_graph"]

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

_CHARACTER = 8.0  # pixels: the widest that common fonts are on average at this size
_LINE = 19.0
_PADDING = 10.0
_GAP = 22.0
_RISE = 64.0  # between two rows
_LABEL = 20.0
_MARGIN = 12.0

_STYLE = """
.hgr text{font:14px/1.3 system-ui,-apple-system,"Segoe UI",sans-serif;fill:#1c2733;text-anchor:middle}
.hgr .role{font-size:11.5px;fill:#44525f}
.hgr rect{fill:#f3f5f7;stroke:#8896a3;stroke-width:1.2}
.hgr .action rect{fill:#ffe9d2;stroke:#c8690e}
.hgr .action text{font-weight:600}
.hgr .entity rect{fill:#e0edff;stroke:#2f6fb5}
.hgr path{fill:none;stroke:#8896a3;stroke-width:1.4}
.hgr .loose{stroke-dasharray:4 4}
@media (prefers-color-scheme:dark){
.hgr text{fill:#e8edf2}.hgr .role{fill:#b4c0cb}
.hgr rect{fill:#27313b;stroke:#8896a3}
.hgr .action rect{fill:#53330f;stroke:#f0a04b}
.hgr .entity rect{fill:#173355;stroke:#7fb2ef}
}
""".replace("\n", "")


@attrs.define
class _Box:
    """A node's place: its lines of text, its size and where its centre and top are."""

    kind: str
    lines: list[str]
    width: float
    x: float = 0.0
    y: float = 0.0
    labels: list[str] = attrs.field(factory=list)

    @property
    def height(self) -> float:
        return len(self.lines) * _LINE + _PADDING

    @property
    def left(self) -> float:
        return self.x - self.width / 2

    @property
    def right(self) -> float:
        return self.x + self.width / 2


def draw_graph(graph: RoleGraph) -> str:
    """A role graph as a self-contained SVG picture, for light and dark pages.

    The sentence stands above its actions, and they above their entities; a line between an action and an entity
    ends at the entity's role. A phrase that no verb governs hangs from the sentence by a dashed line. Shapes tell
    the levels apart where there is no colour. Notebooks show a `RoleGraph` as this picture.

    >>> graph = RoleGraph.from_dict({"tokens": ["dogs"], "nodes": [{"id": 1, "role": "NOUN", "span": [0, 1]}],
    ...     "edges": []})
    >>> draw_graph(graph).startswith("<svg")
    True

    Returns:
        one `<svg>` element with a title and a description in words.
    """
    entities = {node.id: _box("entity", graph.phrase(node), 22) for node in _in_order(graph.entities)}
    actions = {node.id: _box("action", graph.phrase(node), 22) for node in _in_order(graph.actions)}
    for edge in graph.edges:
        entities[edge.entity].labels.append(_label(edge.role))
    for box in entities.values():
        box.width = max(box.width, sum(map(_label_width, box.labels)) + 6 * (len(box.labels) - 1))
    event = _box("event", graph.text, 72)
    width, height = _arrange(graph, event, actions, entities)
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    size += ' style="max-width:100%;height:auto"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="hgr" role="img" {size}>',
        f"<title>{_text(graph.text)}</title><desc>{_text(str(graph))}</desc><style>{_STYLE}</style>",
        *_lines(graph, event, actions, entities),
        *map(_drawn, (event, *actions.values(), *entities.values())),
        "</svg>",
    ]
    return "".join(parts)


def _arrange(
    graph: RoleGraph, event: _Box, actions: dict[int, _Box], entities: dict[int, _Box]
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


def _row(boxes: Sequence[_Box], *, keep: bool = False) -> None:
    """Boxes from left to right without touching; with `keep`, each no further left than it wants to be."""
    edge = float("-inf") if keep else 0.0
    for box in boxes:
        wanted = box.left if keep else edge
        box.x = max(wanted, edge) + box.width / 2
        edge = box.right + _GAP


def _lines(graph: RoleGraph, event: _Box, actions: dict[int, _Box], entities: dict[int, _Box]) -> list[str]:
    """The lines between boxes, with the roles that they end at."""
    drawn = [_curve(event.x, event.y + event.height, box.x, box.y) for box in actions.values()]
    used = dict.fromkeys(entities, 0.0)
    for edge in sorted(graph.edges, key=lambda edge: actions[edge.action].x):
        action, entity, label = actions[edge.action], entities[edge.entity], _label(edge.role)
        total = sum(map(_label_width, entity.labels)) + 6 * (len(entity.labels) - 1)
        x = entity.x - total / 2 + used[edge.entity] + _label_width(label) / 2
        used[edge.entity] += _label_width(label) + 6
        drawn.append(_curve(action.x, action.y + action.height, x, entity.y - _LABEL))
        drawn.append(f'<text class="role" x="{x:.1f}" y="{entity.y - 6:.1f}">{_text(label)}</text>')
    loose = [box for box in entities.values() if not box.labels]
    drawn += [_curve(event.x, event.y + event.height, box.x, box.y, kind="loose") for box in loose]
    return drawn


def _curve(x1: float, y1: float, x2: float, y2: float, *, kind: str = "edge") -> str:
    middle = (y1 + y2) / 2
    bend = f"C{x1:.1f} {middle:.1f} {x2:.1f} {middle:.1f} {x2:.1f} {y2:.1f}"
    return f'<path class="{kind}" d="M{x1:.1f} {y1:.1f}{bend}"/>'


def _drawn(box: _Box) -> str:
    radius = {"event": 8.0, "action": box.height / 2, "entity": 2.0}[box.kind]
    texts = "".join(
        f'<text x="{box.x:.1f}" y="{box.y + _PADDING / 2 + (row + 0.72) * _LINE:.1f}">{_text(line)}</text>'
        for row, line in enumerate(box.lines)
    )
    return (
        f'<g class="{box.kind}"><rect x="{box.left:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" '
        f'height="{box.height:.1f}" rx="{radius:.1f}"/>{texts}</g>'
    )


def _box(kind: str, text: str, columns: int) -> _Box:
    lines = textwrap.wrap(text, columns) or [text]
    return _Box(kind, lines, max(map(_columns, lines)) * _CHARACTER + 2 * _PADDING)


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


def _text(text: str) -> str:
    """Text that stands in XML as it reads; what XML cannot hold becomes a replacement character."""
    legal = "".join(
        character if character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cs", "Cn") else "\ufffd"
        for character in text
    )
    return escape(legal)
