"""Long videos: windows score as clips encoded alone, and moments are scenes or stretches of long ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hgrkit.errors import ConfigError
from hgrkit.levels import PerLevel
from hgrkit.library.records import QueryEmbeddings
from hgrkit.library.scoring import SearchSettings
from hgrkit.matching.windows import Windows
from hgrkit.model.long_video import LongVideo, WindowSettings

DIM = 16


def directions(*which):
    """Rows of the unit matrix."""
    return np.eye(DIM, dtype=np.float32)[list(which)]


def video_of(rows, *, bounds_s=None, **settings):
    """A video whose frames are the same at every level."""
    return LongVideo(
        frames=PerLevel(event=rows, action=rows, entity=rows),
        logits=np.zeros(len(rows), np.float32),
        bounds_s=np.arange(len(rows) + 1) / 2 if bounds_s is None else bounds_s,
        settings=SearchSettings(),
        windows=WindowSettings(**settings),
    )


def asks_for(direction):
    (row,) = directions(direction)
    return QueryEmbeddings(event=row, action=row[None], entity=row[None])


@pytest.fixture
def three_scenes():
    """Ten frames each of three things, half a second a frame."""
    return video_of(directions(*[0] * 10, *[1] * 10, *[2] * 10))


def test_a_moment_is_the_scene_that_fits_best(three_scenes):
    found = three_scenes.moments([asks_for(1), asks_for(2), asks_for(0), asks_for(1)])
    np.testing.assert_allclose(found, [[5, 10], [10, 15], [0, 5], [5, 10]])


def test_a_moment_in_a_long_scene_is_its_best_stretch():
    random = np.random.default_rng(0)
    rows = directions(*[0] * 60) + 0.02 * random.normal(size=(60, DIM)).astype(np.float32)
    rows[20:32] += 0.6 * directions(3)[0]
    (found,) = video_of(rows, scene_penalty=100.0).moments([asks_for(3)])
    np.testing.assert_allclose(found, [10, 16], atol=1.0)
    (whole,) = video_of(rows, scene_penalty=100.0, long_scene=60).moments([asks_for(3)])
    np.testing.assert_allclose(whole, [0, 30])


def test_what_a_video_is_scored_by_holds_scenes_scales_and_the_whole(three_scenes):
    windows = three_scenes.candidates
    pairs = set(zip(windows.starts.tolist(), windows.stops.tolist(), strict=True))
    assert {(0, 10), (10, 20), (20, 30), (0, 30), (0, 8), (0, 16)} <= pairs


def test_a_query_without_nodes_is_scored_by_its_event(three_scenes):
    empty = np.zeros((0, DIM), np.float32)
    query = QueryEmbeddings(event=directions(1)[0], action=empty, entity=empty)
    levels = three_scenes.levels([query, asks_for(1)], three_scenes.scenes)
    np.testing.assert_allclose(levels.event, [[0, 0], [1, 1], [0, 0]], atol=1e-6)
    np.testing.assert_array_equal(levels.action[:, 0], 0)
    np.testing.assert_array_equal(levels.entity[:, 0], 0)


def test_fixed_windows_follow_one_another_and_keep_their_times():
    video = video_of(directions(*[0] * 25), bounds_s=np.arange(26.0))
    windows, times_s = video.fixed(10.0)
    assert (windows.starts.tolist(), windows.stops.tolist()) == ([0, 10, 20], [10, 20, 25])
    np.testing.assert_allclose(times_s, [[0, 10], [10, 20], [20, 25]])


def test_a_fixed_window_without_a_frame_is_left_out():
    video = video_of(directions(0, 1), bounds_s=np.array([0.0, 4.0, 40.0]))
    windows, times_s = video.fixed(10.0)
    assert len(windows) == 2
    np.testing.assert_allclose(times_s, [[0, 10], [20, 30]])


def test_without_a_length_nothing_has_a_time(three_scenes):
    timeless = LongVideo(
        frames=three_scenes.frames,
        logits=three_scenes.logits,
        bounds_s=None,
        settings=SearchSettings(),
        windows=WindowSettings(),
    )
    assert timeless.scores([asks_for(0)], Windows([0], [5])).shape == (1, 1)
    for ask in (timeless.fixed, lambda _: timeless.moments([asks_for(0)])):
        with pytest.raises(ConfigError, match="length is not known"):
            ask(10.0)
    with pytest.raises(ConfigError, match="longer than 0 s"):
        three_scenes.fixed(0.0)


@pytest.mark.parametrize("field", ["shortest", "max_frames", "shortest_scene", "long_scene", "scene_penalty"])
def test_settings_out_of_their_range_are_refused(field):
    with pytest.raises(ConfigError, match="must be at least 1"):
        WindowSettings(**{field: 0})


@pytest.mark.parametrize("fusion", ["embed", "sim"])
def test_windows_score_like_clips_of_the_model(fusion, make_model, queries_of):
    model = make_model(fusion=fusion)
    random = np.random.default_rng(3)
    features = random.normal(size=(37, model.feature_dim)).astype(np.float32)
    from hgrkit.model.scorer import embed_videos, settings_of

    video = LongVideo.embed(
        model, features, settings=settings_of(model.matcher), windows=WindowSettings(), duration_s=18.5
    )
    captions = queries_of(model)
    windows = video.candidates
    found = video.scores(captions.queries, windows)
    parts = [features[start:stop] for start, stop in zip(windows.starts, windows.stops, strict=True)]
    np.testing.assert_allclose(found, embed_videos(model, parts).scores(captions), atol=1e-5)
    np.testing.assert_allclose(video.seconds(Windows([0, 36], [37, 37])), [[0, 18.5], [18, 18.5]])


def test_a_longer_video_keeps_evenly_spaced_frames(make_model):
    model = make_model()
    features = np.random.default_rng(0).normal(size=(500, model.feature_dim)).astype(np.float32)
    video = LongVideo.embed(
        model, features, settings=SearchSettings(), windows=WindowSettings(max_frames=50), duration_s=100.0
    )
    assert video.num_frames == 50
    assert (video.bounds_s[0], video.bounds_s[-1]) == (0, 100)
    assert (np.diff(video.bounds_s) > 0).all()


@pytest.fixture
def make_model():
    from hgrkit import HgrModel, Matcher, TextEncoder, VideoEncoder, Vocabulary

    def make(**matcher):
        torch.manual_seed(0)
        vocabulary = Vocabulary.from_sentences([["a", "man", "dog", "runs", "sings", "on", "grass"]])
        return HgrModel(
            text=TextEncoder(vocabulary=vocabulary, embed_dim=DIM),
            video=VideoEncoder(feature_dim=9, embed_dim=DIM, max_frames=5),
            matcher=Matcher(level_weights=(2, 1, 3), **matcher),
        ).eval()

    return make


@pytest.fixture
def queries_of():
    from hgrkit.model.scorer import embed_captions
    from hgrkit.parsing.registry import load_parser

    def read(model):
        model.video.max_frames = None  # the clips to compare with keep all their frames
        return embed_captions(model, load_parser("lark"), ["a man runs", "a dog sings on grass", "a man"])

    return read
