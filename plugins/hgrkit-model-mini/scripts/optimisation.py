"""How the weights move in both stages: batches, AdamW, and rates that rise and fall."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import attrs
import numpy as np
import torch
from epoch_log import EpochLog
from indices import Indices
from recipe import Recipe
from rich.progress import track
from torch import Tensor, nn

__all__ = ["Group", "schedule", "shuffled", "trainable"]


@attrs.frozen
class Group:
    """Weights that learn at one rate.

    Attributes:
        weights: what learns.
        rate: the highest learning rate.
        decay: of the weights, AdamW's.
    """

    weights: list[nn.Parameter]
    rate: float
    decay: float


def trainable(module: nn.Module) -> list[nn.Parameter]:
    """The weights that have gradients."""
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def schedule(
    groups: Sequence[Group],
    steps: int,
    recipe: Recipe,
    description: str,
    *,
    clip_norm: float | None = None,
    after: Callable[[int], None] | None = None,
    log: EpochLog | None = None,
) -> Iterator[Callable[[Tensor], None]]:
    """AdamW for that many steps, its rates rising and then falling along a cosine; each step takes a loss.

    After a step `after` is called with its number, from 1, and then the step is written down.
    """
    optimizer = torch.optim.AdamW(
        [{"params": group.weights, "lr": group.rate, "weight_decay": group.decay} for group in groups]
    )
    rates = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [group.rate for group in groups], total_steps=steps, pct_start=recipe.warm_up
    )

    def step(loss: Tensor) -> None:
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if clip_norm is not None:
            nn.utils.clip_grad_norm_([weight for group in groups for weight in group.weights], clip_norm)
        optimizer.step()
        rate = float(rates.get_last_lr()[0])
        rates.step()
        if after is not None:
            after(number)
        if log is not None:
            log.step(loss.item(), rate)

    for number in track(range(1, steps + 1), description=description):  # noqa: B007 - `step` reads it
        yield step


def shuffled(items: Indices, size: int, rng: np.random.Generator) -> Iterator[Indices]:
    """Batches without end; what is left of a round is dropped."""
    while True:
        order = rng.permutation(items)
        yield from (order[start : start + size] for start in range(0, len(order) - size + 1, size))
