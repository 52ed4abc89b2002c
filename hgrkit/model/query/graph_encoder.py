"""Role graphs to queries without torch: nodes, then messages along the graph, one sentence at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.graph import RoleGraph
from hgrkit.library.records import QueryEmbeddings
from hgrkit.model.query.captions import Background
from hgrkit.model.query.encoder import EmbeddedQuery
from hgrkit.model.query.layers import LayerNorm, Linear, softmax
from hgrkit.model.query.weights import Float32, Weights
from hgrkit.model.text.edge_policy import edge_policy, starts_as_identity
from hgrkit.model.text.graph_selection import (
    GraphLimits,
    Omitted,
    SelectedGraph,
    SelectedNode,
    check_num_roles,
    check_words,
    released_role_id,
    select_all,
)

__all__ = ["GraphAttention", "GraphEncoder", "NodeReader", "RoleVectors"]

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


class NodeReader(Protocol):
    """Vectors of a sentence's nodes before they exchange messages."""

    def __call__(self, graphs: Sequence[SelectedGraph], /) -> list[Float32]:
        """Event, actions and entities of each sentence: [1 + A + E, D]."""
        ...


class RoleVectors:
    """Multiplies a node's vector by that of its role, entry by entry.

    Args:
        weights: a table of `num_roles` rows, in the order of `RELEASED_ROLES`.
        num_roles: its rows; 0 for none, and nodes stay as they are.
        embed_dim: D.

    Raises:
        CheckpointError: if the weights are no such table.
        ConfigError: if the table lacks some of the released roles.
    """

    def __init__(self, weights: Weights, num_roles: int, embed_dim: int) -> None:
        check_num_roles(num_roles)
        self.table = weights.take("weight", num_roles, embed_dim) if num_roles else None

    def __call__(self, vectors: Float32, nodes: Sequence[SelectedNode]) -> Float32:
        """[P, D] -> [P, D]."""
        if self.table is None:
            return vectors
        scaled: Float32 = vectors * self.table[[released_role_id(node.role) for node in nodes]]
        return scaled


@attrs.frozen(kw_only=True, eq=False)
class GraphEncoder:
    """A `QueryEncoder` that needs no torch; no sentence is padded, so that none can change another.

    Attributes:
        nodes: vectors of a sentence's nodes.
        graph: messages between them.
        limits: how much of a sentence is kept.
        edges: name of the edge policy.
        background: what the model takes off a sentence's scores, if anything.

    Raises:
        ConfigError: if the edge policy is unknown.
    """

    nodes: NodeReader
    graph: GraphAttention
    limits: GraphLimits
    edges: str
    background: Background | None = None

    def __attrs_post_init__(self) -> None:
        edge_policy(self.edges)

    def embed(self, graphs: Sequence[RoleGraph]) -> tuple[list[EmbeddedQuery], Omitted]:
        """Embed sentences, as `QueryEncoder` says."""
        selected = select_all(graphs, self.limits)
        check_words(selected)
        queries = [
            self._query(graph, kept, self.graph(nodes, self._adjacency(kept)))
            for graph, kept, nodes in zip(graphs, selected, self.nodes(selected), strict=True)
        ]
        return queries, sum((kept.omitted for kept in selected), Omitted())

    def _adjacency(self, graph: SelectedGraph) -> npt.NDArray[np.bool_]:
        """Whether node i sees node j, over event, actions and entities: bool [N, N]."""
        first = {"event": 0, "action": 1, "entity": 1 + len(graph.actions)}
        size = 1 + len(graph.actions) + len(graph.entities)
        adjacency = np.zeros((size, size), np.bool_)
        for (seer, i), (seen, j) in edge_policy(self.edges)(graph):
            adjacency[first[seer] + i, first[seen] + j] = True
        return adjacency

    def _query(self, graph: RoleGraph, kept: SelectedGraph, nodes: Float32) -> EmbeddedQuery:
        """A sentence's nodes [1 + A + E, D] as a query."""
        by_id = {node.id: node for node in graph.nodes}
        entities = 1 + len(kept.actions)
        return EmbeddedQuery(
            embeddings=QueryEmbeddings(
                event=nodes[0],
                action=nodes[1:entities],
                entity=nodes[entities:],
            ),
            actions=tuple(by_id[node.id] for node in kept.actions),
            entities=tuple(by_id[node.id] for node in kept.entities),
        )
