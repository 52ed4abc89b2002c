"""Repairing: a library is whole afterwards, the intact answers as before, the lost is named, the replaced kept."""

from __future__ import annotations

import random
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import attrs
import pytest

from hgrkit.errors import (
    DamagedLibraryError,
    LibraryError,
    LibraryExistsError,
    LibraryLockedError,
    LibraryMismatchError,
    LibraryNotFoundError,
)
from hgrkit.library import Entry, Library, SqliteStore, VideoRecord, repair_library, verify_library
from hgrkit.testing.store_contract import StoreContract, random_clip

each_kind = pytest.mark.parametrize("kind", ["plain", "compacted", "followed"])


def record(path: str) -> VideoRecord:
    return VideoRecord(path=path, content="", size=1, mtime_ns=1)


def array_files(folder: Path) -> list[Path]:
    return sorted((folder / "arrays").iterdir())


def flip(path: Path, place: int, bit: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(content)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def kept(folder: Path) -> set[bytes]:
    return {path.read_bytes() for path in (folder / "damaged").rglob("*") if path.is_file()}


@each_kind
def test_a_whole_library_is_left_as_it_is(library_of, kind):
    folder = library_of(kind)
    before = contents(folder)
    report = repair_library(folder)
    assert report.whole
    assert (report.steps, report.dropped, report.kept_in) == ((), (), None)
    assert contents(folder) == before


# arrays --------------------------------------------------------------------------------------------------------


@each_kind
@pytest.mark.parametrize("name", ["clips", "frames"])
@pytest.mark.parametrize("damage", ["emptied", "cut", "flipped", "deleted", "a folder"])
def test_a_damaged_array_costs_the_videos_in_it_and_no_other(library_of, answers, kind, name, damage):
    folder = library_of(kind)
    before = answers(folder)
    path = next(path for path in array_files(folder) if path.name.startswith(name))
    whole = path.read_bytes()
    if damage == "flipped":
        flip(path, len(whole) - 5)
    elif damage in {"deleted", "a folder"}:
        path.unlink()
        if damage == "a folder":
            path.mkdir()
    else:
        path.write_bytes(b"" if damage == "emptied" else whole[: len(whole) // 2])
    concerned = {video for found in verify_library(folder).damages for video in found.videos}
    report = repair_library(folder)
    assert report.whole
    assert set(report.dropped) == concerned
    assert (report.unnamed, report.doubtful, report.lost_from) == (0, (), None)
    if name == "frames" and damage == "flipped":
        assert len(concerned) == 1
    answers(folder).assert_same(before.without(report.dropped))
    with Library.open(folder, "w") as library:
        library.add(record("q.mp4"), [random_clip(1)])
    assert verify_library(folder).whole


@pytest.fixture
def long_library(tmp_path):
    """A library of five blocks of clips: a hundred videos of three clips."""
    with Library.create(tmp_path / "lib", StoreContract.manifest) as library:
        library.add_all(
            [Entry(record(f"{number:03}.mp4"), [random_clip(1000 * number + part, frames=2) for part in range(3)])
             for number in range(100)]
        )  # fmt: skip
    return tmp_path / "lib"


def test_a_damaged_clip_record_costs_the_videos_of_its_block(long_library, answers):
    before = answers(long_library)
    path = array_files(long_library)[0]
    for block in range(5):
        folder = shutil.copytree(long_library, long_library.with_name("copy"))
        flip(folder / "arrays" / path.name, block * 64 * (64 + 16) + 300)
        report = repair_library(folder)
        assert report.whole
        first, last = block * 64 // 3, min(block * 64 + 63, 299) // 3
        assert report.dropped == tuple(f"{number:03}.mp4" for number in range(first, last + 1))
        answers(folder).assert_same(before.without(report.dropped))
        shutil.rmtree(folder)


def test_a_damaged_frame_costs_its_video(long_library, answers):
    before = answers(long_library)
    path = array_files(long_library)[1]
    for number in (0, 33, 99):
        flip(path, number * 6 * (8 + 32) + 11)
    report = repair_library(long_library)
    assert report.whole
    assert report.dropped == ("000.mp4", "033.mp4", "099.mp4")
    answers(long_library).assert_same(before.without(report.dropped))


def test_an_array_that_was_cut_off_gives_the_videos_before_the_cut(long_library, answers):
    before = answers(long_library)
    path = array_files(long_library)[1]
    path.write_bytes(path.read_bytes()[:-100])
    report = repair_library(long_library)
    assert report.whole
    assert report.dropped == ("099.mp4",)
    answers(long_library).assert_same(before.without(report.dropped))


# the database --------------------------------------------------------------------------------------------------


@each_kind
@pytest.mark.parametrize("damage", ["emptied", "cut", "zeroed", "deleted", "a folder", "another's"])
def test_without_its_database_a_library_cannot_be_repaired_and_nothing_is_touched(library_of, kind, damage):
    folder = library_of(kind)
    database = folder / "library.sqlite"
    whole = database.read_bytes()
    if damage in {"deleted", "a folder"}:
        database.unlink()
        if damage == "a folder":
            database.mkdir()
    elif damage == "another's":
        database.write_bytes(b"SQLite format 3\0" + bytes(5000))
    else:
        database.write_bytes(
            {"emptied": b"", "cut": whole[: len(whole) // 2], "zeroed": bytes(len(whole))}[damage]
        )
    before = contents(folder)
    report = repair_library(folder)
    assert not report.whole
    assert any(
        "restore a backup, or delete the folder and index the videos again" in step for step in report.steps
    )
    after = contents(folder)
    assert after.pop("writer.lock") == b""
    before.pop("writer.lock", None)
    assert after == before
    with pytest.raises(LibraryError):
        Library.open(folder, "w")
    assert (
        contents(folder)["arrays/" + array_files(folder)[0].name]
        == before["arrays/" + array_files(folder)[0].name]
    )


@each_kind
def test_a_flipped_bit_in_the_database_is_mended_or_named_or_means_nothing(library_of, answers, kind):
    folder = library_of(kind)
    before, whole = answers(folder), (folder / "library.sqlite").read_bytes()
    intact = contents(folder)
    choice, outcomes = random.Random(1), set()
    for _ in range(40):
        flip(folder / "library.sqlite", choice.randrange(len(whole)), choice.randrange(8))
        try:
            report = repair_library(folder)
        except LibraryMismatchError:
            outcomes.add("another format")
        else:
            outcomes.add(report.whole)
            assert report.whole == verify_library(folder).whole
            if report.whole:
                lost = (
                    {*report.dropped} if not report.unnamed else set(before.videos) - set(answers(folder).videos)
                )
                assert len(lost) >= report.unnamed
                answers(folder).assert_same(before.without(lost))
        shutil.rmtree(folder)
        for name, content in intact.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
    assert True in outcomes


@pytest.mark.parametrize(
    ("statement", "lost"),
    [
        ("DELETE FROM removed", set()),
        ("INSERT INTO removed VALUES (5, 1, zeroblob(32))", set()),
        ("INSERT INTO blocks VALUES (9, zeroblob(8), zeroblob(32))", set()),
        ("UPDATE removed SET clips = 2", set()),
        ("DELETE FROM blocks WHERE id = 0", {"long.mp4", *(f"v/{number}.mp4" for number in (0, 1, 2, 5)),
         "x/4.mp4", *(f"w/{number}\udcff.mp4" for number in range(4))}),
        ("DELETE FROM sums", None),
        ("DELETE FROM videos WHERE path = x'762f302e6d7034'", None),
    ],
)  # fmt: skip
def test_lost_and_changed_rows_cost_what_they_said_and_no_more(library_of, answers, statement, lost):
    folder = library_of("plain")
    with Library.open(folder, "w") as library:
        library.add(record("long.mp4"), [random_clip(seed) for seed in range(70)])
    before = answers(folder)
    with closing(sqlite3.connect(folder / "library.sqlite", isolation_level=None)) as connection:
        connection.execute(statement)
    report = repair_library(folder)
    assert report.whole
    assert verify_library(folder).whole
    left = answers(folder)
    gone = set(before.videos) - set(left.videos)
    assert len(gone) == len(report.dropped) + report.unnamed
    assert set(report.dropped) <= gone
    if lost is not None:
        assert gone == lost
    left.assert_same(before.without(gone))
    of_all = ("DELETE FROM removed", "UPDATE removed", "DELETE FROM blocks", "DELETE FROM sums")
    assert set(report.doubtful) == (set(left.videos) if statement.startswith(of_all) else set())
    with Library.open(folder, "w", candidates="hnsw") as library:
        library.add(record("q.mp4"), [random_clip(1)])
    assert verify_library(folder).whole


def test_keys_are_never_given_out_twice_not_even_after_a_repair(library_of):
    folder = library_of("plain")
    with Library.open(folder) as library:
        keys, number = set(library.snapshot().clip_keys.tolist()), library.version.number
    flip(array_files(folder)[1], -1)
    repair_library(folder)
    with Library.open(folder, "w") as library:
        assert library.version.number == number + 1
        kept = set(library.snapshot().clip_keys.tolist())
        assert kept < keys
        library.add(record("q.mp4"), [random_clip(1)])
        assert set(library.snapshot().clip_keys.tolist()) - kept not in keys
        assert len(library.snapshot().clip_keys) == len(kept) + 1


def test_what_is_replaced_is_kept(library_of):
    folder = library_of("plain")
    clips, frames = array_files(folder)
    flip(frames, 20)
    before = contents(folder)
    report = repair_library(folder)
    assert report.kept_in == "damaged/1"
    assert {before[f"arrays/{clips.name}"], before[f"arrays/{frames.name}"]} <= kept(folder)
    assert "library.sqlite" in {path.name for path in (folder / "damaged" / "1").iterdir()}
    flip(array_files(folder)[1], 20)
    assert repair_library(folder).kept_in == "damaged/2"


def test_the_repaired_database_is_never_missing_even_if_the_repair_is_cut_short(library_of, monkeypatch):
    folder = library_of("plain")
    flip(array_files(folder)[1], 20)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    for place in ("hgrkit.library.database.sync_file", "hgrkit.library.array_files.os.fsync"):
        with monkeypatch.context() as patch:
            patch.setattr(place, full)
            with pytest.raises(LibraryError, match="No space left"):
                repair_library(folder)
        assert (folder / "library.sqlite").is_file()
        assert not verify_library(folder).whole
    assert repair_library(folder).whole


def test_readers_that_keep_sqlites_log_in_use_are_not_cut_off(library_of):
    """A repair takes no log away that is not emptied: what is there alone would be lost."""
    folder = library_of("plain")
    store = SqliteStore(folder, mode="w")
    with (
        closing(store),
        closing(sqlite3.connect(folder / "library.sqlite", isolation_level=None)) as reader,
    ):
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM head").fetchall()
        store.commit(put=[Entry(record("q.mp4"), [random_clip(1)])])
        store._lock.release()
        flip(array_files(folder)[1], 20)
        with pytest.raises(LibraryError, match="in use by readers; close them"):
            repair_library(folder)
    report = repair_library(folder)
    assert report.whole
    assert "q.mp4" in {video.path for video in Library.open(folder).videos()}


# caches, formats, locks ----------------------------------------------------------------------------------------


def test_damaged_hnsw_indexes_and_unfinished_databases_are_deleted(library_of, answers):
    folder = library_of("plain")
    before = answers(folder)
    flip(folder / "cache" / "ann.hnsw", 50)
    (folder / "library.sqlite.tmp").write_bytes(b"half")
    assert repair_library(folder).whole
    assert not (folder / "cache" / "ann.hnsw").exists()
    assert not (folder / "library.sqlite.tmp").exists()
    answers(folder).assert_same(before)


def test_a_repair_waits_for_no_writer_and_names_it(library_of):
    folder = library_of("plain")
    with Library.open(folder, "w"), pytest.raises(LibraryLockedError, match="being written to by process"):
        repair_library(folder)


def test_a_dry_run_changes_nothing_and_says_what_a_repair_does(library_of):
    folder = library_of("followed")
    flip(array_files(folder)[1], -5)
    before = contents(folder)
    dry = repair_library(folder, dry_run=True)
    assert contents(folder) == before
    done = repair_library(folder)
    assert attrs.evolve(dry, dry_run=False, kept_in=done.kept_in) == done


def test_repairing_where_no_library_is_creates_nothing(tmp_path):
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(LibraryNotFoundError):
            repair_library(path)
    assert not list(tmp_path.iterdir())


def test_a_repair_that_is_killed_can_be_done_again(library_of, answers):
    intact = library_of("followed")
    before = answers(intact)
    program = (
        "import os, signal, sys\n"
        "from hgrkit.library import repair_library\n"
        "left = int(sys.argv[2])\n"
        "def watch(event, arguments):\n"
        "    global left\n"
        "    if event in {'os.rename', 'os.link', 'os.remove', 'os.mkdir', 'open', 'sqlite3.connect'}:\n"
        "        left -= 1\n"
        "        if left == 0: os.kill(os.getpid(), signal.SIGKILL)\n"
        "sys.addaudithook(watch)\n"
        "repair_library(sys.argv[1])\n"
    )
    killed = 0
    for step in range(3, 48, 9):
        folder = shutil.copytree(intact, intact.with_name("copy"))
        flip(array_files(folder)[1], -5)
        done = subprocess.run([sys.executable, "-c", program, folder, str(step)], check=False)
        killed += done.returncode == -9
        assert repair_library(folder).whole
        with Library.open(folder) as library:
            left = set(before.videos) - {video.path for video in library.videos()}
        assert len(left) == 1
        answers(folder).assert_same(before.without(left))
        Library.open(folder, "w").close()
        assert len(array_files(folder)) == 2
        shutil.rmtree(folder)
    assert killed


def test_no_writer_cuts_the_arrays_of_a_library_that_got_anothers_database(library_of, tmp_path):
    folder = library_of("plain")
    with Library.create(tmp_path / "other", StoreContract.manifest) as other:
        other.add(record("other.mp4"), [random_clip(5)])
    shutil.copy(tmp_path / "other" / "library.sqlite", folder / "library.sqlite")
    before = {path.name: path.read_bytes() for path in array_files(folder)}
    with pytest.raises(DamagedLibraryError, match="run `hgrkit repair`"):
        Library.open(folder, "w")
    assert {path.name: path.read_bytes() for path in array_files(folder)} == before
    assert repair_library(folder).whole
    assert set(before.values()) <= kept(folder)


@pytest.mark.parametrize("mode", ["r", "w"])
def test_a_library_without_its_database_is_no_empty_place(library_of, mode):
    folder = library_of("plain")
    (folder / "library.sqlite").unlink()
    with pytest.raises(DamagedLibraryError, match=r"it is missing; restore a backup, or delete"):
        Library.open(folder, mode)
    with pytest.raises(LibraryExistsError, match="other files"):
        Library.create(folder, StoreContract.manifest)
