"""Part of the Lark parser's role labelling: what a prepositional phrase is to its verb."""

from __future__ import annotations

from hgrkit.graph import Role
from hgrkit.parsing.phrase import Phrase
from hgrkit.parsing.role_table import RoleTable
from hgrkit.parsing.word_classes import in_class, is_animate

__all__ = ["gerund_role", "preposition_role"]

_TIME_PREPOSITIONS = frozenset(["in", "on", "at", "during", "for", "before", "after", "throughout", "until"])
_EXTENTS = frozenset(["along", "around", "across", "over", "past"])
_HEARERS = frozenset(["talk", "speak", "help", "chat", "converse", "provide"])
_TIME_MARKERS = frozenset(["after", "before", "while", "when", "upon", "since"])
_UNSEEN = {"with": "ARGM-MNR", "for": "ARGM-PRP", "about": "ARG1", "like": "ARGM-MNR"}
_UNSEEN_GERUND = {"for": "ARGM-PRP", "without": "ARGM-MNR", "with": "ARGM-MNR", "by": "ARGM-MNR"}


def preposition_role(table: RoleTable, clause: Phrase, phrase: Phrase, noun: str) -> Role:
    """The role of a prepositional phrase.

    Args:
        table: roles by verb and preposition.
        clause: the verb's clause.
        phrase: the prepositional phrase.
        noun: the noun that the preposition governs; empty if there is none.
    """
    word = phrase.word
    if word == "with" and is_animate(noun) and clause.lemma not in _HEARERS:
        return "ARGM-COM"
    if _is_time(word, noun):
        return "ARGM-TMP"
    if word == "by":
        return _by_role(table, clause)
    if clause.lemma == "be" and not clause.passive:
        return _copula_role(clause, phrase)
    if clause.lemma == "come" and noun in {"stop", "end", "halt"}:
        return "ARG2"
    return _tabled(table, clause, word, noun) or _untabled(clause, word)


def gerund_role(table: RoleTable, clause: Phrase, word: str) -> Role:
    """The role of a preposition with a clause: "by removing the lid", "about having a dog"."""
    if word in _TIME_MARKERS:
        return "ARGM-TMP"
    found = None if word == "by" else table.role(clause.lemma, word)
    return found or _UNSEEN_GERUND.get(word, "ARG1")


def _is_time(word: str, noun: str) -> bool:
    if word == "during":
        return True
    listed = in_class(noun, "time") or (in_class(noun, "event") and word in {"before", "after"})
    return listed and word in _TIME_PREPOSITIONS


def _by_role(table: RoleTable, clause: Phrase) -> Role:
    if clause.passive:
        return table.frames.get((clause.lemma, "passive by"), "ARG0")
    return table.frames.get((clause.lemma, "by"), "ARGM-LOC")


def _copula_role(clause: Phrase, phrase: Phrase) -> Role:
    first = clause.find("attribute") is None and clause.find("preposition") is phrase
    existential = clause.subject is not None and clause.subject.kind == "mark"
    return "ARG2" if first and not existential else "ARGM-LOC"


def _tabled(table: RoleTable, clause: Phrase, word: str, noun: str) -> Role | None:
    found = table.role(clause.lemma, word, noun)
    if found == "ARGM-TMP" and (in_class(word, "static") or in_class(word, "directional")):
        return None
    if found == "ARGM-DIR" and word in _EXTENTS and not in_class(clause.lemma, "motion"):
        return "ARGM-LOC"
    return found


def _untabled(clause: Phrase, word: str) -> Role:
    if word == "to" and not in_class(clause.lemma, "motion"):
        return "ARG2"
    if in_class(word, "directional"):
        return "ARGM-DIR"
    return _UNSEEN.get(word, "ARGM-LOC")
