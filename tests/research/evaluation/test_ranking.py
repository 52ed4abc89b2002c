"""Ranks from scores: what may not change them, and that blocks, pairs and repeated columns are bookkeeping."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hgrkit.errors import BenchmarkError
from hgrkit.research.evaluation import ranking
from hgrkit.research.evaluation.ranking import Relevance, rank


def ranks(scores, positives):
    return rank(scores, positives).ranks


def slow(scores, right):
    """Rank, best positive and first place of one query, from the words of the definition."""
    positives = np.flatnonzero(right)
    if not len(positives):
        return len(scores) + 1, -1, int(np.argmax(scores))
    best = max(scores[positives])
    ahead = [n for n in range(len(scores)) if not right[n] and scores[n] >= best]
    positive = next(n for n in positives if scores[n] == best)
    return 1 + len(ahead), int(positive), max(ahead, key=lambda n: (scores[n], -n)) if ahead else int(positive)


def problem(seed, queries=13, candidates=9, levels=5):
    """Scores with many ties, several positives for some queries and none for others."""
    random = np.random.default_rng(seed)
    return random.integers(0, levels, (queries, candidates)) / levels, random.random((queries, candidates)) < 0.2


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("block", [1, 30, 1 << 22])
def test_ranks_best_positives_and_first_places_are_those_of_a_slow_loop(monkeypatch, seed, block):
    monkeypatch.setattr(ranking, "_BLOCK", block)
    scores, right = problem(seed)
    found = rank(scores, Relevance.from_table(right))
    expected = [slow(row, own) for row, own in zip(scores, right, strict=True)]
    assert list(zip(found.ranks, found.positives, found.tops, strict=True)) == expected
    assert found.counts.tolist() == right.sum(axis=1).tolist()


@given(st.integers(0, 1000))
def test_the_order_of_candidates_and_queries_changes_no_rank(seed):
    scores, right = problem(seed)
    random = np.random.default_rng(seed)
    rows, columns = random.permutation(len(scores)), random.permutation(scores.shape[1])
    shuffled = ranks(scores[rows][:, columns], right[rows][:, columns])
    assert shuffled.tolist() == ranks(scores, right)[rows].tolist()


@given(st.integers(0, 1000))
def test_candidates_that_score_lower_than_all_others_change_no_rank(seed):
    scores, right = problem(seed)
    right[:, 0] |= ~right.any(axis=1)
    wide = np.hstack([scores, np.full((len(scores), 3), -1.0)])
    assert (
        ranks(wide, np.hstack([right, np.zeros((len(scores), 3), bool)])).tolist() == ranks(scores, right).tolist()
    )


@given(st.integers(0, 1000))
def test_a_rising_function_of_the_scores_changes_no_rank(seed):
    scores, right = problem(seed)
    assert ranks(np.exp(3 * scores), right).tolist() == ranks(scores, right).tolist()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int32", "bool"])
def test_scores_may_have_any_real_type(dtype):
    scores, right = problem(0, levels=2)
    whole = (2 * scores).astype(dtype)
    assert ranks(whole, right).tolist() == ranks(whole.astype(float), right).tolist()


def test_scores_may_be_infinite():
    assert ranks([[np.inf, 1, -np.inf]], [[False, True, False]]).tolist() == [2]
    assert ranks([[np.inf, 1, -np.inf]], [[False, False, True]]).tolist() == [3]


def test_candidates_may_share_a_column():
    scores, right = problem(1)
    columns = np.array([0, 3, 3, 8, 1, 0])
    relevance = Relevance.from_table(right[:, columns])
    shared, spread = rank(scores, relevance, columns=columns), rank(scores[:, columns], relevance)
    for name in ("ranks", "positives", "tops"):
        assert getattr(shared, name).tolist() == getattr(spread, name).tolist()


def test_pairs_in_any_order_and_repeated_are_the_table():
    _, right = problem(2)
    queries, candidates = np.nonzero(right)
    order = np.random.default_rng(0).integers(len(queries), size=500)
    pairs = Relevance.from_pairs(
        np.append(queries, queries[order])[::-1], np.append(candidates, candidates[order])[::-1], right.shape
    )
    table = Relevance.from_table(right)
    assert pairs.queries.tolist() == table.queries.tolist()
    assert pairs.candidates.tolist() == table.candidates.tolist()


def test_pairs_can_be_transposed_and_taken():
    _, right = problem(3)
    back = Relevance.from_table(right).transposed
    assert back.candidates.tolist() == Relevance.from_table(right.T).candidates.tolist()
    asked = [4, 0, 4, 12, 1]
    taken, table = Relevance.from_table(right).take(asked), Relevance.from_table(right[asked])
    assert (taken.queries.tolist(), taken.candidates.tolist()) == (
        table.queries.tolist(),
        table.candidates.tolist(),
    )


def test_scores_are_not_changed():
    scores, right = problem(4)
    before = scores.copy()
    ranks(scores, right)
    ranks(scores.T, right.T)
    assert (scores == before).all()


def test_memory_beside_the_scores_is_bounded():
    scores = np.random.default_rng(0).random((4000, 4000), dtype=np.float32)
    diagonal = Relevance.from_pairs(range(4000), range(4000), scores.shape)
    tracemalloc.start()
    rank(scores.T, diagonal)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * ranking._BLOCK, "a block of float32, what is compared in it, and little else"


def test_a_pair_of_something_that_is_not_there_is_refused():
    with pytest.raises(BenchmarkError, match="no candidate 3 among 3"):
        Relevance.from_pairs([0], [3], (1, 3))
    with pytest.raises(BenchmarkError, match="no query -1 among 2"):
        Relevance.from_pairs([-1], [0], (2, 3))
    with pytest.raises(BenchmarkError, match="got 2 and 1"):
        Relevance.from_pairs([0, 1], [0], (2, 3))


def test_scores_that_are_words_are_refused():
    with pytest.raises(BenchmarkError, match="must be real numbers"):
        ranks([["a", "b"]], [[True, False]])


def test_columns_must_name_one_for_each_candidate():
    with pytest.raises(BenchmarkError, match="columns must name one for each of 2 candidates"):
        rank([[1.0, 2.0]], Relevance.from_table([[True, False]]), columns=[0])
