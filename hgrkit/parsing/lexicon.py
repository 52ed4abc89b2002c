"""What the Lark parser knows of single words: likely tags, lemmas of verbs, small classes of words."""

from __future__ import annotations

import functools
import gzip
from collections.abc import Mapping
from importlib import resources
from operator import methodcaller

import attrs

__all__ = [
    "AUXILIARY_TAGS",
    "VERB_TAGS",
    "Lexicon",
    "candidates",
    "in_class",
    "is_animate",
    "members",
    "table_lines",
]


def table_lines(name: str, package: str = "hgrkit.parsing") -> list[str]:
    """Read the lines of a table from a package, without comments; `.gz` files are decompressed.

    >>> table_lines("closed_classes.txt")[0][:14]
    'DET: a an the '
    """
    content = resources.files(package).joinpath(name).read_bytes()
    if name.endswith(".gz"):  # large, and without comments
        return gzip.decompress(content).decode("utf-8").splitlines()
    return [line for line in content.decode("utf-8").splitlines() if not line.startswith("# ")]


@functools.cache
def _classes() -> Mapping[str, frozenset[str]]:
    lines = (line.partition(": ") for line in table_lines("word_classes.txt"))
    return {name: frozenset(words.split()) for name, _, words in lines}


def in_class(word: str, name: str) -> bool:
    """Whether a word is listed in a class.

    >>> in_class("walk", "manner_of_motion")
    True
    """
    return word in _classes().get(name, frozenset())


def is_animate(noun: str) -> bool:
    """Whether a noun names a person or an animal, in singular or plural."""
    animate = _classes()["animate"]
    return noun in animate or (noun.endswith("s") and (noun[:-1] in animate or noun.removesuffix("es") in animate))


def members(name: str) -> frozenset[str]:
    """All the words of a class."""
    return _classes()[name]


_PART = 4
"""Letters of each part of a compound, at least: shorter words are found in anything."""

VERB_TAGS = frozenset({"VB", "VBZ", "VBD", "VBN", "VBG"})
AUXILIARY_TAGS = frozenset({"BE", "HAVE", "DO", "MD"})

_SUFFIXES = (
    ("ing", "VBG NOUN ADJ"),
    ("ed", "VBD VBN ADJ"),
    ("ly", "ADV ADJ"),
    ("ss", "NOUN"),
    ("us", "NOUN ADJ"),
    ("is", "NOUN"),
    ("s", "NOUNS VBZ"),
)


@functools.cache
def candidates(reading: str) -> tuple[str, ...]:
    """The tags of an ambiguity class."""
    return tuple(reading.removesuffix("!").split())


@attrs.frozen
class Lexicon:
    """Word forms with their possible tags and verb lemmas.

    Attributes:
        entries: for each form its possible tags, joined by blanks, the likeliest first (`!` marks one that
            dominates), and after a tab the lemma of a verb form. The tags' string is the form's ambiguity class.
    """

    entries: Mapping[str, str] = attrs.field(repr=False)

    @classmethod
    @functools.cache
    def load(cls) -> Lexicon:
        """Load hgrkit's own lexicon, once."""
        entries = dict(map(methodcaller("split", "\t", 1), table_lines("lexicon.txt.gz")))
        closed: dict[str, list[str]] = {}
        for line in table_lines("closed_classes.txt"):
            tags, _, words = line.partition(": ")
            for word in words.split():
                closed.setdefault(word, []).extend(tags.split())
        for word, listed in closed.items():
            others, tab, lemma = entries.get(word, "").partition("\t")
            entries[word] = " ".join(dict.fromkeys(listed + others.removesuffix("!").split())) + tab + lemma
        return cls(entries)

    def reading(self, word: str) -> str:
        """Look up the ambiguity class of a lower-cased word; guess it by shape and suffix if unknown.

        >>> Lexicon.load().reading("okonomiyaking")
        'VBG NOUN ADJ'
        """
        entry = self.entries.get(word)
        return self._guess(word) if entry is None else entry.partition("\t")[0]

    def knows(self, word: str) -> bool:
        """Whether a lower-cased word is listed, or is two listed words written as one.

        >>> [Lexicon.load().knows(word) for word in ("dog", "snowboarder", "flurbl")]
        [True, True, False]
        """
        cuts = range(_PART, len(word) - _PART + 1)
        return word in self.entries or any(
            word[:cut] in self.entries and word[cut:] in self.entries for cut in cuts
        )

    def lemma(self, word: str) -> str:
        """Look up the lemma of a verb form; strip an inflection if it is unknown."""
        found = self.entries.get(word, "").partition("\t")[2]
        if found:
            return found
        for suffix in ("ing", "ed", "s"):
            if word.endswith(suffix) and len(word) > len(suffix) + 2:
                return word.removesuffix(suffix)
        return word

    def _guess(self, word: str) -> str:
        if not any(map(str.isalnum, word[:50])):
            return "PUNCT"
        if word[0].isdigit():
            return "NUM" if word.replace(".", "").replace(",", "").isdigit() else "NUM ADJ NOUN"
        if "-" in word:
            return self._guess_compound(word)
        for suffix, tags in _SUFFIXES:
            if word.endswith(suffix) and len(word) > len(suffix) + 2:
                return tags
        return "NOUN VB ADJ NOUNS"

    def _guess_compound(self, word: str) -> str:
        last = self.entries.get(word.rpartition("-")[2], "NOUN").partition("\t")[0].removesuffix("!").split()[0]
        return {"VBG": "ADJ NOUN VBG", "VBD": "ADJ VBD VBN", "VBN": "ADJ VBN VBD"}.get(last, "NOUN ADJ")
