"""Text as it may stand in an HTML page or in an SVG picture, whatever a caption or a file name holds."""

from __future__ import annotations

import unicodedata
from html import escape
from pathlib import PurePath

__all__ = ["file_name", "text"]


def text(words: str) -> str:
    """Words that read as they are: escaped, on one line, and what no page can hold replaced.

    >>> text("<b> & c")
    '&lt;b&gt; &amp; c'
    """
    return escape("".join(map(_legal, words)))


def _legal(character: str) -> str:
    if character in "\n\t\r":
        return " "
    return "\ufffd" if unicodedata.category(character) in ("Cc", "Cs", "Cn") else character


def file_name(path: str) -> str:
    """The last part of a path, as it may stand in a page.

    >>> file_name("clips/dog.mp4")
    'dog.mp4'
    """
    return text(PurePath(path).name or path)
