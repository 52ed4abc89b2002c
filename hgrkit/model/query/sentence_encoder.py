"""Role graphs to queries on a frozen transformer without torch: twin of `hgrkit.model.text.sentence_encoder`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Self

import numpy as np

from hgrkit.checks.settings import read_settings
from hgrkit.graph import RoleGraph
from hgrkit.levels import LEVELS, Level
from hgrkit.matching.frame_weights import unit_vectors
from hgrkit.model.query.encoder import EmbeddedQuery, query_of
from hgrkit.model.query.layers import Float32, GraphAttention, Linear, QuerybankNorm, Weights, adjacency_of
from hgrkit.model.text.config import SentenceTextConfig
from hgrkit.model.text.graph_selection import (
    Omitted,
    SelectedGraph,
    SelectedNode,
    check_words,
    released_role_id,
    select_all,
)
from hgrkit.model.text.sentence_reader import STATE_SCALE, SentenceReader

__all__ = ["SentenceQueryEncoder"]


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


def _mean_states(words: Float32, nodes: Sequence[SelectedNode]) -> Float32:
    """Mean state of each node's words, scaled to length one: [T, H] -> [P, H]."""
    means = np.zeros((len(nodes), words.shape[1]), np.float32)
    for row, node in zip(means, nodes, strict=True):
        words[list(node.tokens)].mean(axis=0, out=row)
    units: Float32 = unit_vectors(means)
    return units
