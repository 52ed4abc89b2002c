"""Image-text models of `transformers` and of OpenCLIP as models of hgrkit: what its entry points name."""

from __future__ import annotations

from functools import partial
from typing import Any

from hgrkit_clip.checkpoint import CLIP, OPEN_CLIP, Layout
from hgrkit_clip.encoders import ClipFrames, ClipTexts

__all__ = [
    "LEVEL_WEIGHTS",
    "ClipFrames",
    "ClipTexts",
    "frame_encoder",
    "model_config",
    "open_clip_frame_encoder",
    "open_clip_model_config",
    "open_clip_text_encoder",
    "text_encoder",
]

LEVEL_WEIGHTS = (6.0, 3.0, 1.0)
"""Of event, action and entity. The event alone is the published models' own score, and leads; the phrases tell
apart what one vector for a sentence cannot. Not measured on published weights."""


def model_config(device: str = "cpu", source: str = "", *, layout: Layout = CLIP) -> dict[str, Any]:
    """What a model's `config.json` says, for `clip:FOLDER` and `clip:HUB/NAME`.

    Raises:
        ConfigError: if no model is named, or an option of it is not known.
        ModelNotFoundError, CheckpointError: if it is not there, or is no dual encoder.
    """
    texts = text_encoder(device, source, layout=layout)
    return {
        "name": texts.name,
        "frame_encoder": texts.name,
        "text": {"type": "plugin", "name": texts.name},
        "video": {"feature_dim": texts.embed_dim, "embed_dim": texts.embed_dim},
        "matcher": {"level_weights": list(LEVEL_WEIGHTS)},
    }


def text_encoder(device: str = "cpu", source: str = "", *, layout: Layout = CLIP) -> ClipTexts:
    """The text side of a model; raises as `model_config` does."""
    from hgrkit_clip.loading import load

    return ClipTexts(load(layout, source, device))


def frame_encoder(device: str = "cpu", source: str = "", *, layout: Layout = CLIP) -> ClipFrames:
    """The picture side of a model; raises as `model_config` does."""
    from hgrkit_clip.loading import load

    return ClipFrames(load(layout, source, device))


open_clip_model_config = partial(model_config, layout=OPEN_CLIP)
open_clip_text_encoder = partial(text_encoder, layout=OPEN_CLIP)
open_clip_frame_encoder = partial(frame_encoder, layout=OPEN_CLIP)
