"""Sixth step of the Lark parser: what a phrase is to its verb becomes a PropBank role."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hgrkit.graph import Role
from hgrkit.parsing.lexicon import in_class, is_animate
from hgrkit.parsing.role_table import RoleTable
from hgrkit.parsing.sentence_state import Phrase

__all__ = ["RoleLabeller"]

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


_CORE = frozenset({"ARG0", "ARG1", "ARG2", "ARG3", "ARG4"})
_FIXED = {"modal": "ARGM-MOD", "negation": "ARGM-NEG", "predicate": "ARGM-PRD"}
_SAME_FOR_ALL_VERBS = ("ARGM-TMP", "ARGM-LOC", "ARGM-MNR", "ARGM-DIR", "ARGM-ADV", "ARGM-PRP")
_LABILE = frozenset(["open", "turn", "close", "roll", "spin", "move", "shake", "break", "play"])
_ADDRESSED = frozenset(["tell", "teach", "ask"])


class RoleLabeller:
    """Roles for the phrases of a clause.

    Args:
        words: the sentence's lower-cased tokens.
        table: roles by verb and function.
    """

    def __init__(self, words: Sequence[str], table: RoleTable) -> None:
        self.words, self.table = words, table

    def roles(self, clause: Phrase) -> Iterator[tuple[Phrase, Role]]:
        """A clause's phrases with their roles, the subject first, and a relative clause's noun last.

        A numbered role is given once; a second phrase that would have it gets the next likely one.
        """
        used: set[Role] = set()
        for phrase, role in self._candidates(clause):
            chosen = _second_choice(phrase) if role in used & _CORE else role
            used.add(chosen)
            yield phrase, chosen

    def _candidates(self, clause: Phrase) -> Iterator[tuple[Phrase, Role]]:
        if clause.subject is not None and clause.subject.kind != "mark":
            yield clause.subject, self._subject(clause, clause.subject)
        for child in clause.children:
            role = self._child(clause, child)
            if role is not None:
                yield child, role
        if clause.gap is not None:
            yield clause.gap, self._gap(clause)

    def _subject(self, clause: Phrase, subject: Phrase) -> Role:
        if clause.lemma == "be" and not clause.passive:
            return "ARG1"
        if clause.passive:
            return self.table.role(clause.lemma, "passive subject") or "ARG1"
        transitive = clause.find("object") is not None or (clause.gap is not None and clause.find("gap") is None)
        if clause.lemma in _LABILE and not transitive:
            turns = clause.lemma == "turn" and clause.find("preposition") is None
            return "ARG0" if turns or is_animate(self.words[subject.head]) else "ARG1"
        role = self.table.role(clause.lemma, "subject+object" if transitive else "subject")
        return role if role in {"ARG0", "ARG1", "ARG2"} else "ARG0"

    def _child(self, clause: Phrase, child: Phrase) -> Role | None:
        rule = {
            "object": self._object,
            "attribute": self._attribute,
            "preposition": self._preposition,
            "adverb": self._adverb,
            "complement": self._clausal,
            "purpose": self._clausal,
            "adjunct": self._adjunct,
        }.get(child.relation)
        return rule(clause, child) if rule is not None else _FIXED.get(child.relation)

    def _object(self, clause: Phrase, child: Phrase) -> Role:
        objects = [phrase for phrase in clause.children if phrase.relation == "object"]
        if len(objects) > 1:
            return "ARG2" if child is objects[0] else "ARG1"
        if clause.lemma in _ADDRESSED and is_animate(self.words[child.head]):
            return "ARG2"
        role = self.table.role(clause.lemma, "object")
        return role if role in {"ARG1", "ARG2"} else "ARG1"

    def _attribute(self, clause: Phrase, child: Phrase) -> Role:
        del child
        if clause.lemma == "be" and clause.subject is not None and clause.subject.kind == "mark":
            return "ARG1"
        role = self.table.role(clause.lemma, "attribute")
        return role or (self.table.seen(clause.lemma, "complement") or "ARG2")

    def _preposition(self, clause: Phrase, child: Phrase) -> Role:
        ground = child.find("ground")
        if ground is not None and ground.kind == "clause":
            return gerund_role(self.table, clause, child.word)
        return preposition_role(self.table, clause, child, self.words[ground.head] if ground is not None else "")

    def _adverb(self, clause: Phrase, child: Phrase) -> Role:
        if child.kind == "noun":
            return "ARGM-TMP"
        fixed = _fixed_role(child.word)
        if fixed is not None:
            return fixed
        role = self.table.role(clause.lemma, "adverb", child.word)
        listed = ("*", "adverb/" + child.word) in self.table.counts
        of_manner = child.word.endswith("ly") or role == "ARGM-TMP"
        return "ARGM-MNR" if role is None or (of_manner and not (listed and role == "ARGM-TMP")) else role

    def _clausal(self, clause: Phrase, child: Phrase) -> Role:
        default = "ARG1" if child.relation == "complement" else "ARGM-PRP"
        return self.table.frames.get((clause.lemma, child.relation), default)

    def _adjunct(self, clause: Phrase, child: Phrase) -> Role:
        del clause
        marker = child.find("marker")
        if marker is None:
            return "ARGM-ADV"
        role = _fixed_role(marker.word)
        return role if role in {"ARGM-ADV", "ARGM-PRP"} else "ARGM-TMP"

    def _gap(self, clause: Phrase) -> Role:
        stranded = clause.find("gap")
        if stranded is not None:
            return self.table.role(clause.lemma, stranded.word) or "ARG2"
        return self.table.frames.get((clause.lemma, "object"), "ARG2" if clause.lemma == "be" else "ARG1")


def _fixed_role(word: str) -> Role | None:
    return next((role for role in _SAME_FOR_ALL_VERBS if in_class(word, role)), None)


def _second_choice(phrase: Phrase) -> Role:
    if phrase.kind != "preposition":
        return "ARG2"
    if in_class(phrase.word, "directional"):
        return "ARGM-DIR"
    return "ARGM-LOC" if in_class(phrase.word, "static") else "ARGM-MNR"
