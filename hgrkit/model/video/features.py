"""Frame features of several clips in one padded tensor: what the video encoder reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hgrkit.arguments import check_sequence, check_whole, shown
from hgrkit.errors import ShapeError
from hgrkit.matching.embeddings import check_tensors, moved

__all__ = ["VideoFeatures", "evenly_spaced", "frame_features"]


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
        clip = features.to(torch.float32) if is_real else features
    else:
        try:
            array = np.asarray(features)
        except ValueError:  # rows of unequal length
            array = np.empty(0, object)
        is_real = array.dtype.kind in "fiu"
        with np.errstate(over="ignore"):
            clip = torch.as_tensor(array.astype(np.float32, copy=False)) if is_real else torch.empty(0)
    if not is_real or clip.ndim != 2 or 0 in clip.shape:
        raise ShapeError(
            f"frame features of {name} must be [F, {dim or 'K'}], real numbers of at least one frame, "
            f"got {shown(features)}."
        )
    if dim is not None and clip.shape[1] != dim:
        raise ShapeError(f"frame features of {name} must be [F, {dim}] for this model, got {list(clip.shape)}.")
    if not bool(clip.isfinite().all()):
        raise ShapeError(
            f"frame features of {name} must be finite, got {int((~clip.isfinite()).sum())} of {clip.numel()} "
            "numbers that are NaN or infinite; look at what made them."
        )
    return clip


def evenly_spaced(num_frames: int, max_frames: int) -> npt.NDArray[np.int64]:
    """Which frames are kept of a longer clip: `round(linspace(0, num_frames - 1, max_frames))`.

    >>> evenly_spaced(9, 4).tolist()
    [0, 3, 5, 8]

    Raises:
        ConfigError: if `max_frames` is not positive.
    """
    max_frames = check_whole("max_frames", max_frames)
    if num_frames <= max_frames:
        return np.arange(num_frames)
    return np.round(np.linspace(0, num_frames - 1, max_frames)).astype(np.int64)
