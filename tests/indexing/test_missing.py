import os

import pytest

from hgrkit.indexing.missing import emptied_roots, has_moved_away, is_below, is_gone, missing_videos
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
    assert not is_gone("nul\0.mp4")

    def failing(path):
        raise OSError(5, "Input/output error", path)

    monkeypatch.setattr(os, "stat", failing)
    assert not is_gone(str(tmp_path / "b.mp4"))


def test_a_file_of_a_folder_that_is_gone_too_has_not_moved_away_unless_the_run_was_there(tmp_path):
    (tmp_path / "there").mkdir()
    assert has_moved_away(str(tmp_path / "there/a.mp4"), [])
    assert not has_moved_away(str(tmp_path / "drive/a.mp4"), [])
    assert not has_moved_away(str(tmp_path / "drive/a.mp4"), [str(tmp_path / "there")])
    assert has_moved_away(str(tmp_path / "drive/a.mp4"), [str(tmp_path)])


def test_missing_are_those_below_the_paths_of_the_run_alone(tmp_path):
    for folder in ("v", "v2"):
        (tmp_path / folder).mkdir()
    (tmp_path / "v/here.mp4").touch()
    videos = records(tmp_path / "v/here.mp4", tmp_path / "v/gone.mp4", tmp_path / "v2/gone.mp4")
    assert missing_videos(videos, [str(tmp_path / "v")]) == [str(tmp_path / "v/gone.mp4")]
    assert missing_videos(videos, [str(tmp_path / "v/here.mp4")]) == []
    assert missing_videos(videos, []) == []


def test_a_video_that_is_only_spelled_otherwise_is_not_missing(tmp_path, monkeypatch):
    (tmp_path / "v").mkdir()
    (tmp_path / "v/a.mp4").touch()
    monkeypatch.chdir(tmp_path)
    videos = records("v/a.mp4", "./v/../v/a.mp4", tmp_path / "v/a.mp4", "v/b.mp4")
    assert missing_videos(videos, ["v"]) == ["v/b.mp4"]
    assert missing_videos(videos, [str(tmp_path)]) == ["v/b.mp4"]


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
