from __future__ import annotations

import pytest

from hgrkit.research.foils.inflection import inflect, plural, with_article
from hgrkit.research.foils.word_list import beings, verbs

FORMS = ("VBZ", "VBG", "VBD", "VBN")


@pytest.mark.parametrize(
    ("lemma", "forms"),
    [
        ("ride", ["rides", "riding", "rode", "ridden"]),
        ("cut", ["cuts", "cutting", "cut", "cut"]),
        ("carry", ["carries", "carrying", "carried", "carried"]),
        ("wash", ["washes", "washing", "washed", "washed"]),
        ("tie", ["ties", "tying", "tied", "tied"]),
        ("stop", ["stops", "stopping", "stopped", "stopped"]),
        ("cook", ["cooks", "cooking", "cooked", "cooked"]),
        ("open", ["opens", "opening", "opened", "opened"]),
        ("play", ["plays", "playing", "played", "played"]),
        ("have", ["has", "having", "had", "had"]),
        ("quit", ["quits", "quitting", "quit", "quit"]),
        ("squat", ["squats", "squatting", "squatted", "squatted"]),
        ("panic", ["panics", "panicking", "panicked", "panicked"]),
        ("free", ["frees", "freeing", "freed", "freed"]),
    ],
)
def test_a_verb_is_spelled_as_english_spells_it(lemma, forms):
    assert [inflect(lemma, form) for form in FORMS] == forms


def test_be_has_a_plural_of_its_own():
    assert inflect("be", "VBP") == "are"


@pytest.mark.parametrize(
    ("noun", "expected"),
    [
        ("woman", "women"),
        ("child", "children"),
        ("baby", "babies"),
        ("box", "boxes"),
        ("boy", "boys"),
        ("deer", "deer"),
    ],
)
def test_a_noun_has_its_plural(noun, expected):
    assert plural(noun) == expected


@pytest.mark.parametrize(
    ("word", "article"),
    [("apple", "an"), ("dog", "a"), ("Elephant", "an"), ("unicorn", "a"), ("hour", "an"), ("umbrella", "an")],
)
def test_an_article_goes_by_the_sound(word, article):
    assert with_article(word) == article


def test_what_foils_say_is_inflected_as_an_independent_library_inflects_it():
    lemminflect = pytest.importorskip("lemminflect", reason="needs lemminflect, of the extra 'dev'")
    wrong = [
        (verb.lemma, form)
        for verb in verbs()
        for form in FORMS
        if inflect(verb.lemma, form) not in lemminflect.getInflection(verb.lemma, form)
        and (verb.lemma, form) not in {("knit", "VBD"), ("knit", "VBN"), ("ski", "VBN")}  # both forms are English
    ]
    wrong += [
        (noun, "NNS") for noun in beings().offered if plural(noun) not in lemminflect.getInflection(noun, "NNS")
    ]
    assert wrong == []
