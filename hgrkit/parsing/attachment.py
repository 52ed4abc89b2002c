"""Where the Lark parser hangs what could hang in several places: prepositions, modifiers, coordination."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hgrkit.parsing.lexicon import in_class, is_animate
from hgrkit.parsing.sentence_state import Phrase

__all__ = [
    "adjunct_parent",
    "attaches_to_noun",
    "conjunct_clause",
    "conjunct_noun",
    "modified_noun",
    "spine",
]

_SPINE_LIMIT = 12


def spine(phrase: Phrase | None) -> Iterator[Phrase]:
    """A phrase and what it hangs on, upwards; only a bounded number, so that parsing stays linear."""
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
    if not in_class(preposition, "identifying") or in_class(clause.lemma, "verb_" + preposition):
        return False
    if noun.relation == "ground":
        return preposition != "for" or not in_class(ground, "time")
    return preposition not in {"with", "for", "without"}


def modified_noun(noun: Phrase, words: Sequence[str], lemma: str) -> Phrase:
    """The noun that a participle or relative clause after `noun` modifies, among those that `noun` hangs on.

    A person or animal is preferred for actions; otherwise the nearest noun.
    """
    nouns = []
    for phrase in spine(noun):
        if phrase.kind == "clause":
            break
        if phrase.kind == "noun":
            nouns.append(phrase)
            if phrase.relation not in {"ground", "conjunct"}:
                break
    highest = nouns[-1] if nouns else noun
    if lemma in {"involve", "contain", "feature", "include", "surround", "cover", "fill"}:
        return noun
    if is_animate(words[highest.head]):
        return highest
    nearest = next((phrase for phrase in nouns if is_animate(words[phrase.head])), None)
    if nearest is None:
        return highest if not in_class(words[highest.head], "portrayal") else noun
    while nearest.relation == "conjunct" and nearest.parent is not None:
        nearest = nearest.parent
    return nearest


def conjunct_noun(noun: Phrase, words: Sequence[str], head: str) -> Phrase:
    """The noun that a noun after `and` is coordinated with: the nearest of its kind (animate or not)."""
    nouns = [phrase for phrase in _up_to_clause(noun) if phrase.kind == "noun"]
    wanted = is_animate(head)
    for phrase in nouns:
        if is_animate(words[phrase.head]) == wanted:
            return phrase
    return noun


def _up_to_clause(noun: Phrase) -> Iterator[Phrase]:
    for phrase in spine(noun):
        if phrase.kind == "clause":
            return
        yield phrase


def conjunct_clause(clause: Phrase | None, kind: str) -> Phrase | None:
    """The clause that a verb after `and` is coordinated with: the nearest whose verb has the same kind of form."""
    nearest = None
    for phrase in spine(clause):
        if phrase.kind == "clause":
            nearest = nearest or phrase
            if phrase.word == kind:
                return phrase
    return nearest


def adjunct_parent(clause: Phrase) -> Phrase:
    """The clause that a `while` clause or a free participle belongs to: the one that no other governs."""
    top = clause
    for phrase in spine(clause):
        if phrase.kind == "clause":
            top = phrase
            if phrase.relation in {"conjunct", "relative"}:
                break
    return top
