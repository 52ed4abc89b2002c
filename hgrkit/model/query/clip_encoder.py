"""Frame features of a clip to embeddings without torch: twin of `hgrkit.model.video`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from hgrkit.checks.arguments import shown
from hgrkit.errors import ShapeError
from hgrkit.levels import PerLevel
from hgrkit.matching.frame_weights import unit_vectors
from hgrkit.model.config import VideoConfig
from hgrkit.model.folder import WEIGHTS_FILE
from hgrkit.model.query.layers import Float32, Linear, Weights, softmax

__all__ = ["ClipEncoder", "check_frame_features", "frame_array"]


class ClipEncoder:
    """Embeds one clip at a time; the equations stand at the twin, `hgrkit.model.video.VideoEncoder`.

    Args:
        weights: those of the twin.
        config: its settings.

    Raises:
        CheckpointError: if the weights are not the twin's.
    """

    def __init__(self, weights: Weights, config: VideoConfig) -> None:
        self.feature_dim = config.feature_dim
        self.is_residual = config.start == "identity"
        maps = [
            Linear(weights.below(f"projections.{number}"), config.feature_dim, config.embed_dim)
            for number in range(1 if config.shared_projection else 3)
        ]
        self.projections = maps * 3 if config.shared_projection else maps
        self.pooling = Linear(weights.below("pooling"), config.embed_dim, 1)

    @classmethod
    def from_folder(cls, folder: Path, config: VideoConfig) -> Self:
        """The encoder of a model folder, of the settings of its video encoder.

        Raises:
            CheckpointError: if the weights cannot be read or are not the twin's.
        """
        weights = Weights.read(folder / WEIGHTS_FILE, "video")
        encoder = cls(weights, config)
        weights.require_all_taken()
        return encoder

    def __call__(self, features: Float32) -> PerLevel[Float32]:
        """Embed a clip: [F, K] -> event [D], and action and entity of each frame, [F, D].

        Raises:
            ShapeError: if the features are no finite numbers of a frame or more, or K is not `feature_dim`.
        """
        frames = frame_array("the clip", features)
        if frames.shape[1] != self.feature_dim:
            raise ShapeError(
                f"frame features must be [F, {self.feature_dim}], got {list(frames.shape)}; "
                f"this model was built with feature_dim={self.feature_dim}."
            )
        if self.is_residual:
            frames = unit_vectors(frames)
        event, action, entity = (projection(frames) for projection in self.projections)
        if self.is_residual:
            event, action, entity = frames + event, frames + action, frames + entity
        shares = softmax(self.pooling(event)[:, 0])  # [F]
        return PerLevel(event=shares @ event, action=action, entity=entity)


def frame_array(name: str, features: npt.ArrayLike) -> Float32:
    """One clip's features as float32 [F, K].

    Args:
        name: what the clip is called in messages.
        features: finite real numbers, [F, K], F and K at least 1.

    Raises:
        ShapeError: if they are not that.
    """
    try:
        array = np.asarray(features)
    except ValueError:  # rows of unequal length
        array = np.empty(0, object)
    is_real = array.dtype.kind in "fiu"
    with np.errstate(over="ignore"):  # too large for float32: told as infinite
        clip = array.astype(np.float32, copy=False) if is_real else np.empty(0, np.float32)
    check_frame_features(name, clip, np.isfinite(clip), given=features)
    return clip


def check_frame_features(name: str, clip: Any, is_finite: Any, *, given: object, dim: int | None = None) -> None:
    """Refuse what is no clip's features.

    Args:
        name: what the clip is called in messages.
        clip: an array or a tensor; empty where `given` holds no real numbers.
        is_finite: which of its numbers are finite.
        given: what the user gave.
        dim: K, where it is known.

    Raises:
        ShapeError: if it is not [F, K], of a frame or more, or holds a number that is not finite.
    """
    if clip.ndim != 2 or 0 in clip.shape:
        raise ShapeError(
            f"frame features of {name} must be [F, {dim or 'K'}], real numbers of at least one frame, "
            f"got {shown(given)}."
        )
    if dim is not None and clip.shape[1] != dim:
        raise ShapeError(f"frame features of {name} must be [F, {dim}] for this model, got {list(clip.shape)}.")
    if not bool(is_finite.all()):
        raise ShapeError(
            f"frame features of {name} must be finite, got {int((~is_finite).sum())} of "
            f"{clip.shape[0] * clip.shape[1]} numbers that are NaN or infinite; check what computed them."
        )
