import os
from pathlib import Path

import pytest

from hgrkit.indexing.known_videos import emptied_roots, has_moved_away, is_below, missing_videos
from hgrkit.indexing.walk import is_gone
from hgrkit.library.records import VideoRecord


def records(*paths):
    return [VideoRecord(path=str(path), content="sha256:0", size=1, mtime_ns=1) for path in paths]


@pytest.mark.parametrize(
    ("path", "root", "expected"),
    [
        ("videos/a.mp4", "videos", True),
        ("videos/a.mp4", "./videos/", True),
        ("./videos/deep/a.mp4", "videos", True),
        ("videos/a.mp4", "videos/a.mp4", True),
        ("videos2/a.mp4", "videos", False),
        ("videos.mp4", "videos", False),
        ("videos/../other/a.mp4", "videos", False),
        ("other/../videos/a.mp4", "videos", True),
        ("a.mp4", ".", True),
        ("/a.mp4", "/", True),
        ("videos", "videos/a.mp4", False),
    ],
)
def test_a_path_lies_below_another_by_whole_components(tmp_path, monkeypatch, path, root, expected):
    monkeypatch.chdir(tmp_path)
    assert is_below(path, [root]) is expected
    assert is_below(str(tmp_path / path), [root]) is expected
    assert is_below(path, [str(tmp_path / root)]) is expected


def test_a_file_is_gone_only_if_that_is_sure(tmp_path, monkeypatch):
    (tmp_path / "a.mp4").touch()
    (tmp_path / "link.mp4").symlink_to(tmp_path / "nowhere")
    assert not is_gone(str(tmp_path / "a.mp4"))
    assert is_gone(str(tmp_path / "b.mp4"))
    assert is_gone(str(tmp_path / "a.mp4" / "b.mp4"))
    assert is_gone(str(tmp_path / "link.mp4"))
    (tmp_path / "loop.mp4").symlink_to(tmp_path / "loop.mp4")
    assert is_gone(str(tmp_path / "loop.mp4"))
    assert not is_gone("nul\0.mp4")
    assert not is_gone(str(tmp_path / f"{'long' * 100}.mp4"))

    def failing(path):
        raise OSError(5, "Input/output error", path)

    monkeypatch.setattr(os, "stat", failing)
    assert not is_gone(str(tmp_path / "b.mp4"))


@pytest.fixture
def old_and_new(tmp_path):
    """A path without a file, and a file elsewhere, in a folder that is there."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here/a.mp4").touch()
    return tmp_path / "v/deep/a.mp4", str(tmp_path / "here/a.mp4")


def test_a_file_has_moved_if_the_nearest_folder_that_is_left_holds_anything(old_and_new):
    old, new = old_and_new
    assert has_moved_away(str(old), new)  # renamed with its folders
    old.parent.mkdir(parents=True)
    (old.parent / "b.mp4").touch()
    assert has_moved_away(str(old), new)
    old.touch()
    assert not has_moved_away(str(old), new)


def test_an_empty_folder_may_be_where_a_drive_was_mounted(old_and_new):
    old, new = old_and_new
    old.parents[1].mkdir()
    os.utime(old.parents[1], (1, 1))  # older than the copy
    assert not has_moved_away(str(old), new)
    (old.parents[1] / "other").touch()
    assert has_moved_away(str(old), new)


def test_a_folder_that_was_emptied_by_moving_its_files_is_no_drive(tmp_path):
    (tmp_path / "v").mkdir()
    (tmp_path / "v/a.mp4").touch()
    (tmp_path / "v/a.mp4").rename(tmp_path / "a.mp4")
    assert has_moved_away(str(tmp_path / "v/a.mp4"), str(tmp_path / "a.mp4"))


@pytest.mark.parametrize("holder", ["/", "/mnt", "/media", "/media/me", "/run/media/me", "/Volumes", "/home"])
@pytest.mark.parametrize("below", ["drive/a.mp4", "drive/v/a.mp4"])
def test_where_drives_come_and_go_nothing_moves_when_a_folder_is_gone(old_and_new, monkeypatch, holder, below):
    monkeypatch.setattr(os.path, "isdir", lambda folder: is_below(holder, [folder]))
    monkeypatch.setattr(os.path, "ismount", lambda folder: folder == "/")
    assert not has_moved_away(f"{holder}/{below}", old_and_new[1])


def test_a_folder_of_a_mounted_drive_moves_like_any_other(old_and_new, monkeypatch):
    drive = "/media/drive"
    monkeypatch.setattr(os.path, "isdir", lambda folder: is_below(drive, [folder]))
    monkeypatch.setattr(os.path, "ismount", lambda folder: folder == drive)
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda _: scandir(Path(old_and_new[1]).parent))
    assert has_moved_away(f"{drive}/v/a.mp4", old_and_new[1])


def test_missing_are_those_below_the_paths_of_the_run_alone(tmp_path):
    for folder in ("v", "v2"):
        (tmp_path / folder).mkdir()
    (tmp_path / "v/here.mp4").touch()
    videos = records(tmp_path / "v/here.mp4", tmp_path / "v/gone.mp4", tmp_path / "v2/gone.mp4")
    assert missing_videos(videos, [str(tmp_path / "v")]) == [str(tmp_path / "v/gone.mp4")]
    assert missing_videos(videos, [str(tmp_path / "v/here.mp4")]) == []
    assert missing_videos(videos, []) == []


def test_below_what_could_not_be_read_nothing_is_missing(tmp_path):
    (tmp_path / "v2").mkdir()
    videos = records(tmp_path / "v/a.mp4", tmp_path / "v2/a.mp4")
    assert missing_videos(videos, [str(tmp_path)], [str(tmp_path / "v")]) == [str(tmp_path / "v2/a.mp4")]


def test_a_video_that_is_only_spelled_otherwise_is_not_missing(tmp_path, monkeypatch):
    (tmp_path / "v").mkdir()
    (tmp_path / "v/a.mp4").touch()
    monkeypatch.chdir(tmp_path)
    gone = f"{tmp_path}/./v/b.mp4"
    videos = records(f"{tmp_path}/v/../v/a.mp4", tmp_path / "v/a.mp4", gone, "v/b.mp4")
    assert missing_videos(videos, ["v"]) == [gone]
    assert missing_videos(videos, [str(tmp_path)]) == [gone]


def test_a_root_that_vanished_or_cannot_be_listed_loses_nothing(tmp_path, monkeypatch):
    videos = records(tmp_path / "v/a.mp4")
    assert missing_videos(videos, [str(tmp_path / "v")]) == []
    (tmp_path / "v").mkdir()
    assert missing_videos(videos, [str(tmp_path / "v")]) == [str(tmp_path / "v/a.mp4")]

    def refused(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", refused)
    assert missing_videos(videos, [str(tmp_path / "v")]) == []


def test_an_emptied_root_has_lost_everything():
    roots = ["a", "b", "c"]
    assert emptied_roots(roots, ["a/1.mp4"], ["a/2.mp4", "b/1.mp4"]) == ["b"]
