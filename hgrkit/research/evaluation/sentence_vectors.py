"""Sentence vectors for baselines: those of a model's frozen transformer, or else which words a sentence has."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache, partial
from typing import Self

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.model.hgr_model import HgrModel
from hgrkit.model.text.sentence_encoder import SentenceTextEncoder
from hgrkit.model.text.sentence_reader import SentenceReader
from hgrkit.research.evaluation.baselines import TextVectors, unit_rows

__all__ = ["BagOfWords", "sentence_vectors"]

_SENTENCES_AT_ONCE = 512
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")


@attrs.frozen(kw_only=True, eq=False, repr=False)
class BagOfWords:
    """A vector of length one: the inverse document frequency of every known word that the sentence has.

    Attributes:
        columns: the known words and their places.
        weights: `log((1 + n) / (1 + sentences with the word)) + 1`, float32 [H].
    """

    columns: dict[str, int]
    weights: npt.NDArray[np.float32]

    @classmethod
    def of(cls, texts: Iterable[str], max_words: int = 2000) -> Self:
        """Know the words that most sentences have, at most `max_words`; equally common ones by alphabet.

        >>> BagOfWords.of(["a dog runs", "a cat"]).read(["A dog!"]).astype(float).round(2).tolist()
        [[0.58, 0.0, 0.81, 0.0]]
        """
        read = [_words(text) for text in texts]
        common = Counter(word for words in read for word in words)
        known = sorted(common, key=lambda word: (-common[word], word))[:max_words]
        counts = np.array([common[word] for word in known], np.float64)
        return cls(
            columns={word: column for column, word in enumerate(known)},
            weights=(np.log((1 + len(read)) / (1 + counts)) + 1).astype(np.float32),
        )

    def read(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """C sentences as float32 [C, H]; zeros for one without a known word."""
        vectors = np.zeros((len(texts), len(self.columns)), np.float32)
        for row, text in enumerate(texts):
            there = [self.columns[word] for word in _words(text) if word in self.columns]
            vectors[row, there] = self.weights[there]
        return unit_rows(vectors)

    def __repr__(self) -> str:
        return f"BagOfWords({len(self.columns)} words)"


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))


def sentence_vectors(model: HgrModel, training: Iterable[str]) -> TextVectors:
    """What reads sentences for a model's baselines: C sentences to float32 [C, H], of length one.

    Of a transformer that gives several layers only the last one is taken: its own vector of the sentence.

    Args:
        model: the model that the baselines stand beside.
        training: the training captions, whose words are known if the model has no `SentenceTextEncoder`.
    """
    if isinstance(model.text, SentenceTextEncoder):
        # Every baseline asks for the same sentences, one baseline after the other.
        read = lru_cache(maxsize=1)(partial(_read, model.text.reader))
        return lambda texts: read(tuple(texts))
    return BagOfWords.of(training).read


def _read(reader: SentenceReader, texts: Sequence[str]) -> npt.NDArray[np.float32]:
    vectors = np.zeros((len(texts), reader.last_layer_size), np.float32)
    for start in range(0, len(texts), _SENTENCES_AT_ONCE):
        some = slice(start, start + _SENTENCES_AT_ONCE)
        vectors[some] = reader.read([text.split() for text in texts[some]]).sentence[:, : reader.last_layer_size]
    return unit_rows(vectors)
