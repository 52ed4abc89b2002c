"""Second step of the Lark parser: refined tags, then groups of words by an LALR grammar."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from importlib import resources
from typing import Any

import attrs
import lark
from lark.lexer import Lexer

from hgrkit.parsing.lexicon import AUXILIARY_TAGS, VERB_TAGS, in_class, members

__all__ = ["Chunk", "group_words", "refine"]

COMPLEX_PREPOSITIONS = frozenset(tuple(words.split("_")) for words in members("complex_preposition"))
_STARTS = frozenset(words[0] for words in COMPLEX_PREPOSITIONS)
_LONGEST = max(map(len, COMPLEX_PREPOSITIONS))
_TITLES = frozenset({"dr", "mr", "mrs", "ms", "st"})
_BEFORE_INNER = AUXILIARY_TAGS | {"NEG", "TO"}
_BOUNDS = {"at": ("least", "most"), "more": ("than",), "less": ("than",), "fewer": ("than",), "up": ("to",)}
_BEFORE_COUNT = frozenset({"NUM", "LINK"})
_GETS = frozenset({"get", "gets", "getting", "got"})
_MORE = frozenset({"more", "fewer", "less"})
_MORE_WORDS = (["more"], ["fewer"], ["less"])
_PLACES = frozenset(
    "outside inside underneath near behind above below beside in around along across through past".split()
)
_IN_CONTEXT = _PLACES | frozenset("either both first off on how which what".split())
_NOMINAL = frozenset({"DET", "NUM", "ADJ", "NOUN", "NOUNS", "PRON"})


def refine(words: Sequence[str], tags: Sequence[str]) -> list[str]:
    """Refine tags for the grammar: complex prepositions, `INNER` and `DEGREE` adverbs, and `LINK`s.

    >>> refine("a man stands in front of a very big dog".split(),
    ...        "DET NOUN VBZ PREP NOUN PREP DET ADV ADJ NOUN".split())[3:8]
    ['PREP', 'PREP', 'PREP', 'DET', 'DEGREE']
    """
    refined = list(tags)
    position = 0
    while position < len(words):
        length = _complex_preposition(words, refined, position)
        if words[position] in _BOUNDS and _is_bound(words, refined, position):
            length, refined[position : position + 2] = 2, ["DEGREE", "DEGREE"]
        elif length:
            refined[position : position + length] = ["PREP"] * length
        else:
            refined[position] = _refined(words, refined, position)
        position += length or 1
    return refined


def _complex_preposition(words: Sequence[str], tags: Sequence[str], position: int) -> int:
    if words[position] in _STARTS:
        for length in range(min(_LONGEST, len(words) - position), 1, -1):
            following = tags[position + length] if position + length < len(tags) else ""
            if tuple(words[position : position + length]) in COMPLEX_PREPOSITIONS and following not in VERB_TAGS:
                return length
    # "back to the house", "down into the water"
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
    if (
        tag == "NUM" or before in _BEFORE_COUNT or words[position] in _IN_CONTEXT
    ):  # few words: the rest is spared the look
        found = _refined_count(words, position, before, after) or _refined_in_context(words, tags, position)
        if found:
            return found
    if tag == "ADV":  # of an adjective, inside a verb group, or on its own
        return _refined_adverb(tags, position, before, after)
    # "black and white dogs", "a big, red ball": one group of words
    joined = tag == "CC" and before == "ADJ" and words[position] in {"and", "or", "&"}
    listed = tag == "PUNCT" and before in {"ADJ", "NUM"} and words[position] == ","
    if (joined or listed) and after == "ADJ":
        return "LINK"
    # the full stop of "dr." ends no sentence
    if words[position] == "." and position and words[position - 1] in _TITLES and after in _NOMINAL:
        return "NOUN"
    if tag == "TO" and after in _NOMINAL:
        return "PREP"
    return tag


def _is_bound(words: Sequence[str], tags: Sequence[str], position: int) -> bool:
    """Whether a count follows, "[at least] three"."""
    counted = position + 2 < len(words) and tags[position + 2] == "NUM"
    return counted and words[position + 1] in _BOUNDS[words[position]]


def _refined_in_context(words: Sequence[str], tags: Sequence[str], position: int) -> str:
    """Tags that the neighbours settle, mostly in queries; empty for none."""
    word, tag = words[position], tags[position]
    before = words[position - 1] if position else ""
    after = tags[position + 1] if position + 1 < len(tags) else ""
    nominal = after in _NOMINAL - {"PRON"}
    if word in {"either", "both", "first"} and after in {"VBG", "VBN"} and tag not in VERB_TAGS:
        return "INNER"
    placed = word in _PLACES and tag in {"ADV", "PRT"}
    if nominal and (placed or (word in {"off", "on"} and before in _GETS)):
        return "PREP"
    return "DET" if tag in {"WH", "REL"} and _asks_for_noun(words, position, after) else ""


def _asks_for_noun(words: Sequence[str], position: int, after: str) -> bool:
    """Whether a question word belongs to a noun: "how many cars", "which team"."""
    word, following = words[position], words[position + 1 : position + 2]
    return (word == "how" and following in (["many"], ["much"])) or (
        word in {"which", "what"} and after in {"NOUN", "NOUNS"}
    )


def _refined_count(words: Sequence[str], position: int, before: str, after: str) -> str:
    """Words inside a count or a time, "one [or more] people", "3 [:] 45 [am]", "gate [4]"; empty for others."""
    word = words[position]
    if before == "LINK":
        return "DEGREE" if word in _MORE and words[position - 1] == "or" else ""
    if before in {"NOUN", "NOUNS"}:
        numbers = word.isdigit() and after not in _NOMINAL | {"PUNCT", "CC", "POS"}
        return "NOUN" if numbers else ""
    if before != "NUM":
        return ""
    if (word == "or" and words[position + 1 : position + 2] in _MORE_WORDS) or (word == ":" and after == "NUM"):
        return "LINK"
    return "NOUN" if word == "am" else ""


def _refined_adverb(tags: Sequence[str], position: int, before: str, after: str) -> str:
    if after in {"ADJ", "NUM"}:
        return "DEGREE"
    following = position + 1
    while following < len(tags) and tags[following] == "ADV" and following - position < 4:
        following += 1
    verb_follows = following < len(tags) and tags[following] in VERB_TAGS | {"BE"}
    return "INNER" if before in _BEFORE_INNER | {"INNER"} and verb_follows else "ADV"


@attrs.frozen
class Chunk:
    """A group of neighbouring words.

    Attributes:
        kind: the grammar's rule (`noun_group`, `preposition`, `verb_group`, `adverb`), or a mark's tag.
        start: its first token.
        stop: one past its last token.
        tags: the tags of its tokens.
    """

    kind: str
    start: int
    stop: int
    tags: tuple[str, ...]


class _TagLexer(Lexer):
    """Hands the grammar one terminal a tag; the value is the token's position."""

    def __init__(self, lexer_conf: Any) -> None:
        del lexer_conf

    def lex(self, lexer_state: Any, parser_state: Any = None) -> Iterator[lark.Token]:
        """The tags as terminals."""
        del parser_state
        for position, tag in enumerate(lexer_state):
            yield lark.Token(tag, position)


class _Chunks(lark.Transformer[lark.Token, list[Chunk]]):
    def start(self, children: list[Chunk]) -> list[Chunk]:
        return children

    def nominal(self, children: list[Any]) -> list[Any]:
        if not isinstance(children[0], list):
            return children
        children[0].extend(children[1:])  # in place: a chain of possessors stays linear
        return children[0]

    def noun_group(self, children: list[Any]) -> Chunk:
        return _chunk("noun_group", children[0] if isinstance(children[0], list) else children)

    def preposition(self, children: list[Any]) -> Chunk:
        return _chunk("preposition", children)

    def verb_group(self, children: list[Any]) -> Chunk:
        return _chunk("verb_group", children)

    def adverb(self, children: list[Any]) -> Chunk:
        return _chunk("adverb", children)

    def mark(self, children: list[Any]) -> Chunk:
        return _chunk(children[0].type, children)


def _chunk(kind: str, tokens: Sequence[Any]) -> Chunk:
    return Chunk(kind, tokens[0].value, tokens[-1].value + 1, tuple([token.type for token in tokens]))


@functools.cache
def _grammar() -> lark.Lark:
    grammar = resources.files("hgrkit.parsing").joinpath("chunk.lark").read_text(encoding="utf-8")
    return lark.Lark(grammar, parser="lalr", lexer=_TagLexer, transformer=_Chunks())


def group_words(tags: Sequence[str]) -> list[Chunk]:
    """Group the tokens of a sentence, in order; every token is in exactly one group.

    >>> [chunk.kind for chunk in group_words(["DET", "NOUN", "BE", "VBG", "PREP", "DET", "NOUN"])]
    ['noun_group', 'verb_group', 'preposition', 'noun_group']
    """
    return list(_grouped(tuple(tags)))


# Captions are alike: of 26,000 distinct ones every third has the tags of an earlier one. Long texts are not kept.
_KEPT = 24


def _grouped(tags: tuple[str, ...]) -> Sequence[Chunk]:
    return _parsed(tags) if len(tags) > _KEPT else _grouped_before(tags)


def _parsed(tags: tuple[str, ...]) -> Sequence[Chunk]:
    chunks: list[Chunk] = _grammar().parse(tags)  # type: ignore[assignment]
    return chunks


_grouped_before = functools.lru_cache(maxsize=5000)(_parsed)
