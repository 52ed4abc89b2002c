"""Film strips in a terminal of many colours: each character shows two pixels, one above the other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from rich.color import Color
from rich.style import Style
from rich.text import Text

from hgrkit.cli.output import clock, printable
from hgrkit.pages.hit_explanation import HitExplanation, StripFrame

__all__ = ["film_strip"]

_COLUMNS = 18
_INDENT = 5
_GAP = 1
_TALLEST = 24


def film_strip(explained: HitExplanation, width: int) -> Text:
    """As many frames of a hit's strip as stand side by side, evenly picked, with their times below them.

    Args:
        explained: a hit and its pictures.
        width: of the terminal, in columns.
    """
    if explained.note:
        return Text(f"{' ' * _INDENT}no pictures: {printable(explained.note)}", "bright_black")
    room = max(1, (width - _INDENT) // (_COLUMNS + _GAP))
    shown = _evenly(explained.strip, room)
    pictures = [_pixels(frame.jpeg) for frame in shown if frame.jpeg is not None]
    if not pictures:
        return Text()
    rows = [_row(pictures, top) for top in range(0, len(pictures[0]), 2)]
    times = (f"{clock(frame.time_s):^{_COLUMNS}}" for frame in shown)
    rows.append(Text(" " * _INDENT + (" " * _GAP).join(times), "bright_black"))
    return Text("\n").join(rows)


def _evenly(strip: tuple[StripFrame, ...], room: int) -> list[StripFrame]:
    if len(strip) <= room:
        return list(strip)
    return [strip[(2 * place + 1) * len(strip) // (2 * room)] for place in range(room)]


def _pixels(jpeg: bytes) -> npt.NDArray[np.uint8]:
    """A picture with one pixel a column and two a row, [H, W, 3]."""
    codec = VideoCodecContext.create("mjpeg", "r")
    (frame,) = [*codec.decode(Packet(jpeg)), *codec.decode(None)]
    height = min(_TALLEST, max(2, 2 * round(_COLUMNS * frame.height / frame.width / 2)))
    picture = frame.reformat(_COLUMNS, height, "rgb24", interpolation="AREA").to_ndarray()
    return np.ascontiguousarray(picture, np.uint8)


def _row(pictures: list[npt.NDArray[np.uint8]], top: int) -> Text:
    row = Text(" " * _INDENT)
    for picture in pictures:
        for upper, lower in zip(picture[top].tolist(), picture[top + 1].tolist(), strict=True):
            row.append("▀", Style(color=Color.from_rgb(*upper), bgcolor=Color.from_rgb(*lower)))
        row.append(" " * _GAP)
    return row
