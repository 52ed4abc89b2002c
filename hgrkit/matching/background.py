"""The background: how well a sentence fits clips that it has nothing to do with.

`hgrkit.model.query.captions` computes the same without torch; a change here is a change there.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from hgrkit.errors import ConfigError, ShapeError

__all__ = ["DEFAULT_TEMPERATURE", "Background"]

DEFAULT_TEMPERATURE = 0.08


class Background(nn.Module):
    """Scores sentences against the events of N clips at once: `t log mean_i exp(cos(event_i, sentence) / t)`.

    Some sentences fit every clip: asked which of many sentences describes a clip, a model names the same few
    again and again (hubness). Their background is high, and is taken off their scores. One sentence's clips keep
    their order.

    Args:
        size: N, at least 1.
        embed_dim: D.
        temperature: t; the lower, the more the clips count that fit best.

    Attributes:
        events: [N, D] of length one, float16; zeros, whose background is 0, until they are given or loaded.

    Raises:
        ConfigError: if a setting is out of its range.

    Source: querybank normalisation (arXiv 2112.12777), as a difference of scores and of the event alone: actions
    and entities may have been taught that a sentence is wrong whatever the clip (foils), and keep that.
    """

    events: Tensor

    def __init__(self, *, size: int, embed_dim: int, temperature: float = DEFAULT_TEMPERATURE) -> None:
        super().__init__()
        if min(size, embed_dim) < 1 or not temperature > 0:
            raise ConfigError(
                f"a background needs size and embed_dim of at least 1 and a positive temperature, got {size}, "
                f"{embed_dim} and {temperature}."
            )
        self.temperature = float(temperature)
        self.register_buffer("events", torch.zeros(size, embed_dim, dtype=torch.float16))

    @classmethod
    def of(cls, events: Tensor, *, temperature: float = DEFAULT_TEMPERATURE) -> Background:
        """The background of clips whose events are given, [N, D].

        Raises:
            ShapeError: if there is none.
            ConfigError: if the temperature is not positive.
        """
        if events.ndim != 2 or not events.numel():
            raise ShapeError(f"a background needs events [N, D] of at least one clip, got {list(events.shape)}.")
        made = cls(size=events.shape[0], embed_dim=events.shape[1], temperature=temperature).to(events.device)
        made.events.copy_(nn.functional.normalize(events.detach().float(), dim=1))
        return made

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments, beside `embed_dim`, that make a background of the same shape."""
        return {"size": len(self.events), "temperature": self.temperature}

    def forward(self, sentences: Tensor) -> Tensor:
        """Events of sentences, [C, D] -> their background, [C], in [-1, 1]."""
        cosines = nn.functional.normalize(sentences, dim=1) @ self.events.to(sentences.dtype).T
        mean: Tensor = torch.logsumexp(cosines / self.temperature, dim=1) - torch.tensor(len(self.events)).log()
        return self.temperature * mean
