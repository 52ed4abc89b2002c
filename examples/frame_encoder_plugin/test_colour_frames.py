"""The plugin's tests: the contract that every frame encoder keeps, and one example of its own."""

from __future__ import annotations

import numpy as np
from colour_frames import ColourFrames

from hgrkit.testing import FrameEncoderContract


class TestColourFrames(FrameEncoderContract):
    """Inherits one test for each promise of the protocol."""

    frame_encoder = ColourFrames()


def test_a_red_picture_is_red_in_every_cell() -> None:
    picture = np.zeros((1, 64, 64, 3), dtype=np.uint8)
    picture[..., 0] = 255
    assert ColourFrames().encode(picture).reshape(64, 3).tolist() == [[1.0, 0.0, 0.0]] * 64
