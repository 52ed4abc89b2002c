"""A transformer that is one attention layer over random piece vectors, small enough to be computed by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

from hgrkit.model.text.sentence_reader import MAX_PIECES, SentenceReader

HIDDEN = 8
WORDS = ["a", "woman", "throw", "##s", "ball", "while", "dog", "sleep", "run", "red", "snow", "?", "the"]
PIECES = {piece: number for number, piece in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}


@attrs.frozen
class TinyTransformer:
    """The files of a reader, and what they compute, in numpy."""

    model: Path
    tokenizer: Path
    piece_ids: dict[str, int]
    states: Callable[[list[str]], np.ndarray]

    def reader(self):
        return SentenceReader(model=self.model, tokenizer=self.tokenizer)


def write_transformer(folder):
    """states = tanh(softmax(x x') x + x) for x = piece vectors + position vectors, for up to MAX_PIECES pieces."""
    random = np.random.default_rng(0)
    vectors = random.normal(size=(len(PIECES), HIDDEN)).astype(np.float32)
    positions = 0.5 * random.normal(size=(MAX_PIECES, HIDDEN)).astype(np.float32)
    onnx.save(graph_of(vectors, positions), folder / "tiny.onnx")
    make_tokenizer().save(str(folder / "tokenizer.json"))

    def states(pieces):
        x = vectors[[PIECES[piece] for piece in pieces]] + positions[: len(pieces)]
        weights = np.exp(x @ x.T - (x @ x.T).max(axis=1, keepdims=True))
        return np.tanh(weights / weights.sum(axis=1, keepdims=True) @ x + x)

    return TinyTransformer(folder / "tiny.onnx", folder / "tokenizer.json", PIECES, states)


def make_tokenizer(*, end_marks=True):
    tokenizer = Tokenizer(WordPiece(PIECES, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    if end_marks:
        marks = [(mark, PIECES[mark]) for mark in ("[CLS]", "[SEP]")]
        tokenizer.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=marks)
    return tokenizer


def graph_of(vectors, positions):
    def ints(name, *values):
        return numpy_helper.from_array(np.array(values, np.int64), name)

    node = helper.make_node
    nodes = [
        node("Gather", ["vectors", "piece_ids"], ["pieces"]),
        node("Shape", ["piece_ids"], ["length"], start=1, end=2),
        node("Slice", ["positions", "first", "length"], ["places"]),
        node("Add", ["pieces", "places"], ["x"]),
        node("Transpose", ["x"], ["x_t"], perm=[0, 2, 1]),
        node("MatMul", ["x", "x_t"], ["logits"]),
        node("Cast", ["piece_mask"], ["seen"], to=TensorProto.FLOAT),
        node("Log", ["seen"], ["minus_infinity"]),
        node("Unsqueeze", ["minus_infinity", "one"], ["masking"]),
        node("Add", ["logits", "masking"], ["masked"]),
        node("Softmax", ["masked"], ["weights"], axis=-1),
        node("MatMul", ["weights", "x"], ["message"]),
        node("Add", ["message", "x"], ["sum"]),
        node("Tanh", ["sum"], ["states"]),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["C", "L"]) for name in ("piece_ids", "piece_mask")
    ]
    output = helper.make_tensor_value_info("states", TensorProto.FLOAT, ["C", "L", HIDDEN])
    constants = [
        numpy_helper.from_array(vectors, "vectors"),
        numpy_helper.from_array(positions, "positions"),
        ints("first", 0),
        ints("one", 1),
    ]
    graph = helper.make_graph(nodes, "tiny", inputs, [output], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
