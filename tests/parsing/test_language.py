"""Which language a question seems to be in."""

from __future__ import annotations

import json

import pytest

from hgrkit.parsing.language import other_language
from hgrkit.parsing.lexicon import Lexicon
from hgrkit.parsing.tokenize import tokenize


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("ein Hund läuft durch den Park", "German"),
        ("un chien court dans le parc", "French"),
        ("un perro corre por el parque", "Spanish"),
        ("un cane corre nel parco", "Italian"),
        ("een hond rent door het park", "Dutch"),
        ("собака бежит по парку", "Cyrillic letters"),
        ("犬が公園を走る", "Chinese letters"),
        ("كلب يجري", "Arabic letters"),
        ("una mujer corta una cebolla", "another language than English"),
    ],
)
def test_a_sentence_in_another_language_is_told(text, language):
    assert other_language(tokenize(text)) == language


@pytest.mark.parametrize(
    "text", ["a dog runs", "dog running", "Van Gogh on a wall", "the Eiffel tower", "42 !", "été"]
)
def test_english_and_what_says_nothing_pass(text):
    assert other_language(tokenize(text)) is None


def test_captions_in_english_are_not_taken_for_anything_else(shared):
    """98 clips, 1,634 captions."""
    captions = json.loads((shared / "data/msvd/captions.json").read_text(encoding="utf-8"))
    told = [text for own in captions.values() for text in own if other_language(tokenize(text)) is not None]
    assert not told


@pytest.mark.parametrize("word", ["dog", "snowboarder", "running"])
def test_the_lexicon_knows_words_and_two_words_in_one(word):
    assert Lexicon.load().knows(word)


@pytest.mark.parametrize("word", ["flurbl", "snorblax", "zzqx", ""])
def test_the_lexicon_does_not_know_what_is_no_word(word):
    assert not Lexicon.load().knows(word)
