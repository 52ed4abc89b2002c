from __future__ import annotations

import json

import pytest

from hgrkit.errors import BenchmarkError, MissingPathError
from hgrkit.research.evaluation.foil_choice import FoilPair, read_foils
from hgrkit.research.foils.generate import Foil, write_foils

PAIR = FoilPair(video="v.mp4", caption="a dog runs", foil="a cat runs", type="replace_person")
LINE = {"video": "v.mp4", "caption": "a dog runs", "foil": "a cat runs", "type": "replace_person"}


def written(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "foils.jsonl"
    write_foils([Foil(**LINE, was="dog", now="cat"), Foil(**LINE, was="dog", now="cat")], path)
    assert read_foils(path) == (PAIR, PAIR)
    assert list(json.loads(path.read_text().splitlines()[0]))[:4] == ["video", "caption", "foil", "type"]


def test_blank_lines_and_other_keys_are_left_alone(tmp_path):
    path = written(tmp_path / "f.jsonl", "\n" + json.dumps({**LINE, "more": 1}) + "\n\n")
    assert read_foils(path) == (PAIR,)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ({"0": {"filename": "v.mp4", "caption": "a dog runs", "negative_caption": "a cat runs"}}, "swap_obj"),
        ([{"filename": "v.mp4", "caption": "a dog runs", "negative_caption": "a cat runs"}], "swap_obj"),
        (
            {
                "a_1": {
                    "image_file": "v.mp4",
                    "caption": "a dog runs",
                    "foil": "a cat runs",
                    "linguistic_phenomena": "actant-swap",
                }
            },
            "actant-swap",
        ),
        ({"7": {"video_file": "v.mp4", "caption": "a dog runs", "foils": ["a cat runs"]}}, "swap_obj"),
    ],
)
def test_other_published_shapes_are_read(tmp_path, content, kind):
    path = written(tmp_path / "swap_obj.json", json.dumps(content))
    assert read_foils(path) == (FoilPair(video="v.mp4", caption="a dog runs", foil="a cat runs", type=kind),)


def test_each_of_several_foils_is_a_choice(tmp_path):
    record = {"video": "v.mp4", "caption": "a dog runs", "foils": ["a cat runs", "a dog sits"], "type": "t"}
    assert [pair.foil for pair in read_foils(written(tmp_path / "f.jsonl", json.dumps(record)))] == record["foils"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no foil"),
        ("{}", "holds no foil"),
        (json.dumps(LINE) + "\n{oops\n", "line 2 is not JSON"),
        (json.dumps(LINE) + "\n[1]\n", "line 2 must be an object"),
        ('{"caption": "a", "foil": "b"}', "has no 'video'"),
        ('{"video": "v", "caption": "a"}', "has no 'foil'"),
        ('{"video": "v", "caption": 3, "foil": "b"}', "must have a string for 'caption', got int"),
        ('{"video": "v", "caption": "a", "foils": [2]}', "must have sentences for foils, got 2"),
    ],
)
def test_what_is_no_foil_file_is_refused_by_place(tmp_path, text, message):
    with pytest.raises(BenchmarkError, match=message):
        read_foils(written(tmp_path / "f.jsonl", text))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(MissingPathError, match="no file"):
        read_foils(tmp_path / "none.jsonl")


def test_a_file_that_is_not_utf_8_is_refused_by_its_line(tmp_path):
    line = json.dumps(LINE).encode()
    (tmp_path / "f.jsonl").write_bytes(line + b"\n" + line.replace(b"cat", b"caf\xe9") + b"\n")
    with pytest.raises(BenchmarkError, match=r"f\.jsonl, line 2 is not UTF-8; save the file as UTF-8"):
        read_foils(tmp_path / "f.jsonl")
