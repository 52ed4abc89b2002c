"""Scenes are the cheapest cut of all, and a stretch stands out from the rest of its scene."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest

from hgrkit.errors import ConfigError, ShapeError
from hgrkit.matching.scenes import best_stretches, cut_scenes, scene_runs
from hgrkit.matching.windows import Windows


def cost(units, edges, penalty):
    """What a cut costs, straight from the equation."""
    parts = [units[start:stop] for start, stop in pairwise(edges)]
    return sum(((part - part.mean(axis=0)) ** 2).sum() + penalty for part in parts)


@pytest.mark.parametrize("seed", range(6))
def test_no_other_cut_is_cheaper(seed):
    random = np.random.default_rng(seed)
    num_frames, shortest, penalty = int(random.integers(2, 11)), int(random.integers(1, 4)), random.uniform(0.2, 3)
    centres = random.normal(size=(3, 4))[np.sort(random.integers(0, 3, num_frames))]
    frames = centres + 0.5 * random.normal(size=(num_frames, 4))
    units = frames / np.linalg.norm(frames, axis=1, keepdims=True)
    scenes = cut_scenes(frames, penalty=penalty, shortest=shortest)
    found = [*scenes.starts.tolist(), num_frames]
    allowed = [
        [0, *inner, num_frames]
        for count in range(num_frames)
        for inner in combinations(range(1, num_frames), count)
        if not inner or np.diff([0, *inner, num_frames]).min() >= shortest
    ]
    assert found in allowed
    assert cost(units, found, penalty) == pytest.approx(min(cost(units, edges, penalty) for edges in allowed))


def test_scenes_follow_one_another_and_cover_the_video():
    random = np.random.default_rng(0)
    scenes = cut_scenes(random.normal(size=(60, 5)), penalty=0.5)
    assert scenes.starts[0] == 0
    assert scenes.stops[-1] == 60
    np.testing.assert_array_equal(scenes.starts[1:], scenes.stops[:-1])


def test_a_picture_that_never_changes_is_one_scene_however_long_or_bright():
    frames = np.ones((200, 3)) * np.linspace(1, 9, 200)[:, None]
    assert len(cut_scenes(frames, penalty=1e-3)) == 1


@pytest.mark.parametrize("num_frames", [1, 2, 3])
def test_a_video_shorter_than_a_scene_is_one(num_frames):
    scenes = cut_scenes(np.eye(3)[:num_frames], shortest=4)
    assert (scenes.starts.tolist(), scenes.stops.tolist()) == ([0], [num_frames])


@pytest.mark.parametrize("settings", [{"penalty": 0.0}, {"shortest": 0}])
def test_settings_out_of_their_range_are_refused(settings):
    with pytest.raises(ConfigError, match="penalty must be above 0"):
        cut_scenes(np.ones((4, 2)), **settings)


def test_frames_that_are_no_table_are_refused():
    with pytest.raises(ShapeError, match="frames must be"):
        cut_scenes(np.ones((0, 2)))


@pytest.mark.parametrize("seed", range(4))
def test_the_best_stretch_is_that_of_the_equation(seed):
    random = np.random.default_rng(seed)
    scores = random.normal(size=(15, 300))
    windows = Windows.at_scales(15, shortest=2, stride=0.25)
    expected = np.empty((len(windows), 300))
    for row, (start, stop) in enumerate(zip(windows.starts, windows.stops, strict=True)):
        inside = scores[start:stop].mean(axis=0)
        rest = np.delete(scores, np.arange(start, stop), axis=0)
        length = stop - start
        expected[row] = (inside - (rest.mean(axis=0) if len(rest) else 0)) * (length * (15 - length) / 15) ** 0.4
    np.testing.assert_array_equal(best_stretches(scores, windows), expected.argmax(axis=0))


def test_a_stretch_that_stands_out_is_found():
    scores = np.zeros((30, 1))
    scores[11:19] = 0.2
    windows = Windows.at_scales(30, shortest=8, growth=1.25, stride=0.125)
    (best,) = best_stretches(scores, windows)
    assert (windows.starts[best], windows.stops[best]) == (11, 19)


def test_scores_of_too_few_frames_are_refused():
    with pytest.raises(ShapeError, match="frame scores"):
        best_stretches(np.ones((3, 2)), Windows([0], [4]))


def scenes_of(random, count):
    """Frames [17 * count, D] of scenes that are unlike each other."""
    return np.concatenate([random.normal(size=16) + 0.1 * random.normal(size=(17, 16)) for _ in range(count)])


def test_a_long_video_is_cut_section_by_section_as_it_is_at_once(monkeypatch):
    frames = scenes_of(np.random.default_rng(0), 40)
    by_section = cut_scenes(frames)
    monkeypatch.setattr("hgrkit.matching.scenes._SECTION_FRAMES", 10_000)
    np.testing.assert_array_equal(by_section.starts, cut_scenes(frames).starts)
    assert len(by_section) == 40


def test_the_longest_scene_of_a_long_video_has_two_sections():
    scenes = cut_scenes(np.ones((1500, 3)))
    assert (scenes.stops - scenes.starts).max() <= 512
    np.testing.assert_array_equal(scenes.starts[1:], scenes.stops[:-1])
    assert (scenes.starts[0], scenes.stops[-1]) == (0, 1500)


@pytest.mark.parametrize("shortest", [1, 4, 30])
@pytest.mark.parametrize("count", [1, 2, 9])
def test_numpy_cuts_where_the_compiled_kernel_does(monkeypatch, count, shortest):
    frames = scenes_of(np.random.default_rng(count), count) + np.random.default_rng(9).normal(size=16)
    compiled = cut_scenes(frames, shortest=shortest)
    monkeypatch.setenv("HGRKIT_KERNEL", "numpy")
    np.testing.assert_array_equal(compiled.starts, cut_scenes(frames, shortest=shortest).starts)


def test_runs_are_every_scene_and_every_few_that_follow_one_another():
    scenes = Windows([0, 5, 9, 20], [5, 9, 20, 21])
    runs = scene_runs(scenes, 3)
    assert list(zip(runs.starts.tolist(), runs.stops.tolist(), strict=True)) == [
        (0, 5), (5, 9), (9, 20), (20, 21), (0, 9), (5, 20), (9, 21), (0, 20), (5, 21),
    ]  # fmt: skip
    assert len(scene_runs(scenes, 99)) == 10
