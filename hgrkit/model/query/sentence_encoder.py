"""Role graphs to queries on a frozen transformer without torch: twin of `hgrkit.model.text.sentence_encoder`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from hgrkit.checks.settings import read_settings
from hgrkit.graph import RoleGraph
from hgrkit.levels import LEVELS, Level
from hgrkit.library.records import QueryEmbeddings
from hgrkit.matching.frame_weights import unit_vectors
from hgrkit.model.query.encoder import EmbeddedQuery
from hgrkit.model.query.layers import Float32, LayerNorm, Linear, QuerybankNorm, Weights, softmax
from hgrkit.model.text.config import GraphAttentionConfig, SentenceTextConfig
from hgrkit.model.text.graph_selection import (
    Omitted,
    SelectedGraph,
    SelectedNode,
    check_words,
    node_links,
    released_role_id,
    select_all,
)
from hgrkit.model.text.sentence_reader import STATE_SCALE, SentenceReader

__all__ = ["GraphAttention", "SentenceQueryEncoder", "adjacency_of", "query_of"]

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


class SentenceQueryEncoder:
    """A `QueryEncoder` that needs no torch; no sentence is padded, so that none can change another.

    Args:
        weights: those of the twin.
        config: its settings.
        reader: the frozen transformer.
        querybank_norm: what the model takes off a sentence's scores, if anything.

    Raises:
        CheckpointError: if the weights are not the twin's.
    """

    def __init__(
        self,
        weights: Weights,
        config: SentenceTextConfig,
        *,
        reader: SentenceReader,
        querybank_norm: QuerybankNorm | None = None,
    ) -> None:
        self.config, self.reader, self.querybank_norm = config, reader, querybank_norm
        self.views: dict[Level, Linear] = {
            level: Linear(weights.below(level), reader.hidden_size, config.embed_dim) for level in LEVELS
        }
        roles = weights.below("roles")
        self.roles = roles.take("weight", config.num_roles, config.embed_dim) if config.num_roles else None
        self.graph = GraphAttention(weights.below("graph"), config.graph)

    @classmethod
    def from_folder(
        cls, settings: Mapping[str, Any], folder: Path, weights: Weights, querybank_norm: QuerybankNorm | None
    ) -> Self:
        """The encoder of a model folder, of the `text` settings in its config and the weights of its text encoder.

        Raises:
            CheckpointError: if the transformer is damaged, or the weights are not the twin's.
            ConfigError: if a setting is unknown or out of its range.
        """
        config = read_settings(SentenceTextConfig, settings, "text")
        return cls(weights, config, reader=SentenceReader.from_folder(folder), querybank_norm=querybank_norm)

    def knows(self, word: str) -> bool:
        """Whether a word is one that the model has met."""
        return self.reader.knows(word)

    # one sentence at a time after the transformer: a dozen nodes are too few for a batch to pay
    def embed(
        self, graphs: Sequence[RoleGraph], sentences: Sequence[str] | None = None
    ) -> tuple[list[EmbeddedQuery], Omitted]:
        """Embed sentences, as `QueryEncoder` says; the graphs' tokens are all that is read."""
        del sentences
        selected = select_all(graphs, self.config)
        check_words(selected)
        queries = [
            query_of(graph, kept, self.graph(nodes, adjacency_of(kept, self.config.edges)))
            for graph, kept, nodes in zip(graphs, selected, self._all_nodes(selected), strict=True)
        ]
        return queries, sum((kept.omitted for kept in selected), Omitted())

    def _all_nodes(self, graphs: Sequence[SelectedGraph]) -> list[Float32]:
        """Event, actions and entities of each sentence before messages: [1 + A + E, D]."""
        states = self.reader.read([graph.words for graph in graphs])
        events = self.views["event"](STATE_SCALE * states.sentence)[:, None]  # [C, 1, D]
        actions = self._nodes("action", states.words, [graph.actions for graph in graphs])
        entities = self._nodes("entity", states.words, [graph.entities for graph in graphs])
        return list(map(np.concatenate, zip(events, actions, entities, strict=True)))

    def _nodes(self, level: Level, words: Float32, nodes: Sequence[Sequence[SelectedNode]]) -> list[Float32]:
        """One level's nodes of each sentence, all in one product: words [C, T, H] -> C arrays [P, D]."""
        means: Float32 = np.concatenate([_mean_states(*sentence) for sentence in zip(words, nodes, strict=True)])
        vectors = self.views[level](STATE_SCALE * means)
        if self.roles is not None:
            vectors = vectors * self.roles[[released_role_id(node.role) for node in chain.from_iterable(nodes)]]
        return np.split(vectors, np.cumsum([len(sentence) for sentence in nodes])[:-1])


def adjacency_of(graph: SelectedGraph, edges: str) -> Adjacency:
    """Whether node i sees node j by an edge policy, over event, actions and entities: bool [N, N]."""
    size = 1 + len(graph.actions) + len(graph.entities)
    adjacency = np.zeros((size, size), np.bool_)
    for link in node_links(graph, edges, len(graph.actions)):
        adjacency[link] = True
    return adjacency


def _mean_states(words: Float32, nodes: Sequence[SelectedNode]) -> Float32:
    """Mean state of each node's words, scaled to length one: [T, H] -> [P, H]."""
    means = np.zeros((len(nodes), words.shape[1]), np.float32)
    for row, node in zip(means, nodes, strict=True):
        words[list(node.tokens)].mean(axis=0, out=row)
    units: Float32 = unit_vectors(means)
    return units


def query_of(graph: RoleGraph, kept: SelectedGraph, nodes: Float32) -> EmbeddedQuery:
    """A sentence's nodes [1 + A + E, D] as a query."""
    by_id = {node.id: node for node in graph.nodes}
    entities = 1 + len(kept.actions)
    return EmbeddedQuery(
        embeddings=QueryEmbeddings(event=nodes[0], action=nodes[1:entities], entity=nodes[entities:]),
        actions=tuple(by_id[node.id] for node in kept.actions),
        entities=tuple(by_id[node.id] for node in kept.entities),
    )
