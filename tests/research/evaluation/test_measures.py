from __future__ import annotations

import numpy as np
import pytest

from hgrkit.errors import BenchmarkError
from hgrkit.research.evaluation.measures import measure
from hgrkit.research.evaluation.ranking import rank


def ranks(scores, positives):
    return rank(scores, positives).ranks


def slow_ranks(scores, positives):
    result = []
    for row, right in zip(scores, positives, strict=True):
        best = max((score for score, fits in zip(row, right, strict=True) if fits), default=None)
        if best is None:
            result.append(len(row) + 1)
        else:
            result.append(1 + sum(score >= best for score, fits in zip(row, right, strict=True) if not fits))
    return result


def test_ranks_are_counted_one_by_one():
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 6, (40, 15)) / 6
    positives = rng.random((40, 15)) < 0.15
    assert ranks(scores, positives).tolist() == slow_ranks(scores, positives)


def test_a_tied_negative_counts_as_ahead():
    assert ranks([[0.5, 0.5, 0.5]], [[False, True, False]]).tolist() == [3]


def test_the_best_positive_counts_and_other_positives_are_not_ahead():
    assert ranks([[0.9, 0.8, 0.7]], [[True, True, False]]).tolist() == [1]
    assert ranks([[0.9, 0.8, 0.8]], [[False, True, True]]).tolist() == [2]


def test_a_query_without_any_positive_ranks_behind_all():
    assert ranks([[0.9, 0.8]], [[False, False]]).tolist() == [3]


def test_both_directions_are_measured():
    scores = np.array([[0.9, 0.1, 0.3], [0.2, 0.8, 0.4]])
    positives = np.array([[True, False, True], [False, True, False]])
    measured = measure(scores, positives).to_dict()
    assert measured["text_to_video"] == {
        "R@1": pytest.approx(200 / 3),
        "R@5": 100.0,
        "R@10": 100.0,
        "MedR": 1.0,
        "MeanR": pytest.approx(4 / 3),
        "queries": 3,
    }
    assert measured["video_to_text"]["R@1"] == 100.0
    assert measured["video_to_text"]["queries"] == 2
    assert measured["Rsum"] == pytest.approx(200 / 3 + 500)


def test_shapes_that_differ_are_refused():
    with pytest.raises(BenchmarkError, match=r"\[1, 2\] and \[1, 3\]"):
        ranks([[0.1, 0.2]], [[True, False, True]])


def test_scores_that_are_no_numbers_are_refused():
    with pytest.raises(BenchmarkError, match="1 of 2 scores"):
        ranks([[0.1, np.nan]], [[True, False]])


def test_nothing_to_measure_is_refused():
    with pytest.raises(BenchmarkError, match="nothing to measure"):
        measure(np.zeros((0, 3)), np.zeros((0, 3)))
