"""Sentence vectors for baselines: those of a model's frozen transformer, or else which words a sentence has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from hgrkit.evaluation.bag_of_words import BagOfWords
from hgrkit.evaluation.baselines import TextVectors
from hgrkit.model import HgrModel
from hgrkit.text.sentence_encoder import SentenceTextEncoder
from hgrkit.text.sentence_reader import SentenceReader

__all__ = ["sentence_vectors"]

_SENTENCES_AT_ONCE = 512


def sentence_vectors(model: HgrModel, training: Iterable[str]) -> TextVectors:
    """What reads sentences for a model's baselines: C sentences to float32 [C, H], of length one.

    Of a transformer that tells of several layers only the last one's are taken: what it says of a sentence itself.

    Args:
        model: the model that the baselines stand beside.
        training: the training captions, whose words are known if the model has no `SentenceTextEncoder`.
    """
    if isinstance(model.text, SentenceTextEncoder):
        reader = model.text.reader
        read = lru_cache(maxsize=1)(
            lambda texts: _read(reader, texts)
        )  # every baseline asks for the same sentences
        return lambda texts: read(tuple(texts))
    return BagOfWords.of(training).read


def _read(reader: SentenceReader, texts: Sequence[str]) -> npt.NDArray[np.float32]:
    vectors = np.zeros((len(texts), reader.last_layer_size), np.float32)
    for start in range(0, len(texts), _SENTENCES_AT_ONCE):
        some = slice(start, start + _SENTENCES_AT_ONCE)
        vectors[some] = reader.read([text.split() for text in texts[some]]).sentence[:, : reader.last_layer_size]
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return vectors
