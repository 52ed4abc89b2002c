"""The variants that `paper_claim.py` compares: a preset made to fit two cores, with parts left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from hgrkit.research.training.run_config import with_preset

__all__ = ["HGR", "PRESET", "SHORTER_TRAINING", "SMALLER_MODEL", "TRAINED", "Variant"]

PRESET = "paper"
SMALLER_MODEL = {"embed_dim": 256, "even_pooling": True}
SHORTER_TRAINING = {
    "epochs": 5,
    "learning_rate": 1e-3,
    "warm_up": 0.05,
    "schedule": "cosine",
    "bucket": 10,
    "device": "cpu",
}
"""What is not as in the preset, to end on two cores. One frame teaches no attention over frames, so it is even."""


@attrs.frozen(kw_only=True)
class Variant:
    """What is otherwise than in the preset.

    Attributes:
        text: settings of `[model.text]`.
        matcher: settings of `[model.matcher]`.
        loss: settings of `[loss]`.
        nodes: whether actions and entities are read; without them the event is the same, in less time.
    """

    text: Mapping[str, Any] = attrs.field(factory=dict)
    matcher: Mapping[str, Any] = attrs.field(factory=dict)
    loss: Mapping[str, Any] = attrs.field(factory=dict)
    nodes: bool = True

    def tables(self, seed: int, preset: str = PRESET) -> dict[str, Any]:
        """A run's tables as a config would have them, the preset's among them."""
        changed = {
            "model": {**SMALLER_MODEL, "text": self.text, "matcher": self.matcher},
            "training": {**SHORTER_TRAINING, "seed": seed},
            "loss": self.loss,
        }
        return with_preset(changed, preset)


HGR = "HGR"
TRAINED: Mapping[str, Variant] = {
    HGR: Variant(),
    "global baseline": Variant(
        text={"graph_layers": 0},
        matcher={"level_weights": [1.0, 0.0, 0.0]},
        loss={"level_weights": [0.0, 1.0, 0.0, 0.0]},
        nodes=False,
    ),
    "without the graph": Variant(text={"graph_layers": 0}),
    "without attention": Variant(text={"graph_attention": False}),
}
