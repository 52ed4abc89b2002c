"""`hgrkit tag`, `hgrkit index --metadata`, and `hgrkit search --where`."""

from __future__ import annotations

import json

import pytest

from hgrkit.library import Library
from tests.test_retriever import write_video


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    for number in range(3):
        write_video(folder / f"{number}.mp4", 1, (70 * number, 200 - 70 * number, 30))
    return folder


@pytest.fixture
def library(hgrkit, tmp_path, videos):
    assert hgrkit("index", videos, "--library", tmp_path / "library").status == 0
    return tmp_path / "library"


def found(hgrkit, library, where):
    ran = hgrkit("search", "a red square", "--library", library, "--where", where, "--json")
    assert ran.status == 0, ran.err
    return sorted(hit["video"][-5:] for hit in ran.json["hits"])


def test_tags_are_given_shown_searched_by_and_taken_away(hgrkit, library, videos):
    ran = hgrkit("tag", library, videos / "0.mp4", videos / "1.mp4", "camera=front", "lens='50'", "year=2026")
    assert ran.out == "videos tagged 2\n"
    listed = hgrkit("info", library, "--videos", "--json").json["videos"]
    tags = {"camera": "front", "lens": "50", "year": 2026}
    assert [video["metadata"] for video in listed] == [tags, tags, {}]
    assert "camera=front lens=50 year=2026" in hgrkit("info", library, "--videos").out
    assert found(hgrkit, library, "camera = 'front' and lens = '50'") == ["0.mp4", "1.mp4"]
    assert found(hgrkit, library, "camera is null and path like '%mp4' and duration_s < 2") == ["2.mp4"]
    ran = hgrkit("tag", library, videos, "camera=", "--json").json
    assert ran == {"tagged": [str(videos / f"{number}.mp4") for number in range(3)], "tags": {"camera": None}}
    assert hgrkit("info", library, "--videos", "--json").json["videos"][0]["metadata"] == {
        "lens": "50",
        "year": 2026,
    }


def test_a_search_that_no_video_matches_says_so(hgrkit, library):
    ran = hgrkit("search", "a red square", "--library", library, "--where", "duration_s > 100")
    assert (ran.status, ran.out) == (0, "No video matches the filter.\n")
    shown = hgrkit("search", "a red square", "--library", library, "--where", "duration_s > 100", "--json").json
    assert (shown["hits"], shown["exact"], shown["notes"]) == ([], True, ["No video matches the filter."])
    assert "notes" in shown


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("camra = 1", "unknown column 'camra'; columns: path, name, folder, duration_s, modified, indexed"),
        ("1; drop table videos", "a filter is one expression, without ';' in it."),
        ("load_extension('x')", "unknown function 'load_extension'; functions: abs, "),
        ("", "a filter cannot be read: it is empty"),
        ("(1", "a filter cannot be read: its parentheses are not in pairs"),
    ],
)
def test_what_is_no_filter_is_one_line_and_status_2(hgrkit, library, where, said):
    error = hgrkit("search", "a dog", "--library", library, "--where", where).error
    assert error.startswith(f"hgrkit: {said}")


def test_indexing_reads_a_file_of_tags_and_names_the_lines_that_are_about_no_video(hgrkit, tmp_path, videos):
    file = tmp_path / "m.csv"
    file.write_text(f"path,camera\n0.mp4,front\n{videos / '1.mp4'},back\nnever.mp4,front\n", encoding="utf-8")
    ran = hgrkit("index", videos, "--library", tmp_path / "lib", "--metadata", file)
    assert ran.out == "indexed 3, unchanged 0, failed 0\ntagged 2\n"
    assert ran.err == f"{file}, line 4: never.mp4: the library has no such video\n"
    assert found(hgrkit, tmp_path / "lib", "camera = 'front' and indexed >= modified") == ["0.mp4"]
    file = tmp_path / "m.jsonl"
    lines = [{"path": "0.mp4", "camera": None, "n": 1}, {"path": "x.mp4", "n": 2}]
    file.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    report = hgrkit("index", "--library", tmp_path / "lib", "--metadata", file, "--json").json
    unknown = {"line": 2, "path": "x.mp4", "reason": "the library has no such video"}
    assert report == {"metadata": {"file": str(file), "tagged": 1, "unknown": [unknown]}}
    assert found(hgrkit, tmp_path / "lib", "camera is not null or n = 1") == ["0.mp4", "1.mp4"]


def test_a_file_of_tags_that_is_none_is_refused_before_anything_is_indexed(hgrkit, tmp_path, videos):
    (tmp_path / "m.csv").write_text("path,name\n0.mp4,x\n", encoding="utf-8")
    error = hgrkit("index", videos, "--library", tmp_path / "lib", "--metadata", tmp_path / "m.csv").error
    assert "m.csv, line 2: a tag cannot be called 'name'" in error
    assert not (tmp_path / "lib").exists()


def times_of_indexing(library):
    with Library.open(library) as opened:
        return {video.path: video.indexed_ns for video in opened.videos()}


def test_tags_stay_when_a_file_moves_is_indexed_again_or_copied(hgrkit, tmp_path, videos):
    import shutil

    own = tmp_path / "own"
    shutil.copytree(videos, own)
    index = ("index", own, "--library", tmp_path / "lib")
    hgrkit(*index)
    hgrkit("tag", tmp_path / "lib", own, "camera=front")
    before = times_of_indexing(tmp_path / "lib")
    (own / "0.mp4").rename(own / "moved.mp4")
    shutil.copy(own / "1.mp4", own / "copy.mp4")
    write_video(own / "2.mp4", 1, (9, 9, 9))
    assert hgrkit(*index).out == "indexed 1, unchanged 1, failed 0, moved 1, duplicates 1\n"
    after = times_of_indexing(tmp_path / "lib")
    assert after[str(own / "moved.mp4")] == before[str(own / "0.mp4")]
    assert after[str(own / "1.mp4")] == before[str(own / "1.mp4")]
    assert min(after[str(own / name)] for name in ("2.mp4", "copy.mp4")) > max(before.values())
    assert hgrkit(*index, "--clip-seconds", "0.5", "--upgrade").status == 0
    listed = hgrkit("info", tmp_path / "lib", "--videos", "--json").json["videos"]
    assert [video["path"][-8:] for video in listed] == ["wn/1.mp4", "wn/2.mp4", "copy.mp4", "oved.mp4"]
    assert all(video["metadata"] == {"camera": "front"} for video in listed)


@pytest.mark.parametrize("words", [(), ("camera=front",), ("v/a.mp4",)])
def test_tag_needs_videos_and_tags(hgrkit, tmp_path, words):
    assert hgrkit("tag", tmp_path, *words).error.startswith("hgrkit: tag needs ")


def test_a_video_that_is_not_there_changes_nothing(hgrkit, library, videos):
    error = hgrkit("tag", library, videos / "0.mp4", "x.mp4", "camera=front").error
    assert "the library has no video and no folder 'x.mp4'; nothing was changed" in error
    assert found(hgrkit, library, "name = '0.mp4'") == ["0.mp4"]
    assert not any(video["metadata"] for video in hgrkit("info", library, "--videos", "--json").json["videos"])
