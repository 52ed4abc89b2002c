"""How a model is trained and what training minimises: the `[training]` and `[loss]` tables of a run."""

from __future__ import annotations

import math
from typing import Any, Literal

import attrs
from torch import nn

from hgrkit.checks.settings import like, setting, settings_like
from hgrkit.errors import ConfigError
from hgrkit.levels import LEVELS, Level
from hgrkit.matching.losses import Direction, HingeConfig, HingeLoss, InfoNCE, InfoNCEConfig

__all__ = ["LossConfig", "TrainConfig", "learning_rate"]


@attrs.frozen(kw_only=True)
class TrainConfig:
    """The `[training]` table of a run.

    >>> TrainConfig(epochs=3).learning_rate
    0.001

    Raises:
        ConfigError: if a setting has the wrong type or is out of its range; the message names both.
    """

    epochs: int = setting(20, "passes over the training clips", within="[1, 1000000]")
    batch_size: int = setting(128, "pairs of clip and caption in a step", within="[2, 1000000]")
    seed: int = setting(0, "seed of new weights, the order of pairs and dropout", within="[0, 4294967295]")
    device: str = setting("auto", "where to compute: auto (a GPU if there is one), cpu, cuda:1, mps")
    mixed_precision: bool = setting(False, "bfloat16 where it is safe; needs a GPU")

    optimizer: Literal["adam", "adamw"] = setting("adamw", "adamw keeps weight decay apart from the gradient")
    learning_rate: float = setting(1e-3, "the highest rate, after warm-up", within="(0, 1000]")
    betas: tuple[float, float] = setting((0.9, 0.999), "decay of Adam's averages, a step", within="[0, 1)")
    weight_decay: float = setting(0.01, "of matrices; vectors and temperatures have none", within="[0, 1000]")
    warm_up: float = setting(0.1, "share of all steps in which the rate rises linearly", within="[0, 1]")
    schedule: Literal["cosine", "constant"] = setting("cosine", "what the rate does after warm-up")
    final_rate: float = setting(0.0, "share of the learning rate that cosine ends at", within="[0, 1]")
    clip_norm: float | None = setting(
        None, "maximum norm of the gradient over all weights; longer ones are scaled", within="(0, inf)"
    )
    ema: float | None = setting(
        None, "decay in each step of the average of weights that is measured and saved", within="[0, 1)"
    )

    captions_per_video: int | None = setting(
        None, "captions drawn for each clip in an epoch; none uses all", within="[1, inf)"
    )
    bucket: int = setting(
        0, "batches among which pairs are sorted by caption length; 0 mixes lengths", within="[0, inf)"
    )
    drop_last: bool = setting(True, "leave out an epoch's last batch if it is not full, unless it is the only one")
    same_clip_negatives: bool = setting(
        False, "captions of one clip, and captions in the same words, are negatives of each other, as released"
    )
    feature_dropout: float = setting(0.0, "share of the frame features' values that are zeroed", within="[0, 1)")
    paraphrase_weight: float = setting(
        0.0, "weight of InfoNCE between two captions of one clip, event level", within="[0, 1000000]"
    )
    foil_weight: float = setting(
        0.0, "weight of preferring a caption to its foil, the sum over foil_levels", within="[0, 1000000]"
    )
    foil_levels: tuple[Level, ...] = setting(
        ("action", "entity"), "levels at which a caption is compared with its foil, each at most once"
    )
    foil_temperature: float = setting(
        0.05, "temperature that divides the difference of the two scores", within="(0, inf)"
    )

    background: int | None = setting(
        None,
        "training clips in the querybank; none: as many as in the model to start from",
        within="[1, inf)",
    )

    patience: int | None = setting(
        None, "stop after this many epochs without a better dev Rsum; none never stops", within="[1, inf)"
    )
    keep_start: bool = setting(
        False, "measure the dev clips before the first step, and keep these weights unless an epoch is better"
    )
    save_every: int | None = setting(
        None, "steps between saved states within an epoch; the end of an epoch is always saved", within="[1, inf)"
    )

    def __attrs_post_init__(self) -> None:
        if self.mixed_precision and self.device == "cpu":
            raise ConfigError("mixed_precision needs a GPU, but device is 'cpu'; leave one of them out.")
        if not self.foil_levels or len(set(self.foil_levels)) < len(self.foil_levels):
            given = ", ".join(self.foil_levels) or "none"
            raise ConfigError(f"foil_levels must be some of {', '.join(LEVELS)}, each once; got {given}.")


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


_ONLY: dict[str, tuple[str, ...]] = {
    "hinge": ("margin", "negatives"),
    "infonce": ("temperature", "learned_temperature", "soft_targets"),
}


@attrs.frozen(kw_only=True)
class LossConfig:
    """The `[loss]` table of a run.

    Raises:
        ConfigError: if a setting has the wrong type, is out of its range, or belongs to the other kind of loss.
    """

    kind: Literal["infonce", "hinge"] = setting("infonce", "which loss")
    direction: Direction = like(HingeConfig, "direction")
    level_weights: tuple[float, float, float, float] = setting(
        (1.0, 0.0, 0.0, 0.0), "of the losses on the fused, event, action and entity score", within="[0, 1000000]"
    )
    temperature: float = like(InfoNCEConfig, "temperature")
    learned_temperature: bool = like(InfoNCEConfig, "learned")
    soft_targets: float = like(InfoNCEConfig, "soft_targets")
    margin: float = like(HingeConfig, "margin")
    negatives: int | Literal["hardest", "all"] = like(HingeConfig, "negatives")

    def __attrs_post_init__(self) -> None:
        other = "hinge" if self.kind == "infonce" else "infonce"
        defaults = {field.name: field.default for field in attrs.fields(LossConfig)}
        stray = [name for name in _ONLY[other] if getattr(self, name) != defaults[name]]
        if stray:
            raise ConfigError(f"{', '.join(stray)} belong to the loss {other!r}, but kind is {self.kind!r}.")
        if not any(self.level_weights):
            raise ConfigError("level_weights must not all be 0; there would be nothing to train.")

    def make(self) -> nn.Module:
        """The loss."""
        shared: dict[str, Any] = {"direction": self.direction, "level_weights": self.level_weights}
        if self.kind == "hinge":
            return HingeLoss(**(settings_like(HingeConfig, self) | shared))
        return InfoNCE(**settings_like(InfoNCEConfig, self), **shared)
