"""Sentence vectors of baselines."""

from __future__ import annotations

import attrs
import numpy as np
import pytest

from hgrkit.model.text.sentence_encoder import SentenceTextEncoder
from hgrkit.model.text.sentence_reader import SentenceStates
from hgrkit.research.evaluation.sentence_vectors import sentence_vectors


class TwoLayers:
    """Reads a sentence of n words as [n, 0, 9, 9]: two numbers of the last layer, two of an early one."""

    hidden_size, last_layer_size = 4, 2

    def read(self, sentences):
        vectors = np.array([[len(words), 0, 9, 9] for words in sentences], np.float32)
        return SentenceStates(words=vectors[:, None], sentence=vectors)


@attrs.frozen
class Model:
    text: object


@pytest.fixture
def model():
    return Model(text=SentenceTextEncoder(reader=TwoLayers(), embed_dim=2))


def test_baselines_take_the_last_layer_alone(model):
    vectors = sentence_vectors(model, [])(["one", "two words", ""])
    assert vectors.tolist() == [[1, 0], [1, 0], [0, 0]]
    assert vectors.dtype == np.float32


def test_no_sentences_have_no_vectors(model):
    assert sentence_vectors(model, [])([]).shape == (0, 2)


def test_a_model_without_a_transformer_gets_words(model):
    vectors = sentence_vectors(Model(text=None), ["a dog", "a cat"])(["a dog", "a dog", "a cat"])
    assert np.array_equal(vectors[0], vectors[1])
    assert not np.array_equal(vectors[0], vectors[2])
