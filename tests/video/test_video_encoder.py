from __future__ import annotations

import pytest
import torch

from hgrkit.errors import ConfigError, ShapeError
from hgrkit.model.video import VideoEncoder, VideoFeatures


def clips(*lengths, dim=5):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(length, dim, generator=generator) for length in lengths]


@pytest.mark.parametrize("shared", [False, True])
def test_it_is_the_equation(shared):
    encoder = VideoEncoder(feature_dim=5, embed_dim=4, shared_projection=shared).eval()
    arrays = clips(3, 1)
    video = encoder(VideoFeatures.from_arrays(arrays))
    for row, frames in enumerate(arrays):
        maps = [encoder.projections[0 if shared else level] for level in range(3)]
        event, action, entity = ([linear.weight @ frame + linear.bias for frame in frames] for linear in maps)
        logits = torch.stack([encoder.pooling.weight[0] @ frame + encoder.pooling.bias[0] for frame in event])
        pooled = sum(weight * frame for weight, frame in zip(logits.softmax(0), event, strict=True))
        torch.testing.assert_close(video.event[row], pooled)
        torch.testing.assert_close(video.action[row][video.frame_mask[row]], torch.stack(action))
        torch.testing.assert_close(video.entity[row][video.frame_mask[row]], torch.stack(entity))


def test_padded_frames_never_change_a_clip():
    encoder = VideoEncoder(feature_dim=5, embed_dim=4).eval()
    short, long = clips(2, 9)
    alone, together = (
        encoder(VideoFeatures.from_arrays([short])),
        encoder(VideoFeatures.from_arrays([short, long])),
    )
    torch.testing.assert_close(alone.event[0], together.event[0], atol=1e-6, rtol=0)
    torch.testing.assert_close(alone.action[0], together.action[0, :2], atol=1e-6, rtol=0)


def test_settings_make_an_encoder_of_the_same_shape():
    encoder = VideoEncoder(feature_dim=5, embed_dim=4, dropout=0.1, shared_projection=True, max_frames=7)
    twin = VideoEncoder(**encoder.settings)
    twin.load_state_dict(encoder.state_dict())
    assert twin.settings == encoder.settings


def test_features_of_another_size_are_refused():
    with pytest.raises(ShapeError, match=r"must be \[V, F, 5\], got \[1, 2, 6\].*feature_dim=5"):
        VideoEncoder(feature_dim=5, embed_dim=4)(VideoFeatures.from_arrays(clips(2, dim=6)))


@pytest.mark.parametrize("settings", [{"feature_dim": 0}, {"embed_dim": 0}, {"dropout": 1.0}, {"max_frames": 0}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ConfigError):
        VideoEncoder(**{"feature_dim": 5, "embed_dim": 4, **settings})
