import os

import pytest

from hgrkit.errors import MissingPathError
from hgrkit.indexing.walk import VIDEO_SUFFIXES, walk_videos


def paths_of(*arguments):
    return [file.path for file in walk_videos(arguments).files]


def test_folders_give_their_videos_of_any_case_sorted(tmp_path):
    names = [f"{index}{suffix}" for index, suffix in enumerate(sorted(VIDEO_SUFFIXES))]
    for name in [*names, "A.MP4", "deep/er/b.MkV", "note.txt", "mp4", "c.mp4.part"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    wanted = sorted(f"{tmp_path}/{name}" for name in [*names, "A.MP4", "deep/er/b.MkV"])
    assert paths_of(str(tmp_path)) == wanted


@pytest.mark.parametrize("spelling", [".", "./v", "v", "v/", "../{here}/v"])
def test_a_path_stays_as_it_was_given(tmp_path, monkeypatch, spelling):
    (tmp_path / "v").mkdir()
    (tmp_path / "v/a.mp4").touch()
    monkeypatch.chdir(tmp_path)
    given = spelling.format(here=tmp_path.name)
    below = "v/a.mp4" if spelling == "." else "a.mp4"
    assert paths_of(given) == [f"{given.rstrip('/')}/{below}"]


def test_links_inside_folders_are_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.mp4").touch()
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "own.mp4").touch()
    (folder / "link.mp4").symlink_to(outside / "a.mp4")
    (folder / "loop").symlink_to(folder)
    (folder / "out").symlink_to(outside)
    assert paths_of(folder) == [str(folder / "own.mp4")]
    assert paths_of(folder / "link.mp4") == [str(folder / "link.mp4")]


def test_a_file_named_directly_is_taken_whatever_its_suffix(tmp_path):
    (tmp_path / "clip.bin").write_bytes(b"123")
    (file,) = walk_videos([tmp_path / "clip.bin"]).files
    assert (file.path, file.size) == (str(tmp_path / "clip.bin"), 3)
    assert file.mtime_ns == (tmp_path / "clip.bin").stat().st_mtime_ns


def test_a_file_that_is_named_twice_comes_once(tmp_path, monkeypatch):
    (tmp_path / "a.mp4").touch()
    monkeypatch.chdir(tmp_path)
    assert paths_of("a.mp4", "./a.mp4", tmp_path) == ["a.mp4"]


def test_what_is_no_regular_file_is_left_out_of_folders(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "folder.mp4").mkdir()
    assert paths_of(tmp_path) == []
    with pytest.raises(MissingPathError, match="neither a file nor a folder"):
        walk_videos([tmp_path / "pipe.mp4"])


def test_a_missing_path_is_named(tmp_path):
    with pytest.raises(MissingPathError, match="absent"):
        walk_videos([tmp_path, tmp_path / "absent"])
