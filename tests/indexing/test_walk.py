import os
import subprocess
import sys
from pathlib import Path

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


@pytest.mark.parametrize("spelling", [".", "./v", "v", "v/", "v//", "v/.", "../{here}/v", "v/../v"])
def test_paths_are_absolute_however_the_folder_is_spelled(tmp_path, monkeypatch, spelling):
    (tmp_path / "v").mkdir()
    (tmp_path / "v/a.mp4").touch()
    monkeypatch.chdir(tmp_path)
    walk = walk_videos([spelling.format(here=tmp_path.name), "v", tmp_path / "v"])
    assert [file.path for file in walk.files] == [str(tmp_path / "v/a.mp4")]
    assert set(walk.roots) <= {str(tmp_path), str(tmp_path / "v")}


def test_a_link_is_kept_in_a_path_unless_dots_behind_it_lead_elsewhere(tmp_path, monkeypatch):
    for name in ("real/v/a.mp4", "real/w/b.mp4"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    (tmp_path / "link").symlink_to(tmp_path / "real/v")
    monkeypatch.chdir(tmp_path)
    assert paths_of("link") == [str(tmp_path / "link/a.mp4")]
    assert paths_of("link/../w") == [str(tmp_path / "real/w/b.mp4")]
    both = [str(tmp_path / "link/a.mp4"), str(tmp_path / "real/w/b.mp4")]
    assert paths_of("link", "real/v", tmp_path) == both


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
    assert paths_of("a.mp4", "./a.mp4", tmp_path) == [str(tmp_path / "a.mp4")]


def test_what_is_no_regular_file_is_left_out_of_folders(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "folder.mp4").mkdir()
    assert paths_of(tmp_path) == []
    with pytest.raises(MissingPathError, match="neither a file nor a folder"):
        walk_videos([tmp_path / "pipe.mp4"])


def test_a_missing_path_is_named(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for absent in ("absent", "file/below", "loop", "nul\0"):
        with pytest.raises(MissingPathError, match=f"no file or folder .*{absent[:3]}"):
            walk_videos([tmp_path, tmp_path / absent])


def unreadable(walk):
    return [(failure.path, failure.reason) for failure in walk.left_out.unreadable]


def test_an_over_long_path_is_named_and_the_rest_is_found(tmp_path):
    (tmp_path / "a.mp4").touch()
    long = tmp_path / ("x" * 300)
    walk = walk_videos([long, tmp_path])
    assert unreadable(walk) == [(str(long), "File name too long")]
    assert [file.path for file in walk.files] == [str(tmp_path / "a.mp4")]


def test_a_tree_deeper_than_any_path_is_walked_as_far_as_paths_go(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(25):  # 25 times 200 characters are more than the 4,096 of Linux
        Path("d" * 200).mkdir()
        os.chdir("d" * 200)
        os.close(os.open("b.mp4", os.O_CREAT | os.O_WRONLY))
    monkeypatch.chdir(tmp_path)
    walk = walk_videos([tmp_path])
    ((path, reason),) = unreadable(walk)
    assert reason == "File name too long"
    assert abs(len(path) - 4096) < 203
    assert len(walk.files) >= 18


@pytest.mark.parametrize("call", ["scandir", "lstat"])
def test_a_failing_disk_costs_what_lies_on_it_and_nothing_else(tmp_path, monkeypatch, call):
    for name in ("bad/b.mp4", "good/a.mp4"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    named = str(tmp_path / "bad" if call == "scandir" else tmp_path / "bad/b.mp4")
    whole = getattr(os, call)

    def failing(path):
        if path == named:
            raise OSError(5, "Input/output error", path)
        return whole(path)

    real = os.path.realpath
    monkeypatch.setattr(os.path, "realpath", lambda path: path)  # which uses lstat
    monkeypatch.setattr(os, call, failing)
    walk = walk_videos([real(tmp_path)])
    monkeypatch.undo()
    assert unreadable(walk) == [(named, "Input/output error")]
    assert [file.path for file in walk.files] == [str(tmp_path / "good/a.mp4")]


def test_a_folder_that_vanishes_during_the_walk_is_named(tmp_path, monkeypatch):
    for name in ("gone/b.mp4", "here/a.mp4"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    scandir = os.scandir

    def vanishing(path):
        if path.endswith("gone"):
            subprocess.run(["rm", "-r", path], check=True)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", vanishing)
    walk = walk_videos([tmp_path])
    assert unreadable(walk) == [(str(tmp_path / "gone"), "No such file or directory")]
    assert [file.path for file in walk.files] == [str(tmp_path / "here/a.mp4")]


WALK = (
    "import sys; from hgrkit.indexing.walk import walk_videos; walk = walk_videos(sys.argv[1:]);"
    "print([f.path for f in walk.files], [f.path for f in walk.left_out.unreadable])"
)


@pytest.mark.parametrize("mode", [0o000, 0o111, 0o444])
def test_a_closed_folder_is_named_and_the_rest_is_found(tmp_path, unprivileged, mode):
    for name in ("v/closed/b.mp4", "v/open/a.mp4"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    (tmp_path / "v/closed").chmod(mode)

    def walked(*paths):
        command = [*unprivileged, sys.executable, "-c", WALK, *map(str, paths)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        expected = f"{[str(tmp_path / 'v/open/a.mp4')]} {[str(tmp_path / 'v/closed')]}"
        assert walked(tmp_path / "v") == expected
        assert walked(tmp_path / "v/open", tmp_path / "v/closed") == expected
    finally:
        (tmp_path / "v/closed").chmod(0o755)


def test_what_is_left_out_is_counted_by_kind(tmp_path):
    for name in ("a.mp4", "notes.txt", "deep/b.srt", "deep/.DS_Store", "._a.mp4", "deep/._notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "link.txt").symlink_to(tmp_path / "a.mp4")
    (tmp_path / "link").symlink_to(tmp_path / "deep")
    (tmp_path / "broken.mp4").symlink_to(tmp_path / "absent")
    os.mkfifo(tmp_path / "pipe.mp4")
    walk = walk_videos([tmp_path, tmp_path / "deep"])
    assert walk.left_out.skipped == {
        "links": 3,
        "other_suffixes": 3,
        "apple_double": 2,
        "special_files": 1,
        "trash": 0,
    }
    assert [file.path for file in walk.files] == [str(tmp_path / "a.mp4")]


def test_files_of_a_library_are_not_counted_and_videos_beside_them_are_taken(tmp_path):
    for name in ("v/notes.txt", "v/lib/library.sqlite", "v/lib/arrays/clips-1.bin", "v/lib/a.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    walk = walk_videos([tmp_path])
    assert walk.left_out.skipped["other_suffixes"] == 1
    assert [file.path for file in walk.files] == [str(tmp_path / "v/lib/a.mp4")]


def test_what_is_named_directly_is_not_counted_as_left_out(tmp_path):
    (tmp_path / "v").mkdir()
    for name in ("clip.bin", "._a.mp4"):
        (tmp_path / "v" / name).touch()
    (tmp_path / "v/link.mp4").symlink_to(tmp_path / "v/clip.bin")
    walk = walk_videos([tmp_path / "v", *(tmp_path / "v" / name for name in ("clip.bin", "._a.mp4", "link.mp4"))])
    assert sum(walk.left_out.skipped.values()) == 0
    assert len(walk.files) == 3


@pytest.mark.parametrize(
    "name",
    [
        *(".Trash", ".Trash-1000", ".Trashes", "#recycle", "@eaDir", "$RECYCLE.BIN", "$Recycle.Bin"),
        *("System Volume Information", ".thumbnails", "#Recycle", ".trash", ".local/share/Trash"),
    ],
)
def test_folders_of_trash_and_thumbnails_are_passed_over_unless_they_are_named(tmp_path, name):
    folder = tmp_path / name
    (folder / "deep").mkdir(parents=True)
    (tmp_path / "a.mp4").touch()
    (folder / "deep/b.mp4").touch()
    walk = walk_videos([tmp_path])
    assert [file.path for file in walk.files] == [str(tmp_path / "a.mp4")]
    assert (walk.left_out.skipped["trash"], walk.left_out.trash) == (1, (str(folder),))
    assert paths_of(folder) == [str(folder / "deep/b.mp4")]
    both = walk_videos([tmp_path, folder])
    assert (len(both.files), both.left_out.skipped["trash"], both.left_out.trash) == (2, 0, ())


def test_folders_that_are_only_called_alike_are_walked(tmp_path):
    for name in ("Trash", "recycle", "lost+found", "thumbnails"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.mp4").touch()
    assert len(paths_of(tmp_path)) == 4


def test_what_camcorders_and_phones_write_is_video(tmp_path):
    for suffix in "mts m2ts m2t 3gp 3g2 vob asf ogv mxf dv MTS 3GP".split():
        (tmp_path / f"{suffix}.{suffix}").touch()
    assert len(paths_of(tmp_path)) == 12
