"""Third step of the Lark parser: tags refined by their neighbours, so that one token of foresight is enough."""

from __future__ import annotations

from collections.abc import Sequence

from hgrkit.parsing.lexicon import AUXILIARY_TAGS, VERB_TAGS
from hgrkit.parsing.word_classes import in_class, members

__all__ = ["COMPLEX_PREPOSITIONS", "refine"]

COMPLEX_PREPOSITIONS = frozenset(tuple(words.split("_")) for words in members("complex_preposition"))
_STARTS = frozenset(words[0] for words in COMPLEX_PREPOSITIONS)
_LONGEST = max(map(len, COMPLEX_PREPOSITIONS))
_TITLES = frozenset({"dr", "mr", "mrs", "ms", "st"})
_BEFORE_INNER = AUXILIARY_TAGS | {"NEG", "TO"}
_NOMINAL = frozenset({"DET", "NUM", "ADJ", "NOUN", "NOUNS", "PRON"})


def refine(words: Sequence[str], tags: Sequence[str]) -> list[str]:
    """Tags for the grammar: complex prepositions, `INNER` adverbs of a verb group, `DEGREE` adverbs and `LINK`s.

    >>> refine("a man stands in front of a very big dog".split(),
    ...        "DET NOUN VBZ PREP NOUN PREP DET ADV ADJ NOUN".split())[3:8]
    ['PREP', 'PREP', 'PREP', 'DET', 'DEGREE']
    """
    refined = list(tags)
    size = len(words)
    position = 0
    while position < size:
        length = _complex_preposition(words, refined, position)
        if length:
            refined[position : position + length] = ["PREP"] * length
            position += length
            continue
        refined[position] = _refined(words, refined, position)
        position += 1
    return refined


def _complex_preposition(words: Sequence[str], tags: Sequence[str], position: int) -> int:
    if words[position] in _STARTS:
        for length in range(min(_LONGEST, len(words) - position), 1, -1):
            following = tags[position + length] if position + length < len(tags) else ""
            if tuple(words[position : position + length]) in COMPLEX_PREPOSITIONS and following not in VERB_TAGS:
                return length
    if (
        in_class(words[position], "directional_adverb")
        and tags[position] in {"ADV", "PRT", "PREP"}
        and position + 2 < len(tags)
        and in_class(words[position + 1], "goal_preposition")
        and tags[position + 2] in _NOMINAL | {"PREP"}
    ):
        return 2
    return 0


def _refined(words: Sequence[str], tags: Sequence[str], position: int) -> str:
    tag = tags[position]
    before = tags[position - 1] if position else ""
    after = tags[position + 1] if position + 1 < len(tags) else ""
    if tag == "ADV":
        return _refined_adverb(tags, position, before, after)
    if tag == "CC" and before == "ADJ" and after == "ADJ" and words[position] in {"and", "or", "&"}:
        return "LINK"
    if tag == "PUNCT" and words[position] == "," and before in {"ADJ", "NUM"} and after == "ADJ":
        return "LINK"
    if words[position] == "." and position and words[position - 1] in _TITLES and after in _NOMINAL:
        return "NOUN"
    if tag == "TO" and after in _NOMINAL:
        return "PREP"
    return tag


def _refined_adverb(tags: Sequence[str], position: int, before: str, after: str) -> str:
    if after in {"ADJ", "NUM"}:
        return "DEGREE"
    following = position + 1
    while following < len(tags) and tags[following] == "ADV" and following - position < 4:
        following += 1
    verb_follows = following < len(tags) and tags[following] in VERB_TAGS | {"BE"}
    return "INNER" if before in _BEFORE_INNER | {"INNER"} and verb_follows else "ADV"
