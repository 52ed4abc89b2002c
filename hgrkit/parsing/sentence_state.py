"""What the Lark parser builds from left to right: a tree of phrases, and what it keeps while it reads."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from hgrkit.parsing.chunker import Chunk
from hgrkit.parsing.lexicon import Lexicon

__all__ = ["Phrase", "SentenceState", "close_spans"]


@attrs.define(eq=False)
class Phrase:
    """A phrase and what hangs on it; clauses are phrases whose head is a verb.

    Attributes:
        kind: `noun`, `preposition`, `adjective`, `adverb`, `clause` or `mark`.
        start: first token; `close_spans` widens it over the children.
        stop: one past the last token; widened as well.
        head: token of its content word.
        relation: what it is to its parent: `subject`, `object`, `attribute`, `preposition`, `adverb`,
            `complement`, `purpose`, `adjunct`, `relative`, `conjunct`, `ground` (of a preposition), `marker`.
        word: the preposition of a prepositional phrase, the marker of a clause, the lemma of an adverb's word.
        plain_stop: a noun's end without the clauses that modify it.
        lemma: a clause's verb.
        form: a clause's form: `finite`, `infinitive`, `gerund`, `participle`, `base`, or `semi-modal` ("has to").
        passive: whether a clause is passive.
        verb: first token and end of the action, particle included.
        subject: what a clause's verb is said of, wherever it stands.
        antecedent: whether that subject is the noun which the clause modifies.
        gap: the noun that a relative clause's object or preposition stands for.
    """

    kind: str
    start: int
    stop: int
    head: int
    relation: str = ""
    word: str = ""
    parent: Phrase | None = None
    children: list[Phrase] = attrs.field(factory=list, repr=False)
    plain_stop: int = 0
    lemma: str = ""
    form: str = ""
    passive: bool = False
    verb: tuple[int, int] = (0, 0)
    subject: Phrase | None = attrs.field(default=None, repr=False)
    antecedent: bool = False
    gap: Phrase | None = attrs.field(default=None, repr=False)

    def add(self, child: Phrase, relation: str) -> None:
        """Hang a phrase on this one; one that hangs somewhere stays there."""
        if child.parent is not None:
            return
        child.parent, child.relation = self, relation
        self.children.append(child)

    def find(self, relation: str) -> Phrase | None:
        """The first child of that relation."""
        return next((child for child in self.children if child.relation == relation), None)


def close_spans(phrases: Sequence[Phrase]) -> None:
    """Widen every phrase over what hangs on it, bottom-up, each phrase once."""
    order = [phrase for phrase in phrases if phrase.parent is None]
    for phrase in order:
        order.extend(phrase.children)
    for phrase in reversed(order):
        phrase.plain_stop = phrase.stop
        for child in phrase.children:
            phrase.start = min(phrase.start, child.start)
            phrase.stop = max(phrase.stop, child.stop)
            if child.kind != "clause":
                phrase.plain_stop = max(phrase.plain_stop, child.plain_stop)


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
