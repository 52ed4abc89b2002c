"""Captions and file names on one line, as they may stand in an HTML page."""

from __future__ import annotations

from pathlib import PurePath

from hgrkit.graph.xml_text import xml_text

__all__ = ["file_name", "text"]

_LINE_BREAKS = str.maketrans("\n\t\r", "   ")


def text(words: str) -> str:
    """Words that read as they are: escaped, on one line, and what no page can hold replaced.

    >>> text("<b> & c")
    '&lt;b&gt; &amp; c'
    """
    return xml_text(words.translate(_LINE_BREAKS))


def file_name(path: str) -> str:
    """The last part of a path, as it may stand in a page.

    >>> file_name("clips/dog.mp4")
    'dog.mp4'
    """
    return text(PurePath(path).name or path)
