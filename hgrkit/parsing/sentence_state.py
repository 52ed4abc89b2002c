"""What the Lark parser keeps while it reads a sentence's chunks from left to right."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from hgrkit.parsing.chunker import Chunk
from hgrkit.parsing.lexicon import Lexicon
from hgrkit.parsing.phrase import Phrase

__all__ = ["SentenceState"]


@attrs.define(kw_only=True, eq=False)
class SentenceState:
    """The sentence, the phrases so far, and what waits for what comes next.

    Attributes:
        words: the lower-cased tokens.
        tags: their refined tags.
        chunks: the grammar's groups of them.
        lexicon: for the verbs' lemmas.
        phrases: every phrase, in order of appearance.
        clauses: those that are clauses.
        subjects: nouns that wait for their verb, the innermost last.
        clause: what governs the phrases that come now.
        earlier: the last clause, also while a new subject is read.
        last: the last noun, adjective or clause, on which modifiers hang.
        preposition: waits for its noun.
        marker: a conjunction such as "while" that opens the next clause.
        relative: a relative pronoun that opens the next clause.
        described: the noun that the pronoun stands for.
        question: "how", "where", "why", opening the next clause.
        conjunction: whether "and" came just now.
        comma: whether a comma came just now.
        inverted: whether an auxiliary stood before the subject, as in questions.
        pending: adverbs and the like that wait for a clause, with their relation to it.
        skipped: index of the last chunk that was read ahead of its turn.
    """

    words: Sequence[str]
    tags: Sequence[str]
    chunks: Sequence[Chunk]
    lexicon: Lexicon
    phrases: list[Phrase] = attrs.field(factory=list)
    clauses: list[Phrase] = attrs.field(factory=list)
    subjects: list[Phrase] = attrs.field(factory=list)
    clause: Phrase | None = None
    earlier: Phrase | None = None
    last: Phrase | None = None
    preposition: Phrase | None = None
    marker: Phrase | None = None
    relative: Phrase | None = None
    described: Phrase | None = None
    question: Phrase | None = None
    conjunction: bool = False
    comma: bool = False
    inverted: bool = False
    pending: list[tuple[Phrase, str]] = attrs.field(factory=list)
    skipped: int = -1

    def new(self, kind: str, start: int, stop: int, head: int) -> Phrase:
        """A phrase that hangs nowhere yet."""
        phrase = Phrase(kind, start, stop, head, word=self.words[head], plain_stop=stop)
        self.phrases.append(phrase)
        return phrase

    def following(self, index: int) -> Chunk | None:
        """The chunk after the one at this index."""
        return self.chunks[index + 1] if index + 1 < len(self.chunks) else None
