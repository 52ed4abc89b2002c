"""The optimiser of a run: Adam or AdamW over all weights that are trained, those of the loss among them."""

from __future__ import annotations

import torch
from torch import nn

from hgrkit.errors import ConfigError
from hgrkit.training.config import TrainConfig

__all__ = ["make_optimizer"]


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
