"""Querybank normalisation: how well a sentence fits any clip, which is taken off its scores.

`hgrkit.model.query.layers` computes the same without torch; a change here is a change there.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from hgrkit.checks.arguments import check_whole
from hgrkit.checks.settings import to_json
from hgrkit.errors import ShapeError
from hgrkit.matching.config import DEFAULT_TEMPERATURE, QuerybankNormConfig
from hgrkit.matching.matcher import unit_vectors

__all__ = ["QuerybankNorm"]


class QuerybankNorm(nn.Module):
    """Scores sentences against the events of a bank of N clips: `t log mean_i exp(cos(event_i, sentence) / t)`.

    Some sentences fit every clip: asked which of many sentences describes a clip, a model names the same few
    again and again (hubness). Their norm is high, and is taken off their scores. One sentence's clips keep their
    order.

    Args:
        size: N.
        embed_dim: D.
        temperature: t; the lower, the more the clips that fit best count.

    Attributes:
        events: [N, D] of length one, float16; zeros, whose norm is 0, until they are given or loaded.
        settings: the arguments, beside `embed_dim`, that make one of the same shape.

    Raises:
        ConfigError: if a setting is out of its range.

    Source: querybank normalisation (arXiv 2112.12777), as a difference of scores and of the event alone: actions
    and entities may have been taught that a sentence is wrong whatever the clip (foils), and keep that.
    """

    events: Tensor

    def __init__(self, *, size: int, embed_dim: int, temperature: float = DEFAULT_TEMPERATURE) -> None:
        super().__init__()
        config = QuerybankNormConfig(size=size, temperature=temperature)
        self.settings: dict[str, Any] = to_json(config)
        self.temperature = float(config.temperature)
        shape = (config.size, check_whole("embed_dim", embed_dim))
        self.register_buffer("events", torch.zeros(shape, dtype=torch.float16))

    @classmethod
    def of(cls, events: Tensor, *, temperature: float = DEFAULT_TEMPERATURE) -> QuerybankNorm:
        """The normalisation by a bank of clips whose events are given, [N, D].

        Raises:
            ShapeError: if there is none.
            ConfigError: if the temperature is not positive.
        """
        if events.ndim != 2 or not events.numel():
            raise ShapeError(f"a querybank needs events [N, D] of at least one clip, got {list(events.shape)}.")
        made = cls(size=events.shape[0], embed_dim=events.shape[1], temperature=temperature).to(events.device)
        made.events.copy_(unit_vectors(events.detach().float()))
        return made

    def forward(self, sentences: Tensor) -> Tensor:
        """Events of sentences, [C, D] -> what each scores with the bank, [C], in [-1, 1]."""
        cosines = unit_vectors(sentences) @ self.events.to(sentences.dtype).T
        mean: Tensor = torch.logsumexp(cosines / self.temperature, dim=1) - math.log(len(self.events))
        return self.temperature * mean
