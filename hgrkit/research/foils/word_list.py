"""The lists that foils are made from: beings by kind, things by class, verbs that stand for others, places."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import attrs

from hgrkit.parsing.lexicon import table_lines
from hgrkit.research.foils.inflection import plural

__all__ = ["HUMAN", "Beings", "Place", "Verb", "beings", "places", "things", "verbs"]

HUMAN = frozenset({"man", "woman", "boy", "girl", "child", "baby", "teen", "person", "role"})
"""The kinds of beings that are people."""


@attrs.frozen(kw_only=True)
class Beings:
    """Persons and animals.

    Attributes:
        kinds: each noun's kinds, singular and plural.
        singular: the singular of each noun.
        near: for a kind, the kinds whose nouns may mean the same individual.
        offered: the nouns that may stand for others in a foil, each with its kind.
    """

    kinds: Mapping[str, frozenset[str]]
    singular: Mapping[str, str]
    near: Mapping[str, frozenset[str]]
    offered: Mapping[str, str]

    def kinds_of(self, noun: str) -> frozenset[str]:
        """The kinds that a noun names; none if it names no person or animal."""
        return self.kinds.get(noun, frozenset())

    def singular_of(self, noun: str) -> str:
        """The singular of a noun; any other word as it is."""
        return self.singular.get(noun, noun)


@attrs.frozen(kw_only=True)
class Verb:
    """A verb that may stand for another.

    Attributes:
        lemma: the verb.
        who: `p` if persons do it, `a` if animals do.
        what: `none`, `motion`, and classes of things or beings.
        near: words beside which it might be true, itself included.
    """

    lemma: str
    who: frozenset[str]
    what: frozenset[str]
    near: frozenset[str]


@attrs.frozen(kw_only=True)
class Place:
    """A place that a foil may name, or that it may replace.

    Attributes:
        noun: the place.
        zone: `in` doors, `out`, or `any`.
        preposition: what one says of being there; empty if the place is only replaced.
        directions: prepositions of a way that it takes.
        near: words beside which it might be true, itself included.
    """

    noun: str
    zone: str
    preposition: str
    directions: frozenset[str]
    near: frozenset[str]


@functools.cache
def beings() -> Beings:
    """Persons and animals by kind."""
    kinds: dict[str, set[str]] = {}
    singular: dict[str, str] = {}
    near: dict[str, frozenset[str]] = {}
    offered: dict[str, str] = {}
    for line in table_lines("beings.txt", __package__):
        kind, sign, *words = line.replace(":", " :", 1).split()
        if sign == "~":
            near[kind] = frozenset(words)
        elif sign == "+":
            offered.update(dict.fromkeys(words, kind))
        else:
            for word in words:
                for form in (word, plural(word)):
                    kinds.setdefault(form, set()).add(kind)
                    singular.setdefault(form, word)
    return Beings(
        kinds={word: frozenset(found) for word, found in kinds.items()},
        singular=singular,
        near=near,
        offered=offered,
    )


@functools.cache
def things() -> Mapping[str, frozenset[str]]:
    """The classes of each noun for a thing, singular and plural."""
    classes: dict[str, set[str]] = {}
    for line in table_lines("things.txt", __package__):
        name, _, words = line.partition(": ")
        for word in words.split():
            for form in (word, plural(word)):
                classes.setdefault(form, set()).add(name)
    return {word: frozenset(found) for word, found in classes.items()}


@functools.cache
def verbs() -> tuple[Verb, ...]:
    """Verbs that stand for others, in the order of the list."""
    return tuple(
        Verb(
            lemma=lemma,
            who=frozenset(who.split()),
            what=frozenset(what.split()) | ({"none"} if "motion" in what else frozenset()),
            near=frozenset([lemma, *near.split()]),
        )
        for lemma, who, what, near in map(_cells, table_lines("actions.txt", __package__))
    )


@functools.cache
def places() -> Mapping[str, Place]:
    """Every place by its noun."""
    found: dict[str, Place] = {}
    for noun, zone, phrase, directions, near in map(_cells, table_lines("scenes.txt", __package__)):
        found.setdefault(
            noun,
            Place(
                noun=noun,
                zone=zone,
                preposition=phrase.partition(" ")[0].replace("-", ""),
                directions=frozenset(directions.split()),
                near=frozenset([*noun.split(), *near.split()]),
            ),
        )
    return found


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("|")]
