"""What training minimises, as settings: the `[loss]` table of a run."""

from __future__ import annotations

from typing import Literal

import attrs
from torch import nn

from hgrkit.errors import ConfigError
from hgrkit.matching.losses import HingeLoss, InfoNCE
from hgrkit.settings import setting

__all__ = ["LossConfig"]

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
    direction: Literal["both", "text_to_video", "video_to_text"] = setting("both", "which side asks")
    level_weights: tuple[float, float, float, float] = setting(
        (1.0, 0.0, 0.0, 0.0), "of the losses on the fused, event, action and entity score", within="[0, 1000000]"
    )
    temperature: float = setting(0.05, "infonce: what scores are divided by", within="(0, 1000000]")
    learned_temperature: bool = setting(False, "infonce: whether training changes the temperature")
    soft_targets: float = setting(
        0.0, "infonce: share of the target that is the model's own prediction", within="[0, 1)"
    )
    margin: float = setting(0.2, "hinge: by how much a pair must beat its negatives", within="[0, 1000]")
    negatives: int | Literal["hardest", "all"] = setting(
        "hardest", "hinge: which negatives count; a number k takes the k hardest", within="[1, inf)"
    )

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
        if self.kind == "hinge":
            return HingeLoss(
                margin=self.margin,
                negatives=self.negatives,
                direction=self.direction,
                level_weights=self.level_weights,
            )
        return InfoNCE(
            temperature=self.temperature,
            learned=self.learned_temperature,
            soft_targets=self.soft_targets,
            direction=self.direction,
            level_weights=self.level_weights,
        )
