"""Intervals against loops that repeat queries as often as their video was drawn, and against what they promise."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hgrkit.errors import BenchmarkError, ConfigError
from hgrkit.research.evaluation import bootstrap
from hgrkit.research.evaluation.bootstrap import (
    LEVEL,
    Bootstrap,
    ClusteredRanks,
    Figure,
    estimate,
    figures,
    percentile_interval,
)
from hgrkit.research.evaluation.measures import DEFAULT_MEASURES, RankMeasure, parse_measures
from hgrkit.research.evaluation.rank_file import QueryRank


def made_up(seed, videos=7, directions=("text_to_video", "video_to_text"), top=40):
    """Ranks of up to five captions a video, and of each video; those of one video are alike."""
    random = np.random.default_rng(seed)
    rows = []
    for number in range(videos):
        middle = int(random.integers(1, top))
        for direction in directions:
            count = int(random.integers(1, 6)) if direction == "text_to_video" else 1
            for n in range(count):
                rank = max(1, middle + int(random.integers(-3, 4)))
                rows.append(
                    QueryRank(
                        direction=direction, query=f"v{number}#{n}", video=f"v{number}", caption="x", rank=rank
                    )
                )
    return rows


def repeated(rows, figure, weights):
    """A figure with each video's queries repeated, from the words of the definition."""
    ways = ["text_to_video", "video_to_text"] if figure.direction is None else [figure.direction]
    videos = sorted({row.video for row in rows})
    total = 0.0
    for way in ways:
        ranks = [
            row.rank for row in rows if row.direction == way for _ in range(int(weights[videos.index(row.video)]))
        ]
        total += figure.measure.of(np.array(ranks, np.int64))
    return total


@given(st.integers(0, 10_000), st.sampled_from([1, 3, 40, 1000]))
def test_a_weighted_figure_is_that_of_repeated_queries(seed, top):
    rows = made_up(seed, top=top + 1)
    ranks = ClusteredRanks.from_query_ranks(rows)
    weights = np.random.default_rng(seed).integers(0, 4, (9, len(ranks.videos))).astype(float)
    for figure in figures(DEFAULT_MEASURES, ranks.directions):
        expected = [repeated(rows, figure, row) for row in weights]
        assert ranks.values(figure, weights) == pytest.approx(expected, nan_ok=True)
        assert ranks.value(figure) == pytest.approx(repeated(rows, figure, np.ones(len(ranks.videos))))


def test_medians_far_apart_are_found_in_parts(monkeypatch):
    rows = made_up(6, top=1000)
    ranks = ClusteredRanks.from_query_ranks(rows)
    weights = np.random.default_rng(0).integers(0, 3, (50, 7)).astype(float)
    figure = Figure(RankMeasure("MedR"), "text_to_video")
    whole = ranks.values(figure, weights)
    monkeypatch.setattr(bootstrap, "_CELLS", 20)
    assert ranks.values(figure, weights).tolist() == whole.tolist()


def test_a_resample_draws_as_many_videos_as_there_are():
    drawn = np.concatenate(list(Bootstrap(500, 3).draws(11)))
    assert drawn.shape == (500, 11)
    assert (drawn.sum(axis=1) == 11).all()
    assert drawn.mean(axis=0) == pytest.approx(1, abs=0.2)
    assert drawn.var() == pytest.approx(1 - 1 / 11, abs=0.1), "multinomial, not uniform over the counts"


def test_the_interval_is_that_of_a_plain_loop():
    rows = made_up(0)
    figure = Figure(RankMeasure("R@10"), "text_to_video")
    drawn = np.concatenate(list(Bootstrap(200, 5).draws(7)))
    values = np.array([repeated(rows, figure, weights) for weights in drawn])
    found = estimate(rows, [figure.measure], bootstrap=Bootstrap(200, 5))[figure]
    assert found.interval == pytest.approx(np.quantile(values, [0.025, 0.975]))


def test_resampling_in_blocks_is_resampling_at_once(monkeypatch):
    from hgrkit.research.evaluation import bootstrap

    rows = made_up(1)
    whole = estimate(rows, bootstrap=Bootstrap(100, 2)).to_dict()
    monkeypatch.setattr(bootstrap, "_BLOCK", 20)
    assert estimate(rows, bootstrap=Bootstrap(100, 2)).to_dict() == whole


def test_the_order_of_queries_changes_no_interval():
    rows = made_up(2)
    shuffled = [rows[n] for n in np.random.default_rng(0).permutation(len(rows))]
    exact = parse_measures("R@1,R@10,MedR,MeanR,SumR,Rsum")  # sums of whole numbers
    assert estimate(rows, exact).to_dict() == estimate(shuffled, exact).to_dict()


def test_the_seed_decides_the_interval():
    rows = made_up(3)
    assert (
        estimate(rows, bootstrap=Bootstrap(seed=1)).to_dict()
        == estimate(rows, bootstrap=Bootstrap(seed=1)).to_dict()
    )
    assert (
        estimate(rows, bootstrap=Bootstrap(seed=1)).to_dict()["text_to_video"]
        != estimate(rows, bootstrap=Bootstrap(seed=2)).to_dict()["text_to_video"]
    )


def test_the_same_queries_in_more_videos_make_a_narrower_interval():
    together = [
        QueryRank(query=f"{v}#{n}", video=str(v), caption="x", rank=1 if v % 2 else 20)
        for v in range(20)
        for n in range(30)
    ]
    apart = [attrs.evolve(row, video=row.query) for row in together]
    widths = []
    for rows in (together, apart):
        (found,) = estimate(rows, [RankMeasure("R@1")]).values()
        assert found.interval[0] <= found.value == 50 <= found.interval[1]
        widths.append(found.interval[1] - found.interval[0])
    assert widths[0] > 4 * widths[1]


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    random = np.random.default_rng(0)
    held = []
    for _ in range(200):
        chances = random.beta(2, 3, 60)  # of rank 1, by video; 40 per cent on average
        rows = [
            QueryRank(query=f"{v}#{n}", video=str(v), caption="x", rank=1 + int(random.random() > chance))
            for v, chance in enumerate(chances)
            for n in range(10)
        ]
        (found,) = estimate(rows, [RankMeasure("R@1")], bootstrap=Bootstrap(300)).values()
        held.append(found.interval[0] <= 40 <= found.interval[1])
    assert abs(np.mean(held) - LEVEL / 100) < 0.045


def test_what_needs_both_directions_is_left_out_where_there_is_one():
    assert "Rsum" not in estimate(made_up(4, directions=("text_to_video",))).to_dict()
    both = estimate(made_up(4)).to_dict()
    assert set(both) == {"text_to_video", "video_to_text", "Rsum", "level", "resamples", "seed", "videos"}
    assert set(both["Rsum"]) == {"value", "interval"}
    assert both["videos"] == 7


def test_a_resample_without_a_query_does_not_count():
    assert percentile_interval(np.array([np.nan, 2.0, 2.0])) == (2.0, 2.0)


def test_nothing_to_measure_is_refused():
    with pytest.raises(BenchmarkError, match="no query"):
        estimate([])


@pytest.mark.parametrize(("setting", "message"), [({"resamples": 0}, "resamples"), ({"seed": -1}, "seed")])
def test_numbers_that_cannot_be_resampled_with_are_refused(setting, message):
    with pytest.raises(ConfigError, match=message):
        Bootstrap(**setting)
