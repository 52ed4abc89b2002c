"""A JSON file that cannot be read says which file, what is wrong and where."""

from __future__ import annotations

import pytest

from hgrkit.errors import BenchmarkError, MissingPathError
from hgrkit.storage.json_file import read_json


def read(path, shape=dict, **settings):
    return read_json(path, shape, error=BenchmarkError, expected="a list of names", **settings)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a": 1,\n"b": }', "is not JSON: line 2, column 6: Expecting value"),
        (b"", "is not JSON: line 1, column 1"),
        (b'{"a": "\xff"}', "is not JSON in UTF-8: byte 7 is no text; save the file as UTF-8"),
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
