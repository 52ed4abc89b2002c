"""What the default model's training starts from: the published encoders, and an untrained model over them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import attrs
import torch
from photographs import FrameNetwork
from recipe import FRAME_ENCODER, Recipe
from torch import nn

from hgrkit.matching.matcher import Matcher
from hgrkit.model.hgr_model import HgrModel, ModelOrigin
from hgrkit.model.text.sentence_encoder import SentenceTextEncoder
from hgrkit.model.text.sentence_reader import SentenceReader
from hgrkit.model.video import VideoEncoder
from hgrkit.video.efficientnet_layout import VARIANTS, layout
from hgrkit.video.efficientnet_lite import EfficientNetLite

__all__ = ["Encoders", "even_pooling", "make_model"]


@attrs.frozen(kw_only=True, eq=False)
class Encoders:
    """What is there before training.

    Attributes:
        frames: the published frame encoder.
        network: the same, which also tells what enters the blocks that are tuned.
        reader: the frozen transformer.
    """

    frames: EfficientNetLite
    network: FrameNetwork
    reader: SentenceReader

    @classmethod
    def read(cls, cache: Path) -> Encoders:
        """Open what was built into the cache."""
        frames = EfficientNetLite(cache, variant=FRAME_ENCODER)
        graph = cache / f"{FRAME_ENCODER}.onnx"
        return cls(
            frames=frames,
            network=FrameNetwork(graph, layout(VARIANTS[FRAME_ENCODER]), frames.fingerprint),
            reader=SentenceReader(model=cache / "sentence.onnx", tokenizer=cache / "tokenizer.json"),
        )

    def text(self, recipe: Recipe) -> SentenceTextEncoder:
        """An untrained text encoder, which reads sentences as the trained ones do."""
        return cast("SentenceTextEncoder", make_model(self.reader, self.network.feature_dim, recipe).text)


def make_model(
    reader: SentenceReader,
    feature_dim: int,
    recipe: Recipe,
    *,
    text: Mapping[str, Any] | None = None,
    video: Mapping[str, Any] | None = None,
) -> HgrModel:
    """An untrained model, with other settings of its encoders where they are given."""
    text_settings: dict[str, Any] = {
        "embed_dim": recipe.embed_dim,
        "graph_layers": recipe.graph_layers,
        "dropout": recipe.text_dropout,
        **(text or {}),
    }
    torch.manual_seed(recipe.seed)
    return HgrModel(
        text=SentenceTextEncoder(reader=reader, **text_settings),
        video=even_pooling(VideoEncoder(feature_dim=feature_dim, embed_dim=recipe.embed_dim, **(video or {}))),
        matcher=Matcher(level_weights=recipe.level_weights),
        origin=ModelOrigin(
            name="hgrkit-mini",
            frame_encoder=FRAME_ENCODER,
            sampling=recipe.sampling,
            clip_seconds=recipe.clip_seconds,
        ),
    )


def even_pooling(video: VideoEncoder) -> VideoEncoder:
    """The event of a clip is the mean of its frames: photographs cannot teach more."""
    for parameter in video.pooling.parameters():
        nn.init.zeros_(parameter)
        parameter.requires_grad_(False)
    return video
