"""Frame features of several clips in one padded tensor: what the video encoder reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hgrkit.errors import ConfigError, ShapeError

__all__ = ["VideoFeatures", "evenly_spaced"]


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
            ShapeError: if there is no clip, a clip has no frame, or K differs between clips.
        """
        if not len(arrays):
            raise ShapeError("frame features need at least one clip, got none.")
        clips = [torch.as_tensor(array, dtype=torch.float32) for array in arrays]
        for position, clip in enumerate(clips):
            if clip.ndim != 2 or not clip.shape[0] or clip.shape[1] != clips[0].shape[-1]:
                raise ShapeError(
                    f"frame features of clip {position} must be [F, {clips[0].shape[-1]}] with at least one "
                    f"frame, got {list(clip.shape)}."
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
        return attrs.evolve(self, frames=self.frames.to(device), frame_mask=self.frame_mask.to(device))

    def __len__(self) -> int:
        """Number of clips."""
        return self.frames.shape[0]

    def __repr__(self) -> str:
        return f"VideoFeatures(clips={len(self)}, frames={self.frames.shape[1]}, dim={self.frames.shape[2]})"


def evenly_spaced(num_frames: int, max_frames: int) -> npt.NDArray[np.int64]:
    """Which frames are kept of a longer clip: `round(linspace(0, num_frames - 1, max_frames))`.

    >>> evenly_spaced(9, 4).tolist()
    [0, 3, 5, 8]

    Raises:
        ConfigError: if `max_frames` is not positive.
    """
    if max_frames < 1:
        raise ConfigError(f"max_frames must be at least 1, got {max_frames}.")
    if num_frames <= max_frames:
        return np.arange(num_frames)
    return np.round(np.linspace(0, num_frames - 1, max_frames)).astype(np.int64)
