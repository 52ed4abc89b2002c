"""The optimiser of a run, the learning rate of each step, and a running average of the weights."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from hgrkit.errors import ConfigError
from hgrkit.research.training.config import TrainConfig

__all__ = ["WeightAverage", "learning_rate", "make_optimizer", "weights_in_place"]


def make_optimizer(model: nn.Module, loss: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """Adam or AdamW; weight decay on the model's matrices, not on vectors, nor on the loss's weights.

    Raises:
        ConfigError: if no weight of the model is trained.
    """
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    if not weights:
        raise ConfigError("every weight of the model is frozen; there is nothing to train.")
    plain = [weight for weight in weights if weight.ndim < 2]
    plain += [weight for weight in loss.parameters() if weight.requires_grad]
    groups = [
        {"params": [weight for weight in weights if weight.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    return kind([group for group in groups if group["params"]], lr=config.learning_rate, betas=config.betas)


def learning_rate(config: TrainConfig, step: int, total: int) -> float:
    """The rate of a step.

    With W = `warm_up` x total steps: `rate (step + 1) / W` for `step < W`; then, with p going from 0 to 1,
    `rate (final + (1 - final) (1 + cos(pi p)) / 2)`, or `rate` where the schedule is constant.

    >>> config = TrainConfig(learning_rate=1.0, warm_up=0.5)
    >>> [round(learning_rate(config, step, 8), 3) for step in range(8)]
    [0.25, 0.5, 0.75, 1.0, 1.0, 0.854, 0.5, 0.146]

    Args:
        config: the settings.
        step: from 0.
        total: steps of the whole run.
    """
    warm = round(config.warm_up * total)
    if step < warm:
        return config.learning_rate * (step + 1) / warm
    if config.schedule == "constant":
        return config.learning_rate
    progress = (step - warm) / max(1, total - warm)
    share = config.final_rate + (1 - config.final_rate) * (1 + math.cos(math.pi * progress)) / 2
    return config.learning_rate * share


class WeightAverage:
    """`average <- d average + (1 - d) weight` each step, with `d = min(decay, (1 + n) / (10 + n))` at step n.

    Args:
        model: whose weights are averaged; they are the first average.
        decay: of the average, a step.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Take in the weights after a step, counted from 1; what is no fraction is copied."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                self.weights[name].lerp_(tensor, 1 - decay)
            else:
                self.weights[name].copy_(tensor)


@contextmanager
def weights_in_place(model: nn.Module, weights: Mapping[str, Tensor] | None) -> Iterator[None]:
    """Run a block with other weights; `None` leaves the model's own."""
    if weights is None:
        yield
        return
    own = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    model.load_state_dict(dict(weights))
    try:
        yield
    finally:
        model.load_state_dict(own)
