"""Nodes from a frozen transformer without torch: twin of `hgrkit.model.text.sentence_encoder`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np

from hgrkit.levels import LEVELS, Level
from hgrkit.model.query.graph_encoder import RoleVectors
from hgrkit.model.query.layers import Linear
from hgrkit.model.query.weights import Float32, Weights
from hgrkit.model.text.graph_selection import SelectedGraph, SelectedNode
from hgrkit.model.text.sentence_reader import STATE_SCALE, SentenceReader

__all__ = ["SentenceNodes"]

_SHORTEST = np.float32(1e-12)
"""The smallest length that a mean state is divided by, as in `torch.nn.functional.normalize`."""


class SentenceNodes:
    """Linear views of a frozen transformer's states; the equations stand at the twin.

    Args:
        weights: those of the twin.
        reader: the frozen transformer.
        embed_dim: D.
        num_roles: rows of the role vectors; 0 for none.

    Raises:
        CheckpointError: if the weights are not the twin's.
        ConfigError: if the role vectors lack some of the released roles.
    """

    def __init__(self, weights: Weights, *, reader: SentenceReader, embed_dim: int, num_roles: int) -> None:
        self.reader = reader
        self.views: dict[Level, Linear] = {
            level: Linear(weights.below(level), reader.hidden_size, embed_dim) for level in LEVELS
        }
        self.roles = RoleVectors(weights.below("roles"), num_roles, embed_dim)

    def __call__(self, graphs: Sequence[SelectedGraph]) -> list[Float32]:
        """Event, actions and entities of each sentence: [1 + A + E, D]."""
        states = self.reader.read([graph.words for graph in graphs])
        events = self.views["event"](STATE_SCALE * states.sentence)[:, None]  # [C, 1, D]
        actions = self._nodes("action", states.words, [graph.actions for graph in graphs])
        entities = self._nodes("entity", states.words, [graph.entities for graph in graphs])
        return list(map(np.concatenate, zip(events, actions, entities, strict=True)))

    def _nodes(self, level: Level, words: Float32, nodes: Sequence[Sequence[SelectedNode]]) -> list[Float32]:
        """One level's nodes of each sentence, all in one product: words [C, T, H] -> C arrays [P, D]."""
        means: Float32 = np.concatenate([_mean_states(*sentence) for sentence in zip(words, nodes, strict=True)])
        vectors = self.roles(self.views[level](STATE_SCALE * means), list(chain.from_iterable(nodes)))
        return np.split(vectors, np.cumsum([len(sentence) for sentence in nodes])[:-1])


def _mean_states(words: Float32, nodes: Sequence[SelectedNode]) -> Float32:
    """Mean state of each node's words, scaled to length one: [T, H] -> [P, H]."""
    means = np.zeros((len(nodes), words.shape[1]), np.float32)
    for row, node in zip(means, nodes, strict=True):
        words[list(node.tokens)].mean(axis=0, out=row)
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    units: Float32 = means / np.maximum(lengths, _SHORTEST)
    return units
