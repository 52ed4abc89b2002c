"""The model's video side: frame features in, embeddings at three levels out (HGR, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import attrs
import numpy.typing as npt
import torch
from torch import Tensor, nn

from hgrkit.checks.arguments import check_instance, check_sequence, shown
from hgrkit.checks.settings import takes_settings
from hgrkit.errors import ShapeError
from hgrkit.levels import PerLevel
from hgrkit.matching.embeddings import VideoEmbeddings, check_tensors, moved
from hgrkit.matching.matcher import unit_vectors
from hgrkit.model.config import VideoConfig, VideoSettings
from hgrkit.model.query.clip_encoder import check_frame_features, frame_array
from hgrkit.video.sampling import evenly_spaced

__all__ = ["VideoEmbeddings", "VideoEncoder", "VideoFeatures", "frame_features"]


@attrs.frozen(kw_only=True, eq=False, repr=False)
class VideoFeatures:
    """Features of the frames of V clips, K numbers each.

    Attributes:
        frames: float32 [V, F, K]; zeros where padded.
        frame_mask: True where a frame is real, bool [V, F].
        omitted_frames: frames that `max_frames` left out, over all clips.
    """

    frames: Tensor
    frame_mask: Tensor
    omitted_frames: int = 0

    def __attrs_post_init__(self) -> None:
        hint = "; make one: VideoFeatures.from_arrays(arrays)"
        check_tensors(self, {"frames": "VFK", "frame_mask": "VF"}, hint=hint)
        # on other devices the check would wait for what is computed there
        if self.frames.device.type == "cpu" and not bool(self.frames.isfinite().all()):
            raise ShapeError("frames must be finite, got numbers that are NaN or infinite; padding is zero.")

    @classmethod
    def from_arrays(
        cls, arrays: Sequence[npt.NDArray[Any] | Tensor], *, max_frames: int | None = None
    ) -> VideoFeatures:
        """Pad clips of [F, K] each to the longest.

        >>> import numpy as np
        >>> features = VideoFeatures.from_arrays([np.ones((3, 8)), np.ones((1, 8))])
        >>> features.frame_mask.tolist()
        [[True, True, True], [True, False, False]]

        Args:
            arrays: one [F, K] array or tensor for each clip.
            max_frames: longer clips keep this many frames, evenly spaced; `None` keeps all.

        Raises:
            ShapeError: if there is no clip, a clip is no finite numbers [F, K] of a frame or more, or K differs
                between clips.
            ConfigError: if `max_frames` is no whole number of at least 1.
        """
        what = "arrays [F, K], one for each clip"
        if getattr(arrays, "ndim", 3) == 2:
            raise ShapeError(f"features must be a list of {what}, got {shown(arrays)}; put it into a list.")
        given: list[Any] = check_sequence("features", arrays, None, of=what, error=ShapeError)
        clips = [frame_features(f"clip {position}", array) for position, array in enumerate(given)]
        if not clips:
            raise ShapeError("frame features need at least one clip, got none.")
        for position, clip in enumerate(clips):
            if clip.shape[1] != clips[0].shape[1]:
                raise ShapeError(
                    f"frame features of clip {position} must be [F, {clips[0].shape[1]}] as those of clip 0, "
                    f"got {list(clip.shape)}."
                )
        total = sum(len(clip) for clip in clips)
        if max_frames is not None:
            clips = [clip[evenly_spaced(len(clip), max_frames)] for clip in clips]
        lengths = torch.tensor([len(clip) for clip in clips], device=clips[0].device)
        return cls(
            frames=torch.nn.utils.rnn.pad_sequence(clips, batch_first=True),
            frame_mask=torch.arange(int(lengths.max()), device=lengths.device) < lengths[:, None],
            omitted_frames=total - int(lengths.sum()),
        )

    def to(self, device: torch.device | str) -> VideoFeatures:
        """The same features on a device."""
        return moved(self, device)

    def __len__(self) -> int:
        """Number of clips."""
        return self.frames.shape[0]

    def __repr__(self) -> str:
        return f"VideoFeatures(clips={len(self)}, frames={self.frames.shape[1]}, dim={self.frames.shape[2]})"


def frame_features(name: str, features: npt.ArrayLike | Tensor, dim: int | None = None) -> Tensor:
    """One clip's features as a float32 tensor [F, K]; gradients stay.

    Args:
        name: what the clip is called in messages.
        features: finite real numbers, [F, K], F and K at least 1.
        dim: K, where it is known.

    Raises:
        ShapeError: if they are not that.
    """
    if isinstance(features, Tensor):
        is_real = features.dtype != torch.bool and not features.is_complex()
        clip = features.to(torch.float32) if is_real else torch.empty(0)
    else:
        clip = torch.as_tensor(frame_array(name, features))
    check_frame_features(name, clip, clip.isfinite(), given=features, dim=dim)
    return clip


@takes_settings(VideoConfig)
class VideoEncoder(nn.Module):
    """Three linear views of every frame; the event is an attention-weighted sum of the first.

    `e_t, a_t, n_t = W_e f_t + c_e, W_a f_t + c_a, W_n f_t + c_n` (one map for all with `shared_projection`), then
    `event = sum_t softmax_t(u . e_t + d) e_t`; the action level is all `a_t`, the entity level all `n_t`.

    With `start="identity"` the maps are `e_t = x_t + W_e x_t + c_e` and so on, of frames of length one,
    `x_t = f_t / |f_t|`, and all weights are zero at first: the event is then the mean of the `x_t`, as a dual
    encoder has it.

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
        self.settings: dict[str, Any] = config.to_json()
        self.is_residual = config.start == "identity"
        self.feature_dim = config.feature_dim
        self.embed_dim = config.embed_dim
        self.shared_projection = config.shared_projection
        self.max_frames = config.max_frames
        self.projections = nn.ModuleList(
            nn.Linear(config.feature_dim, config.embed_dim) for _ in range(1 if config.shared_projection else 3)
        )
        self.dropout = nn.Dropout(config.dropout)
        self.pooling = nn.Linear(config.embed_dim, 1)
        if self.is_residual:
            for weight in self.parameters():
                nn.init.zeros_(weight)

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
        if self.is_residual:
            frames = unit_vectors(frames)
        event, action, entity = (
            self.dropout(self.projections[0 if self.shared_projection else level](frames)) for level in range(3)
        )
        if self.is_residual:
            event, action, entity = frames + event, frames + action, frames + entity
        return PerLevel(event=event, action=action, entity=entity)

    def attention_logits(self, event_frames: Tensor) -> Tensor:
        """How much each frame counts in an event, before the softmax: `u . e_t + d`, [V, F, D] -> [V, F].

        The event of any stretch of frames is `sum_t softmax_t(logits) e_t` over that stretch.
        """
        logits: Tensor = self.pooling(event_frames).squeeze(2)
        return logits
