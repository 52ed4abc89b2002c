"""A picture to draw on in logical pixels, with Pillow: boxes, curves, words and photographs in a palette."""

from __future__ import annotations

import importlib.util
import unicodedata
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, final

import attrs

from hgrkit.errors import MissingPackageError

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont, ImageFont

__all__ = ["DARK", "LIGHT", "Canvas", "Palette", "one_line", "require_pillow", "shortened"]

_DENSITY = 2
_CURVE_STEPS = 24
_DASH = 6.0


@attrs.frozen(kw_only=True)
class Palette:
    """Colours of a picture, as `#rrggbb`; `fills` and `lines` by a node's level."""

    page: str
    panel: str
    ink: str
    soft: str
    line: str
    mark: str
    fills: dict[str, str]
    lines: dict[str, str]
    pale: dict[str, str]


LIGHT = Palette(
    page="#ffffff",
    panel="#f6f8fa",
    ink="#1c2733",
    soft="#52606d",
    line="#d9dfe5",
    mark="#0f766e",
    fills={"event": "#f3f5f7", "action": "#ffe9d2", "entity": "#e0edff"},
    lines={"event": "#5b6975", "action": "#bd620a", "entity": "#2f6fb5"},
    pale={"action": "#eccbab", "entity": "#b9cee6"},
)
DARK = Palette(
    page="#12181e",
    panel="#1a222a",
    ink="#e8edf2",
    soft="#a6b3bf",
    line="#2e3842",
    mark="#2dd4bf",
    fills={"event": "#27313b", "action": "#53330f", "entity": "#173355"},
    lines={"event": "#9fadba", "action": "#f0a04b", "entity": "#7fb2ef"},
    pale={"action": "#5c4427", "entity": "#364e69"},
)


def require_pillow() -> None:
    """Raise unless Pillow is installed; it is not imported.

    Raises:
        MissingPackageError: saying how to install it.
    """
    if importlib.util.find_spec("PIL") is None:
        raise MissingPackageError(
            "the package 'pillow', which draws PNG pictures, is not installed: pip install 'hgrkit[pictures]'"
        )


@final
class Canvas:
    """A picture of some size in logical pixels; it is drawn with two real ones for each, in both directions.

    Args:
        width: in logical pixels.
        height: in logical pixels.
        palette: the colours.

    Raises:
        MissingPackageError: if Pillow is not installed.
    """

    def __init__(self, width: float, height: float, palette: Palette) -> None:
        require_pillow()
        from PIL import Image, ImageDraw

        self.palette = palette
        self._image = Image.new("RGB", (round(width * _DENSITY), round(height * _DENSITY)), palette.page)
        self._draw = ImageDraw.Draw(self._image)

    def box(
        self, x: float, y: float, width: float, height: float, fill: str, *, outline: str = "", radius: float = 0
    ) -> None:
        """A filled rectangle, rounded if it has a radius; nothing where it has no size."""
        if width <= 0 or height <= 0:
            return
        left, top = round(x * _DENSITY), round(y * _DENSITY)
        right = max(left, round((x + width) * _DENSITY) - 1)
        bottom = max(top, round((y + height) * _DENSITY) - 1)
        radius = min(radius * _DENSITY, (right - left) / 2, (bottom - top) / 2)
        self._draw.rounded_rectangle((left, top, right, bottom), radius, fill, outline or None, width=_DENSITY)

    def dashes(self, x: float, y: float, width: float, colour: str) -> None:
        """A thin broken line from left to right."""
        for step in range(int(width / _DASH)):
            self.box(x + step * _DASH, y, 0.6 * _DASH, 0.75, colour)

    def curve(self, start: tuple[float, float], stop: tuple[float, float], colour: str) -> None:
        """A line that leaves and arrives upright: a cubic with both handles half-way down."""
        (x1, y1), (x2, y2) = start, stop
        points = []
        for step in range(_CURVE_STEPS + 1):
            t = step / _CURVE_STEPS
            bend = 3 * t**2 - 2 * t**3
            y = y1 + (y2 - y1) * (1.5 * t * (1 - t) ** 2 + 1.5 * t**2 * (1 - t) + t**3)
            points.append(((x1 + (x2 - x1) * bend) * _DENSITY, y * _DENSITY))
        self._draw.line(points, colour, width=round(1.4 * _DENSITY), joint="curve")

    def words(
        self, x: float, y: float, text: str, *, size: float = 14, colour: str = "", anchor: str = "ls"
    ) -> None:
        """One line of text; `anchor` as Pillow has it, `ls` for the left end of the base line."""
        at = (x * _DENSITY, y * _DENSITY)
        self._draw.text(at, text, colour or self.palette.ink, _font(size), anchor=anchor)

    def photograph(self, x: float, y: float, width: float, height: float, jpeg: bytes) -> None:
        """A JPEG picture, as large as fits into a box, in its middle."""
        from PIL import Image

        room = (round(width * _DENSITY), round(height * _DENSITY))
        with Image.open(BytesIO(jpeg)) as opened:
            scale = min(room[0] / opened.width, room[1] / opened.height)
            size = (max(1, round(opened.width * scale)), max(1, round(opened.height * scale)))
            picture = opened.convert("RGB").resize(size, Image.Resampling.LANCZOS)
        left = round(x * _DENSITY) + (room[0] - size[0]) // 2
        self._image.paste(picture, (left, round(y * _DENSITY) + (room[1] - size[1]) // 2))

    def png(self, *, density: int = _DENSITY) -> bytes:
        """The picture as a PNG file, with 1 or 2 real pixels for a logical one."""
        file = BytesIO()
        image = self._image if density == _DENSITY else self._image.reduce(_DENSITY)
        image.save(file, "PNG")
        return file.getvalue()


def one_line(text: str) -> str:
    """Text without line breaks and control characters, which fonts have no picture of."""
    return "".join(" " if unicodedata.category(character) in ("Cc", "Cs") else character for character in text)


def _text_width(text: str, size: float) -> float:
    """How wide a line of text is, in logical pixels."""
    return _font(size).getlength(text) / _DENSITY


def shortened(text: str, size: float, width: float) -> str:
    """A line of text that is no wider than this; what is cut off becomes an ellipsis."""
    if _text_width(text, size) <= width:
        return text
    while text and _text_width(f"{text}...", size) > width:
        text = text[:-1]
    return f"{text.rstrip()}..."


@cache
def _font(size: float) -> FreeTypeFont | ImageFont:
    from PIL import ImageFont

    return ImageFont.load_default(size * _DENSITY)
