"""Comparing runs: the same queries only, intervals and p-values against loops, and a verdict that holds."""

from __future__ import annotations

import itertools
import json

import attrs
import numpy as np
import pytest

from hgrkit.errors import BenchmarkError
from hgrkit.research.evaluation.bootstrap import Bootstrap
from hgrkit.research.evaluation.comparison import compare_ranks
from hgrkit.research.evaluation.measures import RankMeasure, parse_measures
from hgrkit.research.evaluation.rank_file import QueryRank

ALL = parse_measures("R@1,R@5,R@10,MedR,MeanR,mRR,SumR,Rsum")
SIGNS = {"MedR": -1, "MeanR": -1}


def run(seed, videos=8, shift=0.0, top=30):
    """Ranks of three captions a video and of the videos; `shift` makes them better."""
    random = np.random.default_rng(seed)
    rows = []
    for number in range(videos):
        for n in range(4):
            rank = max(1, round(float(random.integers(1, top)) - shift))
            way = "text_to_video" if n else "video_to_text"
            rows.append(
                QueryRank(direction=way, query=f"v{number}#{n}", video=f"v{number}", caption="x", rank=rank)
            )
    return rows


def of(measure, rows):
    sides = [[row.rank for row in rows if row.direction == way] for way in ("text_to_video", "video_to_text")]
    values = [measure.of(np.array(side)) for side in sides]
    return sum(values) if measure.both_directions else values[0]


def figure_of(comparison, measure):
    return next(
        found
        for figure, found in comparison.differences.items()
        if figure.measure == measure and figure.direction in (None, "text_to_video")
    )


@pytest.mark.parametrize("measure", ALL, ids=str)
def test_the_p_value_is_near_that_of_all_exchanges(measure):
    a, b = run(0), run(1, shift=6)
    videos = sorted({row.video for row in a})
    observed = abs(of(measure, b) - of(measure, a))
    larger = []
    for swapped in itertools.product([False, True], repeat=len(videos)):
        swap = dict(zip(videos, swapped, strict=True))
        first = [y if swap[x.video] else x for x, y in zip(a, b, strict=True)]
        second = [x if swap[x.video] else y for x, y in zip(a, b, strict=True)]
        larger.append(abs(of(measure, second) - of(measure, first)) >= observed - 1e-9)
    found = figure_of(compare_ranks(a, b, ALL, bootstrap=Bootstrap(4000)), measure)
    assert found.p_value == pytest.approx(np.mean(larger), abs=0.04)
    assert found.difference == pytest.approx(of(measure, b) - of(measure, a))


def test_the_interval_is_that_of_a_paired_loop():
    a, b = run(2), run(3)
    ranks = np.array([[row.rank for row in rows if row.direction == "text_to_video"] for rows in (a, b)])
    ranks = ranks.reshape(2, 8, 3)  # run, video, caption
    values = []
    for weights in np.concatenate(list(Bootstrap(300, 7).draws(8))).astype(int):
        first, second = (np.repeat(side, weights, axis=0).ravel() for side in ranks)
        values.append(np.median(second) - np.median(first))
    found = figure_of(compare_ranks(a, b, ALL, bootstrap=Bootstrap(300, 7)), RankMeasure("MedR"))
    assert found.interval == pytest.approx(np.quantile(values, [0.025, 0.975]))


def test_a_run_compared_with_itself_cannot_be_told_from_it():
    compared = compare_ranks(run(0), run(0), ALL, bootstrap=Bootstrap(100))
    assert compared.verdict == "The data cannot tell A from B."
    for found in compared.differences.values():
        assert (found.difference, found.interval, found.p_value, found.better) == (0, (0, 0), 1, None)


@pytest.mark.parametrize("measure", ALL, ids=str)
def test_a_run_that_is_better_everywhere_is_called_better(measure):
    better = run(0, videos=30)
    worse = [attrs.evolve(row, rank=row.rank + 12) for row in better]
    for a, b, side in ((worse, better, "b"), (better, worse, "a")):
        compared = compare_ranks(a, b, [measure], bootstrap=Bootstrap(500))
        found = figure_of(compared, measure)
        assert found.better == side
        assert f"{side.upper()} is better on " in compared.verdict
        assert str(measure) in compared.verdict
        low, high = found.interval
        sign = SIGNS.get(str(measure), 1) * (1 if side == "b" else -1)
        assert sign * low > 0
        assert sign * high > 0


def test_exchanging_the_runs_turns_the_differences_round():
    forth, back = (
        compare_ranks(run(0), run(1), ALL, bootstrap=Bootstrap(400)),
        compare_ranks(run(1), run(0), ALL, bootstrap=Bootstrap(400)),
    )
    for figure, found in forth.differences.items():
        other = back.differences[figure]
        assert found.difference == -other.difference
        assert found.interval == pytest.approx((-other.interval[1], -other.interval[0]))
        assert found.p_value == other.p_value


def test_a_random_difference_is_seldom_called_better():
    called = [
        figure_of(compare_ranks(run(2 * n), run(2 * n + 1), [measure], bootstrap=Bootstrap(200)), measure).better
        is not None
        for n in range(150)
        for measure in [RankMeasure("MeanR")]
    ]
    assert np.mean(called) < 0.1


def test_the_order_of_queries_does_not_matter():
    a, b = run(0), run(1)
    assert compare_ranks(a, b[::-1], ALL, bootstrap=Bootstrap(50)) == compare_ranks(
        a, b, ALL, bootstrap=Bootstrap(50)
    )


def test_the_verdict_names_what_is_better_and_what_is_open():
    rows = run(0, videos=30, top=3)
    worse = [attrs.evolve(row, rank=3 if row.rank == 1 else row.rank) for row in rows]
    compared = compare_ranks(rows, worse, parse_measures("R@1,R@5"), bootstrap=Bootstrap(300))
    assert compared.verdict == (
        "A is better on text to video R@1, video to text R@1; on the rest the data cannot tell."
    )


def test_the_json_has_differences_by_direction_and_measure():
    found = json.loads(json.dumps(compare_ranks(run(0), run(1), ALL, bootstrap=Bootstrap(20)).to_dict()))
    assert set(found) == {"queries", "videos", "text_to_video", "video_to_text", "Rsum", "verdict"}
    assert (found["queries"], found["videos"]) == (32, 8)
    assert set(found["Rsum"]) == {"a", "b", "difference", "interval", "p_value", "better"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[:5] + rows[6:], r"the second run lacks the query 'v1#1' \(text to video\)"),
        (lambda rows: [*rows, attrs.evolve(rows[0], query="more")], "the first run lacks the query 'more'"),
        (
            lambda rows: [attrs.evolve(rows[0], caption="y"), *rows[1:]],
            "differ at the query 'v0#0': 'x' of 'v0' against",
        ),
        (lambda rows: [attrs.evolve(rows[0], video="w"), *rows[1:]], "differ at the query 'v0#0'"),
    ],
)
def test_other_queries_are_refused_and_the_first_is_named(change, message):
    with pytest.raises(BenchmarkError, match=message):
        compare_ranks(run(0), change(run(1)), bootstrap=Bootstrap(10))
