"""Repairing: a library is whole afterwards, the intact answers as before, the lost is named, the replaced kept."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from pathlib import Path

import attrs
import pytest
from hgrkit.library.commit_record import read_commit_record
from hgrkit.library.history import read_log

from hgrkit.errors import DamagedLibraryError, LibraryError, LibraryLockedError, LibraryNotFoundError
from hgrkit.library import Entry, Library, VideoRecord, repair_library, rewrite, segment, verify_library
from hgrkit.testing.store_contract import StoreContract, random_clip

each_kind = pytest.mark.parametrize("kind", ["plain", "compacted", "followed"])


def record(path: str) -> VideoRecord:
    return VideoRecord(path=path, content="", size=1, mtime_ns=1)


def segments(folder: Path) -> list[Path]:
    return sorted((folder / "segments").iterdir())


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


# the database --------------------------------------------------------------------------------------------------


@each_kind
@pytest.mark.parametrize("damage", ["emptied", "cut", "zeroed", "deleted", "a folder", "with a log"])
def test_a_lost_database_comes_back_row_by_row_from_the_segments(library_of, answers, kind, damage):
    folder = library_of(kind)
    before, database = answers(folder), folder / "library.sqlite"
    whole = database.read_bytes()
    if damage == "with a log":
        database.write_bytes(bytes(len(whole)))
        (folder / "library.sqlite-wal").write_bytes(b"a log of nothing")
    elif damage in {"deleted", "a folder"}:
        database.unlink()
        if damage == "a folder":
            database.mkdir()
    else:
        database.write_bytes(
            {"emptied": b"", "cut": whole[: len(whole) // 2], "zeroed": bytes(len(whole))}[damage]
        )
    with Library.open(library_of(kind, "intact")) as library:
        version, keys = library.version, library.snapshot().clip_keys.tolist()
    report = repair_library(folder)
    assert report.whole
    assert verify_library(folder).whole
    assert (report.dropped, report.doubtful, report.lost_versions) == ((), (), ())
    answers(folder).assert_same(before)
    with Library.open(folder, "w", candidates="hnsw") as library:
        assert (library.version, library.snapshot().clip_keys.tolist()) == (version, keys)
        library.add(record("q.mp4"), [random_clip(1)])
    assert verify_library(folder).whole


@each_kind
def test_a_database_with_a_flipped_bit_is_rebuilt_wherever_the_bit_matters(library_of, answers, kind):
    folder = library_of(kind)
    before, whole = answers(folder), (folder / "library.sqlite").read_bytes()
    choice = random.Random(1)
    for _ in range(12):
        flip(folder / "library.sqlite", choice.randrange(len(whole)), choice.randrange(8))
        assert repair_library(folder).whole
        answers(folder).assert_same(before)
        (folder / "library.sqlite").write_bytes(whole)


def test_an_older_or_another_database_is_replaced_and_kept(library_of, answers, tmp_path):
    folder, other = library_of("followed"), library_of("plain", "other")
    before = answers(folder)
    Library.create(tmp_path / "empty", StoreContract.manifest).close()
    for number, strange in enumerate((other / "library.sqlite", tmp_path / "empty" / "library.sqlite"), 1):
        shutil.copy(strange, folder / "library.sqlite")
        report = repair_library(folder)
        assert report.whole
        assert report.kept_in == f"damaged/{number}"
        assert strange.read_bytes() in kept(folder)
        answers(folder).assert_same(before)


def test_the_repaired_database_is_never_missing_even_if_the_repair_is_cut_short(library_of, monkeypatch):
    folder = library_of("plain")
    flip(folder / "library.sqlite", 20)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hgrkit.library.database.sync_file", full)
    with pytest.raises(LibraryError, match="No space left"):
        repair_library(folder)
    monkeypatch.undo()
    assert (folder / "library.sqlite").is_file()
    assert repair_library(folder).whole


# segments ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["plain", "followed"])
@pytest.mark.parametrize("damage", ["emptied", "cut", "flipped", "deleted", "a folder"])
def test_a_damaged_segment_costs_the_videos_in_it_and_no_other(library_of, answers, kind, damage):
    intact = library_of(kind)
    before = answers(intact)
    for number in range(len(segments(intact))):
        folder = shutil.copytree(intact, intact.with_name("copy"))
        path = segments(folder)[number]
        whole = path.read_bytes()
        if damage == "flipped":
            flip(path, len(whole) - 5)
        elif damage in {"deleted", "a folder"}:
            path.unlink()
            if damage == "a folder":
                path.mkdir()
        else:
            path.write_bytes(b"" if damage == "emptied" else whole[: len(whole) // 2])
        (found,) = verify_library(folder).damages
        report = repair_library(folder)
        assert report.whole
        assert report.dropped == found.videos
        answers(folder).assert_same(before.without(report.dropped))
        with Library.open(folder, "w") as library:
            library.add(record("q.mp4"), [random_clip(1)])
        assert verify_library(folder).whole
        shutil.rmtree(folder)


@pytest.fixture
def cut_library(tmp_path, monkeypatch):
    """A library whose segments have many blocks: forty videos of two clips in one of them."""
    monkeypatch.setattr(segment, "BLOCK_BYTES", 256)
    with Library.create(tmp_path / "lib", StoreContract.manifest) as library:
        library.add_all(
            [
                Entry(record(f"{number:02}.mp4"), [random_clip(number), random_clip(100 + number, frames=5)])
                for number in range(40)
            ]
        )
    return tmp_path / "lib"


def test_clips_in_intact_blocks_are_saved(cut_library, answers):
    before = answers(cut_library)
    (path,) = segments(cut_library)
    size = path.stat().st_size
    dropped = set()
    for place in range(size - 20, size // 2, -1500):
        folder = shutil.copytree(cut_library, cut_library.with_name("copy"))
        flip(folder / "segments" / path.name, place)
        report = repair_library(folder)
        assert report.whole
        assert 1 <= len(report.dropped) <= 12
        assert path.name in {kept_file.name for kept_file in (folder / "damaged" / "1").iterdir()}
        answers(folder).assert_same(before.without(report.dropped))
        dropped |= set(report.dropped)
        shutil.rmtree(folder)
    assert len(dropped) > 12


def test_a_segment_that_was_cut_off_gives_the_clips_before_the_cut(cut_library, answers):
    before = answers(cut_library)
    (path,) = segments(cut_library)
    path.write_bytes(path.read_bytes()[:-100])
    report = repair_library(cut_library)
    assert report.whole
    assert 1 <= len(report.dropped) <= 4
    answers(cut_library).assert_same(before.without(report.dropped))


def test_without_its_header_a_segment_gives_nothing(cut_library):
    (path,) = segments(cut_library)
    flip(path, 3)
    report = repair_library(cut_library)
    assert report.whole
    assert len(report.dropped) == 40


def test_a_lost_commit_without_clips_costs_nothing(library_of, answers):
    folder = library_of("followed")
    before = answers(folder)
    with Library.open(folder, "w") as library:
        named = {path.name for path in segments(folder)}
        library.remove("z.mp4")
    (removal,) = (path for path in segments(folder) if path.name not in named)
    removal.unlink()
    report = repair_library(folder)
    assert report.whole
    assert report.dropped == ()
    answers(folder).assert_same(before.without(["z.mp4"]))


# database and segments -----------------------------------------------------------------------------------------


def test_without_database_and_a_segment_what_is_left_is_saved_and_the_rest_is_said(library_of, answers):
    intact = library_of("plain")
    before = answers(intact)
    for number in range(len(segments(intact))):
        folder = shutil.copytree(intact, intact.with_name("copy"))
        (folder / "library.sqlite").unlink()
        path = segments(folder)[number]
        has_clips = bool(read_commit_record(path).num_clips)
        flip(path, path.stat().st_size - 3)  # in its vectors, if it has some, otherwise in its commit record
        dry, report = repair_library(folder, dry_run=True), repair_library(folder)
        assert attrs.evolve(dry, dry_run=False, kept_in=report.kept_in) == report
        assert report.whole
        assert report.unread == (path.name,)
        after = answers(folder)
        certain = set(after.videos) - set(report.doubtful)
        assert set(before.videos) <= set(after.videos) | set(report.dropped) or not has_clips
        assert all(after.vectors[path] == before.vectors[path] for path in certain)
        assert path.name in {file.name for file in (folder / report.kept_in).iterdir()}
        shutil.rmtree(folder)


def test_versions_that_are_gone_without_a_trace_are_counted(library_of, answers):
    folder = library_of("plain")
    before = answers(folder)
    with Library.open(folder) as library:
        number = library.version.number
    by_number = {segment.commit.number: file for file, segment in read_log(folder).segments.items()}
    (folder / "library.sqlite").unlink()
    for lost in (3, 4):
        (folder / "segments" / by_number[lost]).unlink()
    report = repair_library(folder)
    assert report.whole
    assert report.lost_versions == ((3, 4),)
    assert set(report.doubtful) == {"v/0.mp4", "v/1.mp4"}
    after = answers(folder)
    after.without(["v/2.mp4"]).assert_same(before.without(["v/2.mp4"]))
    with Library.open(folder) as library:
        assert library.version.number == number + 1


def test_of_a_rewritten_library_that_lost_a_part_the_other_parts_are_saved(tmp_path, answers, monkeypatch):
    monkeypatch.setattr(rewrite, "SEGMENT_BYTES", 3000)
    folder = tmp_path / "lib"
    with Library.create(folder, StoreContract.manifest) as library:
        library.add_all([Entry(record(f"{number}.mp4"), [random_clip(number)]) for number in range(9)])
        library.compact()
    before = answers(folder)
    assert len(segments(folder)) > 2
    (folder / "library.sqlite").unlink()
    segments(folder)[1].unlink()
    report = repair_library(folder)
    assert report.whole
    left = answers(folder)
    assert 0 < len(left.videos) < 9
    left.assert_same(before.without(set(before.videos) - set(left.videos)))
    assert report.lost_versions == ((2, 2),)


def test_a_compaction_that_a_crash_cut_short_is_not_taken_for_the_library(tmp_path, answers, monkeypatch):
    monkeypatch.setattr(rewrite, "SEGMENT_BYTES", 3000)
    folder, copy = tmp_path / "lib", tmp_path / "copy"
    with Library.create(folder, StoreContract.manifest) as library:
        for number in range(9):
            library.add(record(f"{number}.mp4"), [random_clip(number)])
    before = answers(folder)
    shutil.copytree(folder, copy)
    with Library.open(folder, "w") as library:
        library.compact()
    shutil.copy(segments(folder)[0], copy / "segments")  # one part of several
    (copy / "library.sqlite").unlink()
    assert repair_library(copy).whole
    answers(copy).assert_same(before)


def test_where_nothing_is_left_the_report_says_so(library_of):
    folder = library_of("plain")
    (folder / "library.sqlite").write_bytes(b"")
    shutil.rmtree(folder / "segments")
    before = contents(folder)
    report = repair_library(folder)
    assert not report.whole
    assert "no commit record is left" in report.steps[0]
    assert contents(folder) == before


# caches, formats, locks ----------------------------------------------------------------------------------------


def test_damaged_graphs_and_unfinished_databases_are_deleted(library_of, answers):
    folder = library_of("plain")
    before = answers(folder)
    flip(min((folder / "cache").iterdir()), 50)
    (folder / "library.sqlite.tmp").write_bytes(b"half")
    assert repair_library(folder).whole
    assert not list((folder / "cache").iterdir())
    assert not (folder / "library.sqlite.tmp").exists()
    answers(folder).assert_same(before)


def test_a_library_of_the_first_format_is_repaired_into_the_newest(tmp_path, answers):
    folder = shutil.copytree(Path(__file__).parent / "format_1" / "library", tmp_path / "lib")
    before = answers(folder)
    path = segments(folder)[0]
    flip(path, path.stat().st_size - 1)
    report = repair_library(folder)
    assert report.whole
    assert verify_library(folder).format_version == 2
    answers(folder).assert_same(before.without(report.dropped))


def test_a_repair_waits_for_no_writer_and_names_it(library_of):
    folder = library_of("plain")
    with Library.open(folder, "w"), pytest.raises(LibraryLockedError, match="being written to by process"):
        repair_library(folder)


def test_a_dry_run_changes_nothing_and_says_what_a_repair_does(library_of):
    folder = library_of("followed")
    segments(folder)[0].unlink()
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
        flip(folder / "library.sqlite", 30)
        lost = {path.name for path in segments(folder)[:1]}
        done = subprocess.run([sys.executable, "-c", program, folder, str(step)], check=False)
        killed += done.returncode == -9
        assert repair_library(folder).whole
        answers(folder).assert_same(before)
        assert lost <= {path.name for path in segments(folder)}
        shutil.rmtree(folder)
    assert killed


def test_no_writer_deletes_the_segments_of_a_library_that_got_anothers_database(library_of, answers):
    folder, other = library_of("plain"), library_of("followed", "other")
    before = answers(folder)
    shutil.copy(other / "library.sqlite", folder / "library.sqlite")
    names = [path.name for path in segments(folder)]
    with pytest.raises(DamagedLibraryError, match="run `hgrkit repair`"):
        Library.open(folder, "w")
    assert [path.name for path in segments(folder)] == names
    assert repair_library(folder).whole
    answers(folder).assert_same(before)


@pytest.mark.parametrize("mode", ["r", "w"])
def test_a_library_without_its_database_is_no_empty_place(library_of, mode):
    folder = library_of("plain")
    (folder / "library.sqlite").unlink()
    with pytest.raises(DamagedLibraryError, match=r"it is missing; run `hgrkit repair"):
        Library.open(folder, mode)
