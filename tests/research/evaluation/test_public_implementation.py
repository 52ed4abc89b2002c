"""Our ranks against trec_eval, through the package ir-measures: Success@k and reciprocal rank of the same scores.

trec_eval puts the later name first where scores are equal. Wrong answers are named after `b`, right ones after
`a`, so that a wrong answer stands before a right one with the same score: our own rule, in its hands.
"""

from __future__ import annotations

import ir_measures
import numpy as np
import pytest

from hgrkit.research.evaluation.measures import RankMeasure, RetrievalMeasures, measure

PROBLEMS = 100
CUTOFFS = (1, 2, 5, 10, 100)
ASKED = {
    **{f"R@{k}": ir_measures.Success @ k for k in CUTOFFS},
    "mRR": ir_measures.RR,
}


def problem(seed):
    """Scores [V, C] of few levels, so that ties abound, and up to four right answers in each row and column."""
    random = np.random.default_rng(seed)
    videos, captions = (int(size) for size in random.integers(2, 40, 2))
    scores = random.integers(0, random.integers(1, 12), (videos, captions)) / 8
    right = np.zeros((videos, captions), bool)
    right[random.integers(0, videos, captions), np.arange(captions)] = True
    right[np.arange(videos), random.integers(0, captions, videos)] = True
    return scores, right | (random.random(right.shape) < 0.03)


def names(row):
    return [f"{'a' if fits else 'b'}{number}" for number, fits in enumerate(row)]


def theirs(scores, right):
    """What ir-measures says of queries [Q, N]."""
    run = {
        f"q{query}": dict(zip(names(own), map(float, row), strict=True))
        for query, (row, own) in enumerate(zip(scores, right, strict=True))
    }
    relevant = {query: {name: int(name[0] == "a") for name in candidates} for query, candidates in run.items()}
    found = ir_measures.calc_aggregate(list(ASKED.values()), relevant, run)
    return {name: 100 * found[asked] for name, asked in ASKED.items()}


@pytest.mark.parametrize("seed", range(PROBLEMS))
def test_measures_are_those_of_a_public_implementation(seed):
    scores, right = problem(seed)
    ours: RetrievalMeasures = measure(scores, right)
    for side, table, own in ((ours.text_to_video, scores.T, right.T), (ours.video_to_text, scores, right)):
        expected = theirs(table, own)
        assert {name: RankMeasure(name).of(side.ranks) for name in ASKED} == pytest.approx(expected, abs=1e-6)


def test_the_problems_have_ties_across_right_and_wrong_and_several_right_answers():
    tied, several = 0, 0
    for seed in range(PROBLEMS):
        scores, right = problem(seed)
        best = np.max(scores, axis=1, where=right, initial=-1)
        tied += np.any((scores == best[:, None]) & ~right)
        several += right.sum(axis=1).max() > 1
    assert tied > PROBLEMS / 2
    assert several > PROBLEMS / 2
