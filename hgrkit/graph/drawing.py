"""Draws a role graph as a picture: the sentence above, its actions below it, and who or what plays which role."""

from __future__ import annotations

from hgrkit.arguments import check_instance
from hgrkit.errors import GraphError
from hgrkit.graph.layout import LINE_HEIGHT, PADDING, ROLE_MEANINGS, PlacedBox, PlacedLine, lay_out
from hgrkit.graph.role_graph import RoleGraph
from hgrkit.graph.xml_text import xml_text

__all__ = ["ROLE_MEANINGS", "draw_graph"]

_STYLE = """
.hgr text{font:14px/1.3 system-ui,-apple-system,"Segoe UI",sans-serif;fill:#1c2733;text-anchor:middle}
.hgr .role{font-size:11.5px;fill:#44525f}
.hgr rect{fill:#f3f5f7;stroke:#8896a3;stroke-width:1.2}
.hgr .action rect{fill:#ffe9d2;stroke:#bd620a}
.hgr .action text{font-weight:600}
.hgr .entity rect{fill:#e0edff;stroke:#2f6fb5}
.hgr path{fill:none;stroke:#8896a3;stroke-width:1.4}
.hgr .loose{stroke-dasharray:4 4}
@media screen and (prefers-color-scheme:dark){
.hgr text{fill:#e8edf2}.hgr .role{fill:#b4c0cb}
.hgr rect{fill:#27313b;stroke:#8896a3}
.hgr .action rect{fill:#53330f;stroke:#f0a04b}
.hgr .entity rect{fill:#173355;stroke:#7fb2ef}
}
""".replace("\n", "")


def draw_graph(graph: RoleGraph) -> str:
    """A role graph as a self-contained SVG picture, for light and dark pages.

    The sentence stands above its actions, and they above their entities; a line between an action and an entity
    ends at the entity's role. A phrase that no verb governs hangs from the sentence by a dashed line. Shapes tell
    the levels apart where there is no colour. Notebooks show a `RoleGraph` as this picture. The group of an
    action or entity carries its id as `data-node`.

    >>> graph = RoleGraph.from_dict({"tokens": ["dogs"], "nodes": [{"id": 1, "role": "NOUN", "span": [0, 1]}],
    ...     "edges": []})
    >>> draw_graph(graph).startswith("<svg")
    True

    Returns:
        one `<svg>` element with a title and a description in words.
    """
    check_instance("graph", graph, RoleGraph, error=GraphError)
    layout = lay_out(graph)
    width, height = f"{layout.width:.0f}", f"{layout.height:.0f}"
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    size += ' style="max-width:100%;height:auto"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="hgr" role="img" {size}>',
        f"<title>{xml_text(graph.text)}</title><desc>{xml_text(str(graph))}</desc><style>{_STYLE}</style>",
        *map(_line, layout.lines),
        *map(_drawn, layout.boxes),
        "</svg>",
    ]
    return "".join(parts)


def _line(line: PlacedLine) -> str:
    (x1, y1), (x2, y2) = line.start, line.stop
    middle = (y1 + y2) / 2
    bend = f"C{x1:.1f} {middle:.1f} {x2:.1f} {middle:.1f} {x2:.1f} {y2:.1f}"
    curve = f'<path class="{"loose" if line.loose else "edge"}" d="M{x1:.1f} {y1:.1f}{bend}"/>'
    if not line.role:
        return curve
    x, y = line.role_at
    return f'{curve}<text class="role" x="{x:.1f}" y="{y:.1f}">{xml_text(line.role)}</text>'


def _drawn(box: PlacedBox) -> str:
    radius = {"event": 8.0, "action": box.height / 2, "entity": 2.0}[box.kind]
    texts = "".join(
        f'<text x="{box.x:.1f}" y="{box.y + PADDING / 2 + (row + 0.72) * LINE_HEIGHT:.1f}">{xml_text(line)}</text>'
        for row, line in enumerate(box.lines)
    )
    node = "" if box.node is None else f' data-node="{box.node}"'
    return (
        f'<g class="{box.kind}"{node}><rect x="{box.left:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" '
        f'height="{box.height:.1f}" rx="{radius:.1f}"/>{texts}</g>'
    )
