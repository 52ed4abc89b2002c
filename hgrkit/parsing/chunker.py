"""Fourth step of the Lark parser: tags to groups of words, by the LALR grammar of `chunk.lark`."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from importlib import resources
from typing import Any

import attrs
import lark
from lark.lexer import Lexer

__all__ = ["Chunk", "Chunker"]


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


class Chunker:
    """The compiled grammar."""

    def __init__(self) -> None:
        grammar = resources.files("hgrkit.parsing").joinpath("chunk.lark").read_text(encoding="utf-8")
        self._lark = lark.Lark(grammar, parser="lalr", lexer=_TagLexer, transformer=_Chunks())

    @classmethod
    @functools.cache
    def load(cls) -> Chunker:
        """The one chunker, compiled once."""
        return cls()

    def chunks(self, tags: Sequence[str]) -> list[Chunk]:
        """The groups of a sentence, in order; together they cover every token once.

        >>> [chunk.kind for chunk in Chunker.load().chunks(["DET", "NOUN", "BE", "VBG", "PREP", "DET", "NOUN"])]
        ['noun_group', 'verb_group', 'preposition', 'noun_group']
        """
        chunks: list[Chunk] = self._lark.parse(tags)  # type: ignore[assignment]
        return chunks
