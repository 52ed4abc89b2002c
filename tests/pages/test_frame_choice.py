"""Which frames of a clip are shown, and which times each of them stands for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hgrkit.pages.hit_explanation import choose_frames


@st.composite
def choices(draw):
    num_frames = draw(st.integers(1, 80))
    best = draw(st.lists(st.integers(0, num_frames - 1), max_size=9))
    return num_frames, best, draw(st.integers(1, 14))


@given(choices())
def test_shown_frames_stand_for_every_frame_once(choice):
    num_frames, best, most = choice
    groups = choose_frames(num_frames, best, most=most)
    covered = [frame for group in groups for frame in range(group.start, group.stop)]
    assert covered == list(range(num_frames))
    assert all(group.start <= group.shown < group.stop for group in groups)
    assert len(groups) == min(num_frames, most)


@given(choices())
def test_best_frames_are_shown_as_long_as_there_is_room(choice):
    num_frames, best, most = choice
    shown = {group.shown for group in choose_frames(num_frames, best, most=most)}
    assert set(list(dict.fromkeys(best))[:most]) <= shown


@given(st.integers(30, 200))
def test_frames_without_a_reason_are_spread_over_the_clip(num_frames):
    groups = choose_frames(num_frames, [], most=12)
    assert groups[0].shown == 0
    assert groups[-1].shown == num_frames - 1
    assert max(group.stop - group.start for group in groups) <= num_frames / 4
