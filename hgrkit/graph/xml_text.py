"""Text as it may stand in a page or an SVG picture, whatever a sentence or a file name holds."""

from __future__ import annotations

import unicodedata
from html import escape

__all__ = ["xml_text"]


def xml_text(text: str) -> str:
    """Text that stands in XML and HTML as it reads; what they cannot hold becomes a replacement character.

    >>> xml_text('<b> & "c"')
    '&lt;b&gt; &amp; &quot;c&quot;'
    """
    legal = "".join(
        character if character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cs", "Cn") else "\ufffd"
        for character in text
    )
    return escape(legal)
