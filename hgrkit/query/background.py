"""A sentence's background without torch: twin of `hgrkit.matching.background`."""

from __future__ import annotations

import numpy as np

from hgrkit.errors import ConfigError
from hgrkit.library.candidates import unit_vectors
from hgrkit.query.weights import Float32, Weights

__all__ = ["Background"]


class Background:
    """How well sentences fit the events of N clips; the equation stands at the twin.

    Args:
        weights: those of the twin.
        size: N.
        embed_dim: D.
        temperature: t, positive.

    Raises:
        CheckpointError: if the weights are not the twin's.
        ConfigError: if the temperature is not positive.
    """

    def __init__(self, weights: Weights, *, size: int, embed_dim: int, temperature: float) -> None:
        if not temperature > 0:
            raise ConfigError(f"a background's temperature must be positive, got {temperature}.")
        self.events = weights.take("events", size, embed_dim)
        self.temperature = temperature

    def __call__(self, sentences: Float32) -> Float32:
        """Events of sentences, [C, D] -> their background, [C]."""
        scaled = unit_vectors(sentences) @ self.events.T / self.temperature
        highest = scaled.max(axis=1, keepdims=True)
        mean = np.log(np.exp(scaled - highest).mean(axis=1)) + highest[:, 0]
        background: Float32 = np.float32(self.temperature) * mean
        return background
