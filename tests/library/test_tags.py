"""Tags: what they may be, how they are typed and read from files, and that they stay with their videos."""

from __future__ import annotations

import json
from datetime import date, datetime

import numpy as np
import pytest

from hgrkit.errors import ConfigError, LibraryError, MissingPathError
from hgrkit.library import (
    Entry,
    Library,
    VideoRecord,
    backup_library,
    export_library,
    repair_library,
    verify_library,
)
from hgrkit.library.store import Rename
from hgrkit.library.tags import is_tag, read_metadata, read_tag, tag_lines, tag_video, tag_videos
from hgrkit.testing.store_contract import StoreContract, random_clip


def record(path: str, **values: object) -> VideoRecord:
    return VideoRecord(path=path, **{"content": path, "size": 1, "mtime_ns": 1, **values})


@pytest.fixture
def folder(tmp_path):
    with Library.create(tmp_path / "lib", StoreContract.manifest) as library:
        names = ("/v/a.mp4", "/v/b.mp4", "/v/2026/c.mp4", "/w/2026/c.mp4", "old/d.mp4")
        library.add_all([Entry(record(path), [random_clip(seed)]) for seed, path in enumerate(names)])
        library.add(record("/v/bad.mp4", state="failed", reason="it is empty"))
    return tmp_path / "lib"


def tags_of(folder, path="/v/a.mp4"):
    with Library.open(folder) as library:
        return dict(library.video(path).metadata)


def tagged(folder, path="/v/a.mp4", /, **values):
    with Library.open(folder, "w") as library:
        tag_video(library, path, values)
    return tags_of(folder, path)


# what they may be ----------------------------------------------------------------------------------------------


def test_values_come_back_as_they_were_given(folder):
    values = {
        "camera": "front",
        "year": 2026,
        "least": -(2**63),
        "score": 0.1,
        "indoor": True,
        "text": "true",
        "empty": "",
        "wide": 'grüße \U0001f600 it\'s "quoted"\n',
    }
    found = tagged(folder, **values)
    assert found == values
    assert {name: type(value) for name, value in found.items()} == {
        name: type(value) for name, value in values.items()
    }


def test_dates_are_kept_as_text_and_numbers_of_numpy_as_numbers(folder):
    found = tagged(folder, on=date(2026, 3, 1), at=datetime(2026, 3, 1, 12, 30), n=np.int64(7), x=np.float32(0.5))
    assert found == {"on": "2026-03-01", "at": "2026-03-01T12:30:00", "n": 7, "x": 0.5}


def test_a_tag_is_changed_added_and_taken_away_whatever_the_case_of_its_letters(folder):
    with Library.open(folder, "w") as library:
        library.add(record("/v/a.mp4", metadata={"Camera": "front", "kept": [1]}), [random_clip(1)])
    assert tagged(folder, CAMERA="back", Year=2026) == {"camera": "back", "kept": [1], "year": 2026}
    assert tagged(folder, camera=None, never=None) == {"kept": [1], "year": 2026}


TAKEN = ("path", "Name", "folder", "duration_s", "modified", "INDEXED", "and", "Like", "end")


@pytest.mark.parametrize(
    "name", [*TAKEN, "a b", "a-b", "1a", "", "\xe4", "a" * 65, "indexed:ns", 'a"b', "a'b", "$", "a\n"]
)
def test_a_name_that_no_filter_could_use_is_refused_and_nothing_is_changed(folder, name):
    before = tags_of(folder)
    with pytest.raises(ConfigError, match="a tag"):
        tagged(folder, **{"fine": 1, name: 1})
    assert tags_of(folder) == before


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), 2**63, -(2**63) - 1, "x" * 10_001, "a\0b", "\ud800", b"x", [1], {}, object()],
)
def test_a_value_that_no_filter_could_use_is_refused(folder, value):
    with pytest.raises(ConfigError, match="the tag 'camera' must be a number"):
        tagged(folder, camera=value)


def test_no_metadata_stands_for_the_time_of_indexing(folder):
    with Library.open(folder, "w") as library:
        with pytest.raises(ConfigError, match=r"has the key 'indexed:ns', which is hgrkit's own"):
            library.add(record("/v/a.mp4", metadata={"indexed:ns": "never"}), [random_clip(1)])
        library.add(record("/v/a.mp4", indexed_ns=5, metadata={"n": 1}), [random_clip(1)])
        found = library.video("/v/a.mp4")
    assert (found.indexed_ns, found.metadata) == (5, {"n": 1})
    with pytest.raises(ConfigError, match="indexed_ns of"):
        record("/v/a.mp4", indexed_ns="now")


def test_a_video_has_some_hundred_tags_at_most(folder):
    assert len(tagged(folder, **{f"t{number}": number for number in range(256)})) == 256
    with pytest.raises(ConfigError, match=r"at most 256 tags, '/v/a.mp4' would have 257"):
        tagged(folder, more=1)
    assert len(tagged(folder, t0=None, more=1)) == 256


def test_a_video_that_is_not_there_and_a_library_that_is_only_read_are_refused(folder):
    with pytest.raises(LibraryError, match=r"has no video 'x.mp4'; index it first"):
        tagged(folder, "x.mp4", camera="front")
    with Library.open(folder) as library, pytest.raises(LibraryError, match="reading only"):
        tag_video(library, "/v/a.mp4", {"camera": "front"})


def test_many_are_tagged_in_one_commit_or_none(folder):
    with Library.open(folder, "w") as library:
        videos = library.videos()
        before = library.version
        tag_videos(library, [*((video, {"n": 1}) for video in videos), (videos[0], {"m": 2})])
        assert library.version.number == before.number + 1
        assert [dict(video.metadata) for video in library.videos()] == [{"n": 1, "m": 2}, *[{"n": 1}] * 5]
        with pytest.raises(ConfigError):
            tag_videos(library, [(videos[1], {"n": 2}), (videos[2], {"path": 2})])
        assert library.version.number == before.number + 1


# that they stay ------------------------------------------------------------------------------------------------


def test_tags_stay_through_all_that_becomes_of_a_library(folder, tmp_path):
    expected = tagged(folder, camera="front", n=1)
    tagged(folder, "/v/bad.mp4", camera="back")
    with Library.open(folder, "w") as library:
        moved = library.video("/v/a.mp4")
        library.update(rename=[Rename("/v/a.mp4", record("/x/a.mp4", metadata=moved.metadata, indexed_ns=17))])
        library.compact()
        library.relabel(library.manifest)
    assert tags_of(folder, "/x/a.mp4") == expected
    backup_library(folder, tmp_path / "backup")
    assert tags_of(tmp_path / "backup", "/x/a.mp4") == expected
    with Library.open(tmp_path / "backup") as library:
        assert library.video("/x/a.mp4").indexed_ns == 17
        assert library.video("/v/bad.mp4").metadata == {"camera": "back"}
    frames = next((folder / "arrays").glob("frames-*.bin"))
    frames.write_bytes(frames.read_bytes()[:-1])
    assert repair_library(folder).whole
    assert tags_of(folder, "/x/a.mp4") == expected
    with Library.open(folder, "w") as library:
        library.remove("/x/a.mp4")
        library.add(record("/x/a.mp4"), [random_clip(1)])
        assert library.video("/x/a.mp4").metadata == {}
    assert verify_library(folder).whole


def test_an_export_has_the_tags(folder, tmp_path):
    tagged(folder, camera="front")
    with Library.open(folder) as library:
        export_library(library, tmp_path / "out.npz", to="npz")
        with np.load(tmp_path / "out.npz") as arrays:
            exported = json.loads(str(arrays["metadata"]))
        expected = [dict(video.metadata) for video in library.videos() if video.state == "indexed"]
    assert exported == expected
    assert {"camera": "front"} in exported
    parquet = pytest.importorskip("pyarrow.parquet")
    with Library.open(folder) as library:
        export_library(library, tmp_path / "out.parquet", to="parquet")
    assert [
        json.loads(text) for text in parquet.read_table(tmp_path / "out.parquet")["metadata"].to_pylist()
    ] == expected


# how they are typed --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("front", "front"), ("7", 7), ("-7", -7), ("0", 0), ("007", "007"), ("0.5", 0.5), ("-1e3", -1000.0),
        ("1.", "1."), ("+1", "+1"), ("1e999", "1e999"), ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", "9223372036854775808"), ("9" * 5000, "9" * 5000), ("true", True), ("FALSE", False),
        ("'7'", "7"), ('"true"', "true"), ("''", ""), ("", None), ("'", "'"), ("'a", "'a"),
        ("2026-03-01", "2026-03-01"), ("nan", "nan"), ("a=b", "a=b"), ("null", "null"), ("٣", "٣"), (" 7", " 7"),
    ],
)  # fmt: skip
def test_what_is_typed_is_what_it_looks_like(typed, value):
    name, found = read_tag(f"camera={typed}")
    assert (name, found, type(found)) == ("camera", value, type(value))


def test_a_word_is_a_tag_if_a_name_stands_before_its_first_equals_sign():
    words = ["a=b", "_a1=", "./a=b.mp4", "v/a=b.mp4", "a.mp4", "=b", "a b=c", "a=b=c"]
    assert [word for word in words if is_tag(word)] == ["a=b", "_a1=", "a=b=c"]


def write(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_csv_file_has_a_line_a_video_and_empty_cells_say_nothing(tmp_path):
    text = '\ufeffpath,Camera,year,note\na.mp4,front,2026,\n"b, c.mp4",,,"say ""hi"",\ntwice"\n\n'
    text += "d.mp4,'7',true,x\n"
    lines = read_metadata(write(tmp_path, "m.csv", text))
    assert [(line.line, line.path, line.tags) for line in lines] == [
        (2, "a.mp4", {"camera": "front", "year": 2026}),
        (4, "b, c.mp4", {"note": 'say "hi",\ntwice'}),
        (6, "d.mp4", {"camera": "7", "year": True, "note": "x"}),
    ]


def test_a_file_of_json_lines_has_an_object_a_video_and_null_takes_away(tmp_path):
    text = '{"path": "a.mp4", "n": 1, "x": null, "ok": false}\n\n{"path": "b.mp4", "n": "1"}\n'
    lines = read_metadata(write(tmp_path, "m.JSONL", text))
    assert [(line.line, line.path, line.tags) for line in lines] == [
        (1, "a.mp4", {"n": 1, "x": None, "ok": False}),
        (3, "b.mp4", {"n": "1"}),
    ]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("m.csv", "", "begins with the names of its columns"),
        ("m.csv", "file,camera\na,b\n", "begins with the names of its columns"),
        ("m.csv", "path,a,a\nx,1,2\n", "begins with the names of its columns"),
        ("m.csv", "path,camera\na.mp4,front,more\n", "more cells than the header"),
        ("m.csv", "path,recorded at\na.mp4,now\n", "line 2: a tag's name consists of letters, digits and _"),
        ("m.csv", "path,name\na.mp4,x\n", "line 2: a tag cannot be called 'name'"),
        ("m.csv", "camera,path\nfront\n", "line 2: a video is named by its `path`"),
        ("m.csv", 'path,camera\na.mp4,"open\n', "after line"),
        ("m.jsonl", '{"path": "a"}\n{oops\n', "after line 1"),
        ("m.jsonl", '{"path": "a"}\n[1]\n', "line 2 is not a JSON object"),
        ("m.jsonl", '{"n": 1}\n', "line 1: a video is named by its `path`"),
        ("m.jsonl", '{"path": 1}\n', "line 1: a video is named by its `path`"),
        ("m.jsonl", '{"path": "a", "n": [1]}\n', "line 1: the tag 'n' must be"),
        ("m.jsonl", '{"path": "a", "n": NaN}\n', "line 1: the tag 'n' must be"),
        ("m.jsonl", '{"path": "a", "n": ' + "9" * 5000 + "}\n", "after line 0"),
        ("m.jsonl", "[" * 100_000 + "\n", "after line 0"),
        ("m.txt", "path,n\na,1\n", r"ends in .csv or .jsonl"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_whole_with_its_line(tmp_path, name, text, said):
    with pytest.raises(ConfigError) as error:
        read_metadata(write(tmp_path, name, text))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_no_text_or_not_there_is_refused(tmp_path):
    (tmp_path / "m.csv").write_bytes(b"path,n\n\xff,1\n")
    with pytest.raises(ConfigError, match="utf-8"):
        read_metadata(tmp_path / "m.csv")
    with pytest.raises(MissingPathError, match=r"no file .*no.csv"):
        read_metadata(tmp_path / "no.csv")


def test_lines_name_videos_by_their_paths_or_the_ends_of_them(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = [
        "/v/a.mp4",
        "b.mp4",
        "v/2026/c.mp4",
        "old/d.mp4",
        "c.mp4",
        "x.mp4",
        "6/c.mp4",
        "bad.mp4",
        "/v/./a.mp4",
    ]
    file = write(tmp_path, "m.csv", "path,n\n" + "".join(f"{name},{row}\n" for row, name in enumerate(names)))
    with Library.open(folder, "w") as library:
        report = tag_lines(library, read_metadata(file), file)
        found = {video.path: video.metadata.get("n") for video in library.videos()}
    assert found == {
        "/v/2026/c.mp4": 2, "/v/a.mp4": 8, "/v/b.mp4": 1, "/v/bad.mp4": 7, "/w/2026/c.mp4": None, "old/d.mp4": 3,
    }  # fmt: skip
    assert report.tagged == 5
    assert report.unknown == (
        (6, "c.mp4", "2 videos are called so; give a path"),
        (7, "x.mp4", "the library has no such video"),
        (8, "6/c.mp4", "the library has no such video"),
    )


def test_a_line_may_name_a_video_from_the_folder_of_its_file(tmp_path):
    (tmp_path / "videos").mkdir()
    with Library.create(tmp_path / "lib", StoreContract.manifest) as library:
        for name in ("videos/a.mp4", "a.mp4"):
            library.add(record(str(tmp_path / name)), [random_clip(1)])
        file = write(tmp_path, "videos/m.csv", "path,n\na.mp4,1\n../a.mp4,2\n")
        assert tag_lines(library, read_metadata(file), file).unknown == ()
        assert [video.metadata["n"] for video in library.videos()] == [2, 1]
