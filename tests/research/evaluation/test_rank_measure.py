from __future__ import annotations

import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hgrkit.errors import ConfigError
from hgrkit.research.evaluation.measures import (
    DEFAULT_MEASURES,
    DirectionMeasures,
    RankMeasure,
    RetrievalMeasures,
    parse_measures,
)

NAMES = ["R@1", "R@50", "R@100", "MedR", "MeanR", "mRR", "Rsum", "SumR"]
some_ranks = st.lists(st.integers(1, 200), min_size=1, max_size=30)


@pytest.mark.parametrize("name", NAMES)
def test_a_measure_parses_from_what_it_prints(name):
    measure = RankMeasure.parse(name)
    assert str(measure) == name
    assert RankMeasure.parse(str(measure)) == measure
    assert hash(RankMeasure.parse(f" {name} ")) == hash(measure)


@pytest.mark.parametrize("name", ["R@0", "R@-1", "R@", "R@1.5", "R@01", "R@٣", "r@1", "Recall", "", "R@1 R@5"])
def test_another_name_is_refused_with_the_names_that_there_are(name):
    with pytest.raises(ConfigError, match=r"no measure named .*; there are R@k, MedR"):
        RankMeasure(name)


def test_a_close_name_is_suggested():
    with pytest.raises(ConfigError, match="Did you mean 'MedR'"):
        RankMeasure("medR")


@given(some_ranks)
def test_measures_are_what_their_names_say(found):
    ranks = np.array(found)
    of = {name: RankMeasure(name).of(ranks) for name in NAMES}
    recall = {k: 100 * sum(rank <= k for rank in found) / len(found) for k in (1, 5, 10, 50, 100)}
    assert of["R@1"] == pytest.approx(recall[1])
    assert of["R@50"] == pytest.approx(recall[50])
    assert of["SumR"] == pytest.approx(recall[1] + recall[5] + recall[10] + recall[100])
    assert of["Rsum"] == pytest.approx(recall[1] + recall[5] + recall[10])
    assert of["MedR"] == statistics.median(found)
    assert of["MeanR"] == pytest.approx(statistics.mean(found))
    assert of["mRR"] == pytest.approx(100 * statistics.mean(1 / rank for rank in found))


@given(some_ranks, st.randoms())
def test_the_order_of_queries_changes_no_measure(found, random):
    shuffled = random.sample(found, len(found))
    for measure in DEFAULT_MEASURES:
        assert measure.of(np.array(shuffled)) == pytest.approx(measure.of(np.array(found)))


@given(some_ranks)
def test_asking_every_query_twice_changes_no_measure(found):
    for measure in DEFAULT_MEASURES:
        assert measure.of(np.array(found * 2)) == pytest.approx(measure.of(np.array(found)))


def test_rsum_adds_both_directions():
    both = RetrievalMeasures(
        text_to_video=DirectionMeasures(ranks=np.array([1, 7])),
        video_to_text=DirectionMeasures(ranks=np.array([3])),
    )
    assert both.rsum == both.to_dict()["Rsum"] == 50 + 50 + 100 + 0 + 100 + 100
    assert both.text_to_video["R@7"] == 100


def test_no_query_gives_no_number():
    assert all(np.isnan(measure.of(np.array([], np.int64))) for measure in DEFAULT_MEASURES)


def test_a_list_of_names_gives_each_once():
    assert parse_measures("R@1, MedR,R@1") == (RankMeasure("R@1"), RankMeasure("MedR"))
    assert parse_measures(["R@1"]) == (RankMeasure("R@1"),)


@pytest.mark.parametrize("names", ["", ",", "R@1,", []])
def test_an_empty_name_or_list_is_refused(names):
    with pytest.raises(ConfigError):
        parse_measures(names)
