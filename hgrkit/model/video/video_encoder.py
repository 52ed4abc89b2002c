"""Frame features to embeddings at three levels: the model's video side (HGR, section 3.2)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from hgrkit.arguments import check_flag, check_instance, check_number, check_whole
from hgrkit.errors import ShapeError
from hgrkit.levels import PerLevel
from hgrkit.matching.embeddings import VideoEmbeddings
from hgrkit.model.video.features import VideoFeatures

__all__ = ["VideoEmbeddings", "VideoEncoder"]


class VideoEncoder(nn.Module):
    """Three linear views of every frame; the event is an attention-weighted sum of the first.

    `e_t, a_t, n_t = W_e f_t + c_e, W_a f_t + c_a, W_n f_t + c_n` (one map for all with `shared_projection`), then
    `event = sum_t softmax_t(u . e_t + d) e_t`; the action level is all `a_t`, the entity level all `n_t`.

    Args:
        feature_dim: K, numbers a frame.
        embed_dim: D.
        dropout: share of embedding entries zeroed in training.
        shared_projection: one linear map for the three levels.
        max_frames: frames of a clip that the model was made for; `features` keeps that many, `None` all.

    Raises:
        ConfigError: if a setting is out of its range.

    Source: HGR (arXiv 2003.00392), section 3.2.
    """

    def __init__(
        self,
        *,
        feature_dim: int,
        embed_dim: int,
        dropout: float = 0.0,
        shared_projection: bool = False,
        max_frames: int | None = None,
    ) -> None:
        super().__init__()
        feature_dim, embed_dim = check_whole("feature_dim", feature_dim), check_whole("embed_dim", embed_dim)
        dropout = check_number("dropout", dropout, "[0, 1)")
        shared_projection = check_flag("shared_projection", shared_projection)
        max_frames = None if max_frames is None else check_whole("max_frames", max_frames)
        self.feature_dim = feature_dim
        self.embed_dim = embed_dim
        self.shared_projection = shared_projection
        self.max_frames = max_frames
        self.projections = nn.ModuleList(
            nn.Linear(feature_dim, embed_dim) for _ in range(1 if shared_projection else 3)
        )
        self.dropout = nn.Dropout(dropout)
        self.pooling = nn.Linear(embed_dim, 1)

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments that make an encoder of the same shape."""
        return {
            "feature_dim": self.feature_dim,
            "embed_dim": self.embed_dim,
            "dropout": self.dropout.p,
            "shared_projection": self.shared_projection,
            "max_frames": self.max_frames,
        }

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
