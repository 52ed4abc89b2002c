"""Why these clips were found: every hit of a search with its film strip, to look at, save or compute with."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import attrs

from hgrkit.arguments import check_flag, check_instance, check_path, check_whole
from hgrkit.errors import ConfigError
from hgrkit.graph import RoleGraph
from hgrkit.pages.hit_explanation import HitExplanation, explain_hit
from hgrkit.results import SearchResult
from hgrkit.storage.atomic_file import writing

__all__ = ["Explanation", "explain_result"]

NUM_FRAMES = 12


@attrs.frozen(kw_only=True)
class Explanation:
    """A search result with everything that shows why.

    Attributes:
        result: what `search` returned; every number of the explanation is one of its.
        hits: one a hit, in the same order.
    """

    result: SearchResult
    hits: tuple[HitExplanation, ...]

    @property
    def query(self) -> str:
        """The text that was asked."""
        return self.result.query

    @property
    def graph(self) -> RoleGraph:
        """How it was read."""
        return self.result.graph

    def to_dict(self) -> dict[str, Any]:
        """The explanation as plain JSON types: the result's own record with more in every hit."""
        return {**self.result.to_dict(), "hits": [hit.to_dict() for hit in self.hits]}

    def to_html(self) -> str:
        """One HTML page that needs nothing else and asks nothing from elsewhere."""
        from hgrkit.pages.page import explanation_page

        return explanation_page(self)

    def save(self, path: str | PathLike[str], *, dark: bool = False) -> None:
        """Write the explanation as a page or a picture.

        Args:
            path: a file that ends in `.html`, `.htm` or `.png`; overwritten if it exists.
            dark: draw the picture on a dark ground; a page follows its reader's setting.

        Raises:
            ConfigError: if the name ends in something else.
            MissingPackageError: if a picture is asked for and Pillow is not installed.
            OSError: if the file cannot be written.
        """
        target = Path(check_path("path", path))
        check_flag("dark", dark)
        if target.suffix.lower() in (".html", ".htm"):
            page = self.to_html()
            with writing(target):
                target.write_text(page, encoding="utf-8")
        elif target.suffix.lower() == ".png":
            from hgrkit.pages.poster import draw_poster

            picture = draw_poster(self, dark=dark)
            with writing(target):
                target.write_bytes(picture)
        else:
            raise ConfigError(f"an explanation is saved as .html or .png, got {target.name!r}.")

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from hgrkit.pages.page import explanation_frame

        return explanation_frame(self)


def explain_result(result: SearchResult, *, num_frames: int = NUM_FRAMES) -> Explanation:
    """Explain every hit; each video is read once.

    A video that is gone or cannot be read makes a hit without pictures and with a note.

    Args:
        result: what a search returned.
        num_frames: frames of a film strip, at most; at least 1.

    Raises:
        ConfigError: if `num_frames` is less than 1.
    """
    check_instance("result", result, SearchResult, hint="give what Retriever.search returned")
    num_frames = check_whole("num_frames", num_frames)
    hits = tuple(explain_hit(hit, result.graph, num_frames=num_frames) for hit in result.hits)
    return Explanation(result=result, hits=hits)
