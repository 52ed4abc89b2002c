"""Explains the hits of a search: film strips and each frame's weight for each phrase, as page, picture or data."""

from __future__ import annotations

import importlib.util
import textwrap
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import attrs

from hgrkit.checks.arguments import check_flag, check_instance, check_path, check_whole
from hgrkit.errors import ConfigError, MissingPackageError
from hgrkit.graph import ROLE_MEANINGS, RoleGraph, lay_out
from hgrkit.graph.layout import text_width
from hgrkit.graph.rendering import render
from hgrkit.pages.hit_explanation import MORE_THAN_EVEN, HitExplanation, explain_hit
from hgrkit.results import NOTHING_MATCHES, Hit, Phrase, SearchResult, clock, percent
from hgrkit.storage.atomic_file import writing
from hgrkit.video.limits import DecodeLimits
from hgrkit.video.worker.decoder import DecodeProcess

__all__ = [
    "Explanation",
    "HeatScale",
    "SimilarityScale",
    "draw_picture",
    "explain_result",
    "require_resvg",
]

NUM_FRAMES = 12

_LEAST_TOP = 0.5  # so that a page of poor hits looks like one
_LEAST_SHARES = 2.0  # so that frames that are all alike fill half of their columns
_STRIP_WIDTH = 814.0  # what the picture's 1,200 pixels leave for it
_WIDEST_FRAME = 130.0
_FONTS = Path(__file__).with_name("fonts")


@attrs.frozen(kw_only=True)
class Explanation:
    """A search result with an explanation of each hit.

    Attributes:
        result: what `search` returned; all numbers of the explanation come from it.
        hits: one explanation for each hit, in the same order.
    """

    result: SearchResult
    hits: tuple[HitExplanation, ...]

    @property
    def query(self) -> str:
        """The text of the question."""
        return self.result.query

    @property
    def graph(self) -> RoleGraph:
        """The graph of the question."""
        return self.result.graph

    def to_dict(self) -> dict[str, Any]:
        """The explanation as plain JSON types: the result's record, with additional keys in every hit."""
        return {**self.result.to_dict(), "hits": [hit.to_dict() for hit in self.hits]}

    def to_html(self) -> str:
        """One self-contained HTML page, with a policy that forbids loading anything from elsewhere."""
        return render("explanation.html", **_values(self))

    def save(self, path: str | PathLike[str], *, dark: bool = False) -> None:
        """Write the explanation as a page or a picture.

        Args:
            path: a file that ends in `.html`, `.htm` or `.png`; overwritten if it exists.
            dark: draw the picture with a dark background; a page follows its reader's setting.

        Raises:
            ConfigError: if the name ends in something else.
            MissingPackageError: for a picture, if resvg-py is not installed.
            OSError: if the file cannot be written.
        """
        target = Path(check_path("path", path))
        check_flag("dark", dark)
        if target.suffix.lower() in (".html", ".htm"):
            content = self.to_html().encode("utf-8")
        elif target.suffix.lower() == ".png":
            content = draw_picture(self, dark=dark)
        else:
            raise ConfigError(f"an explanation is saved as .html or .png, got {target.name!r}.")
        with writing(target):
            target.write_bytes(content)

    def _repr_html_(self) -> str:
        """What a notebook shows: the page in a frame of its own, so that neither changes how the other looks."""
        return render("notebook.html", page=self.to_html())


def explain_result(result: SearchResult, *, num_frames: int = NUM_FRAMES) -> Explanation:
    """Explain every hit; each video is read once.

    If a video is missing or cannot be read, its hit has a note instead of pictures.

    Args:
        result: what a search returned.
        num_frames: maximum number of frames of a film strip, at least 1.

    Raises:
        ConfigError: if `num_frames` is less than 1.
    """
    check_instance("result", result, SearchResult, hint="give what Retriever.search returned")
    num_frames = check_whole("num_frames", num_frames)
    with DecodeProcess(DecodeLimits()) as decoder:
        hits = tuple(explain_hit(hit, num_frames=num_frames, decoder=decoder) for hit in result.hits)
    return Explanation(result=result, hits=hits)


@attrs.frozen
class SimilarityScale:
    """Bars of similarities, from 0 to the highest one of some hits.

    Attributes:
        top: the similarity that a whole bar stands for.
    """

    top: float

    @classmethod
    def of(cls, hits: Sequence[Hit]) -> SimilarityScale:
        """The scale on which every level and phrase of these hits has room; it ends at 0.5 or above."""
        levels = [level for hit in hits for level in hit.levels if level is not None]
        phrases = [phrase.similarity for hit in hits for phrase in hit.phrases]
        excluded = [phrase.similarity for hit in hits for phrase in hit.excluded]
        return cls(max([_LEAST_TOP, *levels, *phrases, *excluded]))

    def part(self, similarity: float | None) -> float:
        """How much of a bar is filled, in [0, 1]; none of it for what is dissimilar, or was not asked for."""
        return 0.0 if similarity is None else min(1.0, max(0.0, similarity / self.top))


@attrs.frozen
class HeatScale:
    """Columns of weights; a frame's even share, what it had if all frames were alike, is always as high.

    Attributes:
        num_frames: frames that share the weight.
        top: the weight that a whole column stands for.
    """

    num_frames: int
    top: float

    @classmethod
    def of(cls, hit: Hit) -> HeatScale:
        """The scale of one hit; it ends at twice the even share or above."""
        num_frames = len(hit.phrases[0].weights) if hit.phrases else 1
        highest = max((max(phrase.weights) for phrase in hit.phrases), default=0.0)
        return cls(num_frames, max(_LEAST_SHARES / num_frames, highest))

    @property
    def even(self) -> float:
        """A frame's even share."""
        return 1.0 / self.num_frames

    def part(self, weight: float) -> float:
        """How much of a column is filled, in [0, 1]."""
        return min(1.0, max(0.0, weight / self.top))

    def kinds(self, phrase: Phrase) -> list[str]:
        """What each column of a phrase is: the `best` one, `more` than an even share, or a `plain` one."""
        best = phrase.weights.index(max(phrase.weights))
        more = [weight >= MORE_THAN_EVEN * self.even for weight in phrase.weights]
        return ["best" if place == best else "more" if more[place] else "plain" for place in range(len(more))]


def draw_picture(explanation: Explanation, *, dark: bool = False, hits: int = 5, density: int = 2) -> bytes:
    """Draw an explanation as a PNG picture, for papers and chats.

    The picture has the page's drawings of graph, bars and columns. It is 1,200 logical pixels wide, or as wide as
    the graph.

    Args:
        explanation: the explanation.
        dark: light words on a dark background.
        hits: maximum number of hits.
        density: real pixels for each logical one.

    Raises:
        MissingPackageError: if resvg-py is not installed.
    """
    require_resvg()
    from resvg_py import svg_to_bytes

    values = _values(explanation) | {"dark": dark, "shown": explanation.hits[:hits]}
    picture = render("picture.svg", **values, wrapped=_wrapped, shortened=_shortened)
    # The words are in a font of our own, since a machine need have none; the machine's fonts add other scripts.
    return bytes(svg_to_bytes(svg_string=picture, zoom=density, font_dirs=[str(_FONTS)]))


def require_resvg() -> None:
    """Raise unless resvg-py, which turns the picture into pixels, is installed; it is not imported.

    Raises:
        MissingPackageError: saying how to install it.
    """
    if importlib.util.find_spec("resvg_py") is None:
        raise MissingPackageError(
            "the package 'resvg-py', which draws PNG pictures, is not installed: pip install 'hgrkit[pictures]'"
        )


def _values(explanation: Explanation) -> dict[str, Any]:
    """What the templates of the page and of the picture name."""
    return {
        "explanation": explanation,
        "result": explanation.result,
        "graph": explanation.graph,
        "layout": lay_out(explanation.graph),
        "scale": SimilarityScale.of(explanation.result.hits),
        "heat_scale": HeatScale.of,
        "frame_width": _frame_width,
        "clock": clock,
        "percent": percent,
        "nothing_matches": NOTHING_MATCHES,
        "role_meanings": ROLE_MEANINGS,
    }


def _frame_width(explained: HitExplanation) -> float:
    """How wide a shown frame is in the drawing's own units: pixels, as long as nothing stretches it."""
    return min(_WIDEST_FRAME, _STRIP_WIDTH / max(1, len(explained.strip)))


def _wrapped(text: str, columns: int, *, most: int) -> list[str]:
    """Text in so many lines at most; one line that is empty for no text."""
    return textwrap.wrap(text, columns, max_lines=most, placeholder="…") or [""]


def _shortened(text: str, font_size: float, width: float) -> str:
    """A line of text that is hardly wider than so many pixels; what is cut off becomes an ellipsis."""
    text = " ".join(text.split())
    if text_width(text, font_size) <= width:
        return text
    while text and text_width(f"{text}…", font_size) > width:
        text = text[:-1]
    return f"{text.rstrip()}…"
