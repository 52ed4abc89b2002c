"""A benchmark's protocol against slow loops, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from hgrkit.errors import BenchmarkError, ConfigError
from hgrkit.research.datasets.benchmark import Benchmark, BenchmarkCaption, BenchmarkVideo
from hgrkit.research.evaluation.benchmark_evaluation import CaptionScores, evaluate_scores, require_complete
from hgrkit.research.evaluation.captions import match_names


def make_benchmark(pairs, *, videos=(), problems=()):
    """Captions as (video, text); further videos have no caption."""
    names = list(dict.fromkeys([*(video for video, _ in pairs), *videos]))
    return Benchmark(
        name="made-up",
        task="retrieval",
        split="test",
        videos=tuple(BenchmarkVideo(name=name) for name in names),
        captions=tuple(
            BenchmarkCaption(id=f"{video}#{number}", video=video, text=text)
            for number, (video, text) in enumerate(pairs)
        ),
        sentences=len(pairs),
        problems=tuple(problems),
    )


def random_problem(seed):
    random = np.random.default_rng(seed)
    videos = [f"v{number}" for number in range(8)]
    pairs = [(video, f"text {random.integers(12)}") for video in videos for _ in range(3)]
    pairs = list(dict.fromkeys(pairs))
    texts = list(dict.fromkeys(text for _, text in pairs))
    table = {text: random.integers(0, 5, len(videos)).astype(np.float32) for text in texts}
    return make_benchmark(pairs), pairs, videos, table


def scorer(table, videos, rows):
    def score(texts):
        return CaptionScores(scores=np.array([[table[text][videos.index(row)] for text in texts] for row in rows]))

    return score


def slow_rank(scores, right):
    """Rank of the best right answer, from 1; wrong ones with the same score are ahead."""
    best = max(scores[i] for i in right)
    return 1 + sum(score >= best for i, score in enumerate(scores) if i not in right)


@pytest.mark.parametrize("seed", range(5))
def test_standard_asks_every_caption_and_only_its_own_video_is_right(seed):
    bench, pairs, videos, table = random_problem(seed)
    found = evaluate_scores(bench, videos, scorer(table, videos, videos))
    expected = [slow_rank(table[text], {videos.index(video)}) for video, text in pairs]
    assert found.measures.text_to_video.ranks.tolist() == expected
    for row, video in enumerate(videos):
        scores = [table[text][row] for _, text in pairs]
        right = {column for column, (owner, _) in enumerate(pairs) if owner == video}
        assert found.measures.video_to_text.ranks[row] == slow_rank(scores, right)


@pytest.mark.parametrize("seed", range(5))
def test_released_asks_every_different_caption_and_all_its_videos_are_right(seed):
    bench, pairs, videos, table = random_problem(seed)
    found = evaluate_scores(bench, videos, scorer(table, videos, videos), protocol="released")
    texts = list(dict.fromkeys(text for _, text in pairs))
    owners = {text: {videos.index(video) for video, own in pairs if own == text} for text in texts}
    assert found.measures.text_to_video.ranks.tolist() == [slow_rank(table[text], owners[text]) for text in texts]
    for row, video in enumerate(videos):
        right = {column for column, text in enumerate(texts) if (video, text) in pairs}
        expected = slow_rank([table[text][row] for text in texts], right)
        assert found.measures.video_to_text.ranks[row] == expected


def test_many_captions_rank_as_few_do(monkeypatch):
    bench, _, videos, table = random_problem(0)
    whole = evaluate_scores(bench, videos, scorer(table, videos, videos))
    monkeypatch.setattr("hgrkit.research.evaluation.ranking._BLOCK", 5 * len(videos))
    parts = evaluate_scores(bench, videos, scorer(table, videos, videos))
    assert whole.query_ranks == parts.query_ranks


def test_the_order_of_the_scored_videos_and_surplus_ones_change_nothing():
    bench, _, videos, table = random_problem(1)
    there = [*reversed(videos), "another"]
    longer = {text: np.append(scores, 99) for text, scores in table.items()}
    found = evaluate_scores(bench, there, scorer(longer, [*videos, "another"], there))
    assert found.query_ranks == evaluate_scores(bench, videos, scorer(table, videos, videos)).query_ranks


def test_a_missing_video_is_an_error_before_anything_is_scored():
    bench = make_benchmark([("a", "a dog"), ("b", "a cat"), ("c", "a cow")])

    def score(_):
        raise AssertionError("nothing should be scored")

    with pytest.raises(
        BenchmarkError, match=r"2 of the 3 videos of made-up were not found: 'b', 'c'.*--allow-missing"
    ):
        evaluate_scores(bench, ["a"], score)


def test_what_is_left_without_missing_videos_is_counted_and_named():
    bench = make_benchmark([("a", "a dog"), ("b", "a cat"), ("c", "a cow")])
    score = scorer({"a dog": [2, 1], "a cow": [2, 1]}, ["a", "c"], ["a", "c"])
    found = evaluate_scores(bench, ["a", "c"], score, allow_missing=True)
    assert found.to_dict()["videos"] == {"found": 2, "missing": 1, "names": ["b"]}
    assert found.measures.text_to_video.ranks.tolist() == [1, 2]
    assert found.to_dict()["text_to_video"]["queries"] == 2


def test_incomplete_annotations_are_refused_unless_allowed():
    bench = make_benchmark([("a", "a dog")], problems=["made-up: 1 captions, expected 2"])
    with pytest.raises(BenchmarkError, match="1 captions, expected 2; --allow-missing"):
        require_complete(bench, ["a"], allow_missing=False)
    assert require_complete(bench, ["a"], allow_missing=True) == (["a"], ())


def test_none_of_the_videos_is_an_error_even_when_some_may_be_missing():
    with pytest.raises(BenchmarkError, match="none of the 1 videos"):
        require_complete(make_benchmark([("a", "a dog")]), ["b"], allow_missing=True)


def test_an_unknown_protocol_is_refused():
    with pytest.raises(ConfigError, match="standard, released"):
        evaluate_scores(make_benchmark([("a", "a dog")]), ["a"], lambda _: None, protocol="other")


def test_a_figure_comes_with_its_interval():
    bench, _, videos, table = random_problem(2)
    found = evaluate_scores(bench, videos, scorer(table, videos, videos))
    estimate = found["R@1"]
    assert estimate.value == found.measures.text_to_video.recall(1)
    assert estimate.interval[0] <= estimate.value <= estimate.interval[1]
    assert found["R@3"].value == found.measures.text_to_video.recall(3)
    assert found["Rsum"].value == pytest.approx(found.measures.rsum)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("video1", "video1"),
        ("video1", "clips/video1.mp4"),
        ("a.jpg", "photos/a.jpg"),
        ("a.jpg", "a"),
        ("b/1", "b_1"),
        ("v_x.y_1", "v_x.y_1.avi"),
    ],
)
def test_a_name_is_found_with_and_without_folder_and_suffix(name, key):
    assert match_names([name], ["other", key]) == {name: key}


def test_a_name_that_fits_two_files_is_refused():
    with pytest.raises(BenchmarkError, match=r"'a' fits several videos: x/a\.mp4, y/a\.mp4"):
        match_names(["a"], ["x/a.mp4", "y/a.mp4"])


def test_the_very_name_comes_before_longer_ones():
    assert match_names(["a"], ["a.mp4", "a"]) == {"a": "a"}
