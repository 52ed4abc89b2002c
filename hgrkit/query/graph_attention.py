"""Passes messages between the nodes of one sentence without torch: twin of `hgrkit.text.graph_attention`."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from hgrkit.query.layers import LayerNorm, Linear, softmax
from hgrkit.query.weights import Float32, Weights
from hgrkit.text.graph_start import starts_as_identity

__all__ = ["GraphAttention"]

Adjacency = npt.NDArray[np.bool_]


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
        embed_dim: D.
        num_layers: rounds of messages; 0 returns the nodes as they are.
        attention: weigh neighbours by attention instead of evenly.
        start: `random` or `identity`.

    Raises:
        CheckpointError: if the weights are not the twin's.
        ConfigError: if the start is unknown.

    Source: HGR (arXiv 2003.00392), section 3.1.
    """

    def __init__(self, weights: Weights, *, embed_dim: int, num_layers: int, attention: bool, start: str) -> None:
        identity = starts_as_identity(start)
        layers = (weights.below(f"layers.{number}") for number in range(num_layers))
        self.layers = [_GraphLayer(layer, embed_dim, attention=attention, identity=identity) for layer in layers]

    def __call__(self, nodes: Float32, adjacency: Adjacency) -> Float32:
        """Pass messages along a graph: nodes [N, D], adjacency bool [N, N] -> [N, D]."""
        for layer in self.layers:
            nodes = layer(nodes, adjacency)
        return nodes
