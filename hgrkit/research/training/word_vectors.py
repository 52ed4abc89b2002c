"""How the word side of a fresh model starts: weights drawn as the released code does, and GloVe's vectors."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs
import numpy as np
import torch
from torch import Tensor, nn

from hgrkit.errors import ConfigError, MissingPathError
from hgrkit.model.text.text_encoder import TextEncoder
from hgrkit.model.text.vocabulary import Vocabulary
from hgrkit.storage.json_file import read_json

__all__ = ["LoadedWords", "draw_as_released", "load_word_vectors", "read_released_words"]

WORDS_FILE = "word2int.json"
"""What the released code calls its vocabulary: the row of each word in a file of word vectors."""

_ENCODER, _VARIABLE = "text_encoder", "embedding.we.weight"
"""Where a released checkpoint has the word vectors."""


@torch.no_grad()
def draw_as_released(encoder: TextEncoder) -> None:
    """Draw the weights of words and the recurrent network as the released code does, with torch's generator.

    Word vectors are uniform in +-1/sqrt(word_dim); every recurrent matrix, its gates stacked, is orthogonal, and
    every recurrent bias 0 but for the input bias of an LSTM's forget gate, which is 1. What else there is the
    released code leaves to torch, as `TextEncoder` does.

    Source: the released code, framework/modules/embeddings.py:65-67 and t2vretrieval/encoders/sentence.py:41-54.
    """
    bound = encoder.words.embedding_dim**-0.5
    nn.init.uniform_(encoder.words.weight, -bound, bound)
    for name, weight in encoder.rnn.named_parameters():
        if weight.ndim == 2:
            nn.init.orthogonal_(weight)
            continue
        nn.init.zeros_(weight)
        if isinstance(encoder.rnn, nn.LSTM) and name.startswith("bias_ih"):
            weight[encoder.embed_dim : 2 * encoder.embed_dim] = 1.0


@attrs.frozen(kw_only=True)
class LoadedWords:
    """What a file of word vectors had for a vocabulary.

    Attributes:
        file: its name.
        found: words of the vocabulary that it has.
        missing: words that it lacks, which stay random.
    """

    file: str
    found: int
    missing: int


@torch.no_grad()
def load_word_vectors(encoder: TextEncoder, path: Path, *, rows: Mapping[str, int] | None = None) -> LoadedWords:
    """Put the vectors of a file into the rows of an encoder's words.

    Args:
        encoder: changed in place.
        path: GloVe's text, a word and `word_dim` numbers a line (a first line of two counts is skipped); or a
            checkpoint of the released code (`.th`, read weights-only), whose rows are those of the `word2int.json`
            beside it or in `annotation/RET` of a folder above it.
        rows: the row of each word in such a checkpoint, where it is known.

    Raises:
        MissingPathError: if there is no such file.
        ConfigError: if it is no such file, its vectors are of another size, or it has none of the words.
    """
    if not path.is_file():
        raise MissingPathError(f"there is no file of word vectors {str(path)!r}.")
    dim = encoder.words.embedding_dim
    vectors = _of_checkpoint(path, dim, rows) if path.suffix == ".th" else _of_text(path, encoder.vocabulary, dim)
    seen: set[str] = set()
    for word, vector in vectors:
        if word in encoder.vocabulary and word not in seen:  # of a word that stands twice the first counts
            encoder.words.weight[encoder.vocabulary.ids[word]] = vector
            seen.add(word)
    if not seen:
        raise ConfigError(f"{path} has none of the {len(encoder.vocabulary.ids):,} words of the captions.")
    return LoadedWords(file=path.name, found=len(seen), missing=len(encoder.vocabulary.ids) - len(seen))


def read_released_words(path: Path) -> Tensor:
    """The word vectors of a released checkpoint such as `word_embeds.glove42b.th`, [words, word_dim].

    Raises:
        ConfigError: if it is no checkpoint of tensors, or holds no finite word vectors.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the age of the pickle; what matters is raised
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).strip().split("\n", 1)[0] or type(error).__name__
        raise ConfigError(f"{path} cannot be read as a checkpoint of weights only: {reason}") from error
    encoder = content.get(_ENCODER) if isinstance(content, Mapping) else None
    words = encoder.get(_VARIABLE) if isinstance(encoder, Mapping) else None
    if not isinstance(words, Tensor) or words.ndim != 2 or not bool(words.isfinite().all()):
        raise ConfigError(f"{path} must hold {_ENCODER}: {{{_VARIABLE}: finite numbers [words, word_dim]}}.")
    return words.float()


def _of_checkpoint(path: Path, dim: int, rows: Mapping[str, int] | None) -> Iterator[tuple[str, Tensor]]:
    vectors = read_released_words(path)
    if vectors.shape[1] != dim:
        raise ConfigError(f"{path} has vectors of {vectors.shape[1]} numbers, but word_dim is {dim}.")
    ids = _listed_rows(path) if rows is None else rows
    outside = [word for word, row in ids.items() if not 0 <= row < len(vectors)]
    if outside:
        raise ConfigError(
            f"{path} has {len(vectors):,} rows, and none for {outside[0]!r}; it is of another vocabulary."
        )
    return ((word, vectors[row]) for word, row in ids.items())


def _listed_rows(path: Path) -> dict[str, int]:
    """The row of each word, as the vocabulary of the release says."""
    folders = [path.parent, *(above / "annotation" / "RET" for above in path.resolve().parents[:4])]
    listed = next((folder / WORDS_FILE for folder in folders if (folder / WORDS_FILE).is_file()), None)
    if listed is None:
        raise ConfigError(
            f"{path} does not say which row is which word; put the release's {WORDS_FILE} beside it."
        )
    ids = read_json(listed, dict, error=ConfigError, expected="the vocabulary of a release")
    if not all(isinstance(row, int) for row in ids.values()):
        raise ConfigError(f"{listed} must give each word a whole number.")
    return dict(ids)


def _of_text(path: Path, vocabulary: Vocabulary, dim: int) -> Iterator[tuple[str, Tensor]]:
    """The words of a vocabulary that a text file has; others are skipped before their numbers are read."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            word, _, rest = line.rstrip("\n").partition(" ")
            if word not in vocabulary or (number == 1 and len(rest.split()) == 1):  # word2vec's line of counts
                continue
            numbers = rest.split()
            try:
                vector = np.array(numbers, np.float32)
            except ValueError:
                continue  # GloVe's largest file has a few words with a space in them, such as ". . ."
            if len(vector) != dim or not np.isfinite(vector).all():
                raise ConfigError(
                    f"{path}, line {number}: expected {dim} finite numbers after the word {word!r}, "
                    f"got {len(vector)}; word_dim must be that of the file."
                )
            yield word, torch.from_numpy(vector)
