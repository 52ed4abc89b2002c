"""Neighbouring words that no plain sentence has: `a eggs`, `on road`, `being pulling`, `the something`."""

from __future__ import annotations

from collections.abc import Callable

from hgrkit.foils.inflection import with_article
from hgrkit.foils.sentence import Sentence
from hgrkit.foils.word_list import beings, places, things

__all__ = ["clashes", "first_noun"]

_SINGULAR = frozenset({"a", "an", "another", "each", "every", "this"})
_PLURAL = frozenset({"two", "three", "four", "five", "six", "several", "many", "these", "those", "few", "both"})
_DETERMINERS = frozenset({"a", "an", "the", "his", "her", "its", "their"})
_QUANTITIES = frozenset({"few", "lot", "dozen", "couple", "bunch", "group", "pair"})
_NOUNS = frozenset({"NOUN", "NOUNS"})
_PLURAL_NOUNS = frozenset({"people", "men", "women", "children"})
_EITHER = frozenset("police fish deer sheep shrimp series scissors pants glasses dozen".split()) | _PLURAL_NOUNS
_STANDING = frozenset({"vehicle", "device", "clothing", "utensil", "furniture", "aircraft", "plant", "weapon"})
_PLACING = frozenset({"in", "on", "at", "through", "across", "near", "into", "onto", "along", "with", "of"})
_WITHOUT_ARTICLE = frozenset(
    "stage bed water grass snow sand ice mud dirt rain church school town home air sky wood woods sea "
    "concert".split()
)


def clashes(sentence: Sentence, position: int) -> bool:
    """Whether the word at this position cannot stand before the next."""
    return any(rule(sentence, position) for rule in _RULES)


def _is_doubled(sentence: Sentence, position: int) -> bool:
    word, after = sentence.words[position : position + 2]
    return word == after and word != "very"


def _has_wrong_article(sentence: Sentence, position: int) -> bool:
    word, after = sentence.words[position : position + 2]
    if word not in {"a", "an"}:
        return word in _DETERMINERS and after in {"something", "someone", "somebody"}
    uncounted = "uncounted" in things().get(after, frozenset()) and not _before_noun(sentence, position + 1)
    return with_article(after) != word or uncounted


def _has_wrong_form(sentence: Sentence, position: int) -> bool:
    """`doing skating`, `being pulling`, `it's mouth`."""
    word, after = sentence.words[position : position + 2]
    if word in {"do", "does", "did", "doing"}:
        return "VBG" in sentence.tags[position + 1]
    if word == "it":
        return after in {"'s", "\u2019s"} and _before_noun(sentence, position + 1)
    return word == "being" and after.endswith("ing")


def _lacks_article(sentence: Sentence, position: int) -> bool:
    """`on road`, `in pan`: a bare singular noun for a place or a thing behind a preposition."""
    noun, tags = sentence.words[position + 1], sentence.tags[position + 1]
    if sentence.tags[position][0] != "PREP" or sentence.words[position] not in _PLACING or "NOUNS" in tags:
        return False
    counted = things().get(noun, frozenset()) - {"of", "uncounted"}
    place = noun in places() and noun not in _WITHOUT_ARTICLE
    return (place or (bool(counted) and counted <= _STANDING)) and not _before_noun(sentence, position + 1)


def _has_wrong_number(sentence: Sentence, position: int) -> bool:
    """`a men`, `two dog`, `some puppy`, `two toys car`."""
    word, after = sentence.words[position : position + 2]
    if word in _SINGULAR:
        return not _is_singular(sentence, position + 1)
    if word == "some":
        return after in beings().kinds and beings().singular[after] == after and after not in _EITHER
    if word not in _PLURAL:
        return False
    tags, later = sentence.tags[position + 1], sentence.tags[position + 2 : position + 3]
    if tags[0] == "NOUNS":
        return bool(later) and later[0] == ("NOUN",)
    return (
        tags[0] == "NOUN"
        and "NOUNS" not in tags
        and after not in _EITHER
        and not (bool(later) and later[0][0] in _NOUNS)
    )


def _is_singular(sentence: Sentence, position: int) -> bool:
    """Whether a noun stands behind a singular determiner, and not in the plural."""
    if sentence.words[position] in _DETERMINERS:
        return False
    if sentence.words[position] in _QUANTITIES:
        return True
    head = first_noun(sentence, position)
    tags, later = sentence.tags[head], sentence.tags[head + 1 : head + 2]
    if sentence.words[head] in _PLURAL_NOUNS or (tags[0] == "ADJ" and bool(later) and later[0][0] == "VBG"):
        return False
    if sentence.words[head] in _EITHER or tags[0] != "NOUNS":
        return True
    possessor = sentence.words[head] in beings().kinds  # `a cats hair`
    return bool(later) and later[0][0] in _NOUNS and "VBZ" not in later[0] and not possessor


def first_noun(sentence: Sentence, position: int) -> int:
    """The first noun from here, adjectives skipped."""
    while position + 1 < len(sentence) and (
        sentence.tags[position][0] in {"ADJ", "ADV", "VBG", "VBN"}
        and sentence.tags[position + 1][0] in _NOUNS | {"ADJ"}
    ):
        position += 1
    return position


def _before_noun(sentence: Sentence, position: int) -> bool:
    return position + 1 < len(sentence) and sentence.tags[position + 1][0] in _NOUNS


_RULES: tuple[Callable[[Sentence, int], bool], ...] = (
    _is_doubled,
    _has_wrong_article,
    _has_wrong_form,
    _lacks_article,
    _has_wrong_number,
)
