"""Verifying: every damage is named, nothing is changed, and what is harmless is no damage."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from hgrkit.errors import DamagedLibraryError, LibraryMismatchError, LibraryNotFoundError
from hgrkit.library import Library, QueryEmbeddings, SearchSettings, SqliteStore, VideoRecord, verify_library
from hgrkit.library.arrays import clip_type, frame_type
from hgrkit.testing.store_contract import StoreContract, random_clip

KINDS = ("plain", "compacted", "followed")

each_kind = pytest.mark.parametrize("kind", KINDS)


def record(path: str) -> VideoRecord:
    return VideoRecord(path=path, content="", size=1, mtime_ns=1)


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def array_files(folder: Path) -> list[Path]:
    return sorted((folder / "arrays").iterdir())


def every_clip(library: Library) -> None:
    snapshot = library.snapshot()
    snapshot.clips(range(len(snapshot.clip_keys)))


def execute(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / "library.sqlite", isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def flip(path: Path, place: int, bit: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(content)


@each_kind
def test_a_library_that_was_closed_is_whole_and_there_is_nothing_to_say(library_of, kind):
    report = verify_library(library_of(kind))
    assert report.whole
    assert report.damages == report.notes == ()
    assert (report.format_version, report.videos) == (3, 10)
    assert report.to_dict()["whole"] is True


def test_a_library_that_was_copied_while_nobody_wrote_is_whole(library_of, answers, tmp_path):
    folder = library_of("followed")
    copy = shutil.copytree(folder, tmp_path / "backup")
    shutil.rmtree(folder)
    assert verify_library(copy).whole
    assert answers(copy).scores


def test_an_empty_library_is_whole(tmp_path):
    Library.create(tmp_path / "lib", StoreContract.manifest).close()
    assert verify_library(tmp_path / "lib").whole


@each_kind
def test_verifying_changes_no_byte_whatever_it_finds(library_of, kind):
    folder = library_of(kind)
    flip(array_files(folder)[0], 100)
    (folder / "library.sqlite.tmp").write_bytes(b"x")
    (folder / "arrays" / "clips-9.bin").write_bytes(b"x")
    before = contents(folder)
    verify_library(folder)
    assert contents(folder) == before


# damage --------------------------------------------------------------------------------------------------------


def damages_of_an_array():
    yield "emptied", lambda path: path.write_bytes(b"")
    yield "cut in half", lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    yield "cut by a byte", lambda path: path.write_bytes(path.read_bytes()[:-1])
    yield "zeroed", lambda path: path.write_bytes(bytes(path.stat().st_size))
    yield "deleted", Path.unlink
    yield "a folder", lambda path: (path.unlink(), path.mkdir())
    yield "a link to nothing", lambda path: (path.unlink(), path.symlink_to("nowhere"))


@each_kind
@pytest.mark.parametrize("damage", [pytest.param(act, id=name) for name, act in damages_of_an_array()])
def test_every_damaged_array_is_named_and_so_are_the_videos_in_it(library_of, kind, damage):
    folder = library_of(kind)
    with Library.open(folder) as library:
        indexed = set(library.indexed_paths())
    for path in array_files(folder):
        copy = shutil.copytree(folder, folder.with_name("copy"))
        damage(copy / "arrays" / path.name)
        report = verify_library(copy)
        (found,) = report.damages
        assert found.file == "arrays"
        if "flipped" not in found.problem and not path.exists():
            assert path.name in found.problem
        concerned = set(found.videos)
        assert concerned
        assert concerned <= indexed
        with Library.open(copy) as library, pytest.raises(DamagedLibraryError):
            every_clip(library)
        shutil.rmtree(copy)


@each_kind
@pytest.mark.parametrize("name", ["clips", "frames"])
def test_every_flipped_bit_of_a_living_record_is_noticed_and_its_video_named(library_of, kind, name):
    folder = library_of(kind)
    stored, arrays = SqliteStore(folder).read(lambda view: (view.videos(), view.arrays))
    size = {"clips": clip_type(8), "frames": frame_type(8)}[name].itemsize
    path = next(path for path in array_files(folder) if path.name.startswith(name))
    whole = path.read_bytes()
    for video in stored:
        for row in video.rows:
            first, count = (int(arrays.clips[row][field]) for field in ("first_frame", "num_frames"))
            rows = range(row, row + 1) if name == "clips" else range(first, first + count)
            place = rows.start * size + (13 * row) % (len(rows) * size)
            flip(path, place, place % 8)
            (found,) = verify_library(folder).damages
            assert found.file == "arrays"
            assert video.record.path in found.videos
            if name == "frames":
                assert found.videos == (video.record.path,)
            path.write_bytes(whole)
    assert verify_library(folder).whole


def test_arrays_that_changed_places_are_damage(library_of):
    folder = library_of("plain")
    first, second = array_files(folder)
    first.rename(folder / "between")
    second.rename(first)
    (folder / "between").rename(second)
    report = verify_library(folder)
    assert not report.whole
    assert {video for found in report.damages for video in found.videos}


@each_kind
@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
        lambda path: path.write_bytes(bytes(path.stat().st_size)),
        Path.unlink,
        lambda path: path.write_bytes(array_files(path.parent)[0].read_bytes()),
        lambda path: (path.unlink(), path.mkdir()),
    ],
    ids=["emptied", "cut in half", "zeroed", "deleted", "an array instead", "a folder instead"],
)
def test_a_damaged_database_is_named_and_a_backup_asked_for(library_of, kind, damage):
    folder = library_of(kind)
    damage(folder / "library.sqlite")
    found, *_ = verify_library(folder).damages
    assert found.file == "library.sqlite"
    assert "restore a backup" in found.repair


SURPLUS_VIDEO = """
INSERT INTO videos SELECT 99, x'78', content, size, mtime_ns, state, reason, duration_s, clips, metadata,
    first_clip, digest FROM videos LIMIT 1
"""


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("DELETE FROM videos WHERE path = x'762f302e6d7034'", "videos"),
        ("UPDATE videos SET size = 2 WHERE path = x'762f302e6d7034'", "videos"),
        ("DELETE FROM sums", "lost, stale or surplus"),
        ("DELETE FROM removed", "lost, stale or surplus"),
        ("DELETE FROM blocks", "lost, stale or surplus"),
        ("INSERT INTO removed VALUES (5, 1, zeroblob(32))", "row 5 of table removed"),
        ("INSERT INTO blocks VALUES (5, x'00', zeroblob(32))", "row 5 of table blocks"),
        ("INSERT INTO sums VALUES (5, x'00', zeroblob(32))", "row 5 of table sums"),
        (SURPLUS_VIDEO, "row 99 of table videos"),
    ],
)
def test_rows_that_are_lost_changed_or_surplus_are_named(library_of, statement, problem):
    folder = library_of("plain")
    with Library.open(folder, "w") as library:
        library.add(record("long.mp4"), [random_clip(seed) for seed in range(70)])
    execute(folder, statement)
    found, *_ = verify_library(folder).damages
    assert found.file == "library.sqlite"
    assert problem in found.problem
    with pytest.raises(DamagedLibraryError):
        Library.open(folder).snapshot()


@pytest.mark.parametrize("table", ["videos", "sums", "blocks", "removed", "head"])
def test_rows_of_an_older_day_are_noticed(library_of, table):
    """A table that is as it was some commits ago, each of its rows intact."""
    folder = library_of("plain")
    with Library.open(folder, "w") as library:
        library.add(record("long.mp4"), [random_clip(seed) for seed in range(70)])
    older = shutil.copy(folder / "library.sqlite", folder.with_name("older.sqlite"))
    with Library.open(folder, "w") as library:
        library.rename("v/0.mp4", VideoRecord(path="v/0.mp4", content="touched", size=1, mtime_ns=1))
        library.update(remove=["v/1.mp4"])
        library.add(record("more.mp4"), [random_clip(seed) for seed in range(70)])
    execute(
        folder,
        f"ATTACH '{older}' AS older",
        f"DELETE FROM {table}",
        f"INSERT INTO {table} SELECT * FROM older.{table}",
    )
    assert not verify_library(folder).whole
    with pytest.raises(DamagedLibraryError):
        Library.open(folder).snapshot()
    query = QueryEmbeddings(event=np.ones(8), action=np.ones((1, 8)), entity=np.ones((0, 8)))
    for settings in (SearchSettings(exhaustive=True), SearchSettings(exhaustive=False, candidates=500)):
        with Library.open(folder) as library, pytest.raises(DamagedLibraryError):
            library.search(query, 20, settings=settings)


@each_kind
def test_a_bit_that_flipped_in_the_database_is_noticed_or_means_nothing(library_of, answers, kind):
    folder = library_of(kind)
    database, before = folder / "library.sqlite", answers(folder)
    whole, choice = database.read_bytes(), random.Random(0)
    noticed = 0
    for _ in range(30):
        flip(database, choice.randrange(len(whole)), choice.randrange(8))
        if verify_library(folder).whole:
            answers(folder).assert_same(before)
        else:
            noticed += 1
        database.write_bytes(whole)
    assert noticed


def test_a_later_format_is_refused_by_name(library_of):
    folder = library_of("plain")
    flip(folder / "library.sqlite", 62)
    with pytest.raises(LibraryMismatchError, match="upgrade hgrkit"):
        verify_library(folder)


def test_a_format_number_that_flipped_to_an_earlier_one_is_damage(library_of):
    folder = library_of("plain")
    flip(folder / "library.sqlite", 63)
    (found,) = verify_library(folder).damages
    assert "its tables are not those of a library" in found.problem


def test_the_database_of_another_library_is_not_taken_for_the_library(library_of):
    folder, other = library_of("followed"), library_of("plain", "other")
    shutil.copy(other / "library.sqlite", folder / "library.sqlite")
    assert not verify_library(folder).whole
    assert verify_library(folder).videos == 10


# what is no damage ---------------------------------------------------------------------------------------------


def test_caches_that_are_damaged_or_gone_are_notes_at_most(library_of):
    folder = library_of("plain")
    index, _ = sorted((folder / "cache").iterdir())
    flip(index, 100)
    report = verify_library(folder)
    assert report.whole
    assert {note.file for note in report.notes} == {"cache/ann.hnsw"}
    shutil.rmtree(folder / "cache")
    assert verify_library(folder).notes == ()


def test_what_a_killed_writer_leaves_is_noted_and_no_damage(library_of):
    folder = library_of("plain")
    leftovers = {
        "library.sqlite.tmp": b"half",
        "writer.lock": json.dumps({"pid": 2**22 + 1, "host": socket.gethostname()}).encode(),
        "arrays/clips-2.bin": b"half",
        "arrays/notes.txt": b"the user's own",
        "segments": None,
        "notes.txt": b"the user's own",
    }
    for name, content in leftovers.items():
        (folder / name).mkdir() if content is None else (folder / name).write_bytes(content)
    report = verify_library(folder)
    assert report.whole
    assert {note.file for note in report.notes} == set(leftovers)
    assert next(note.remark for note in report.notes if note.file == "writer.lock").startswith("left by a writer")


def test_a_library_that_is_being_written_to_is_whole_and_says_who_writes(library_of):
    folder = library_of("plain")
    with Library.open(folder, "w") as library:
        for number in range(3):
            library.add(record(f"{number}.mp4"), [random_clip(number)])
            report = verify_library(folder)
            assert report.whole
            assert report.videos == 11 + number
    noted = {note.file: note.remark for note in report.notes}
    assert noted["writer.lock"] == f"process {os.getpid()} is writing"


def test_a_library_that_is_compacted_meanwhile_is_never_called_damaged(library_of):
    folder = library_of("plain")
    program = (
        "import sys\nfrom hgrkit.library import Library\n"
        "with Library.open(sys.argv[1], 'w') as library:\n"
        "    print('ready', flush=True)\n"
        "    for _ in range(12):\n        library.compact()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program, folder], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    reports = [verify_library(folder)]
    while process.poll() is None:
        reports.append(verify_library(folder))
    process.stdout.close()
    assert all(report.whole for report in reports)
    assert process.returncode == 0


def test_records_of_a_commit_that_a_crash_interrupted_are_noted(library_of, tmp_path):
    folder = library_of("plain")
    shutil.copy(folder / "library.sqlite", tmp_path / "before.sqlite")
    with Library.open(folder, "w") as library:
        library.add(record("q.mp4"), [random_clip(1)])
    shutil.copy(tmp_path / "before.sqlite", folder / "library.sqlite")
    report = verify_library(folder)
    assert report.whole
    assert {note.remark for note in report.notes if note.file.startswith("arrays")} == {
        "records of a commit that is running or was interrupted; the next writer removes them"
    }
    Library.open(folder, "w").close()
    assert not any(note.file.startswith("arrays") for note in verify_library(folder).notes)


# libraries of earlier formats, and none at all -------------------------------------------------------------------


@pytest.mark.parametrize("version", [1, 2])
def test_a_library_of_an_earlier_format_is_verified_as_it_is(tmp_path, version):
    folder = shutil.copytree(Path(__file__).parent / f"format_{version}" / "library", tmp_path / "lib")
    before = contents(folder)
    report = verify_library(folder)
    assert report.whole
    assert report.format_version == version
    assert report.notes == ()
    assert contents(folder) == before


def test_where_there_is_no_library_there_is_nothing_to_verify(tmp_path):
    (tmp_path / "file").write_text("x")
    for path in (tmp_path, tmp_path / "none", tmp_path / "file"):
        with pytest.raises(LibraryNotFoundError, match="there is no library at"):
            verify_library(path)


def test_a_library_that_may_only_be_read_can_be_verified(library_of):
    folder = library_of("followed")
    program = (
        "import os, sys\n"
        "from hgrkit.library import verify_library\n"
        "if os.geteuid() == 0: os.setegid(65534); os.seteuid(65534)\n"
        "assert not os.access(sys.argv[1], os.W_OK, effective_ids=True)\n"
        "print(verify_library(sys.argv[1]).whole)\n"
    )
    with tempfile.TemporaryDirectory() as parent:  # other users may not enter pytest's own folders
        Path(parent).chmod(0o755)
        copy = shutil.copytree(folder, Path(parent) / "lib")
        for path in [*copy.rglob("*"), copy]:
            path.chmod(0o555)
        done = subprocess.run([sys.executable, "-c", program, copy], capture_output=True, text=True, check=False)
        for path in [copy, *copy.rglob("*")]:
            path.chmod(0o755)
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_verifying_needs_neither_torch_nor_a_decoder():
    program = (
        "import sys\nimport hgrkit.library.verify, hgrkit.library.repair, hgrkit.library.export\n"
        "print({'torch', 'av', 'onnxruntime', 'pyarrow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
