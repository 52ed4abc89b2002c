from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from hgrkit.errors import BenchmarkError, MissingPackageError, MissingPathError
from hgrkit.research.evaluation.rank_file import (
    QueryRank,
    read_ranks,
    write_rank_file,
)
from hgrkit.research.evaluation.retrieval import GroundTruth, caption_ids, rank_queries

LINE = {"video": "a", "caption": "a dog", "rank": 2}


@pytest.fixture
def rows():
    random = np.random.default_rng(0)
    right = np.eye(4, dtype=bool).repeat(2, axis=1)
    right[:, 7] = False
    truth = GroundTruth.from_positives(right, videos="abcd", captions=[f"un été {n}" for n in range(8)])
    return rank_queries(random.random((4, 8)), truth)


def write_lines(path, *lines):
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


@pytest.mark.parametrize("name", ["a.jsonl", "a.ranks", "a.parquet", "A.PARQUET"])
def test_what_is_written_is_read_back(tmp_path, rows, name):
    write_rank_file(rows, tmp_path / name)
    assert read_ranks(tmp_path / name) == rows


def test_both_directions_are_named(rows):
    assert [row.direction for row in rows] == ["text_to_video"] * 8 + ["video_to_text"] * 4
    assert [row.query for row in rows] == [*caption_ids("aabbccd"), "#0", *"abcd"]
    assert [row.candidates for row in rows] == [4] * 8 + [8] * 4
    assert [row.right for row in rows] == [1] * 7 + [0, 2, 2, 2, 1]
    assert rows[0].positive == "a"
    assert rows[7].positive is None
    assert rows[7].rank == 5


def test_what_wins_is_right_exactly_at_rank_one(rows):
    for row in rows:
        if row.positive is not None:
            assert (row.top == row.positive) == (row.rank == 1)


def test_a_line_needs_video_caption_and_rank_only(tmp_path):
    path = write_lines(tmp_path / "r.jsonl", LINE, {**LINE, "rank": 1}, {**LINE, "video": "b", "note": [1]})
    first, second, third = read_ranks(path)
    assert [row.query for row in (first, second, third)] == ["a#0", "a#1", "b#0"]
    assert second == QueryRank(query="a#1", video="a", caption="a dog", rank=1)


def test_separators_within_a_caption_do_not_end_a_line(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text(json.dumps({**LINE, "caption": "a\u2028b\x85c"}, ensure_ascii=False), encoding="utf-8")
    assert read_ranks(path)[0].caption == "a\u2028b\x85c"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2 is not JSON"),
        ("[]", "line 2: a line must be an object"),
        ({"video": "a", "rank": 1}, "line 2: there is no 'caption'"),
        ({**LINE, "rank": None}, "line 2: there is no 'rank'"),
        ({**LINE, "rank": 0}, "line 2: 'rank' must be a whole number from 1, got 0"),
        ({**LINE, "rank": 1.5}, "line 2: 'rank' must be a whole number"),
        ({**LINE, "rank": True}, "line 2: 'rank' must be a whole number"),
        ({**LINE, "rank": "1"}, "line 2: 'rank' must be a whole number"),
        ({**LINE, "caption": 3}, "line 2: 'caption' must be text"),
        ({**LINE, "top": 3}, "line 2: 'top' must be text"),
        ({**LINE, "right": -1}, "line 2: 'right' must be a whole number from 0"),
        ({**LINE, "direction": "forward"}, "line 2: 'direction' must be one of text_to_video, video_to_text"),
        ({**LINE, "rank": 5, "candidates": 3}, "line 2: rank 5 and None right answers do not fit 3 candidates"),
        ({**LINE, "query": "a#0"}, "line 2: the query 'a#0' is listed a second time"),
    ],
)
def test_a_bad_line_is_named(tmp_path, line, message):
    path = write_lines(tmp_path / "r.jsonl", LINE, line)
    with pytest.raises(BenchmarkError, match=message) as caught:
        read_ranks(path)
    assert str(path) in str(caught.value)


def test_a_blank_line_is_no_query(tmp_path):
    assert len(read_ranks(write_lines(tmp_path / "r.jsonl", LINE, "", {**LINE, "video": "b"}))) == 2


def test_a_bad_row_of_a_table_is_named(tmp_path):
    import pyarrow as pa
    from pyarrow import parquet

    parquet.write_table(
        pa.table({"video": ["a", "b"], "caption": ["x", "y"], "rank": [1, 0]}), tmp_path / "r.parquet"
    )
    with pytest.raises(BenchmarkError, match="line 2: 'rank' must be"):
        read_ranks(tmp_path / "r.parquet")


def test_a_file_that_is_no_table_is_refused(tmp_path):
    (tmp_path / "r.parquet").write_text("no table")
    with pytest.raises(BenchmarkError, match="cannot be read as Parquet"):
        read_ranks(tmp_path / "r.parquet")


def test_an_empty_file_and_a_missing_one_are_refused(tmp_path):
    (tmp_path / "r.jsonl").touch()
    with pytest.raises(BenchmarkError, match="holds no query"):
        read_ranks(tmp_path / "r.jsonl")
    with pytest.raises(MissingPathError, match="there is no ranks file"):
        read_ranks(tmp_path / "none.jsonl")


def test_words_that_are_no_unicode_go_into_lines_but_not_into_a_table(tmp_path):
    row = QueryRank(query="q", video="a\udcff", caption="\ud83d", rank=1)
    write_rank_file([row], tmp_path / "r.jsonl")
    assert read_ranks(tmp_path / "r.jsonl") == (row,)
    with pytest.raises(BenchmarkError, match="is not valid Unicode"):
        write_rank_file([row], tmp_path / "r.parquet")


def test_a_table_without_pyarrow_is_an_error_that_says_what_to_install(tmp_path, rows, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPackageError, match=r"hgrkit\[parquet\]"):
        write_rank_file(rows, tmp_path / "r.parquet")
