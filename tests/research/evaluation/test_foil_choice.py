"""Choices between captions and foils, against counts by hand."""

from __future__ import annotations

import numpy as np
import pytest

from hgrkit.errors import BenchmarkError, ConfigError
from hgrkit.research.evaluation.bootstrap import Bootstrap
from hgrkit.research.evaluation.foil_choice import FoilPair, evaluate_foils

PATHS = ["clips/a.mp4", "clips/b.mp4", "clips/c.mp4"]


def pair(video, caption, foil, kind="t"):
    return FoilPair(video=video, caption=caption, foil=foil, type=kind)


class Scores:
    """Scores a sentence by the number that it ends with; the event level by the one before."""

    def __init__(self):
        self.asked = []

    def __call__(self, videos, sentences):
        self.asked += zip(videos, sentences, strict=True)
        numbers = np.array([[int(number) for number in text.split()[-2:]] for text in sentences], np.float32)
        return numbers[:, ::-1].T


def test_accuracies_are_counted_for_each_type_and_level():
    pairs = [
        pair("a.mp4", "x 1 9", "y 2 3", "roles"),
        pair("b.mp4", "x 5 9", "y 2 3", "roles"),
        pair("b.mp4", "z 5 2", "y 2 3", "roles"),
        pair("c.mp4", "x 1 4", "y 2 3", "scenes"),
    ]
    found = evaluate_foils(pairs, PATHS, Scores()).to_dict()
    assert {name: (row["accuracy"], row["n"]) for name, row in found["types"].items()} == {
        "roles": (pytest.approx(200 / 3), 3),
        "scenes": (100, 1),
    }
    assert found["mean"] == pytest.approx((200 / 3 + 100) / 2)
    event = found["event_only"]
    assert {name: row["accuracy"] for name, row in event["types"].items()} == {
        "roles": pytest.approx(200 / 3),
        "scenes": 0,
    }
    assert set(event) == {"types", "mean", "mean_interval"}
    assert (found["videos"], found["missing"], found["level"]) == (3, 0, 95)


def test_a_tie_is_wrong():
    found = evaluate_foils([pair("a", "x 4 4", "y 4 4")], PATHS, Scores())
    assert found.fused.mean == 0
    assert found.event_only.mean == 0


def test_a_sentence_is_scored_once_for_a_video():
    score = Scores()
    evaluate_foils(
        [pair("a", "x 1 1", "y 2 2"), pair("a", "x 1 1", "z 3 3"), pair("b", "x 1 1", "y 2 2")], PATHS, score
    )
    assert len(score.asked) == len(set(score.asked)) == 5


@pytest.mark.parametrize("name", ["clips/b.mp4", "b.mp4", "b"])
def test_a_video_is_found_by_path_name_or_stem(name):
    score = Scores()
    evaluate_foils([pair(name, "x 1 1", "y 2 2")], PATHS, score)
    assert {video for video, _ in score.asked} == {"clips/b.mp4"}


def test_a_video_that_is_not_in_the_library_is_named_or_counted():
    pairs = [pair("a", "x 2 2", "y 1 1"), pair("lost.mp4", "x 1 1", "y 2 2")]
    with pytest.raises(BenchmarkError, match=r"1 of the foils' 2 videos are not in the library, first 'lost.mp4'"):
        evaluate_foils(pairs, PATHS, Scores())
    found = evaluate_foils(pairs, PATHS, Scores(), allow_missing=True)
    assert found.missing == ("lost.mp4",)
    assert found.fused.mean == 100


def test_nothing_is_measured_without_any_video():
    with pytest.raises(BenchmarkError, match="first 'lost'"):
        evaluate_foils([pair("lost", "x 1 1", "y 2 2")], PATHS, Scores(), allow_missing=True)


def test_videos_stay_together_in_the_intervals():
    """Twenty choices about two videos, one always right, one always wrong: draws give 0, 50 or 100."""
    pairs = [pair("a", f"x{i} 2 2", f"y{i} 1 1") for i in range(10)]
    pairs += [pair("b", f"x{i} 1 1", f"y{i} 2 2") for i in range(10)]
    (row,) = evaluate_foils(pairs, PATHS, Scores()).fused.types.values()
    assert row.accuracy == 50
    assert row.interval == (0, 100)


def test_a_type_that_few_videos_have_gets_an_interval_from_the_draws_that_have_it():
    pairs = [
        pair("a", "x 2 2", "y 1 1", "rare"),
        *(pair("b", f"x{i} 2 2", f"y{i} 1 1", "often") for i in range(5)),
    ]
    types = evaluate_foils(pairs, PATHS, Scores()).fused.types
    assert types["rare"].interval == (100, 100)


def test_the_same_seed_gives_the_same_intervals():
    random = np.random.default_rng(0)
    pairs = [pair(PATHS[i % 3], f"x{i} 0 {random.integers(9)}", f"y{i} 0 4") for i in range(60)]
    first, same, other = (
        evaluate_foils(pairs, PATHS, Scores(), bootstrap=Bootstrap(50, seed)) for seed in (1, 1, 2)
    )
    assert first.fused == same.fused
    assert first.fused != other.fused


def test_a_number_of_resamples_below_one_is_refused():
    with pytest.raises(ConfigError, match="resamples"):
        evaluate_foils([pair("a", "x 1 1", "y 2 2")], PATHS, Scores(), bootstrap=Bootstrap(0))
