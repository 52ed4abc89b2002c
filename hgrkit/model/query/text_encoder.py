"""Nodes from word vectors and a recurrent network without torch: twin of `hgrkit.model.text.text_encoder`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import numpy as np

from hgrkit.errors import ConfigError
from hgrkit.model.query.graph_encoder import RoleVectors
from hgrkit.model.query.layers import Linear, sigmoid, softmax
from hgrkit.model.query.weights import Float32, Weights
from hgrkit.model.text.graph_selection import SelectedGraph, SelectedNode
from hgrkit.model.text.vocabulary import Vocabulary

__all__ = ["Recurrence", "RecurrentNodes"]

Step = Callable[[Float32, Float32, tuple[Float32, ...]], tuple[Float32, ...]]
"""Gates from the word and from the state, and the states before: the states after, the visible one first."""


def _gru(word: Float32, state: Float32, before: tuple[Float32, ...]) -> tuple[Float32, ...]:
    """`n = tanh(n_x + r n_h)`, `h <- (1 - z) n + z h`; gates in the order r, z, n."""
    reset_x, update_x, new_x = np.split(word, 3, axis=1)
    reset_h, update_h, new_h = np.split(state, 3, axis=1)
    update = sigmoid(update_x + update_h)
    new = np.tanh(new_x + sigmoid(reset_x + reset_h) * new_h)
    return ((1 - update) * new + update * before[0],)


def _lstm(word: Float32, state: Float32, before: tuple[Float32, ...]) -> tuple[Float32, ...]:
    """`c <- f c + i g`, `h <- o tanh(c)`; gates in the order i, f, g, o."""
    entry, forget, new, out = np.split(word + state, 4, axis=1)
    cell = sigmoid(forget) * before[1] + sigmoid(entry) * np.tanh(new)
    return sigmoid(out) * np.tanh(cell), cell


_STEPS: dict[str, tuple[Step, int, int]] = {"gru": (_gru, 3, 1), "lstm": (_lstm, 4, 2)}
"""By the name of the recurrence: one step, its gates and its states."""


class _Direction:
    """One direction of one layer."""

    def __init__(self, weights: Weights, kind: str, suffix: str, in_size: int, size: int) -> None:
        self.step, gates, self.num_states = _STEPS[kind]
        self.size = size
        self.from_word = weights.take(f"weight_ih_{suffix}", gates * size, in_size).T
        self.from_state = weights.take(f"weight_hh_{suffix}", gates * size, size).T
        self.word_bias = weights.take(f"bias_ih_{suffix}", gates * size)
        self.state_bias = weights.take(f"bias_hh_{suffix}", gates * size)

    def __call__(self, words: Float32) -> Float32:
        """[C, T, in_size] -> [C, T, size]."""
        from_words = words @ self.from_word + self.word_bias  # [C, T, gates * size]
        states = (np.zeros((len(words), self.size), np.float32),) * self.num_states
        seen = np.empty((*words.shape[:2], self.size), np.float32)
        for position in range(words.shape[1]):
            states = self.step(from_words[:, position], states[0] @ self.from_state + self.state_bias, states)
            seen[:, position] = states[0]
        return seen


class Recurrence:
    """Sentences of equal length through all layers, in one direction or both.

    Args:
        weights: those of the torch module.
        kind: `gru` or `lstm`.
        in_size: numbers of a word vector.
        size: D.
        num_layers: layers; each reads both directions of the one below.
        bidirectional: read in both directions.

    Raises:
        CheckpointError: if the weights are not those of such a network.
        ConfigError: if the kind is unknown.
    """

    def __init__(
        self, weights: Weights, *, kind: str, in_size: int, size: int, num_layers: int, bidirectional: bool
    ) -> None:
        if kind not in _STEPS:
            raise ConfigError(f"recurrence must be 'gru' or 'lstm', got {kind!r}.")
        ends = ("", "_reverse") if bidirectional else ("",)
        sizes = [in_size, *[len(ends) * size] * (num_layers - 1)]
        self.layers = [
            [_Direction(weights, kind, f"l{number}{end}", below, size) for end in ends]
            for number, below in enumerate(sizes)
        ]

    def __call__(self, words: Float32) -> Float32:
        """Words in context, the mean of the directions: [C, T, in_size] -> [C, T, D]."""
        directions: list[Float32] = []
        for forward, *backward in self.layers:
            directions = [forward(words), *(layer(words[:, ::-1])[:, ::-1] for layer in backward)]
            words = np.concatenate(directions, axis=2)
        mean: Float32 = np.mean(directions, axis=0)
        return mean


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
