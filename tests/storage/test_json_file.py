"""A JSON file that cannot be read says which file, what is wrong and where."""

from __future__ import annotations

import gzip

import pytest

from hgrkit.errors import BenchmarkError, MissingPathError
from hgrkit.storage.json_file import read_json, read_json_lines


def read(path, shape=dict, **settings):
    return read_json(path, shape, error=BenchmarkError, expected="a list of names", **settings)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a": 1,\n"b": }', "is not JSON: line 2, column 6: Expecting value"),
        (b"", "is not JSON: line 1, column 1"),
        (b'{"a": "\xff"}', "is not JSON in UTF-8: byte 7 is not text; save the file as UTF-8"),
        pytest.param(b"[" * 100_000, "is not JSON: it is nested too deeply", id="deep nesting"),
        pytest.param(b"1" * 5000, "is not JSON: Exceeds the limit", id="long number"),
        (b"[1]", "must hold a JSON object, got list"),
        (b"null", "must hold a JSON object, got NoneType"),
    ],
)
def test_what_is_wrong_is_said_of_the_file(tmp_path, content, message):
    path = tmp_path / "names.json"
    path.write_bytes(content)
    with pytest.raises(BenchmarkError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path} {message}")
    assert str(caught.value).endswith("; expected a list of names.")


def test_a_file_that_is_not_there_may_be_another_kind_of_error(tmp_path):
    with pytest.raises(BenchmarkError, match=r"names\.json is missing; expected a list of names"):
        read(tmp_path / "names.json")
    with pytest.raises(MissingPathError, match=r"names\.json is missing"):
        read(tmp_path / "names.json", missing=MissingPathError)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(BenchmarkError, match="is a folder; expected a list of names"):
        read(tmp_path, missing=MissingPathError)


def test_a_path_that_leads_through_a_file_cannot_be_read(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BenchmarkError, match="cannot be read"):
        read(tmp_path / "file" / "names.json")


def test_a_byte_order_mark_is_no_fault(tmp_path):
    path = tmp_path / "names.json"
    path.write_text('["é"]', encoding="utf-8-sig")
    assert read(path, list) == ["é"]


# lines ---------------------------------------------------------------------------------------------------------


def lines(path, content):
    path.write_bytes(content)
    return list(read_json_lines(path, error=BenchmarkError))


def test_lines_have_their_numbers_and_blank_ones_are_left_out(tmp_path):
    content = '\ufeff{"a": 1}\r\n\n  \n["\u2028\x85"]\n3'.encode()
    assert lines(tmp_path / "a.jsonl", content) == [(1, {"a": 1}), (4, ["\u2028\x85"]), (5, 3)]


def test_gzipped_lines_are_those_of_the_plain_file(tmp_path):
    assert lines(tmp_path / "a.jsonl.gz", gzip.compress(b"1\n2\n")) == [(1, 1), (2, 2)]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'1\n{"a"\n', "line 2 is not JSON"),
        ("a.jsonl", b'1\n"\xff"\n', "line 2 is not UTF-8; save the file as UTF-8"),
        pytest.param("a.jsonl", b"[" * 100_000, "line 1 is not JSON", id="deep nesting"),
        ("a.jsonl.gz", b"no gzip", "cannot be read"),
        ("a.jsonl.gz", gzip.compress(b"1\n2\n")[:-9], "cannot be read"),
    ],
)
def test_what_is_wrong_is_said_of_the_line(tmp_path, name, content, message):
    with pytest.raises(BenchmarkError, match=message) as caught:
        lines(tmp_path / name, content)
    assert str(tmp_path / name) in str(caught.value)


def test_lines_of_a_file_that_is_not_there_cannot_be_read(tmp_path):
    with pytest.raises(BenchmarkError, match=r"none\.jsonl cannot be read"):
        list(read_json_lines(tmp_path / "none.jsonl", error=BenchmarkError))
