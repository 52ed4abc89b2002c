"""What the Lark parser knows of single words: possible tags in order of likelihood, and the lemmas of verbs."""

from __future__ import annotations

import functools
import gzip
from collections.abc import Mapping
from importlib import resources

import attrs

__all__ = ["AUXILIARY_TAGS", "FINITE_TAGS", "VERB_TAGS", "Lexicon"]

VERB_TAGS = frozenset({"VB", "VBZ", "VBD", "VBN", "VBG"})
AUXILIARY_TAGS = frozenset({"BE", "HAVE", "DO", "MD"})
FINITE_TAGS = frozenset({"VBZ", "VBD", "MD"})

_SUFFIXES = (
    ("ing", "VBG NOUN ADJ"),
    ("ed", "VBD VBN ADJ"),
    ("ly", "ADV ADJ"),
    ("ss", "NOUN"),
    ("us", "NOUN ADJ"),
    ("is", "NOUN"),
    ("s", "NOUNS VBZ"),
)


@attrs.frozen
class Lexicon:
    """Word forms with their possible tags and verb lemmas.

    Attributes:
        readings: the possible tags of each form, joined by blanks, the likeliest first; `!` marks a tag that
            dominates. The string is the form's ambiguity class.
        lemmas: the lemma of each verb form.
    """

    readings: Mapping[str, str] = attrs.field(repr=False)
    lemmas: Mapping[str, str] = attrs.field(repr=False)

    @classmethod
    @functools.cache
    def load(cls) -> Lexicon:
        """The lexicon that hgrkit carries, read once."""
        folder = resources.files("hgrkit.parsing")
        readings: dict[str, str] = {}
        lemmas: dict[str, str] = {}
        for line in gzip.decompress(folder.joinpath("lexicon.txt.gz").read_bytes()).decode("utf-8").splitlines():
            form, tags, *lemma = line.split("\t")
            readings[form] = tags
            if lemma:
                lemmas[form] = lemma[0]
        closed: dict[str, list[str]] = {}
        for line in folder.joinpath("closed_classes.txt").read_text(encoding="utf-8").splitlines():
            tags, _, words = line.partition(": ")
            if not line.startswith("# "):
                for word in words.split():
                    closed.setdefault(word, []).extend(tags.split())
        for word, listed in closed.items():
            readings[word] = " ".join(dict.fromkeys(listed + readings.get(word, "").removesuffix("!").split()))
        return cls(readings=readings, lemmas=lemmas)

    def reading(self, word: str) -> str:
        """The ambiguity class of a lower-cased word; guessed from shape and suffix if the word is unknown.

        >>> Lexicon.load().reading("okonomiyaking")
        'VBG NOUN ADJ'
        """
        return self.readings.get(word) or self._guess(word)

    def lemma(self, word: str) -> str:
        """The lemma of a verb form; the form itself, less an inflection, if it is unknown."""
        found = self.lemmas.get(word)
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
        last = self.readings.get(word.rpartition("-")[2], "NOUN")
        return {"VBG": "ADJ NOUN VBG", "VBD": "ADJ VBD VBN", "VBN": "ADJ VBN VBD"}.get(last.split()[0], "NOUN ADJ")
