from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hgrkit.errors import BenchmarkError
from hgrkit.research.evaluation.bootstrap import Bootstrap, estimate
from hgrkit.research.evaluation.random_baseline import random_baseline, rank_probabilities
from hgrkit.research.evaluation.rank_file import QueryRank
from hgrkit.research.evaluation.retrieval import GroundTruth, rank_queries


@given(st.integers(1, 60), st.integers(0, 60))
def test_probabilities_sum_to_one_and_right_answers_only_help(candidates, right):
    right = min(right, candidates)
    found = rank_probabilities(candidates, right)
    assert found.sum() == pytest.approx(1)
    assert (found >= -1e-15).all()
    assert found[candidates] == pytest.approx(0 if right else 1)
    if right:
        assert found @ np.arange(1, candidates + 2) == pytest.approx((candidates + 1) / (right + 1))


def test_the_random_baseline_is_what_random_scores_come_to():
    random = np.random.default_rng(0)
    right = np.zeros((30, 90), bool)
    right[np.arange(90) % 30, np.arange(90)] = True
    right[random.integers(0, 30, 20), random.integers(0, 90, 20)] = True
    names, words = [f"v{n}" for n in range(30)], ["x"] * 90
    truth = GroundTruth.from_positives(right, videos=names, captions=words)
    runs = [rank_queries(random.random(right.shape), truth) for _ in range(300)]
    expected = random_baseline(runs[0]).to_dict()["intervals"]
    rows = [row for run in runs for row in run]
    found = estimate([_renamed(row, n) for n, row in enumerate(rows)], bootstrap=Bootstrap(1)).to_dict()
    for direction in ("text_to_video", "video_to_text"):
        for name, value in expected[direction].items():
            assert value["interval"] is None
            assert value["value"] == pytest.approx(found[direction][name]["value"], rel=0.03, abs=0.3), name
    assert expected["Rsum"]["value"] == pytest.approx(found["Rsum"]["value"], rel=0.02)


def _renamed(row, number):
    return QueryRank(direction=row.direction, query=str(number), video=row.video, rank=row.rank)


def test_the_random_baseline_knows_only_how_many_candidates_there_are_and_how_many_are_right():
    rows = [QueryRank(query=str(n), video=str(n), rank=n + 1, candidates=8, right=1) for n in range(8)]
    found = random_baseline(rows).to_dict()["intervals"]["text_to_video"]
    assert {name: round(found[name]["value"], 6) for name in ("R@1", "R@5", "R@100", "MedR", "MeanR")} == {
        "R@1": 12.5,
        "R@5": 62.5,
        "R@100": 100,
        "MedR": 4,
        "MeanR": 4.5,
    }


def test_a_query_that_does_not_say_is_refused():
    with pytest.raises(BenchmarkError, match="'q' does not say how many candidates"):
        random_baseline([QueryRank(query="q", video="v", rank=1)])
