from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hgrkit.errors import ConfigError
from hgrkit.indexing.library_writer import cut_clips


@given(
    st.lists(st.floats(0, 300), min_size=1, max_size=200).map(sorted).map(np.array),
    st.floats(0, 10),
    st.one_of(st.none(), st.floats(0.5, 100)),
)
def test_clips_cover_the_video_and_hold_every_frame_once(times_s, rest_s, clip_seconds):
    duration_s = float(times_s[-1]) + rest_s
    clips = cut_clips(times_s, duration_s, clip_seconds)
    assert clips[0].start_s == 0
    assert clips[-1].end_s == duration_s
    assert all(before.end_s == after.start_s for before, after in pairwise(clips))
    assert [i for clip in clips for i in range(clip.frames.start, clip.frames.stop)] == list(range(len(times_s)))
    for clip in clips:
        assert clip.frames.stop > clip.frames.start
        frames_s = times_s[clip.frames]
        assert clip.start_s - 1e-6 <= frames_s[0]
        assert frames_s[-1] <= clip.end_s + 1e-6


@given(st.floats(0.1, 5000), st.floats(1, 100))
def test_no_clip_is_a_sliver_or_too_long(duration_s, clip_seconds):
    times_s = np.arange(0, duration_s, 0.25)
    lengths_s = [clip.end_s - clip.start_s for clip in cut_clips(times_s, duration_s, clip_seconds)]
    assert max(lengths_s) <= clip_seconds * (1 + 1e-5)
    assert max(lengths_s) - min(lengths_s) < 1e-6


def test_a_short_video_is_one_clip():
    (clip,) = cut_clips(np.array([0.0, 3.0]), 7.5, 30.0)
    assert (clip.start_s, clip.end_s, clip.frames) == (0.0, 7.5, slice(0, 2))


def test_a_window_without_frames_belongs_to_the_clip_before_it():
    clips = cut_clips(np.array([0.0, 35.0]), 40.0, 10.0)
    assert [(clip.start_s, clip.end_s) for clip in clips] == [(0.0, 30.0), (30.0, 40.0)]


@pytest.mark.parametrize("clip_seconds", [0, -1, float("nan")])
def test_a_length_that_is_not_above_zero_is_refused(clip_seconds):
    with pytest.raises(ConfigError, match="clip_seconds"):
        cut_clips(np.array([0.0]), 1.0, clip_seconds)
