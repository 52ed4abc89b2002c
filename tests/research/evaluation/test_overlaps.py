"""Overlaps of intervals and the share that is large enough, clustered by video."""

from __future__ import annotations

import numpy as np
import pytest

from hgrkit.errors import BenchmarkError
from hgrkit.research.evaluation.bootstrap import Bootstrap
from hgrkit.research.evaluation.partially_relevant import moment_recall, overlaps


def test_the_overlap_is_that_of_counting_small_steps():
    random = np.random.default_rng(0)
    ours, theirs = (np.sort(random.integers(0, 200, size=(50, 2)), axis=1) / 10 for _ in range(2))
    steps = np.arange(0, 20, 0.1) + 0.05
    inside = [(steps >= side[:, :1]) & (steps < side[:, 1:]) for side in (ours, theirs)]
    both, either = (inside[0] & inside[1]).sum(axis=1), (inside[0] | inside[1]).sum(axis=1)
    expected = np.where(either > 0, both / np.maximum(either, 1), 0)
    np.testing.assert_allclose(overlaps(ours, theirs), expected, atol=1e-9)


@pytest.mark.parametrize(
    ("found", "right"), [([[0, 1]], [[0, 1], [1, 2]]), ([[0, 1, 2]], [[0, 1, 2]]), ([[2, 1]], [[0, 1]])]
)
def test_what_are_no_intervals_is_refused(found, right):
    with pytest.raises(BenchmarkError, match="interval"):
        overlaps(found, right)


def test_an_overlap_at_the_threshold_counts_and_the_figures_carry_their_names():
    recall = moment_recall(np.array([0.0, 0.3, 0.5, 0.9]), ["a", "b", "b", "c"], bootstrap=Bootstrap(50))
    assert recall.to_dict() == {
        "R@1 IoU=0.3": 75.0,
        "R@1 IoU=0.5": 50.0,
        "R@1 IoU=0.7": 25.0,
        "mIoU": pytest.approx(42.5),
        "queries": 4,
    }
    for name, found in recall.intervals().items():
        assert found["interval"][0] <= found["value"] <= found["interval"][1], name


def test_captions_of_one_video_are_no_independent_observations():
    random = np.random.default_rng(1)
    values = random.random(30)
    wide = moment_recall(np.repeat(values, 20), np.repeat(np.arange(30), 20).astype(str))
    alone = moment_recall(values, np.arange(30).astype(str))
    assert wide.mean_overlap.interval == pytest.approx(alone.mean_overlap.interval)


def test_no_moment_is_no_measurement():
    with pytest.raises(BenchmarkError, match="no moment"):
        moment_recall(np.array([]), [])
