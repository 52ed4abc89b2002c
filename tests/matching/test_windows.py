"""Windows of a long video score as if each were a clip that was encoded by itself."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from hgrkit.errors import ConfigError, ShapeError
from hgrkit.matching.embeddings import TextEmbeddings
from hgrkit.matching.matcher import Matcher
from hgrkit.matching.windows import WindowedLevel, Windows, window_events
from hgrkit.model.video import VideoEncoder, VideoFeatures

FEATURE_DIM, EMBED_DIM = 12, 8


def made_up_encoder(seed, *, steepness=1.0, shared=False):
    torch.manual_seed(seed)
    encoder = VideoEncoder(feature_dim=FEATURE_DIM, embed_dim=EMBED_DIM, shared_projection=shared).eval()
    with torch.no_grad():
        encoder.pooling.weight.mul_(steepness)
    return encoder


def frames_of(encoder, features):
    with torch.no_grad():
        views = encoder.frame_views(VideoFeatures.from_arrays([features]))
        logits = encoder.attention_logits(views.event)[0].numpy()
    return views.map(lambda level: level[0].numpy()), logits


def random_windows(random, num_frames, count=30):
    edges = np.sort(random.integers(0, num_frames + 1, size=(count, 2)), axis=1)
    edges = edges[edges[:, 0] < edges[:, 1]]
    return Windows(np.append(edges[:, 0], 0), np.append(edges[:, 1], num_frames))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("steepness", [0.0, 1.0, 200.0])
def test_the_event_of_a_window_is_that_of_encoding_its_frames_alone(seed, steepness):
    random = np.random.default_rng(seed)
    encoder = made_up_encoder(seed, steepness=steepness)
    features = random.normal(size=(int(random.integers(1, 40)), FEATURE_DIM)).astype(np.float32)
    frames, logits = frames_of(encoder, features)
    windows = random_windows(random, len(features))
    found = window_events(frames.event, logits, windows)
    for row, (start, stop) in enumerate(zip(windows.starts, windows.stops, strict=True)):
        with torch.no_grad():
            encoded = encoder(VideoFeatures.from_arrays([features[start:stop]])).event[0].numpy()
        np.testing.assert_allclose(found[row], encoded, atol=1e-5)


def test_a_window_far_below_the_largest_logit_keeps_its_own_event():
    frames = np.eye(4, dtype=np.float32)
    logits = np.array([300.0, -200.0, -200.0 + np.log(3), 0.0])
    found = window_events(frames, logits, Windows([1, 1, 0], [3, 2, 4]))
    np.testing.assert_allclose(found, [[0, 0.25, 0.75, 0], [0, 1, 0, 0], [1, 0, 0, 0]], atol=1e-6)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("fusion", ["embed", "sim"])
@pytest.mark.parametrize("sharpness", [0.0, 4.0, 30.0])
def test_a_window_scores_as_the_matcher_scores_its_frames_encoded_alone(seed, fusion, sharpness):
    random = np.random.default_rng(seed)
    encoder = made_up_encoder(seed, shared=bool(seed % 2))
    matcher = Matcher(sharpness=sharpness, fusion=fusion)
    features = random.normal(size=(25, FEATURE_DIM)).astype(np.float32)
    frames, _ = frames_of(encoder, features)
    windows = random_windows(random, len(features))
    nodes = random.normal(size=(7, EMBED_DIM)).astype(np.float32)
    text = TextEmbeddings(
        event=torch.zeros(7, EMBED_DIM),
        action=torch.from_numpy(nodes)[:, None],
        entity=torch.from_numpy(nodes)[:, None],
        action_mask=torch.ones(7, 1, dtype=torch.bool),
        entity_mask=torch.ones(7, 1, dtype=torch.bool),
    )
    for level in ("action", "entity"):
        cut = WindowedLevel.cut(frames[level], windows, sharpness=sharpness, fusion=fusion)
        found = cut.similarities(nodes)
        for row, (start, stop) in enumerate(zip(windows.starts, windows.stops, strict=True)):
            with torch.no_grad():
                video = encoder(VideoFeatures.from_arrays([features[start:stop]]))
                expected = matcher(video, text).levels[level][0].numpy()
            np.testing.assert_allclose(found[row], expected, atol=1e-5)


def test_many_nodes_and_windows_are_scored_in_pieces_with_the_same_numbers():
    random = np.random.default_rng(0)
    frames = random.normal(size=(300, 6)).astype(np.float32)
    windows = Windows.at_scales(300, shortest=5, stride=0.2)
    cut = WindowedLevel.cut(frames, windows)
    nodes = random.normal(size=(1200, 6)).astype(np.float32)
    found = cut.similarities(nodes)
    assert found.shape == (len(windows), 1200)
    for some in ([0, 1, 2], [700], [1199, 5]):
        np.testing.assert_allclose(found[:, some], cut.similarities(nodes[some]), atol=2e-6)


def test_what_lies_outside_a_window_never_changes_its_score():
    random = np.random.default_rng(1)
    frames = random.normal(size=(20, 6)).astype(np.float32)
    nodes = random.normal(size=(3, 6)).astype(np.float32)
    windows = Windows([5], [12])
    others = frames.copy()
    others[:5], others[12:] = 100.0, -3.0
    first, second = (WindowedLevel.cut(rows, windows).similarities(nodes) for rows in (frames, others))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("num_frames", [1, 2, 7, 8, 9, 40, 128])
@pytest.mark.parametrize("stride", [0.1, 0.5, 1.0])
def test_windows_at_scales_cover_every_frame_at_every_scale_and_end_with_the_whole_video(num_frames, stride):
    windows = Windows.at_scales(num_frames, shortest=4, stride=stride)
    assert (windows.starts[-1], windows.stops[-1]) == (0, num_frames)
    pairs = set(zip(windows.starts.tolist(), windows.stops.tolist(), strict=True))
    assert len(pairs) == len(windows)
    lengths = windows.stops - windows.starts
    for length in np.unique(lengths):
        covered = np.zeros(num_frames, bool)
        for start in windows.starts[lengths == length]:
            covered[start : start + length] = True
        assert covered.all()
    assert set(lengths.tolist()) == {num_frames, *(n for n in (4, 8, 16, 32, 64) if n < num_frames)}


@pytest.mark.parametrize(
    "settings", [{"num_frames": 0}, {"shortest": 0}, {"growth": 1.0}, {"stride": 0.0}, {"stride": 1.5}]
)
def test_scales_out_of_their_range_are_refused(settings):
    with pytest.raises(ConfigError, match="windows need"):
        Windows.at_scales(**{"num_frames": 9, **settings})


@pytest.mark.parametrize(("starts", "stops"), [([], []), ([0], [1, 2]), ([2], [2]), ([-1], [2])])
def test_windows_without_frames_are_refused(starts, stops):
    with pytest.raises(ShapeError, match="window"):
        Windows(starts, stops)


def test_windows_past_the_last_frame_and_shapes_that_do_not_fit_are_refused():
    frames = np.ones((3, 4), np.float32)
    with pytest.raises(ShapeError, match="ends at frame 4, but the video has 3"):
        WindowedLevel.cut(frames, Windows([0], [4]))
    with pytest.raises(ShapeError, match="ends at frame 4"):
        window_events(frames, np.zeros(3), Windows([0], [4]))
    with pytest.raises(ShapeError, match=r"got \[3, 4\], \[2\]"):
        window_events(frames, np.zeros(2), Windows([0], [3]))
    with pytest.raises(ShapeError, match=r"nodes must be \[P, 4\]"):
        WindowedLevel.cut(frames, Windows([0], [3])).similarities(np.ones((2, 5)))
    with pytest.raises(ConfigError, match="fusion"):
        WindowedLevel.cut(frames, Windows([0], [3]), fusion="max")


def test_windows_need_no_torch():
    code = "import sys, hgrkit.matching.scenes; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
