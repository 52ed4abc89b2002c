from __future__ import annotations

import json

import numpy as np
import pytest

from hgrkit.errors import BenchmarkError, ShapeError
from hgrkit.parsing import LarkParser
from hgrkit.research.evaluation.captions import match_base_names
from hgrkit.research.training.clips import CaptionedClips
from hgrkit.research.training.data_config import ClipFiles

CAPTIONS = {"a": ["a dog runs"], "b": ["a cat sleeps"]}


def made(**views):
    return CaptionedClips.of(CAPTIONS, *views.values(), parser=LarkParser())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.ones(10), r"the features of 'a' \(view 1\) must be \[F, K\].*got \[10\]"),
        (np.ones((0, 10)), r"the features of 'a' \(view 1\) must be \[F, K\].*got \[0, 10\]"),
        ([[1.0], [1.0, 2.0]], r"the features of 'a' must be numbers \[F, K\]"),
        ([["x"]], r"the features of 'a' must be numbers \[F, K\]"),
    ],
)
def test_features_of_another_shape_name_their_clip(wrong, message):
    with pytest.raises(ShapeError, match=message):
        made(view={"a": wrong, "b": np.ones((1, 10))})


def test_features_of_another_size_name_both_clips_in_every_view():
    whole = {"a": np.ones((1, 10)), "b": np.ones((2, 10))}
    with pytest.raises(ShapeError, match=r"'b' \(view 1\) has 7 numbers a frame, but 'a' \(view 1\) has 10"):
        made(view={"a": np.ones((1, 10)), "b": np.ones((2, 7))})
    with pytest.raises(ShapeError, match=r"'b' \(view 2\) has 7 numbers a frame, but 'a' \(view 1\) has 10"):
        made(first=whole, second={**whole, "b": np.ones((2, 7))})


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_features_that_are_not_finite_name_their_clip(value):
    with pytest.raises(BenchmarkError, match=r"the features of 'b' \(view 1\) hold numbers that are not finite"):
        made(view={"a": np.ones((1, 3)), "b": np.full((1, 3), value)})


def files(folder, captions, *views):
    (folder / "captions.json").write_text(json.dumps(captions))
    for number, view in enumerate(views):
        np.savez(folder / f"{number}.npz", **view)
    return ClipFiles(captions="captions.json", features=tuple(f"{n}.npz" for n in range(len(views))))


def test_features_of_another_size_in_a_file_name_the_file(tmp_path):
    wrong = files(
        tmp_path,
        CAPTIONS,
        {"a": np.ones((1, 4)), "b": np.ones((1, 4))},
        {"a": np.ones((1, 4)), "b": np.ones((1, 3))},
    )
    with pytest.raises(ShapeError, match=r"'b' \(.*1\.npz\) has 3 numbers a frame, but 'a' \(.*0\.npz\) has 4"):
        wrong.read(tmp_path, LarkParser())


def test_captions_without_words_are_counted_and_need_no_features(tmp_path):
    captions = {**CAPTIONS, "a": ["a dog runs", "", " "], "c": [""]}
    clips = files(tmp_path, captions, {"a": np.ones((1, 4)), "b": np.ones((1, 4))}).read(tmp_path, LarkParser())
    assert (len(clips), len(clips.texts), clips.blank) == (2, 2, 3)


def test_a_file_of_captions_without_words_is_refused_by_name(tmp_path):
    wrong = files(tmp_path, {"a": ["", " "], "b": [""]}, {"a": np.ones((1, 4))})
    with pytest.raises(BenchmarkError, match=r"captions\.json holds no caption with words, 3 are empty"):
        wrong.read(tmp_path, LarkParser())


def test_two_names_never_stand_for_the_same_features(tmp_path):
    wrong = files(tmp_path, {"a.mp4": ["a dog runs"], "a": ["a cat sleeps"]}, {"a": np.ones((1, 4))})
    with pytest.raises(BenchmarkError, match=r"the clips 'a.mp4' and 'a' have the same features, 'a' of .*0\.npz"):
        wrong.read(tmp_path, LarkParser())


@pytest.mark.parametrize("name", ["clip0", "clip0.mp4", "a/clip0", "a/clip0.mp4"])
@pytest.mark.parametrize("key", ["clip0", "clip0.avi", "videos/clip0", "videos/clip0.avi"])
def test_a_name_may_bear_a_folder_and_a_suffix_on_either_side(name, key):
    assert match_base_names([name, "other"], ["clip1", key]) == {name: key}
