"""Frame features to embeddings at three levels: the model's video side (HGR, section 3.2)."""

from __future__ import annotations

from typing import Any, Unpack

import torch
from torch import Tensor, nn

from hgrkit.arguments import check_instance
from hgrkit.errors import ShapeError
from hgrkit.levels import PerLevel
from hgrkit.matching.embeddings import VideoEmbeddings
from hgrkit.model.config import VideoConfig, VideoSettings
from hgrkit.model.video.features import VideoFeatures
from hgrkit.settings import to_json

__all__ = ["VideoEmbeddings", "VideoEncoder"]


class VideoEncoder(nn.Module):
    """Three linear views of every frame; the event is an attention-weighted sum of the first.

    `e_t, a_t, n_t = W_e f_t + c_e, W_a f_t + c_a, W_n f_t + c_n` (one map for all with `shared_projection`), then
    `event = sum_t softmax_t(u . e_t + d) e_t`; the action level is all `a_t`, the entity level all `n_t`.

    Args:
        settings: those of `hgrkit.model.config.VideoConfig` by name, at least `feature_dim` (K) and `embed_dim`.

    Attributes:
        settings: the arguments that make an encoder of the same shape.

    Raises:
        ConfigError: if a setting is out of its range.

    Source: HGR (arXiv 2003.00392), section 3.2.
    """

    def __init__(self, **settings: Unpack[VideoSettings]) -> None:
        super().__init__()
        config = VideoConfig(**settings)
        self.settings: dict[str, Any] = to_json(config)
        self.feature_dim = config.feature_dim
        self.embed_dim = config.embed_dim
        self.shared_projection = config.shared_projection
        self.max_frames = config.max_frames
        self.projections = nn.ModuleList(
            nn.Linear(config.feature_dim, config.embed_dim) for _ in range(1 if config.shared_projection else 3)
        )
        self.dropout = nn.Dropout(config.dropout)
        self.pooling = nn.Linear(config.embed_dim, 1)

    def forward(self, features: VideoFeatures) -> VideoEmbeddings:
        """Encode V clips of up to F frames.

        Raises:
            ShapeError: if they are no `VideoFeatures`, on another device, or a frame does not have `feature_dim`
                numbers.
        """
        views = self.frame_views(features)
        logits = self.attention_logits(views.event).masked_fill(~features.frame_mask, -torch.inf)
        return VideoEmbeddings(
            event=torch.einsum("vf,vfd->vd", logits.softmax(dim=1), views.event),
            action=views.action,
            entity=views.entity,
            frame_mask=features.frame_mask,
        )

    def frame_views(self, features: VideoFeatures) -> PerLevel[Tensor]:
        """Every frame at the three levels, `e_t`, `a_t` and `n_t`, each [V, F, D]; padding means nothing.

        Raises:
            ShapeError: if they are no `VideoFeatures`, on another device, or a frame does not have `feature_dim`
                numbers.
        """
        check_instance(
            "features",
            features,
            VideoFeatures,
            error=ShapeError,
            hint="make them: VideoFeatures.from_arrays(arrays)",
        )
        frames, device = features.frames, self.pooling.weight.device
        if frames.device != device:
            raise ShapeError(
                f"the features are on {frames.device} and the video encoder on {device}; "
                f"move them: features.to('{device}')."
            )
        if frames.ndim != 3 or frames.shape[2] != self.feature_dim:
            raise ShapeError(
                f"frame features must be [V, F, {self.feature_dim}], got {list(frames.shape)}; "
                f"this model was built with feature_dim={self.feature_dim}."
            )
        frames = frames.to(self.pooling.weight.dtype)
        event, action, entity = (
            self.dropout(self.projections[0 if self.shared_projection else level](frames)) for level in range(3)
        )
        return PerLevel(event=event, action=action, entity=entity)

    def attention_logits(self, event_frames: Tensor) -> Tensor:
        """How much each frame counts in an event, before the softmax: `u . e_t + d`, [V, F, D] -> [V, F].

        The event of any stretch of frames is `sum_t softmax_t(logits) e_t` over that stretch.
        """
        logits: Tensor = self.pooling(event_frames).squeeze(2)
        return logits
