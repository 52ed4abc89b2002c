"""Image-text models of `transformers` as models of hgrkit: what its entry points name."""

from __future__ import annotations

from typing import Any

from hgrkit.errors import ConfigError
from hgrkit_clip.encoders import ClipFrames, ClipTexts

__all__ = ["LEVEL_WEIGHTS", "ClipFrames", "ClipTexts", "frame_encoder", "model_config", "text_encoder"]

LEVEL_WEIGHTS = (6.0, 3.0, 1.0)
"""Of event, action and entity. The event alone is the published models' own score, and leads; the phrases tell
apart what one vector for a sentence cannot. Not measured on published weights."""


def model_config(device: str = "cpu", source: str = "") -> dict[str, Any]:
    """What a model's `config.json` says, for `clip:FOLDER` and `clip:HUB/NAME`.

    Raises:
        ConfigError: if no model is named.
        ModelNotFoundError, CheckpointError: if it is not there, or is no dual encoder.
    """
    texts = text_encoder(device, source)
    return {
        "name": texts.name,
        "frame_encoder": texts.name,
        "text": {"type": "plugin", "name": texts.name},
        "video": {"feature_dim": texts.embed_dim, "embed_dim": texts.embed_dim},
        "matcher": {"level_weights": list(LEVEL_WEIGHTS)},
    }


def text_encoder(device: str = "cpu", source: str = "") -> ClipTexts:
    """The text side of a model; raises as `model_config` does."""
    from hgrkit_clip.loading import load

    return ClipTexts(load(_named(source), device))


def frame_encoder(device: str = "cpu", source: str = "") -> ClipFrames:
    """The picture side of a model; raises as `model_config` does."""
    from hgrkit_clip.loading import load

    return ClipFrames(load(_named(source), device))


def _named(source: str) -> str:
    if not source:
        raise ConfigError(
            "name the model after the colon, such as clip:FOLDER or clip:openai/clip-vit-base-patch32."
        )
    return source
