"""Which language a sentence is in, as far as its letters and function words tell: a warning, not a verdict."""

from __future__ import annotations

import functools
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence

from hgrkit.parsing.lexicon import table_lines

__all__ = ["other_language"]

_ENGLISH = frozenset(
    """a an the and or but of in on at to from with by for as is are was were be being been am it its he his him
    she her they them their we our you your i my this that these those there who which what where when while not
    no do does did has have had up down out off over under into onto through near next behind front around then
    than some two""".split()
)
"""English function words; those that stand in other lists as well, such as `on`, count for English."""


@functools.cache
def _languages() -> Mapping[str, frozenset[str]]:
    lines = (line.partition(": ") for line in table_lines("function_words.txt"))
    return {language: frozenset(words.split()) - _ENGLISH for language, _, words in lines}


def other_language(words: Sequence[str]) -> str | None:
    """The language or the script of a sentence that does not look like English; `None` if it does.

    A sentence of content words alone, such as `perro parque`, tells nothing and passes for English.

    >>> other_language("ein hund läuft durch den park".split())
    'German'
    >>> other_language("собака бежит".split())
    'Cyrillic letters'
    >>> other_language("a dog runs".split()) is None
    True
    """
    lower = [word.lower() for word in words]
    scripts = Counter(unicodedata.name(letter, "").split(" ")[0] for letter in "".join(lower) if letter.isalpha())
    script, count = scripts.most_common(1)[0] if scripts else ("LATIN", 0)
    if script != "LATIN" and count > sum(scripts.values()) / 2:
        return f"{script.capitalize() if script != 'CJK' else 'Chinese'} letters"
    english = sum(word in _ENGLISH for word in lower)
    counts = {language: sum(word in known for word in lower) for language, known in _languages().items()}
    most = max(counts.values())
    if most <= english or most * 6 < len(lower):
        return None
    likeliest = [language for language, found in counts.items() if found == most]
    return likeliest[0] if len(likeliest) == 1 else "another language than English"
