"""Nodes from word vectors and a recurrent network without torch: twin of `hgrkit.text.text_encoder`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np

from hgrkit.query.layers import Linear, softmax
from hgrkit.query.node_reader import RoleVectors
from hgrkit.query.recurrence import Recurrence
from hgrkit.query.weights import Float32, Weights
from hgrkit.text.graph_selection import SelectedGraph, SelectedNode
from hgrkit.text.vocabulary import Vocabulary

__all__ = ["RecurrentNodes"]


class RecurrentNodes:
    """Reads words with a recurrent network and pools them to nodes; the equations stand at the twin.

    Args:
        weights: those of the twin.
        vocabulary: the words that have vectors.
        embed_dim: D.
        word_dim: numbers of a word vector.
        recurrence: `gru` or `lstm`.
        bidirectional: read in both directions.
        num_layers: layers of the recurrent network.
        num_roles: rows of the role vectors; 0 for none.

    Raises:
        CheckpointError: if the weights are not the twin's.
        ConfigError: if the recurrence is unknown, or the role vectors lack some of the released roles.
    """

    def __init__(
        self,
        weights: Weights,
        *,
        vocabulary: Vocabulary,
        embed_dim: int,
        word_dim: int,
        recurrence: str,
        bidirectional: bool,
        num_layers: int,
        num_roles: int,
    ) -> None:
        self.vocabulary = vocabulary
        self.words = weights.below("words").take("weight", vocabulary.size, word_dim)
        self.rnn = Recurrence(
            weights.below("rnn"),
            kind=recurrence,
            in_size=word_dim,
            size=embed_dim,
            num_layers=num_layers,
            bidirectional=bidirectional,
        )
        self.pooling = Linear(weights.below("pooling"), embed_dim, 1)
        self.roles = RoleVectors(weights.below("roles"), num_roles, embed_dim)

    def __call__(self, graphs: Sequence[SelectedGraph]) -> list[Float32]:
        """Event, actions and entities of each sentence: [1 + A + E, D]."""
        in_context = dict(self._read(graphs))
        return [
            np.concatenate(
                [
                    self._event(in_context[position])[None],
                    self._nodes(in_context[position], graph.actions),
                    self._nodes(in_context[position], graph.entities),
                ]
            )
            for position, graph in enumerate(graphs)
        ]

    def _read(self, graphs: Sequence[SelectedGraph]) -> Iterator[tuple[int, Float32]]:
        """Each sentence's position and its words in context, [T, D]; those of equal length are read together."""

        def length(position: int) -> int:
            return len(graphs[position].words)

        for _, group in groupby(sorted(range(len(graphs)), key=length), key=length):
            members = list(group)
            ids = [self.vocabulary.encode(graphs[position].words) for position in members]
            yield from zip(members, self.rnn(self.words[ids]), strict=True)

    def _event(self, words: Float32) -> Float32:
        """Attention-weighted sum of the words: [T, D] -> [D]."""
        event: Float32 = softmax(self.pooling(words)[:, 0]) @ words
        return event

    def _nodes(self, words: Float32, nodes: Sequence[SelectedNode]) -> Float32:
        """Maximum over each node's words, times its role: [T, D] -> [P, D]."""
        pooled = np.zeros((len(nodes), words.shape[1]), np.float32)
        for row, node in zip(pooled, nodes, strict=True):
            words[list(node.tokens)].max(axis=0, out=row)
        return self.roles(pooled, nodes)
