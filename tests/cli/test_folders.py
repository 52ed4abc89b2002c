"""`hgrkit index` over folders that are closed, renamed, spelled otherwise or full of other things."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from hgrkit.cli.output import shown_path
from tests.cli.conftest import Ran
from tests.test_retriever import write_video


@pytest.fixture
def videos(tmp_path):
    """Two videos, one of them in a folder of its own."""
    folder = tmp_path / "home/v"
    (folder / "deep").mkdir(parents=True)
    write_video(folder / "a.mp4", 1, (200, 30, 30))
    write_video(folder / "deep/b.mp4", 1, (30, 30, 200))
    return folder


@pytest.fixture
def index(hgrkit, tmp_path):
    """`hgrkit index` into one library."""
    return lambda *arguments: hgrkit("index", *arguments, "--library", tmp_path / "home/lib")


@pytest.fixture
def paths(hgrkit, tmp_path):
    """The library's videos, as JSON has them."""

    def listed():
        described = hgrkit("info", "--library", tmp_path / "home/lib", "--videos", "--json").json
        return [video["path"] for video in described["videos"]]

    return listed


# closed folders ------------------------------------------------------------------------------------------------


@pytest.fixture
def index_unprivileged(tmp_path, unprivileged):
    """The same in a process to which closed folders are closed."""

    def run(*arguments):
        command = [*unprivileged, sys.executable, "-m", "hgrkit", "index", "--library", tmp_path / "home/lib"]
        done = subprocess.run([*map(str, [*command, *arguments])], capture_output=True, text=True, check=False)
        return Ran(done.returncode, done.stdout, done.stderr)

    return run


@pytest.mark.parametrize("mode", [0o000, 0o444])
def test_a_closed_folder_beside_an_open_one_is_named_and_loses_nothing(
    index, index_unprivileged, paths, videos, mode
):
    index(videos)
    shutil.copy(videos / "deep/b.mp4", videos / "copy.mp4")
    (videos / "deep").chmod(mode)
    try:
        ran = index_unprivileged(videos, "--prune")
        assert (ran.status, ran.out) == (0, "indexed 0, unchanged 1, failed 0, duplicates 1, unreadable 1\n")
        assert ran.err == f"unreadable {videos / 'deep'}: Permission denied\n"
        report = index_unprivileged(videos, "--prune", "--json").json
        assert report["unreadable"] == [{"path": str(videos / "deep"), "reason": "Permission denied"}]
        assert (report["missing"], report["pruned"], report["emptied"]) == ([], 0, [])
        assert len(paths()) == 3
    finally:
        (videos / "deep").chmod(0o755)


def test_the_status_is_2_when_all_that_was_named_is_closed(index_unprivileged, videos):
    (videos / "deep").chmod(0)
    try:
        alone = index_unprivileged(videos / "deep")
        assert (alone.status, alone.err) == (2, f"unreadable {videos / 'deep'}: Permission denied\n")
        assert index_unprivileged(videos / "deep", videos / "a.mp4").status == 0
        assert index_unprivileged(videos / "deep", "--json").json["indexed"] == 0
    finally:
        (videos / "deep").chmod(0o755)


def test_a_path_that_is_not_there_is_an_error_and_an_over_long_one_is_named(index, videos, tmp_path):
    assert "no file or folder" in index(videos, tmp_path / "absent").error
    assert not (tmp_path / "home/lib").exists()
    ran = index(videos, tmp_path / ("x" * 300))
    assert (ran.status, ran.out) == (0, "indexed 2, unchanged 0, failed 0, unreadable 1\n")
    assert ran.err.endswith("x: File name too long\n")


# one folder, many spellings ------------------------------------------------------------------------------------


def test_a_folder_is_one_from_whatever_folder_it_is_named(index, hgrkit, paths, videos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path / "home")
    assert index("v").out == "indexed 2, unchanged 0, failed 0\n"
    for here, spelling in (
        (tmp_path, "home/v"),
        (videos, "."),
        (videos / "deep", "../"),
        (tmp_path, "./home//v/."),
    ):
        monkeypatch.chdir(here)
        assert index(spelling, "--prune").out == "indexed 0, unchanged 2, failed 0\n"
    assert paths() == [str(videos / "a.mp4"), str(videos / "deep/b.mp4")]
    monkeypatch.chdir("/")
    hits = hgrkit("search", "a red thing", "--library", tmp_path / "home/lib", "--json").json["hits"]
    assert all(Path(hit["video"]).is_file() for hit in hits)


def test_text_shows_paths_as_they_would_be_typed_here(index, hgrkit, videos, tmp_path, monkeypatch):
    index(videos)
    (videos / "deep/torn.mp4").write_text("no video")
    library = tmp_path / "home/lib"
    for here, shown in ((tmp_path / "home", "v/deep/"), (videos / "deep", ""), (library, f"{videos}/deep/")):
        monkeypatch.chdir(here)
        assert index(videos).err.startswith(f"failed {shown}torn.mp4: ")
        assert f" {shown}b.mp4 " in hgrkit("search", "a blue thing", "--library", library).out
        listed = "".join(hgrkit("info", "--library", library, "--videos").out.split())  # a table may fold them
        assert f"indexed{shown}b.mp4" in listed
        json = index(videos, "--json").json
        assert json["failures"][0]["path"] == str(videos / "deep/torn.mp4")
    monkeypatch.chdir(tmp_path)
    (videos / "a.mp4").unlink()
    assert "missing home/v/a.mp4\n" in index("home").err


def test_a_path_is_shown_from_the_current_folder_only_below_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shown_path(str(tmp_path / "v/a.mp4")) == "v/a.mp4"
    for path in (f"{tmp_path}2/a.mp4", "/a.mp4", "v/a.mp4", str(tmp_path)):
        assert shown_path(path) == path
    monkeypatch.chdir("/")
    assert shown_path("/v/a.mp4") == "/v/a.mp4"


def test_a_video_is_removed_by_any_spelling_of_its_path(index, hgrkit, paths, videos, tmp_path, monkeypatch):
    index(videos)
    monkeypatch.chdir(tmp_path / "home")
    for spelling in ("v/a.mp4", "./v//a.mp4", f"{videos}/a.mp4", "v/deep/../a.mp4"):
        assert hgrkit("remove", "lib", spelling, "--json").json == {"removed": [str(videos / "a.mp4")], "left": 1}
        index("v")
    assert hgrkit("remove", "lib", "v").out == "videos removed 2, left 0; `hgrkit compact lib` frees their space\n"


def test_an_older_library_with_relative_paths_is_brought_up_to_date(index, paths, videos, tmp_path, monkeypatch):
    from hgrkit.library import Library

    index(videos)
    with Library.open(tmp_path / "home/lib", "w") as library:
        for video in library.videos():
            path = os.path.relpath(video.path, tmp_path / "home")
            library.rename(video.path, attrs.evolve(video, path=path))
    monkeypatch.chdir(tmp_path / "home")
    assert paths() == ["v/a.mp4", "v/deep/b.mp4"]
    report = index("v", "--json").json
    assert (report["unchanged"], report["decoded_frames"]) == (2, 0)
    assert paths() == [str(videos / "a.mp4"), str(videos / "deep/b.mp4")]


# renamed folders -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["home/w", "other/place/v"])
def test_a_renamed_folder_is_moved_and_not_copied(index, paths, videos, tmp_path, place):
    index(videos)
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    videos.rename(tmp_path / place)
    report = index(tmp_path / place, "--json").json
    assert (report["moved"], report["duplicates"], report["decoded_frames"]) == (2, 0, 0)
    assert paths() == [str(tmp_path / place / name) for name in ("a.mp4", "deep/b.mp4")]
    assert index(tmp_path / place, "--prune").out == "indexed 0, unchanged 2, failed 0\n"


def test_a_duplicate_is_called_one(index, videos):
    index(videos)
    shutil.copy(videos / "a.mp4", videos / "c.mp4")
    report = index(videos, "--json").json
    assert (report["duplicates"], report["moved"], "copied" in report) == (1, 0, False)
    shutil.copy(videos / "a.mp4", videos / "d.mp4")
    assert index(videos).out == "indexed 0, unchanged 3, failed 0, duplicates 1\n"


# left out ------------------------------------------------------------------------------------------------------


def test_what_is_left_out_is_counted_in_one_line_and_in_json(index, videos):
    for name in ("notes.txt", "b.srt", "._a.mp4", "#recycle/old.mp4"):
        (videos / name).parent.mkdir(exist_ok=True)
        (videos / name).touch()
    (videos / "link.mp4").symlink_to(videos / "a.mp4")
    ran = index(videos)
    assert ran.out == "indexed 2, unchanged 0, failed 0\n"
    assert (
        ran.err
        == "left out: links: 1, files with other suffixes: 2, ._* files: 1, trash and thumbnail folders: 1\n"
    )
    assert index(videos, "--json").json["skipped"] == {
        "links": 1,
        "other_suffixes": 2,
        "apple_double": 1,
        "special_files": 0,
        "trash": 1,
    }


def test_videos_that_are_in_the_trash_now_are_pointed_out(index, paths, videos):
    (videos / "deep").rename(videos / ".Trash-1000")
    index(videos, videos / ".Trash-1000")
    ran = index(videos, "--prune")
    assert ran.out == "indexed 0, unchanged 1, failed 0\n"
    assert "1 videos of the library are in trash or thumbnail folders" in ran.err
    assert index(videos, "--json").json["in_trash"] == [str(videos / ".Trash-1000/b.mp4")]
    assert len(paths()) == 2
