"""Words and their ids: what a text encoder with word vectors of its own knows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from os import PathLike
from pathlib import Path

import attrs

from hgrkit.checks.arguments import check_path, check_sequence, check_text, check_whole, shown
from hgrkit.errors import CheckpointError, ConfigError
from hgrkit.storage.json_file import read_json

__all__ = ["UNKNOWN_WORD", "VOCABULARY_FILE", "Vocabulary"]

VOCABULARY_FILE = "vocabulary.json"
"""What a vocabulary is called in a model folder."""

UNKNOWN_WORD = "<UNK>"
_MOST_BYTES = 16 << 20  # of some 900,000 words


def _copied(ids: Mapping[str, int]) -> Mapping[str, int]:
    if not isinstance(ids, Mapping):
        raise ConfigError(f"ids must be a mapping from words to numbers, such as {{'a': 1}}, got {shown(ids)}.")
    return {
        check_text("a word", word): check_whole(f"the id of {word!r}", n, least=None) for word, n in ids.items()
    }


def _whole(number: int) -> int:
    return check_whole("size and unknown_id of a vocabulary", number, least=0)


@attrs.frozen(kw_only=True, repr=False)
class Vocabulary:
    """A word's id is its row in the word vectors; words that are not listed share one id.

    >>> vocabulary = Vocabulary.from_sentences([["a", "dog"], ["a", "cat"]])
    >>> vocabulary.encode(["a", "bird"])
    [1, 0]

    Attributes:
        ids: word to id.
        unknown_id: the id of every other word.
        size: number of rows of the word vectors.

    Raises:
        ConfigError: if an id lies outside `range(size)`.
    """

    ids: Mapping[str, int] = attrs.field(converter=_copied)
    unknown_id: int = attrs.field(default=0, converter=_whole)
    size: int = attrs.field(converter=_whole)

    @size.default
    def _largest_id(self) -> int:
        return max([*self.ids.values(), self.unknown_id]) + 1

    def __attrs_post_init__(self) -> None:
        outside = [word for word, number in self.ids.items() if not 0 <= number < self.size]
        if outside or not 0 <= self.unknown_id < self.size:
            what = f"the words {outside[:5]} have ids" if outside else f"unknown_id is {self.unknown_id}, "
            raise ConfigError(f"{what} outside [0, {self.size}), the rows of the word vectors.")

    @classmethod
    def from_sentences(cls, sentences: Iterable[Sequence[str]], *, min_count: int = 1) -> Vocabulary:
        """The words that occur at least `min_count` times, the commonest first; id 0 is the unknown word."""
        min_count = check_whole("min_count", min_count)
        split = partial(check_sequence, kind=str, of="words", hint="split it: sentence.split()")
        told = check_sequence("sentences", sentences, None, of="sentences, each a list of words", each=split)
        counts = Counter(word for sentence in told for word in sentence)
        kept = sorted((word for word in counts if counts[word] >= min_count), key=lambda w: (-counts[w], w))
        return cls(ids={word: number for number, word in enumerate([UNKNOWN_WORD, *kept])}, unknown_id=0)

    def encode(self, words: Iterable[str]) -> list[int]:
        """The words' ids, case kept."""
        return [self.ids.get(word, self.unknown_id) for word in check_sequence("words", words, str, of="words")]

    def save(self, path: str | PathLike[str]) -> None:
        """Write a JSON file."""
        record = {"size": self.size, "unknown_id": self.unknown_id, "ids": dict(self.ids)}
        Path(check_path("path", path)).write_text(json.dumps(record, indent=0) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Vocabulary:
        """Read a file that `save` wrote.

        Raises:
            CheckpointError: if it is missing or is not one.
        """
        path = Path(check_path("path", path))
        record = read_json(path, dict, error=CheckpointError, expected="a vocabulary", most_bytes=_MOST_BYTES)
        try:
            ids = {str(word): int(number) for word, number in record["ids"].items()}
            return cls(ids=ids, unknown_id=int(record["unknown_id"]), size=int(record["size"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CheckpointError(f"{path} is not a vocabulary: {type(error).__name__}: {error}") from error

    def __len__(self) -> int:
        """Number of rows of the word vectors."""
        return self.size

    def __contains__(self, word: object) -> bool:
        """Whether a word has an id of its own."""
        return word in self.ids

    def __repr__(self) -> str:
        return f"Vocabulary(words={len(self.ids)}, size={self.size})"
