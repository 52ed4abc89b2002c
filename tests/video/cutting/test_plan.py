from fractions import Fraction

import numpy as np
import pytest

from hgrkit.video.cutting.plan import CannotCopyError, plan_copy, plan_pictures
from hgrkit.video.packet_index import PacketIndex


def index_of(stored, keys, *, ticks=10, exact=True, first=None):
    """A table of packets: time stamps in the order of storage, ten ticks a second unless given."""
    pts = np.array(stored, np.int64)
    shown = np.sort(pts[pts >= (first if first is not None else pts[0])])
    return PacketIndex(
        track=0,
        time_base=Fraction(1, ticks),
        pts=pts,
        stamped=np.full(len(pts), exact),
        key=np.isin(pts, keys),
        shown=shown,
        zero=int(shown[0]),
        end=int(shown[-1]) + 1,
        frame_ticks=1,
        exact=exact,
        seekable=True,
    )


GROUPS = index_of([0, 3, 1, 2, 6, 4, 5, 9, 7, 8, 12, 10, 11], keys=[0, 6, 12])
"""Every third picture is stored before the two that are shown before it; 4, 5 and 10, 11 belong to open groups."""


def test_a_copy_begins_at_the_last_key_frame_and_leaves_out_what_is_shown_before_it():
    plan = plan_copy(GROUPS, 0.7, 0.8)
    assert (plan.begin, plan.end) == (6, 10)
    assert plan.stamps.tolist() == [6, 7, 8, 9]


def test_a_copy_goes_on_to_the_pictures_that_its_last_ones_need():
    plan = plan_copy(GROUPS, 0.0, 0.5)
    assert plan.stamps.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert plan.end == 7


def test_a_copy_ends_where_nothing_more_is_needed():
    assert plan_copy(GROUPS, 0.0, 0.4).stamps.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("start", np.arange(0, 13) / 10)
@pytest.mark.parametrize("length", [0.01, 0.1, 0.25, 3.0])
def test_a_copy_contains_the_moment_and_has_no_gaps(start, length):
    plan, pictures = plan_copy(GROUPS, start, start + length), plan_pictures(GROUPS, start, start + length)
    assert set(pictures.stamps) <= set(plan.stamps)
    assert plan.stamps.tolist() == list(range(plan.begin, plan.end))
    assert plan.begin in (0, 6, 12)
    assert (pictures.begin, pictures.end) == (pictures.stamps[0], pictures.stamps[-1] + 1)


def test_files_without_times_and_moments_behind_hidden_pictures_are_not_copied():
    with pytest.raises(CannotCopyError, match="does not say when"):
        plan_copy(index_of([0, 1, 2], [0], exact=False), 0.0, 0.1)
    with pytest.raises(CannotCopyError, match="hides"):
        plan_copy(index_of([0, 1, 2, 3], [0], first=2), 0.0, 0.1)


def test_a_picture_that_stands_long_is_cut_to_the_moment():
    slides = index_of([0, 100, 101], keys=[0, 100, 101])
    plan = plan_pictures(slides, 4.0, 6.0)
    assert plan.stamps.tolist() == [0]
    assert (plan.begin, plan.end) == (40, 60)


def test_a_moment_that_ends_within_a_picture_has_all_of_it():
    assert plan_pictures(GROUPS, 0.0, 0.25).stamps.tolist() == [0, 1, 2]
    assert plan_pictures(GROUPS, 0.0, 0.2).stamps.tolist() == [0, 1]


def test_a_moment_behind_the_end_is_the_last_picture():
    assert plan_pictures(GROUPS, 8.0, 9.0).stamps.tolist() == [12]
