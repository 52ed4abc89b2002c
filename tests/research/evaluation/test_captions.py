"""Evaluating a library against captions: which videos are right, which names are refused, what is written."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hgrkit.errors import BenchmarkError, MissingPathError
from hgrkit.research.evaluation.captions import evaluate_captions, read_captions
from hgrkit.research.evaluation.rank_file import read_ranks, write_rank_file

PATHS = ("v/a.mp4", "v/b.mp4", "w/c.mp4")


def table_of(scores):
    """Scores by caption, [V] each, as a library's function would give them."""
    return lambda texts: np.stack([np.asarray(scores[text], np.float32) for text in texts], axis=1)


def ranks_of(captions, scores, paths=PATHS):
    return evaluate_captions(captions, paths, table_of(scores))


def test_all_videos_of_the_library_are_candidates():
    found = ranks_of({"a.mp4": ["x"]}, {"x": [0.1, 0.9, 0.5]})
    assert found.measures.text_to_video.ranks.tolist() == [3]


def test_every_caption_is_a_query_in_the_order_of_the_file():
    captions = {"b.mp4": ["y", "x"], "a.mp4": ["z"]}
    scores = {"x": [0.9, 0.5, 0.1], "y": [0.1, 0.9, 0.5], "z": [0.5, 0.9, 0.8]}
    found = ranks_of(captions, scores)
    asked = [(row.video, row.caption) for row in found.query_ranks if row.direction == "text_to_video"]
    assert asked == [("b.mp4", "y"), ("b.mp4", "x"), ("a.mp4", "z")]
    assert found.measures.text_to_video.ranks.tolist() == [1, 2, 3]


def test_duplicates_stay_queries_and_every_video_with_that_very_caption_is_right():
    captions = {"a.mp4": ["same", "same"], "b.mp4": ["same"], "c.mp4": ["Same"]}
    scores = {"same": [0.1, 0.9, 0.5], "Same": [0.3, 0.2, 0.1]}
    found = ranks_of(captions, scores)
    assert [row.caption for row in found.query_ranks[:4]] == ["same", "same", "same", "Same"]
    assert found.measures.text_to_video.ranks.tolist() == [1, 1, 1, 3]


def test_each_distinct_caption_is_scored_once():
    asked = []

    def score(texts):
        asked.append(list(texts))
        return np.zeros((3, len(texts)), np.float32)

    evaluate_captions({"a.mp4": ["x", "y", "x"], "b.mp4": ["y"]}, PATHS, score)
    assert asked == [["x", "y"]]


def test_annotated_videos_are_ranked_against_all_captions():
    captions = {"a.mp4": ["x", "y"], "b.mp4": ["z"], "c.mp4": []}
    scores = {"x": [0.3, 0.8, 0.1], "y": [0.2, 0.1, 0.9], "z": [0.7, 0.2, 0.9]}
    found = ranks_of(captions, scores)
    assert found.measures.video_to_text.ranks.tolist() == [2, 2]


def test_a_video_finds_the_captions_that_it_shares_with_another():
    captions = {"a.mp4": ["same"], "b.mp4": ["same", "other"]}
    scores = {"same": [0.5, 0.9, 0.0], "other": [0.6, 0.1, 0.0]}
    assert ranks_of(captions, scores).measures.video_to_text.ranks.tolist() == [2, 1]


def test_equal_scores_count_against_the_query():
    found = ranks_of({"a.mp4": ["x"]}, {"x": [0.5, 0.5, 0.5]})
    assert found.measures.text_to_video.ranks.tolist() == [3]


def test_the_report_counts_queries_of_both_directions():
    captions = {"a.mp4": ["x", "x"], "b.mp4": ["x"]}
    report = ranks_of(captions, {"x": [0.5, 0.6, 0.7]}).measures.to_dict()
    assert set(report) == {"text_to_video", "video_to_text", "Rsum"}
    assert set(report["text_to_video"]) == {"R@1", "R@5", "R@10", "MedR", "MeanR", "queries"}
    assert (report["text_to_video"]["queries"], report["video_to_text"]["queries"]) == (3, 2)
    assert (report["text_to_video"]["R@1"], report["text_to_video"]["R@5"]) == (0.0, 100.0)
    json.dumps(report)


@given(st.data())
def test_ranks_are_those_of_a_slow_loop(data):
    words = ["p", "q", "r", "s"]
    captions = {
        name: data.draw(st.lists(st.sampled_from(words), max_size=3)) for name in ("c.mp4", "a.mp4", "b.mp4")
    }
    captions["b.mp4"].append("p")
    values = st.sampled_from([0.0, 0.25, 0.5, 1.0])
    scores = {word: data.draw(st.lists(values, min_size=3, max_size=3)) for word in words}
    found = ranks_of(captions, scores)
    rows = {"a.mp4": 0, "b.mp4": 1, "c.mp4": 2}
    expected = []
    for text in [text for texts in captions.values() for text in texts]:
        right = {row for name, row in rows.items() if text in captions[name]}
        best = max(scores[text][row] for row in right)
        expected.append(1 + sum(scores[text][row] >= best for row in rows.values() if row not in right))
    assert found.measures.text_to_video.ranks.tolist() == expected


def test_a_name_that_the_library_lacks_is_refused():
    with pytest.raises(BenchmarkError, match=r"2 of 3 videos are not in the library, first 'x\.mp4'"):
        ranks_of({"a.mp4": ["x"], "x.mp4": ["x"], "y.mp4": []}, {"x": [0, 0, 0]})


def test_a_name_with_folders_is_the_end_of_a_path():
    paths = ("/me/v/a.mp4", "/me/w/a.mp4", "/me/b.mp4")
    for name in ("w/a.mp4", "./w/a.mp4", "me/w//a.mp4", "/me/w/a.mp4"):
        found = ranks_of({name: ["x"]}, {"x": [0, 1, 0]}, paths)
        assert found.measures.text_to_video.ranks.tolist() == [1]
    for name in ("x/a.mp4", "2/b.mp4", "b", ".mp4"):
        with pytest.raises(BenchmarkError, match="not in the library"):
            ranks_of({name: ["x"]}, {"x": [0, 0, 0]}, paths)


def test_a_name_of_several_videos_is_refused_where_it_is_annotated():
    paths = ("v/a.mp4", "w/a.mp4", "b.mp4")
    with pytest.raises(BenchmarkError, match=r"1 names fit several videos of the library, first 'a\.mp4'"):
        ranks_of({"a.mp4": ["x"]}, {"x": [0, 0, 0]}, paths)
    assert ranks_of({"b.mp4": ["x"]}, {"x": [0, 0, 1]}, paths).measures.text_to_video.ranks.tolist() == [1]


def test_names_are_checked_before_anything_is_scored():
    with pytest.raises(BenchmarkError):
        evaluate_captions({"x.mp4": ["x"]}, PATHS, lambda texts: pytest.fail("scored"))


def test_scores_that_are_no_numbers_are_refused():
    with pytest.raises(BenchmarkError, match="not numbers"):
        ranks_of({"a.mp4": ["x"]}, {"x": [0, np.nan, 0]})


# files ---------------------------------------------------------------------------------------------------------


def test_ranks_are_written_one_json_line_a_query(tmp_path):
    captions = {"a.mp4": ["un chien à Paris", "un chien à Paris"], "b.mp4": ["y"]}
    scores = {"un chien à Paris": [0.1, 0.9, 0.5], "y": [0.1, 0.9, 0.5]}
    write_rank_file(ranks_of(captions, scores).query_ranks, tmp_path / "ranks.jsonl", "text_to_video")
    lines = [json.loads(line) for line in (tmp_path / "ranks.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(line["video"], line["caption"], line["rank"]) for line in lines] == [
        ("a.mp4", "un chien à Paris", 3),
        ("a.mp4", "un chien à Paris", 3),
        ("b.mp4", "y", 1),
    ]
    assert lines[1] == {
        "direction": "text_to_video",
        "query": "a.mp4#1",
        "video": "a.mp4",
        "caption": "un chien à Paris",
        "rank": 3,
        "positive": "v/a.mp4",
        "top": "v/b.mp4",
        "candidates": 3,
        "right": 1,
    }


def test_ranks_of_the_other_direction_are_written_on_demand(tmp_path):
    captions = {"a.mp4": ["x", "y"], "b.mp4": ["x"], "c.mp4": []}
    found = ranks_of(captions, {"x": [0.1, 0.9, 0.5], "y": [0.8, 0.95, 0.5]})
    write_rank_file(found.query_ranks, tmp_path / "ranks.jsonl", "video_to_text")
    first, second = read_ranks(tmp_path / "ranks.jsonl")
    assert (first.query, first.rank, first.positive, first.top, first.right) == (
        "a.mp4",
        1,
        "a.mp4#1",
        "a.mp4#1",
        3,
    )
    assert (second.query, second.rank, second.positive, second.top) == ("b.mp4", 2, "a.mp4#0", "a.mp4#1")
    assert second.right == 2


def test_words_and_names_that_are_no_unicode_are_written_and_read_back(tmp_path):
    caption, name = "half an emoji \ud83d and a line\u2028separator", "a\udcff.mp4"
    found = ranks_of({name: [caption]}, {caption: [1.0]}, paths=(f"v/{name}",))
    write_rank_file(found.query_ranks, tmp_path / "ranks.jsonl", "text_to_video")
    (line,) = (tmp_path / "ranks.jsonl").read_text(encoding="utf-8").splitlines()
    line = json.loads(line)
    assert (line["video"], line["caption"], line["rank"]) == (name, caption, 1)


def test_captions_are_read_as_they_are(tmp_path):
    captions = {"a.mp4": ["x", "x", "ü"], "b.mp4": []}
    (tmp_path / "captions.json").write_text(json.dumps(captions), encoding="utf-8")
    assert read_captions(tmp_path / "captions.json") == captions


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "is not JSON"),
        (b"", "is not JSON"),
        (b'{"a": ["\xff"]}', "is not JSON"),
        pytest.param(b"1" * 5000, "is not JSON", id="long number"),
        pytest.param(b"[" * 100_000, "is not JSON", id="deep nesting"),
        (b"[]", "must hold a JSON object"),
        (b'{"a": "x"}', "'a' must have a list of captions"),
        (b'{"a": [1]}', "'a' must have a list of captions"),
        (b'{"a": null}', "'a' must have a list of captions"),
        (b"{}", "holds no caption"),
        (b'{"a": []}', "holds no caption"),
    ],
)
def test_a_file_of_another_shape_is_refused(tmp_path, content, message):
    path = tmp_path / "captions.json"
    path.write_bytes(content)
    with pytest.raises(BenchmarkError, match=message) as caught:
        read_captions(path)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(MissingPathError, match=r"missing\.json is missing; expected JSON of"):
        read_captions(tmp_path / "missing.json")
