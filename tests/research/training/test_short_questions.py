"""Short questions come from captions, and what captions mention says which clips answer them."""

from __future__ import annotations

import numpy as np
import pytest

from hgrkit.parsing.registry import load_parser
from hgrkit.research.training.short_questions import KINDS, ShortQuestion, mention_counts, short_questions

CAPTIONS = [
    "A man is slicing an onion in a kitchen .",
    "A man slices an onion in a kitchen .",
    "Two men are talking .",
    "Two women talk .",
    "A woman plays with a dog .",
    "A flurbl sleeps .",
    "A flurbl is sleeping .",
]
OWNERS = np.array([0, 0, 1, 1, 2, 3, 3])


@pytest.fixture(scope="module")
def graphs():
    return load_parser("lark").parse_batch(CAPTIONS)


def made(graphs, each=100, seed=0):
    return short_questions(graphs, each=each, rng=np.random.default_rng(seed))


def test_captions_make_questions_of_every_kind(graphs):
    found = {(question.kind, question.text): question.heads for question in made(graphs)}
    assert found["thing", "an onion"] == found["thing", "onion"] == {"onion"}
    assert found["action", "slicing"] == {"slice"}
    assert found["action with object", "slicing an onion"] == {"slice", "onion"}
    assert found["place", "a man in a kitchen"] == {"man", "kitchen"}
    assert {kind for kind, _ in found} == set(KINDS)


def test_what_one_caption_says_or_no_dictionary_knows_is_not_asked(graphs):
    texts = {question.text for question in made(graphs)}
    assert texts.isdisjoint({"a dog", "dog", "playing", "a flurbl", "flurbl"})
    assert "sleeping" in texts


def test_no_more_are_drawn_of_a_kind_and_a_seed_draws_the_same(graphs):
    found = made(graphs, each=1)
    assert [question.kind for question in found] == list(KINDS)
    assert found == made(graphs, each=1)
    assert found != made(graphs, each=1, seed=1)


@pytest.mark.parametrize(
    ("heads", "expected"),
    [
        ({"man"}, [2, 1, 0, 0]),
        ({"woman"}, [0, 1, 1, 0]),
        ({"talk"}, [0, 2, 0, 0]),
        ({"man", "talk"}, [0, 1, 0, 0]),
        ({"slice", "dog"}, [0, 0, 0, 0]),
        ({"horse"}, [0, 0, 0, 0]),
    ],
)
def test_mentions_are_counted_by_lemmas_and_in_one_caption(graphs, heads, expected):
    counts = mention_counts(graphs, OWNERS, [ShortQuestion("thing", "-", frozenset(heads))], 4)
    assert counts.tolist() == [expected]
