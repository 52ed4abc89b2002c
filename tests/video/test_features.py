from __future__ import annotations

import numpy as np
import pytest
import torch

from hgrkit.errors import ConfigError, ShapeError
from hgrkit.model.video import VideoFeatures
from hgrkit.video.sampling import evenly_spaced


def test_ragged_clips_are_padded_with_a_mask():
    features = VideoFeatures.from_arrays([np.ones((1, 3)), torch.full((2, 3), 2.0)])
    assert features.frames.dtype == torch.float32
    assert features.frames.tolist() == [[[1.0] * 3, [0.0] * 3], [[2.0] * 3, [2.0] * 3]]
    assert features.frame_mask.tolist() == [[True, False], [True, True]]
    assert repr(features) == "VideoFeatures(clips=2, frames=2, dim=3)"


def test_long_clips_keep_evenly_spaced_frames_and_the_rest_is_counted():
    features = VideoFeatures.from_arrays([np.arange(9.0)[:, None], np.zeros((2, 1))], max_frames=4)
    assert features.frames[0, :, 0].tolist() == [0.0, 3.0, 5.0, 8.0]
    assert features.omitted_frames == 5


@pytest.mark.parametrize(("num_frames", "max_frames"), [(1, 1), (20, 20), (21, 20), (500, 7), (3, 9)])
def test_first_and_last_frame_are_kept_and_none_twice(num_frames, max_frames):
    kept = evenly_spaced(num_frames, max_frames).tolist()
    assert len(kept) == min(num_frames, max_frames)
    assert kept == sorted(set(kept))
    assert kept[0] == 0
    assert max_frames == 1 or kept[-1] == num_frames - 1


@pytest.mark.parametrize("arrays", [[], [np.zeros((0, 3))], [np.zeros(3)], [np.zeros((1, 3)), np.zeros((1, 4))]])
def test_what_is_no_frame_features_is_refused(arrays):
    with pytest.raises(ShapeError):
        VideoFeatures.from_arrays(arrays)


def test_no_frame_at_all_is_no_limit():
    with pytest.raises(ConfigError, match="max_frames"):
        evenly_spaced(3, 0)
