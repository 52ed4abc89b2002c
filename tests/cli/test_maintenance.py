"""The commands that keep a library: verify, repair, backup, compact, remove, export."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from hgrkit.indexing.feature_cache import FeatureCache
from hgrkit.library import Entry, Library, VideoRecord
from hgrkit.testing.store_contract import StoreContract, random_clip


def record(path: str) -> VideoRecord:
    return VideoRecord(path=path, content=path.replace("\udcff", ""), size=1, mtime_ns=1)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Four videos, one of them put twice."""
    with Library.create(tmp_path / "lib", StoreContract.manifest) as made:
        for number, path in enumerate(("pets/cat.mp4", "pets/dog\udcff.mp4", "car.mp4", "car.mp4", "boat.mp4")):
            made.add_all([Entry(record(path), [random_clip(number)])])
    return tmp_path / "lib"


def listed(library: Path) -> list[str]:
    with Library.open(library) as opened:
        return [video.path for video in opened.videos()]


def cut(library: Path) -> Path:
    """Cut off the end of the frames: those of the video that was put last."""
    path = library / "arrays" / "frames-1.bin"
    path.write_bytes(path.read_bytes()[:-1])
    return path


# verify and repair ---------------------------------------------------------------------------------------------


def test_a_whole_library_is_status_0(hgrkit, library):
    ran = hgrkit("verify", library)
    assert ran.status == 0
    assert ran.out.splitlines()[0] == f"{library} is whole"
    report = hgrkit("verify", library, "--json").json
    assert (report["whole"], report["videos"], report["damages"], report["notes"]) == (True, 4, [], [])


def test_a_damaged_library_is_status_1_and_the_damage_is_named(hgrkit, library):
    path = cut(library)
    ran = hgrkit("verify", library)
    assert ran.status == 1
    assert "damaged: arrays" in ran.out.splitlines()
    assert f"  {path.name} holds 14 of 15 records" in ran.out.splitlines()
    assert "  videos: boat.mp4" in ran.out.splitlines()
    ran = hgrkit("verify", library, "--json")
    assert ran.status == 1
    assert ran.json["damages"][0]["videos"] == ["boat.mp4"]


def test_a_repair_says_what_it_did_and_what_to_index_again(hgrkit, library):
    cut(library)
    dry = hgrkit("repair", library, "--dry-run")
    assert dry.status == 0
    assert dry.out.splitlines()[-1] == f"{library} would be whole"
    assert hgrkit("verify", library).status == 1
    report = hgrkit("repair", library, "--json").json
    assert (report["whole"], report["dropped"], report["kept_in"]) == (True, ["boat.mp4"], "damaged/1")
    assert hgrkit("verify", library).status == 0
    assert listed(library) == ["car.mp4", "pets/cat.mp4", "pets/dog\udcff.mp4"]


def test_a_repair_as_text_names_every_video_once(hgrkit, library):
    cut(library)
    lines = hgrkit("repair", library).out.splitlines()
    assert lines.count("  boat.mp4") == 1
    assert lines[-1] == f"{library} is whole"


def test_what_cannot_be_repaired_is_status_1(hgrkit, library):
    (library / "library.sqlite").write_bytes(b"")
    for command in ("verify", "repair"):
        ran = hgrkit(command, library)
        assert ran.status == 1
        assert "restore a backup, or delete the folder and index the videos again" in ran.out


def test_damaged_cached_features_are_named_and_deleted_and_are_no_damage(hgrkit, library):
    cache = FeatureCache(library, "encoder", "uniform:2")
    cache.save("one", times_s=np.array([0.0]), features=np.ones((1, 4), np.float32), duration_s=1.0)
    assert hgrkit("verify", library, "--json").json["notes"] == []
    (path,) = (library / "cache" / "features").iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    ran = hgrkit("verify", library, "--json")
    assert ran.status == 0
    assert [note["file"] for note in ran.json["notes"]] == [f"cache/features/{path.name}"]
    assert hgrkit("repair", library, "--dry-run").status == 0
    assert path.exists()
    assert hgrkit("repair", library).status == 0
    assert not path.exists()


# compact and remove --------------------------------------------------------------------------------------------


def test_compacting_gives_space_back_and_drops_features_of_what_is_gone(hgrkit, library):
    cache = FeatureCache(library, "encoder", "uniform:2")
    for content in ("boat.mp4", "gone"):
        cache.save(content, times_s=np.array([0.0]), features=np.ones((1, 4), np.float32), duration_s=1.0)
    report = hgrkit("compact", library, "--json").json
    assert report["bytes_after"] < report["bytes_before"]
    assert report["cache_bytes_freed"] > 0
    assert cache.load("boat.mp4") is not None
    assert cache.load("gone") is None
    assert len(listed(library)) == 4
    assert hgrkit("compact", library).status == 0


def test_removing_takes_videos_and_folders(hgrkit, library):
    ran = hgrkit("remove", library, "pets", "car.mp4", "--json")
    assert ran.json == {"removed": ["car.mp4", "pets/cat.mp4", "pets/dog\udcff.mp4"], "left": 1}
    assert listed(library) == ["boat.mp4"]


def test_removing_something_unknown_removes_nothing_and_names_what_is_alike(hgrkit, library):
    error = hgrkit("remove", library, "boat.mp4", "pets/cats.mp4").error
    assert "no video and no folder 'pets/cats.mp4'" in error
    assert "Did you mean 'pets/cat.mp4'" in error
    assert len(listed(library)) == 4


def test_removing_says_how_many_are_left(hgrkit, library):
    assert hgrkit("remove", library, "boat.mp4").out.startswith("videos removed 1, left 3;")


# export --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("to", ["npz", "parquet"])
def test_an_export_is_written_once_and_again_only_with_force(hgrkit, library, tmp_path, to):
    out = tmp_path / f"clips.{to}"
    report = hgrkit("export", library, "--to", to, "--out", out, "--json").json
    assert (report["videos"], report["clips"], report["num_bytes"]) == (4, 4, out.stat().st_size)
    assert "--force" in hgrkit("export", library, "--to", to, "--out", out).error
    assert hgrkit("export", library, "--to", to, "--out", out, "--force").status == 0


def test_an_export_never_writes_into_the_library(hgrkit, library):
    before = (library / "library.sqlite").read_bytes()
    error = hgrkit("export", library, "--to", "npz", "--out", library / "library.sqlite", "--force").error
    assert "is inside the library" in error
    assert (library / "library.sqlite").read_bytes() == before


# backup --------------------------------------------------------------------------------------------------------


def test_a_backup_is_a_library_and_nothing_is_written_over(hgrkit, library, tmp_path):
    report = hgrkit("backup", library, tmp_path / "copy", "--json").json
    assert (report["version"], report["videos"], report["clips"]) == (5, 4, 4)
    assert hgrkit("verify", tmp_path / "copy").status == 0
    assert listed(tmp_path / "copy") == listed(library)
    assert "exists already" in hgrkit("backup", library, tmp_path / "copy").error
    assert "is inside the library" in hgrkit("backup", library, library / "copy").error
    assert "no folder" in hgrkit("backup", library, tmp_path / "none" / "copy").error
    assert hgrkit("backup", library, tmp_path / "again").out.startswith("backed up version 5, 4 clips of 4 videos")


def test_a_damaged_library_gives_no_backup(hgrkit, library, tmp_path):
    cut(library)
    assert "is damaged" in hgrkit("backup", library, tmp_path / "copy").error
    assert [path.name for path in tmp_path.iterdir()] == ["lib"]


# mistakes ------------------------------------------------------------------------------------------------------

COMMANDS = {
    "verify": (),
    "repair": (),
    "compact": (),
    "remove": ("a.mp4",),
    "export": ("--to", "npz", "--out", "{tmp}/out"),
    "backup": ("{tmp}/copy",),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_no_library_gets_one_line_and_status_2(hgrkit, tmp_path, command):
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    options = [option.replace("{tmp}", str(tmp_path)) for option in COMMANDS[command]]
    for name in ("none", "file", "empty"):
        assert "no library" in hgrkit(command, tmp_path / name, *options).error
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["empty", "file"]


@pytest.mark.parametrize("command", ["repair", "compact", "remove"])
def test_a_library_that_is_being_written_to_names_who_writes(hgrkit, library, command):
    with Library.open(library, "w"):
        error = hgrkit(command, library, *COMMANDS[command]).error
        assert f"process {os.getpid()} on" in error
        assert hgrkit("verify", library).status == 0
        assert hgrkit("export", library, "--to", "npz", "--out", library.with_name("out")).status == 0
        assert hgrkit("backup", library, library.with_name("copy")).status == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["export", "{lib}", "--to", "csv", "--out", "{lib}.csv"], "must be 'parquet' or 'npz'"),
        (["export", "{lib}", "--to", "npz", "--out", "{lib}/../none/x.npz"], "no folder"),
        (["remove", "{lib}", ""], "no video and no folder ''"),
    ],
)
def test_an_option_that_makes_no_sense_gets_one_line(hgrkit, library, arguments, words):
    before = sorted(path.name for path in library.parent.iterdir())
    assert words in hgrkit(*(argument.replace("{lib}", str(library)) for argument in arguments)).error
    assert sorted(path.name for path in library.parent.iterdir()) == before


def test_info_says_what_confines_the_decoders(hgrkit, library):
    from hgrkit.video.worker.sandbox import offered

    told = hgrkit("info", library, "--json").json["decoders_confined_by"]
    assert told == offered()
    assert set(told) == {"landlock", "seccomp"}
