"""The layers that encoders of queries are made of, in numpy: weights of a model folder, and torch's equations."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from hgrkit.errors import CheckpointError
from hgrkit.matching.config import QuerybankNormConfig
from hgrkit.matching.frame_weights import unit_vectors
from hgrkit.model.text.config import GraphAttentionConfig
from hgrkit.model.text.graph_selection import SelectedGraph, node_links

__all__ = [
    "Float32",
    "GraphAttention",
    "LayerNorm",
    "Linear",
    "QuerybankNorm",
    "Weights",
    "adjacency_of",
    "softmax",
]

Float32 = npt.NDArray[np.float32]
Adjacency = npt.NDArray[np.bool_]


class Weights:
    """The arrays of a file below one name.

    >>> weights = Weights({"event.bias": np.zeros(3, np.float32)})
    >>> weights.below("event").take("bias", 3).tolist()
    [0.0, 0.0, 0.0]
    >>> weights.require_all_taken()
    """

    def __init__(self, arrays: dict[str, Float32], name: str = "") -> None:
        """Arrays by their full names, and the name that all those asked for begin with."""
        self._arrays = arrays
        self._name = name

    @classmethod
    def read(cls, path: Path, name: str) -> Weights:
        """The arrays of a safetensors file whose names begin with `name` and a dot, as float32.

        Raises:
            CheckpointError: if the file cannot be read, or they are no finite real numbers that numpy knows.
        """
        arrays = {}
        try:
            with safe_open(path, "numpy") as file:
                for key in file.keys():  # noqa: SIM118 - the file is no mapping
                    if key.startswith(f"{name}."):
                        arrays[key] = file.get_tensor(key)
        except (SafetensorError, OSError, TypeError) as error:  # TypeError: bfloat16
            raise CheckpointError(f"{path} cannot be read: {error}") from error
        for key, array in arrays.items():
            if array.dtype.kind != "f" or not np.isfinite(array).all():
                raise CheckpointError(f"{path}: {key} holds {array.dtype} and should hold finite real numbers.")
        return cls({key: array.astype(np.float32, copy=False) for key, array in arrays.items()}, f"{name}.")

    def below(self, name: str) -> Weights:
        """The arrays whose names go on with `name` and a dot."""
        return Weights(self._arrays, f"{self._name}{name}.")

    def take(self, name: str, *shape: int) -> Float32:
        """One array, which is then taken.

        Raises:
            CheckpointError: if it is not there, or has another shape.
        """
        array = self._arrays.pop(self._name + name, None)
        if array is None or array.shape != shape:
            found = "missing" if array is None else list(array.shape)
            raise CheckpointError(f"the weights {self._name}{name} should be {list(shape)} and are {found}.")
        return array

    def require_all_taken(self) -> None:
        """Refuse weights that nothing asked for.

        Raises:
            CheckpointError: if any is left, whatever its name begins with.
        """
        if self._arrays:
            raise CheckpointError(f"surplus weights {sorted(self._arrays)}.")


class Linear:
    """`y = W x + b` over the last axis; twin of `torch.nn.Linear`."""

    def __init__(self, weights: Weights, in_size: int, out_size: int, *, bias: bool = True) -> None:
        self.weight = weights.take("weight", out_size, in_size)
        self.bias = weights.take("bias", out_size) if bias else None

    def __call__(self, vectors: Float32) -> Float32:
        """[..., in_size] -> [..., out_size]."""
        product: Float32 = vectors @ self.weight.T
        return product if self.bias is None else product + self.bias


class LayerNorm:
    """`(x - mean) / sqrt(variance + 1e-5) * weight + bias` over the last axis; twin of `torch.nn.LayerNorm`."""

    epsilon = np.float32(1e-5)

    def __init__(self, weights: Weights, size: int) -> None:
        self.weight, self.bias = weights.take("weight", size), weights.take("bias", size)

    def __call__(self, vectors: Float32) -> Float32:
        """[..., size] -> [..., size]."""
        centred = vectors - vectors.mean(axis=-1, keepdims=True)
        variance = np.square(centred).mean(axis=-1, keepdims=True)
        normal: Float32 = centred / np.sqrt(variance + self.epsilon) * self.weight + self.bias
        return normal


class QuerybankNorm:
    """What sentences score with the events of a bank of N clips; the equation stands at the twin.

    Args:
        weights: those of the twin.
        config: its settings.
        embed_dim: D.

    Raises:
        CheckpointError: if the weights are not the twin's.
    """

    def __init__(self, weights: Weights, config: QuerybankNormConfig, *, embed_dim: int) -> None:
        self.events = weights.take("events", config.size, embed_dim)
        self.temperature = np.float32(config.temperature)

    def __call__(self, sentences: Float32) -> Float32:
        """Events of sentences, [C, D] -> [C]."""
        scaled = unit_vectors(sentences) @ self.events.T / self.temperature
        highest = scaled.max(axis=1, keepdims=True)  # taken off before the exponential, which would overflow
        norms: Float32 = self.temperature * (np.log(np.exp(scaled - highest).mean(axis=1)) + highest[:, 0])
        return norms


def softmax(logits: Float32) -> Float32:
    """Shares over the last axis; at least one logit of each row must be finite.

    >>> softmax(np.array([0.0, 0.0, -np.inf], np.float32)).tolist()
    [0.5, 0.5, 0.0]
    """
    shares: Float32 = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares /= shares.sum(axis=-1, keepdims=True)
    return shares


class _GraphLayer:
    """One round of messages: `g_i <- LayerNorm(g_i + W sum_j b_ij g_j)`; no LayerNorm if `identity`."""

    def __init__(self, weights: Weights, embed_dim: int, *, attention: bool, identity: bool) -> None:
        half = embed_dim // 2
        self.context = Linear(weights.below("context"), embed_dim, embed_dim, bias=False)
        self.norm = None if identity else LayerNorm(weights.below("norm"), embed_dim)
        self.query = Linear(weights.below("query"), embed_dim, half) if attention else None
        self.key = Linear(weights.below("key"), embed_dim, half) if attention else None

    def __call__(self, nodes: Float32, adjacency: Adjacency) -> Float32:
        told: Float32 = nodes + self.context(self._neighbour_weights(nodes, adjacency) @ nodes)
        return told if self.norm is None else self.norm(told)

    def _neighbour_weights(self, nodes: Float32, adjacency: Adjacency) -> Float32:
        """`b`: rows over neighbours that sum to one, or to zero where a node has none, [N, N]."""
        if self.query is None or self.key is None:
            counts = adjacency.sum(axis=1, keepdims=True)
            even: Float32 = (adjacency / np.maximum(counts, 1)).astype(np.float32)
            return even
        query = self.query(nodes)  # [N, D / 2]
        logits = query @ self.key(nodes).T / np.float32(math.sqrt(query.shape[1]))
        weights = softmax(np.where(adjacency, logits, np.finfo(np.float32).min))
        return np.where(adjacency, weights, np.float32(0))


class GraphAttention:
    """Lets each node of a sentence take up what its neighbours say; the equations stand at the twin.

    Args:
        weights: those of the twin.
        config: its settings.

    Raises:
        CheckpointError: if the weights are not the twin's.

    Source: HGR (arXiv 2003.00392), section 3.1.
    """

    def __init__(self, weights: Weights, config: GraphAttentionConfig) -> None:
        layers = (weights.below(f"layers.{number}") for number in range(config.num_layers))
        self.layers = [
            _GraphLayer(layer, config.embed_dim, attention=config.attention, identity=config.start == "identity")
            for layer in layers
        ]

    def __call__(self, nodes: Float32, adjacency: Adjacency) -> Float32:
        """Pass messages along a graph: nodes [N, D], adjacency bool [N, N] -> [N, D]."""
        for layer in self.layers:
            nodes = layer(nodes, adjacency)
        return nodes


def adjacency_of(graph: SelectedGraph, edges: str) -> Adjacency:
    """Whether node i sees node j by an edge policy, over event, actions and entities: bool [N, N]."""
    size = 1 + len(graph.actions) + len(graph.entities)
    adjacency = np.zeros((size, size), np.bool_)
    for link in node_links(graph, edges, len(graph.actions)):
        adjacency[link] = True
    return adjacency
