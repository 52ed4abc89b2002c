"""Reads sentences with a frozen transformer in ONNX form: words in context, without torch and without a hub."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import CheckpointError
from hgrkit.matching.frame_weights import unit_vectors
from hgrkit.model.text.tokenizer_file import load_tokenizer, rust_errors
from hgrkit.parsing.lexicon import Lexicon
from hgrkit.storage.onnx_file import OnnxGraph

__all__ = ["LAST_LAYER_SIZE", "MODEL_FILE", "STATE_SCALE", "TOKENIZER_FILE", "SentenceReader", "SentenceStates"]

MODEL_FILE = "sentence.onnx"
TOKENIZER_FILE = "tokenizer.json"

LAST_LAYER_SIZE = "last_layer_size"
"""In the graph's metadata: how many numbers of a state are the last layer's."""

STATE_SCALE = 8.0
"""What vectors of length one are multiplied by before the linear maps, so that Adam's steps fit."""

MAX_PIECES = 256
"""Word pieces that are read of one sentence, its two end marks among them; later words have zero states."""

_MOST_STATES = 65536  # the largest transformers that read sentences have some 8,000
_PIECES_AT_ONCE = 1024  # some 20 MB between the layers of a MiniLM; more at once are not faster
_LONGEST_S = 6.0  # for those, which take an eighth of a second on one core

Float32 = npt.NDArray[np.float32]


@attrs.frozen(kw_only=True, eq=False, repr=False)
class SentenceStates:
    """Sentences as a transformer reads them.

    Attributes:
        words: mean state of each word's pieces, [C, T, H]; zeros for padding and for what was not read.
        sentence: mean state of all pieces and end marks, scaled to length one, [C, H].
    """

    words: Float32
    sentence: Float32

    def __repr__(self) -> str:
        sentences, words, size = self.words.shape
        return f"SentenceStates(sentences={sentences}, words={words}, hidden_size={size})"


class SentenceReader:
    """A transformer over word pieces and its tokeniser.

    Args:
        model: an ONNX graph with the inputs `piece_ids` and `piece_mask`, int64 [C, L], and the output `states`,
            float32 [C, L, H]. States of several layers may stand beside each other, the last layer's first; the
            graph's metadata then say how many numbers are the last layer's, as `last_layer_size`.
        tokenizer: a `tokenizer.json` with the special tokens that the transformer expects.

    Attributes:
        files: both files.
        hidden_size: H.
        last_layer_size: how many of the H are the last layer's: whose mean over the pieces is what the transformer
            itself says of a sentence.

    Raises:
        CheckpointError: if a file is missing or is not what it should be.

    Source: sentence embedding by mean pooling, Reimers and Gurevych (arXiv 1908.10084), section 3.
    """

    def __init__(self, *, model: Path, tokenizer: Path) -> None:
        for path in (model, tokenizer):
            if not path.is_file():
                raise CheckpointError(f"the text encoder needs {path}, which is missing; install the model again.")
        self._tokenizer = load_tokenizer(tokenizer)
        self._graph = OnnxGraph(model)
        found = {*self._graph.inputs, *self._graph.outputs}
        if found != {"piece_ids", "piece_mask", "states"}:
            raise CheckpointError(f"{model} must map piece_ids and piece_mask to states, it has {sorted(found)}.")
        shape = self._graph.outputs["states"]
        if len(shape) != 3 or not isinstance(shape[2], int) or not 0 < shape[2] <= _MOST_STATES:
            raise CheckpointError(
                f"{model} must make states [C, L, H] of a fixed H up to {_MOST_STATES}, it makes {shape}."
            )
        rust_errors(lambda: self._tokenizer.enable_truncation(MAX_PIECES), f"{tokenizer} cannot be used")
        self.files = (model, tokenizer)
        self.hidden_size: int = shape[2]
        self.last_layer_size = self._last_layer_size(model)

    @classmethod
    def from_folder(cls, folder: Path) -> SentenceReader:
        """The reader whose files lie in a model folder.

        Raises:
            CheckpointError: as the constructor does.
        """
        return cls(model=folder / MODEL_FILE, tokenizer=folder / TOKENIZER_FILE)

    def knows(self, word: str) -> bool:
        """Whether a word is one piece to the transformer, or in hgrkit's lexicon; else it is read in pieces."""
        (written,) = _printable([word])
        failed = f"{self.files[1]} cannot read {word[:60]!r}"
        pieces = rust_errors(lambda: self._tokenizer.encode(written, add_special_tokens=False).tokens, failed)
        unknown = getattr(self._tokenizer.model, "unk_token", None)
        return (len(pieces) <= 1 and unknown not in pieces) or Lexicon.load().knows(word.lower())

    def read(self, sentences: Sequence[Sequence[str]]) -> SentenceStates:
        """Read C sentences of words, of up to T words each.

        Sentences of equal length in pieces are read together, so that none is padded and none can change another.
        """
        printable = [_printable(words) for words in sentences]
        encodings = rust_errors(
            lambda: self._tokenizer.encode_batch(printable, is_pretokenized=True),
            f"{self.files[1]} cannot read these sentences",
        )
        by_length: dict[int, list[int]] = {}
        for number, encoding in enumerate(encodings):
            by_length.setdefault(len(encoding.ids), []).append(number)
        num_words = max((len(words) for words in sentences), default=0)
        words = np.zeros((len(sentences), num_words, self.hidden_size), np.float32)
        sentence = np.zeros((len(sentences), self.hidden_size), np.float32)
        for length, members in by_length.items():
            if not length:  # a tokeniser without end marks, and words that it drops
                continue
            states = self._states(np.array([encodings[number].ids for number in members], np.int64))
            sentence[members] = unit_vectors(states.mean(axis=1))
            for number, rows in zip(members, states, strict=True):
                _mean_over_pieces(rows, encodings[number].word_ids, words[number])
        return SentenceStates(words=words, sentence=sentence)

    def _last_layer_size(self, model: Path) -> int:
        stated = self._graph.metadata.get(LAST_LAYER_SIZE, str(self.hidden_size))
        if not stated.isdecimal() or not 0 < int(stated) <= self.hidden_size:
            raise CheckpointError(
                f"{model} must state a {LAST_LAYER_SIZE} from 1 to {self.hidden_size}, it states {stated!r}."
            )
        return int(stated)

    def _states(self, piece_ids: npt.NDArray[np.int64]) -> Float32:
        """Pieces [C, L] to states [C, L, H], some sentences at a time."""
        sentences, pieces = piece_ids.shape
        states = np.empty((sentences, pieces, int(self._graph.outputs["states"][2])), np.float32)
        at_once = max(1, _PIECES_AT_ONCE // pieces)
        for begin in range(0, sentences, at_once):
            some = slice(begin, begin + at_once)
            feed = {"piece_ids": piece_ids[some], "piece_mask": np.ones_like(piece_ids[some])}
            made = self._graph.run("states", feed, seconds=_LONGEST_S)
            if made.shape != states[some].shape or made.dtype != np.float32 or not np.isfinite(made).all():
                raise CheckpointError(
                    f"{self.files[0]} must make finite float32 states {list(states[some].shape)}, "
                    f"it makes {made.dtype} {list(made.shape)}; install the model again."
                )
            states[some] = made
        return states


def _printable(words: Sequence[str]) -> list[str]:
    """Words that the tokeniser takes: lone surrogates have no UTF-8 form and are read as unknown characters."""
    return [word.encode("utf-8", "replace").decode("utf-8") for word in words]


def _mean_over_pieces(states: Float32, word_of: Sequence[int | None], out: Float32) -> None:
    """Mean state of each word's pieces: [L, H] -> [T, H]."""
    counts = np.zeros(len(out), np.int64)
    for state, word in zip(states, word_of, strict=True):
        if word is not None:
            out[word] += state
            counts[word] += 1
    out /= np.maximum(counts, 1)[:, None]
