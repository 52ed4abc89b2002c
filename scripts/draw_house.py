"""Draw `docs/_static/house.svg`: the rooms by layer, and the ways of a video and of a question through them.

    python scripts/draw_house.py

Layers are those of `tests/test_layers.py`, a room's width is its share of the layer's lines.
"""

from __future__ import annotations

import sys
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.test_layers import LAYERS, PACKAGE  # noqa: E402

WIDTH, ROW, GAP, LEFT = 960, 74, 10, 12
LEAST = 96
"""A room's width at least, so that its name fits."""

WORDS = {
    "cli": "arguments and printing",
    "agents": "tools by MCP",
    "demo": "footage to try",
    "serve": "page and API",
    "research": "data sets, training, evaluation",
    "retriever": "the facade",
    "opened": "library and its model",
    "testing": "contracts of plugins",
    "pages": "explanations, reports",
    "clips": "moments as files",
    "indexing": "folder to library",
    "results": "hits and phrases",
    "model": "encoders, folders",
    "library": "store and search",
    "video": "reading, decoding, cutting",
    "matching": "scores, losses, kernel",
    "parsing": "sentence to graph",
    "graph": "role graph, drawing",
    "storage": "files and locks",
    "checks": "what is given",
    "errors": "every error",
    "levels": "event, action, entity",
    "plugins": "entry points",
    "hgrkit": "public names",
}

VIDEO_WAY = ("cli", "retriever", "indexing", "video", "model", "library")
QUESTION_WAY = ("cli", "retriever", "parsing", "model", "library", "matching", "results", "pages")

STYLE = """
svg{font:13px system-ui,-apple-system,"Segoe UI",sans-serif}
.room{fill:#f3f5f8;stroke:#8a94a3}.name{font-weight:600;fill:#1d2530}.words,.layer{fill:#5b6675;font-size:11px}
.video{fill:#b4530a}.question{fill:#1c62b9}.badge{fill:#fff;font-size:11px;font-weight:600}
@media (prefers-color-scheme:dark){.room{fill:#1d232c;stroke:#6b7684}.name{fill:#e8ecf1}.words,.layer{fill:#a3adba}
.video{fill:#d97b34}.question{fill:#4a90e2}}
"""


def main() -> None:
    """Write the drawing."""
    rows = [
        sorted(layer & WORDS.keys() - {"__main__"}, key=lambda room: -lines_of(room)) for layer in LAYERS[::-1]
    ]
    height = 56 + len(rows) * (ROW + GAP)
    parts = [legend()]
    for number, rooms in enumerate(rows):
        parts.append(drawn_row(rooms, 52 + number * (ROW + GAP)))
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        'aria-label="The rooms of hgrkit by layer">'
        f"<style>{STYLE}</style>{''.join(parts)}</svg>\n"
    )
    (ROOT / "docs" / "_static" / "house.svg").write_text(svg, encoding="utf-8")


def lines_of(room: str) -> int:
    """Lines of a room's modules."""
    place = PACKAGE / room
    files = place.rglob("*.py") if place.is_dir() else [PACKAGE / f"{'__init__' if room == 'hgrkit' else room}.py"]
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files)


def legend() -> str:
    """What the numbers mean."""
    return (
        badge(LEFT + 9, 22, "1", "video")
        + f'<text class="words" x="{LEFT + 24}" y="26">a video on its way into a library</text>'
        + badge(LEFT + 249, 22, "1", "question")
        + f'<text class="words" x="{LEFT + 264}" y="26">a question on its way to its answer</text>'
    )


def drawn_row(rooms: list[str], y: int) -> str:
    """The rooms of one layer, side by side."""
    free = WIDTH - 2 * LEFT - GAP * (len(rooms) - 1) - LEAST * len(rooms)
    total = sum(map(lines_of, rooms))
    x, parts = float(LEFT), []
    for room in rooms:
        lines = lines_of(room)
        width = LEAST + free * lines / total
        parts.append(drawn_room(room, lines, x, y, width))
        x += width + GAP
    return "".join(parts)


def drawn_room(room: str, lines: int, x: float, y: int, width: float) -> str:
    """A room with its name, its purpose, its lines and its places on the two ways."""
    words = WORDS[room] if len(WORDS[room]) * 6 < width - 16 else ""
    parts = [
        f'<rect class="room" x="{x:.1f}" y="{y}" width="{width:.1f}" height="{ROW}" rx="6"/>',
        f'<text class="name" x="{x + 8:.1f}" y="{y + 20}">{escape(room)}</text>',
        f'<text class="words" x="{x + 8:.1f}" y="{y + 36}">{escape(words)}</text>',
        f'<text class="layer" x="{x + 8:.1f}" y="{y + ROW - 8}">{lines:,} lines</text>',
    ]
    places = [
        (way, number) for way, rooms in (("video", VIDEO_WAY), ("question", QUESTION_WAY))
        for number, other in enumerate(rooms, 1) if other == room
    ]  # fmt: skip
    for place, (way, number) in enumerate(places):
        parts.append(badge(x + width - 14 - 22 * place, y + ROW - 14, str(number), way))
    return "".join(parts)


def badge(x: float, y: float, text: str, way: str) -> str:
    """A numbered disc."""
    return (
        f'<circle class="{way}" cx="{x:.1f}" cy="{y}" r="9"/>'
        f'<text class="badge" x="{x:.1f}" y="{y + 4}" text-anchor="middle">{text}</text>'
    )


if __name__ == "__main__":
    main()
