"""The lists fit together: what stands for something else can be told from it."""

from __future__ import annotations

import pytest

from hgrkit.research.foils.word_list import beings, places, things, verbs


def test_every_noun_that_is_offered_is_of_the_kind_that_it_stands_for():
    known = beings()
    assert known.offered
    assert all(kind in known.kinds[word] for word, kind in known.offered.items())


def test_kinds_that_are_named_as_near_exist():
    known = beings()
    kinds = set().union(*known.kinds.values())
    assert set(known.near) <= kinds
    assert set().union(*known.near.values()) <= kinds


@pytest.mark.parametrize("verb", verbs(), ids=lambda verb: verb.lemma)
def test_a_verb_is_near_to_itself_and_takes_known_classes(verb):
    classes = set().union(*things().values()) | {"none", "motion", "person", "animal"}
    assert verb.lemma in verb.near
    assert verb.what <= classes
    assert verb.who <= {"p", "a"}
    assert verb.who


def test_a_place_that_a_foil_names_has_a_preposition_and_is_near_to_itself():
    named = [place for place in places().values() if place.preposition]
    assert len(named) >= 20
    for place in named:
        assert place.zone in {"in", "out"}
        assert set(place.noun.split()) <= place.near


def test_no_verb_or_place_is_listed_twice():
    lemmas = [verb.lemma for verb in verbs()]
    assert len(set(lemmas)) == len(lemmas)
