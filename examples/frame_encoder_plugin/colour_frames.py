"""A frame encoder plugin: a picture becomes the mean colours of the cells of a coarse grid."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


class ColourFrames:
    """Mean red, green and blue of 8 x 8 cells, in [0, 1]: 192 numbers a frame. Good for tests, not for meaning."""

    feature_dim, fingerprint = 192, "colours-8x8@1"
    frame_size = (64, 64)
    """Height and width that hgrkit decodes pictures to before `encode` sees them."""

    def encode(self, frames: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Encode RGB pictures `[B, H, W, 3]` to `[B, 192]`."""
        rows = np.array_split(frames, 8, axis=1)
        cells = [cell.mean(axis=(1, 2)) for row in rows for cell in np.array_split(row, 8, axis=2)]  # 64 x [B, 3]
        return (np.concatenate(cells, axis=1) / 255).astype(np.float32)


def colour_frames(device: str) -> ColourFrames:
    """What the entry point names: makes the encoder for a device such as `cpu` or `cuda`; this one needs none."""
    del device
    return ColourFrames()
