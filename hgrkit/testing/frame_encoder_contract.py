"""The rules that every frame encoder keeps, as tests for a plugin's own suite to inherit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from hgrkit.errors import ShapeError
from hgrkit.video.frame_encoder import FrameEncoder, frame_size_of
from hgrkit.video.preparation import PictureScaling

__all__ = ["FrameEncoderContract"]


class FrameEncoderContract:
    """Inherit, and give the encoder as a class attribute or a fixture.

        class TestDinoFrames(FrameEncoderContract):
            frame_encoder = DinoFrames()

    Attributes:
        frame_encoder: the encoder under test.
        tolerance: how far a batch may move a picture's features, as a share of the largest of them.
    """

    frame_encoder: FrameEncoder
    tolerance: float = 1e-4

    def test_it_states_its_size_and_its_fingerprint(self, frame_encoder: FrameEncoder) -> None:
        """`feature_dim` is a positive number, `fingerprint` a line of text, `frame_size` is above 0."""
        assert isinstance(frame_encoder, FrameEncoder), (
            "must have what hgrkit.video.frame_encoder.FrameEncoder names"
        )
        assert frame_encoder.feature_dim > 0, "feature_dim must be positive"
        assert frame_encoder.fingerprint.strip(), "the fingerprint must not be empty"
        assert "\n" not in frame_encoder.fingerprint, "the fingerprint must be one line"
        assert min(_size(frame_encoder)) > 0, "frame_size must be positive"

    @pytest.mark.parametrize("num_frames", [0, 1, 3])
    def test_features_have_the_stated_shape_and_type(self, frame_encoder: FrameEncoder, num_frames: int) -> None:
        """Finite float32 `[B, feature_dim]` for any B."""
        features = frame_encoder.encode(_pictures(frame_encoder, num_frames))
        expected = (num_frames, frame_encoder.feature_dim)
        assert features.shape == expected, f"features must be {expected}, got {features.shape}"
        assert features.dtype == np.float32, f"features must be float32, got {features.dtype}"
        assert np.isfinite(features).all(), "features must be finite"

    def test_encoding_again_gives_the_same_features(self, frame_encoder: FrameEncoder) -> None:
        """The same batch gives the same numbers."""
        pictures = _pictures(frame_encoder, 2)
        np.testing.assert_array_equal(frame_encoder.encode(pictures), frame_encoder.encode(pictures))

    def test_batch_neighbours_never_change_a_picture(self, frame_encoder: FrameEncoder) -> None:
        """Alone, in a batch or in another order, a picture has the same features."""
        pictures = _pictures(frame_encoder, 5)
        together = frame_encoder.encode(pictures)
        alone = np.concatenate([frame_encoder.encode(picture[None]) for picture in pictures])
        allowed = self.tolerance * float(np.abs(together).max())
        np.testing.assert_allclose(alone, together, rtol=0, atol=allowed)
        np.testing.assert_allclose(frame_encoder.encode(pictures[::-1]), together[::-1], rtol=0, atol=allowed)

    def test_different_pictures_have_different_features(self, frame_encoder: FrameEncoder) -> None:
        """The encoder looks at its input."""
        features = frame_encoder.encode(_pictures(frame_encoder, 2))
        assert (features[0] != features[1]).any(), "two different pictures must not have the same features"

    def test_the_input_is_left_as_it_was(self, frame_encoder: FrameEncoder) -> None:
        """Pictures are read, never written."""
        pictures = _pictures(frame_encoder, 2)
        before = pictures.copy()
        pictures.flags.writeable = False
        frame_encoder.encode(pictures)
        np.testing.assert_array_equal(pictures, before)

    def test_odd_sizes_work_or_are_refused(self, frame_encoder: FrameEncoder) -> None:
        """Pictures of another size give features, or a `ShapeError` and nothing else."""
        height, width = _size(frame_encoder)
        odd = np.zeros((1, height + 3, width - 5, 3), dtype=np.uint8)
        try:
            features = frame_encoder.encode(odd)
        except ShapeError:
            return
        assert features.shape == (1, frame_encoder.feature_dim), (
            f"features must be [1, feature_dim], got {features.shape}"
        )

    @pytest.fixture(name="frame_encoder")
    def _frame_encoder(self) -> FrameEncoder:
        return self.frame_encoder


def _size(encoder: FrameEncoder) -> tuple[int, int]:
    """Height and width of pictures for it."""
    size = frame_size_of(encoder)
    return size.seen_size if isinstance(size, PictureScaling) else size


def _pictures(encoder: FrameEncoder, num_frames: int) -> npt.NDArray[np.uint8]:
    """Noise over gradients `[B, H, W, 3]`, another one for each picture."""
    height, width = _size(encoder)
    random = np.random.default_rng(num_frames)
    ramp = np.linspace(0, 200, width, dtype=np.uint8)[None, None, :, None]
    noise = random.integers(0, 56, (num_frames, height, width, 3), dtype=np.uint8)
    return ramp + noise
