"""The learning rate of each step: a rising line, then a cosine or nothing."""

from __future__ import annotations

import math

from hgrkit.training.config import TrainConfig

__all__ = ["learning_rate"]


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
