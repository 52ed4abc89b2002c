"""Figures by how much of its video a moment fills."""

from __future__ import annotations

import numpy as np
import pytest

from hgrkit.research.datasets.benchmark import BenchmarkCaption
from hgrkit.research.evaluation.bootstrap import Bootstrap
from hgrkit.research.evaluation.moment_groups import RATIO_BOUNDS, moment_groups, moment_ratios
from hgrkit.research.evaluation.rank_file import QueryRank


def caption(start_s, end_s, video="a"):
    return BenchmarkCaption(id=f"{video}{start_s}{end_s}", video=video, text="a dog", start_s=start_s, end_s=end_s)


def test_a_ratio_is_the_moment_s_length_by_the_video_s():
    captions = [caption(0, 2), caption(4, 1), caption(5, 99), caption(None, None), caption(0, 1, "b")]
    ratios = moment_ratios(captions, {"a": 10.0, "b": None})
    np.testing.assert_allclose(ratios, [0.2, 0.3, 1.0, np.nan, np.nan])


def test_every_query_stands_in_the_group_of_its_ratio_with_the_figures_of_that_group_alone():
    rng = np.random.default_rng(0)
    ratios = np.concatenate([rng.uniform(0.001, 1, 60), [0.2, 0.4, 1.0, np.nan, 0.0]])
    places = [*rng.integers(1, 300, 60), 1, 7, 60, 4, 250]  # those at the bounds tell their groups apart
    ranks = [
        QueryRank(query=str(number), video=f"v{number % 7}", rank=int(rank), candidates=300)
        for number, rank in enumerate(places)
    ]
    groups = moment_groups(ranks, ratios, bootstrap=Bootstrap(20))
    assert [(group.above, group.up_to) for group in groups] == [(0.0, 0.2), (0.2, 0.4), (0.4, 1.0)]
    assert sum(group.queries for group in groups) == 63
    for group in groups:
        own = [
            row.rank
            for row, ratio in zip(ranks, ratios, strict=True)
            if ratio > group.above and ratio <= group.up_to
        ]
        assert group.queries == len(own)
        recalls = [100 * np.mean([rank <= k for rank in own]) for k in (1, 5, 10, 100)]
        for k, recall in zip((1, 5, 10, 100), recalls, strict=True):
            assert group.figures[f"R@{k}"].value == pytest.approx(recall)
        assert group.figures["SumR"].value == pytest.approx(sum(recalls))


def test_a_group_without_queries_is_counted_as_empty():
    rank = QueryRank(query="1", video="a", rank=1, candidates=2)
    groups = moment_groups([rank], np.array([0.3]), bootstrap=Bootstrap(20))
    assert [group.to_dict()["queries"] for group in groups] == [0, 1, 0]
    assert "R@1" not in groups[0].to_dict()
    assert groups[1].to_dict()["R@1"] == 100
    assert [group.name for group in groups] == ["(0, 0.2]", "(0.2, 0.4]", "(0.4, 1]"]
    assert RATIO_BOUNDS[0] == 0
