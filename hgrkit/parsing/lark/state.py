"""What the Lark parser's rules know of a sentence so far, and where they attach ambiguous phrases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from hgrkit.parsing.lark.chunker import Chunk
from hgrkit.parsing.lexicon import Lexicon, in_class, is_animate
from hgrkit.parsing.phrase import Phrase

__all__ = [
    "SentenceState",
    "adjunct_parent",
    "attaches_to_noun",
    "conjunct_clause",
    "conjunct_noun",
    "modified_noun",
]


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
        last: the last noun, adjective or clause, to which modifiers attach.
        preposition: waits for its noun.
        marker: a conjunction such as "while" that opens the next clause.
        relative: a relative pronoun that opens the next clause.
        described: the noun that the pronoun stands for.
        question: "how", "where", "why", opening the next clause.
        conjunction: whether "and" came just now.
        comma: whether a comma came just now.
        inverted: whether an auxiliary stood before the subject, as in questions.
        pending: adverbs and the like that wait for a clause, with their relation to it.
        index: of the chunk that is read now.
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
    index: int = -1
    skipped: int = -1

    def new(self, kind: str, start: int, stop: int, head: int) -> Phrase:
        """A phrase that is not attached yet."""
        phrase = Phrase(kind, start, stop, head, word=self.words[head], plain_stop=stop)
        self.phrases.append(phrase)
        return phrase

    @property
    def following(self) -> Chunk | None:
        """The chunk after the one that is read now."""
        return self.chunks[self.index + 1] if self.index + 1 < len(self.chunks) else None


# prepositions, modifiers and coordination ---------------------------------------------------------------------

_SPINE_LIMIT = 12
"""How far up the tree an attachment is looked for; bounded, so that parsing stays linear."""


def _spine(phrase: Phrase | None) -> Iterator[Phrase]:
    """A phrase and its ancestors, upwards."""
    for _ in range(_SPINE_LIMIT):
        if phrase is None:
            return
        yield phrase
        phrase = phrase.parent


def attaches_to_noun(preposition: str, clause: Phrase, noun: Phrase, ground: str) -> bool:
    """Whether a prepositional phrase right after a noun describes the noun rather than the clause's action.

    After the direct object only `of` and comparisons do, and `with` when it equips a person; after another
    prepositional phrase all those that identify or equip.
    """
    if noun.relation == "attribute" and clause.lemma == "be":
        existential = clause.subject is not None and clause.subject.word == "there"
        return not (existential and in_class(preposition, "static"))
    of_with = noun.relation == "ground" and noun.parent is not None and noun.parent.word == "with"
    if of_with and ground in {"background", "foreground", "it", "them"} and in_class(preposition, "static"):
        return True  # "with tents in the background"
    if not in_class(preposition, "identifying") or in_class(clause.lemma, "verb_" + preposition):
        return False
    if noun.relation == "ground":
        return preposition != "for" or not in_class(ground, "time")
    return preposition not in {"with", "for", "without"}


_LIMBS = frozenset("hand hands arm arms finger fingers foot feet leg legs".split())
"""Body parts that act as the person does: "hands of a kid playing"."""


def modified_noun(noun: Phrase, words: Sequence[str], lemma: str) -> Phrase:
    """The noun that a participle or relative clause after `noun` modifies: `noun` or one of its ancestors.

    A person or animal is preferred for actions; otherwise the nearest noun.
    """
    nouns = []
    for phrase in _spine(noun):
        if phrase.kind == "clause":
            break
        if phrase.kind == "noun":
            nouns.append(phrase)
            if phrase.relation not in {"ground", "conjunct"}:
                break
    highest = nouns[-1] if nouns else noun
    if lemma in {"involve", "contain", "feature", "include", "surround", "cover", "fill"}:
        return noun
    if is_animate(words[highest.head]) or words[highest.head] in _LIMBS:
        return highest
    nearest = next((phrase for phrase in nouns if is_animate(words[phrase.head])), None)
    if nearest is None:
        return highest if not in_class(words[highest.head], "portrayal") else noun
    while nearest.relation == "conjunct" and nearest.parent is not None:
        nearest = nearest.parent
    return nearest


def conjunct_noun(noun: Phrase, words: Sequence[str], head: str) -> Phrase:
    """The noun that a noun after `and` is coordinated with: the nearest of its kind (animate or not)."""
    wanted = is_animate(head)
    for phrase in _spine(noun):
        if phrase.kind == "clause":
            break
        if phrase.kind == "noun" and is_animate(words[phrase.head]) == wanted:
            return phrase
    return noun


def conjunct_clause(clause: Phrase | None, kind: str) -> Phrase | None:
    """The clause that a verb after `and` is coordinated with: the nearest whose verb has the same kind of form."""
    nearest = None
    for phrase in _spine(clause):
        if phrase.kind == "clause":
            nearest = nearest or phrase
            if phrase.word == kind:
                return phrase
    return nearest


def adjunct_parent(clause: Phrase) -> Phrase:
    """The clause that a `while` clause or a free participle belongs to: the one that no other governs."""
    top = clause
    for phrase in _spine(clause):
        if phrase.kind == "clause":
            top = phrase
            if phrase.relation in {"conjunct", "relative"}:
                break
    return top
