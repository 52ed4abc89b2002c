"""Moments: where in a clip an alignment points."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hgrkit.errors import ShapeError
from hgrkit.library import Moment, cut_moment


def cut(
    relevance: list[float], times_s: list[float] | None = None, start_s: float = 0.0, end_s: float = 10.0
) -> Moment:
    times = np.linspace(start_s, end_s, len(relevance) + 2)[1:-1] if times_s is None else np.array(times_s)
    return cut_moment(times, np.array(relevance), start_s=start_s, end_s=end_s)


def test_a_clip_of_one_frame_is_its_own_moment():
    assert cut([0.3]) == Moment(0.0, 10.0)


def test_a_moment_ends_half_way_to_the_frames_that_it_leaves_out():
    assert cut([0, 1, 1, 0], [1, 3, 5, 9]) == Moment(2.0, 7.0)


def test_a_moment_at_the_edge_reaches_the_clips_end():
    assert cut([1, 0, 0], [1, 2, 3], start_s=0.5, end_s=4) == Moment(0.5, 1.5)
    assert cut([0, 0, 1], [1, 2, 3], start_s=0.5, end_s=4) == Moment(2.5, 4.0)


def test_even_relevance_is_the_whole_clip():
    assert cut([1 / 3] * 3) == Moment(0.0, 10.0)


def test_a_short_dip_does_not_split_a_moment():
    assert cut([0, 5, 2, 5, 0, 0, 0], [1, 2, 3, 4, 5, 6, 7]) == Moment(1.5, 4.5)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0, 1e4), st.floats(0.1, 1e4))
def test_a_moment_lies_in_its_clip_and_is_the_best_run_of_frames(relevance, start_s, length):
    moment = cut(relevance, start_s=start_s, end_s=start_s + length)
    assert start_s <= moment.start_s < moment.end_s <= start_s + length
    gains = np.array(relevance) - np.mean(relevance)
    times = np.linspace(start_s, start_s + length, len(relevance) + 2)[1:-1]
    inside = (times >= moment.start_s) & (times <= moment.end_s)
    runs = [gains[first:last].sum() for first in range(len(gains)) for last in range(first + 1, len(gains) + 1)]
    assert gains[inside].sum() == pytest.approx(max(runs), abs=1e-6)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.data())
def test_a_moment_that_has_to_contain_a_frame_is_the_best_run_with_it(relevance, data):
    frame = data.draw(st.integers(0, len(relevance) - 1))
    times = np.linspace(0, 10, len(relevance) + 2)[1:-1]
    moment = cut_moment(times, np.array(relevance), start_s=0.0, end_s=10.0, containing=frame)
    gains = np.array(relevance) - np.mean(relevance)
    inside = (times >= moment.start_s) & (times <= moment.end_s)
    runs = [gains[first:last].sum() for first in range(frame + 1) for last in range(frame + 1, len(gains) + 1)]
    assert inside[frame]
    assert gains[inside].sum() == pytest.approx(max(runs), abs=1e-6)


def test_relevance_needs_a_value_for_each_frame():
    with pytest.raises(ShapeError, match=r"got \[2\] and \[3\]"):
        cut([1, 2, 3], [0, 1])
