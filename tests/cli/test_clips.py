"""`hgrkit search --clips-out DIR --open`: what it writes, says and plays."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import attrs
import av
import pytest

from hgrkit.cli import clips as clips_command
from hgrkit.cli.clips import open_file
from hgrkit.errors import MissingPackageError
from hgrkit.library import Library

QUESTION = "a woman is cutting an onion"
SLEEP = shutil.which("sleep")

posix = pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="plays with a stand-in for xdg-open")


@pytest.fixture
def player(tmp_path, monkeypatch):
    """A stand-in for xdg-open that notes what it is given, and what it has noted."""
    folder, noted = tmp_path / "bin", tmp_path / "noted"
    folder.mkdir()
    program = folder / "xdg-open"
    program.write_text(f'#!/bin/sh\necho "$1" >> "{noted}"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return noted


def test_every_hit_is_cut_and_the_files_are_named_in_json(hgrkit, msvd_library, tmp_path):
    folder = tmp_path / "clips"
    found = hgrkit("search", QUESTION, "-l", msvd_library, "-k", 3, "--clips-out", folder, "--json").json
    assert [clip["rank"] for clip in found["clips"]] == [1, 2, 3]
    assert [clip["video"] for clip in found["clips"]] == [hit["video"] for hit in found["hits"]]
    assert sorted(clip["path"] for clip in found["clips"]) == sorted(map(str, folder.iterdir()))
    for clip, hit in zip(found["clips"], found["hits"], strict=True):
        assert clip["start_s"] <= hit["start_s"]
        with av.open(clip["path"]) as container:
            assert container.duration / 1e6 == pytest.approx(clip["end_s"] - clip["start_s"], abs=0.05)


def test_the_text_says_what_span_a_clip_really_has_and_how_it_was_made(hgrkit, msvd_library, tmp_path):
    for options, made in (((), "copied from a key frame on"), (("--exact",), "encoded: to be exact")):
        ran = hgrkit("search", QUESTION, "-l", msvd_library, "-k", 1, "--clips-out", tmp_path / "clips", *options)
        line = ran.out.splitlines()[-1]
        assert made in line
        assert str(tmp_path / "clips" / "01 ") in line
    assert len(list((tmp_path / "clips").iterdir())) == 2, "a second clip of the same name has a number"


def test_a_search_without_clips_says_nothing_of_them(hgrkit, msvd_library):
    assert "clips" not in hgrkit("search", QUESTION, "-l", msvd_library, "-k", 1, "--json").json


def test_videos_that_are_gone_are_a_line_each_and_the_others_are_cut(hgrkit, msvd, tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    for path in sorted((msvd / "videos").glob("*.mp4"))[:3]:
        shutil.copy(path, videos)
    assert hgrkit("index", videos, "-l", tmp_path / "lib").status == 0
    gone = min(videos.iterdir())
    gone.unlink()
    ran = hgrkit("search", QUESTION, "-l", tmp_path / "lib", "--clips-out", tmp_path / "clips")
    assert ran.status == 0
    (warning,) = [line for line in ran.err.splitlines() if line.strip()]
    assert gone.name in warning
    assert "no file" in warning
    assert len(list((tmp_path / "clips").iterdir())) == 2


def test_moments_are_cut_from_any_folder_and_an_older_library_says_how_to_get_there(
    hgrkit, msvd, tmp_path, monkeypatch
):
    (tmp_path / "v").mkdir()
    shutil.copy(min((msvd / "videos").glob("*.mp4")), tmp_path / "v")
    monkeypatch.chdir(tmp_path)
    assert hgrkit("index", "v", "-l", tmp_path / "lib").status == 0
    monkeypatch.chdir("/")
    cut = ("search", QUESTION, "-l", tmp_path / "lib", "--clips-out", tmp_path / "clips")
    assert hgrkit(*cut).status == 0
    with Library.open(tmp_path / "lib", "w") as library:
        (video,) = library.videos()
        library.rename(video.path, attrs.evolve(video, path=f"v/{Path(video.path).name}"))
    ran = hgrkit(*cut)
    assert "Its path is relative: run `hgrkit index` again where it was indexed." in ran.err
    assert ran.status == 2


def test_hits_are_shown_even_if_no_clip_can_be_written(hgrkit, msvd_library, tmp_path):
    (tmp_path / "file").touch()
    ran = hgrkit("search", QUESTION, "-l", msvd_library, "-k", 1, "--clips-out", tmp_path / "file" / "clips")
    assert str(tmp_path / "file" / "clips") in ran.error
    assert ".mp4" in ran.out


@posix
def test_open_plays_the_first_clip_of_the_folder(hgrkit, msvd_library, tmp_path, player):
    hgrkit("search", QUESTION, "-l", msvd_library, "-k", 2, "--clips-out", tmp_path / "clips", "--open")
    (first,) = (tmp_path / "clips").glob("01 *")
    assert player.read_text().splitlines() == [str(first)]


@posix
def test_open_alone_plays_the_first_hits_moment_from_a_temporary_folder(
    hgrkit, msvd_library, tmp_path, player, monkeypatch
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    found = hgrkit("search", QUESTION, "-l", msvd_library, "-k", 2, "--open", "--exact", "--json").json
    (clip,) = found["clips"]
    assert player.read_text().splitlines() == [clip["path"]]
    assert os.path.dirname(os.path.dirname(clip["path"])) == str(tmp_path)  # noqa: PTH120


@posix
def test_a_machine_without_an_opener_is_a_line_that_names_the_clip(hgrkit, msvd_library, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    ran = hgrkit("search", QUESTION, "-l", msvd_library, "--clips-out", tmp_path / "clips", "-k", 1, "--open")
    (first,) = (tmp_path / "clips").glob("01 *")
    assert "xdg-open, which is not installed" in ran.error
    assert str(first) in ran.error


@posix
def test_an_opener_that_cannot_is_a_line_that_names_the_clip(tmp_path, player):
    (tmp_path / "bin" / "xdg-open").write_text("#!/bin/sh\nexit 3\n")
    with pytest.raises(MissingPackageError, match=r"nothing that plays \.mp4 files here.*clip\.mp4"):
        open_file(tmp_path / "clip.mp4")


@posix
def test_a_player_that_keeps_running_is_left_alone(tmp_path, player, monkeypatch):
    monkeypatch.setattr(clips_command, "_LOOK_S", 0.05)
    (tmp_path / "bin" / "xdg-open").write_text(f"#!/bin/sh\n{SLEEP} 1\nexit 3\n")
    open_file(tmp_path / "clip.mp4")


@pytest.mark.parametrize(
    ("options", "words"),
    [(["--clips-out", "{tmp}/file"], "'file' is a file"), (["--exact"], "--clips-out DIR or --open")],
)
def test_what_cannot_be_done_is_refused_before_anything_is_searched(hgrkit, tmp_path, options, words):
    (tmp_path / "file").touch()
    given = [option.format(tmp=tmp_path) for option in options]
    assert words in hgrkit("search", "a dog", "--library", tmp_path / "none", *given).error
