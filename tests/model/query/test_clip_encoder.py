"""A clip is embedded without torch as torch embeds it, and refused where torch refuses it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from hgrkit.errors import CheckpointError, ShapeError
from hgrkit.model.config import VideoConfig
from hgrkit.model.folder import WEIGHTS_FILE
from hgrkit.model.query.clip_encoder import ClipEncoder
from hgrkit.model.query.layers import Weights
from hgrkit.model.video import VideoEncoder, VideoFeatures

TOLERANCE = 1e-6


def twins(**settings):
    """Torch's encoder in evaluation mode, and the one in numpy of the same weights."""
    module = VideoEncoder(**settings).eval()
    arrays = {f"video.{name}": weight.numpy() for name, weight in module.state_dict().items()}
    weights = Weights(arrays, "video.")
    encoder = ClipEncoder(weights, VideoConfig(**settings))
    weights.require_all_taken()
    return module, encoder


def require_equal(module, encoder, features, tolerance=TOLERANCE):
    """Every number is the same to a millionth of the largest of its level, unless told otherwise."""
    with torch.inference_mode():
        expected = module(VideoFeatures.from_arrays([features]))
    found = encoder(features)
    for level in ("event", "action", "entity"):
        right = getattr(expected, level)[0].numpy()
        np.testing.assert_allclose(
            getattr(found, level), right, rtol=0, atol=tolerance * max(1, abs(right).max()), err_msg=level
        )
        assert getattr(found, level).dtype == np.float32


@given(
    seed=st.integers(0, 2**32 - 1),
    num_frames=st.integers(1, 40),
    feature_dim=st.integers(1, 48),
    embed_dim=st.integers(1, 24),
    shared_projection=st.booleans(),
    scale=st.sampled_from([1e-3, 1.0, 30.0]),
)
def test_a_clip_has_the_embeddings_that_torch_gives_it(
    seed, num_frames, feature_dim, embed_dim, shared_projection, scale
):
    torch.manual_seed(seed)
    module, encoder = twins(feature_dim=feature_dim, embed_dim=embed_dim, shared_projection=shared_projection)
    rng = np.random.default_rng(seed)
    features = scale * rng.normal(size=(num_frames, feature_dim)).astype(np.float32)
    # Logits far from 0 have larger last digits, which the softmax raises to differences of weights.
    require_equal(module, encoder, features, TOLERANCE * max(1, scale))


def test_dropout_and_a_limit_of_frames_change_no_embedding():
    module, encoder = twins(feature_dim=5, embed_dim=4, dropout=0.5, max_frames=3)
    require_equal(module, encoder, np.random.default_rng(0).normal(size=(9, 5)).astype(np.float32))


def test_frames_that_count_very_differently_overflow_nothing():
    module, encoder = twins(feature_dim=2, embed_dim=3)
    require_equal(module, encoder, np.array([[1e4, -1e4], [-1e4, 1e4], [0, 0]], np.float32))


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.zeros((3, 7), np.float32), r"must be \[F, 5\], got \[3, 7\]; this model was built with feature_dim=5"),
        (np.zeros((0, 5), np.float32), "at least one frame"),
        (np.zeros(5, np.float32), "at least one frame"),
        (np.full((2, 5), np.nan, np.float32), "finite, got 10 of 10"),
        (np.full((2, 5), "a"), "real numbers"),
        ([[1.0], [1.0, 2.0]], "real numbers"),
    ],
)
def test_what_is_no_clip_of_the_model_is_refused(features, message):
    with pytest.raises(ShapeError, match=message):
        twins(feature_dim=5, embed_dim=4)[1](features)


@pytest.mark.parametrize(
    "change",
    [
        lambda weights: weights.pop("video.pooling.bias"),
        lambda weights: weights.update({"video.gate": torch.zeros(1)}),
        lambda weights: weights.update({"video.projections.1.weight": torch.zeros(4, 6)}),
        lambda weights: weights.update({"video.pooling.weight": torch.full((1, 4), torch.nan)}),
    ],
    ids=["missing", "surplus", "another shape", "not finite"],
)
def test_weights_that_do_not_fit_the_config_are_refused(tmp_path, change):
    weights = {
        f"video.{name}": tensor for name, tensor in VideoEncoder(feature_dim=5, embed_dim=4).state_dict().items()
    }
    save_file(weights, tmp_path / WEIGHTS_FILE)
    ClipEncoder.from_folder(tmp_path, VideoConfig(feature_dim=5, embed_dim=4))
    change(weights)
    save_file(weights, tmp_path / WEIGHTS_FILE)
    with pytest.raises(CheckpointError):
        ClipEncoder.from_folder(tmp_path, VideoConfig(feature_dim=5, embed_dim=4))
