"""The part of a phrase that a foil can move or replace: determiner, adjectives and noun, and nothing more."""

from __future__ import annotations

import functools

import attrs

from hgrkit.graph import Node
from hgrkit.research.foils.sentence import Sentence
from hgrkit.research.foils.word_list import beings, things

__all__ = ["NounCore", "classes_of", "noun_core"]

_NOT_INSIDE = frozenset(
    {"that", "which", "who", "'s", "\u2019s", ",", "other", "each", "something", "it", "them", "there", "own"}
)
_HUMAN = frozenset({"man", "woman", "boy", "girl", "child", "baby", "teen", "person", "role"})
_NEITHER = frozenset({"robot", "pronoun_man", "pronoun_woman", "plural_person"})
_GROUPS = frozenset({"group", "bunch", "pair", "herd", "pack", "number", "team", "crowd", "flock"})
_POSSESSIVE = frozenset({"his", "her", "its", "their", "my", "your", "our"})
_HEAD_TAGS = ("NOUN", "NOUNS")
_INSIDE_TAGS = frozenset({"DET", "NUM", "ADJ", "NOUN", "NOUNS", "ADV", "VBN", "VBG", "CC"})


@attrs.frozen(kw_only=True)
class NounCore:
    """A noun phrase within a node.

    Attributes:
        start: its first token.
        stop: the end, the noun included, and an `of` phrase of a measure with it.
        head: the noun.
        noun: the word that says what it is: the noun, or the one behind `of`.
        determined: whether it begins with a determiner, a number or a plural noun.
        possessive: whether it begins with `his` and the like.
    """

    start: int
    stop: int
    head: int
    noun: str
    determined: bool
    possessive: bool


@functools.lru_cache(maxsize=256)  # every type asks for the same few
def noun_core(sentence: Sentence, node: Node) -> NounCore | None:
    """The core of an entity; `None` if it is a pronoun, coordinated, or not made of plain words."""
    if node.head is None:
        return None
    words, tags, head = sentence.words, sentence.tags, node.head
    start = node.span.start
    while start < head and tags[start][0] in {"PREP", "TO"}:
        start += 1
    plain = all(tags[at][0] in _INSIDE_TAGS and words[at] not in _NOT_INSIDE for at in range(start, head))
    if not plain or tags[head][0] not in (*_HEAD_TAGS, "VBG", "VB", "ADJ") or "PRON" in tags[head]:
        return None
    if "NOUN" not in tags[head] and "NOUNS" not in tags[head]:
        return None
    if head + 1 < len(sentence) and not _may_end_before(sentence, head):
        return None
    stop, noun = head + 1, words[head]
    if stop < node.span.stop and words[stop] == "of":
        stop, inside = _of_phrase(sentence, node, stop)
        if not inside:
            return None
        noun = inside if "of" in things().get(noun, ()) or noun in _GROUPS else noun
    first = tags[start][0]
    return NounCore(
        start=start,
        stop=stop,
        head=head,
        noun=noun,
        determined=first in {"DET", "NUM"}
        or tags[head][0] == "NOUNS"
        or words[head] in {"people", "men", "women"},
        possessive=words[start] in _POSSESSIVE,
    )


def _may_end_before(sentence: Sentence, head: int) -> bool:
    """Whether what follows does not show that the noun is an adjective or a part of another word."""
    after = sentence.words[head + 1]
    if after in {"'s", "\u2019s", "'"} or sentence.tags[head + 1][0] == "ADJ":
        return False
    later = sentence.tags[head + 2 : head + 3]
    if sentence.tags[head + 1][0] in {"VBN", "VBD"} and later and later[0][0] in {"NOUN", "NOUNS"}:
        return False
    return not (after in {"and", "or", ","} and sentence.tags[head][0] == "ADJ")


def classes_of(noun: str) -> frozenset[str]:
    """What a noun is, for the choice of a verb: classes of things, `person`, `animal`; empty if not known."""
    found = things().get(noun, frozenset())
    kinds = beings().kinds.get(noun, frozenset())
    if found or not kinds:
        return found - {"mass", "uncounted", "counted"}
    if kinds & _HUMAN:
        return frozenset({"person"})
    return frozenset() if kinds & _NEITHER else frozenset({"animal"})


def _of_phrase(sentence: Sentence, node: Node, of: int) -> tuple[int, str]:
    """The end of `of` and a plain noun phrase behind it, and that noun; the noun is empty if it is not plain."""
    at = of + 1
    while at < node.span.stop and sentence.tags[at][0] in {"DET", "NUM", "ADJ"}:
        at += 1
    if at >= node.span.stop or sentence.tags[at][0] not in _HEAD_TAGS:
        return of, ""
    while at + 1 < node.span.stop and sentence.tags[at + 1][0] in _HEAD_TAGS:
        at += 1
    return at + 1, sentence.words[at]
