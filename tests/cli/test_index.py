"""`hgrkit index` over folders that change, and libraries that go over to other parts."""

from __future__ import annotations

import shutil

import pytest

from tests.test_retriever import write_video


@pytest.fixture
def videos(tmp_path):
    folder = tmp_path / "videos"
    folder.mkdir()
    for number in range(3):
        write_video(folder / f"{number}.mp4", 1, (70 * number, 200 - 70 * number, 30))
    return folder


@pytest.fixture
def index(hgrkit, tmp_path):
    """`hgrkit index` into one library."""
    return lambda *arguments: hgrkit("index", *arguments, "--library", tmp_path / "library")


def test_only_what_happened_is_counted(index, videos):
    assert index(videos).out == "indexed 3, unchanged 0, failed 0\n"
    (videos / "0.mp4").rename(videos / "moved.mp4")
    shutil.copy(videos / "1.mp4", videos / "copied.mp4")
    (videos / "2.mp4").unlink()
    ran = index(videos)
    assert ran.out == "indexed 0, unchanged 1, failed 0, moved 1, duplicates 1, missing 1\n"
    assert ran.err == f"missing {videos / '2.mp4'}\n"
    ran = index(videos, "--prune")
    assert ran.out == "indexed 0, unchanged 3, failed 0, pruned 1\n"
    assert ran.err == f"pruned {videos / '2.mp4'}\n"
    assert index(videos).out == "indexed 0, unchanged 3, failed 0\n"


def test_json_tells_the_same(index, videos):
    assert index(videos, "--json").json["indexed"] == 3
    (videos / "0.mp4").rename(videos / "moved.mp4")
    (videos / "2.mp4").unlink()
    report = index(videos, "--prune", "--json").json
    assert {
        name: report[name] for name in ("indexed", "unchanged", "moved", "duplicates", "failed", "pruned")
    } == {
        "indexed": 0,
        "unchanged": 1,
        "moved": 1,
        "duplicates": 0,
        "failed": 0,
        "pruned": 1,
    }
    assert (report["missing"], report["emptied"]) == ([str(videos / "2.mp4")], [])


def test_a_folder_that_lost_all_its_videos_is_pointed_out(index, videos):
    index(videos)
    for path in videos.iterdir():
        path.unlink()
    ran = index(videos)
    assert ran.out == "indexed 0, unchanged 0, failed 0, missing 3\n"
    assert "is a drive not mounted? --prune removes them" in ran.err.splitlines()[-1]
    ran = index(videos, "--prune")
    assert ran.out == "indexed 0, unchanged 0, failed 0, pruned 3\n"
    assert "they were removed" in ran.err.splitlines()[-1]


def test_an_upgrade_goes_before_the_run(index, videos):
    index(videos)
    assert "--upgrade" in index(videos, "--clip-seconds", "0.5").error
    ran = index(videos, "--clip-seconds", "0.5", "--upgrade")
    assert ran.out == "upgraded: indexed 3, unchanged 0, failed 0\nindexed 0, unchanged 3, failed 0\n"
    report = index("--upgrade", "--clip-seconds", "0.25", "--json").json
    assert report.keys() == {"upgrade"}
    assert (report["upgrade"]["indexed"], report["upgrade"]["decoded_frames"]) == (3, 0)


def test_an_upgrade_without_the_videos_is_refused_in_one_line(index, videos):
    index(videos, "--no-feature-cache")
    (videos / "1.mp4").unlink()
    error = index("--upgrade", "--clip-seconds", "0.5").error
    assert all(words in error for words in ("1 of its videos", "1.mp4", "--prune"))
    assert index(videos).out.startswith("indexed 0, unchanged 2, failed 0")
    ran = index(videos, "--upgrade", "--clip-seconds", "0.5", "--prune", "--json")
    assert (ran.json["upgrade"]["pruned"], ran.json["unchanged"]) == (1, 2)


def test_a_new_library_needs_no_upgrade(index, videos):
    assert index(videos, "--upgrade").out == "indexed 3, unchanged 0, failed 0\n"


def test_there_has_to_be_something_to_index_or_to_upgrade(index, tmp_path):
    assert "there is nothing to index" in index().error
    assert "there is no library" in index("--upgrade").error
    assert not (tmp_path / "library").exists()
