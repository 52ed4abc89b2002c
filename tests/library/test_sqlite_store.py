"""The SQLite store: the contract of every store, and what only its files can show."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hgrkit.errors import (
    DamagedLibraryError,
    LibraryError,
    LibraryExistsError,
    LibraryMismatchError,
    LibraryNotFoundError,
)
from hgrkit.library import (
    Entry,
    Library,
    Manifest,
    QueryEmbeddings,
    SqliteStore,
    VideoRecord,
    repair_library,
    verify_library,
)
from hgrkit.library.database import translated_errors
from hgrkit.testing.store_contract import StoreContract, random_clip


class TestSqliteStore(StoreContract):
    def create(self, folder: Path, manifest: Manifest) -> SqliteStore:
        return SqliteStore.create(folder, manifest)

    def reopen(self, folder: Path, *, write: bool) -> SqliteStore:
        return SqliteStore(folder, mode="w" if write else "r")


def record(path: str) -> VideoRecord:
    return VideoRecord(path=path, content="", size=1, mtime_ns=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A library of three videos, closed."""
    store = SqliteStore.create(tmp_path / "lib", StoreContract.manifest)
    for number, path in enumerate("abc"):
        store.commit(put=[Entry(record(path), [random_clip(number)])])
    store.close()
    return tmp_path / "lib"


def sizes(listed: dict[str, tuple[int, int]]) -> dict[str, int]:
    return {name: size for name, (size, _) in listed.items()}


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")
    }


def test_a_reader_creates_and_changes_no_file(folder):
    before = listing(folder)
    store = SqliteStore(folder)
    snapshot = store.snapshot()
    snapshot.clips([0, 1, 2])
    assert listing(folder) == before
    store.close()
    assert listing(folder) == before


def test_opening_where_nothing_is_creates_nothing(tmp_path):
    with pytest.raises(LibraryNotFoundError, match="make one with"):
        SqliteStore(tmp_path / "lib")
    with pytest.raises(LibraryNotFoundError):
        SqliteStore(tmp_path / "lib", mode="w")
    assert not (tmp_path / "lib").exists()


def test_create_refuses_a_library_a_file_and_a_folder_of_other_things(folder, tmp_path):
    with pytest.raises(LibraryExistsError, match="a library"):
        SqliteStore.create(folder, StoreContract.manifest)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"")
    with pytest.raises(LibraryExistsError, match="other files"):
        SqliteStore.create(tmp_path / "photos", StoreContract.manifest)
    with pytest.raises(LibraryExistsError, match="is a file"):
        SqliteStore.create(tmp_path / "photos" / "cat.jpg", StoreContract.manifest)
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["cat.jpg"]


def test_create_takes_an_empty_folder_and_what_an_interrupted_create_left(tmp_path):
    (tmp_path / "writer.lock").write_text("")
    (tmp_path / "library.sqlite.tmp").write_text("half")
    (tmp_path / "library.sqlite.tmp-wal").write_text("half")
    SqliteStore.create(tmp_path, StoreContract.manifest).close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["library.sqlite", "writer.lock"]


def test_what_a_crash_left_is_deleted_by_the_next_writer_and_by_no_reader(folder):
    with (folder / "arrays" / "clips-1.bin").open("ab") as file:
        file.write(b"records that no commit counts")
    (folder / "arrays" / "clips-2.bin").write_bytes(b"a compaction that was cut short")
    (folder / "segments").mkdir()
    (folder / "segments" / f"{'0' * 32}.safetensors").write_bytes(b"of an earlier format")
    before = listing(folder)
    SqliteStore(folder).close()
    assert listing(folder) == before
    SqliteStore(folder, mode="w").close()
    assert not (folder / "segments").exists()
    assert {path.name: path.stat().st_size for path in (folder / "arrays").iterdir()} == {
        "clips-1.bin": 3 * (64 + 16),
        "frames-1.bin": 9 * (8 + 32),
    }
    assert len(SqliteStore(folder).snapshot().videos) == 3


def test_a_replaced_video_leaves_a_mark_and_no_row_behind(folder):
    store = SqliteStore(folder, mode="w")
    store.commit(put=[Entry(record("a"), [random_clip(9)])])
    store.close()
    with closing(sqlite3.connect(folder / "library.sqlite")) as connection:
        assert connection.execute("SELECT COUNT(*) FROM videos").fetchall() == [(3,)]
        assert connection.execute("SELECT id, clips FROM removed").fetchall() == [(0, 1)]


def test_a_commit_that_fails_in_the_database_keeps_the_old_version(folder, monkeypatch):
    store = SqliteStore(folder, mode="w")
    before, arrays = store.version(), listing(folder / "arrays")
    monkeypatch.setattr(
        "hgrkit.library.change.Change.seal", lambda self, *_, **__: self._connection.execute("SELECT nothing")
    )
    with pytest.raises(LibraryError):
        store.commit(put=[Entry(record("a"), [random_clip(9)])])
    monkeypatch.undo()
    assert store.version() == before
    assert listing(folder / "arrays").keys() == arrays.keys()
    assert {name: size for name, (size, _) in listing(folder / "arrays").items()} == sizes(arrays)
    store.commit(put=[Entry(record("d"), [random_clip(9)])])
    assert [video.path for video in store.snapshot().videos] == ["a", "b", "c", "d"]
    store.close()


def test_a_full_disk_while_clips_are_written_is_an_error_and_leaves_the_library_whole(folder, monkeypatch):
    store = SqliteStore(folder, mode="w")
    before = listing(folder / "arrays")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LibraryError, match="No space left"):
        store.commit(put=[Entry(record("a"), [random_clip(9)])])
    monkeypatch.undo()
    assert sizes(listing(folder / "arrays")) == sizes(before)
    assert len(store.snapshot().videos) == 3
    store.close()


def test_a_later_format_is_refused_by_name(folder):
    with sqlite3.connect(folder / "library.sqlite") as connection:
        connection.execute("PRAGMA user_version = 4")
    connection.close()
    with pytest.raises(LibraryMismatchError, match="format 4, this hgrkit reads formats up to 3"):
        SqliteStore(folder)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE videos SET path = x'62ff' WHERE path = x'62'",
        "UPDATE videos SET first_clip = 1 WHERE first_clip = 0",
        "UPDATE sums SET rows = zeroblob(32)",
        "UPDATE blocks SET checksums = zeroblob(8)",
        "UPDATE removed SET clips = 2",
        "UPDATE head SET clips = 2",
        "UPDATE head SET tail = zeroblob(8)",
        "UPDATE videos SET content = CAST(x'ff' AS TEXT)",
        "DELETE FROM videos WHERE path = x'62'",
        "DELETE FROM sums",
        "DELETE FROM blocks",
        "DELETE FROM removed",
        "INSERT INTO removed VALUES (0, 1, zeroblob(32))",
        "DELETE FROM manifest",
        "DELETE FROM head",
        "DROP TABLE removed",
        "CREATE TRIGGER t AFTER INSERT ON videos BEGIN DELETE FROM videos; END",
    ],
)
def test_rows_that_were_tampered_with_are_damage_to_a_search_and_to_verify(folder, statement):
    store = SqliteStore(folder, mode="w")
    store.commit(put=[Entry(record("d"), [random_clip(seed) for seed in range(70)])], remove=["c"])
    store.close()
    with closing(sqlite3.connect(folder / "library.sqlite", isolation_level=None)) as connection:
        connection.execute(statement)
    with pytest.raises(DamagedLibraryError):
        SqliteStore(folder).snapshot()
    assert not verify_library(folder).whole
    with pytest.raises(DamagedLibraryError), Library.open(folder) as library:
        library.search(QueryEmbeddings(event=np.ones(8), action=np.ones((1, 8)), entity=np.ones((0, 8))), 100)


@pytest.mark.parametrize("content", [b"", b"not a database", b"SQLite format 3\0" + b"\xff" * 4080])
def test_what_is_no_database_is_damage(folder, content):
    (folder / "library.sqlite").write_bytes(content)
    with pytest.raises(DamagedLibraryError, match=r"library\.sqlite"):
        SqliteStore(folder)


def test_a_folder_that_may_only_be_read_can_be_read(folder):
    program = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from hgrkit.library import SqliteStore\n"
        "if os.geteuid() == 0: os.setegid(65534); os.seteuid(65534)\n"
        "assert not os.access(sys.argv[1], os.W_OK, effective_ids=True)\n"
        "print(len(SqliteStore(Path(sys.argv[1])).snapshot().clips([0, 1, 2])))\n"
    )
    with tempfile.TemporaryDirectory() as parent:  # other users may not enter pytest's own folders
        Path(parent).chmod(0o755)
        copy = shutil.copytree(folder, Path(parent) / "lib")
        for path in [*copy.rglob("*"), copy]:
            path.chmod(0o555)
        done = subprocess.run([sys.executable, "-c", program, copy], capture_output=True, text=True, check=False)
        for path in [copy, *copy.rglob("*")]:
            path.chmod(0o755)
    assert (done.stdout, done.stderr) == ("3\n", "")


def test_an_io_error_on_a_full_disk_is_said_to_be_a_full_disk(tmp_path, monkeypatch):
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
    for free, words in ((0, "No space left on device; free some space"), (1 << 30, "disk I/O error")):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: SimpleNamespace(free=free))
        with pytest.raises(LibraryError, match=words), translated_errors(tmp_path / "library.sqlite"):
            raise error


def test_an_index_of_paths_that_leaves_a_video_out_is_damage_and_no_answer(folder):
    database = folder / "library.sqlite"
    with closing(sqlite3.connect(database)) as connection:
        ((page,),) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name LIKE '%autoindex%'"
        ).fetchall()
        ((size,),) = connection.execute("PRAGMA page_size").fetchall()
    content = bytearray(database.read_bytes())
    place = content.index(b"b", (page - 1) * size + size // 2, page * size)  # the path `b` in the index
    content[place] = ord("e")
    database.write_bytes(content)
    store = SqliteStore(folder)
    assert store.find("a").path == "a"
    with pytest.raises(DamagedLibraryError, match="index of paths"):
        store.find("b")
    assert store.find("never there") is None
    assert len(store.snapshot().videos) == 3
    store.close()
    assert not verify_library(folder).whole
    with pytest.raises(DamagedLibraryError, match="damaged"):
        SqliteStore(folder, mode="w")


LOGGED = """
import os, signal, sqlite3, sys
from pathlib import Path
from hgrkit.library import Entry, SqliteStore, VideoRecord
from hgrkit.testing.store_contract import random_clip
folder = Path(sys.argv[1])
store = SqliteStore(folder, mode="w")
reader = sqlite3.connect(folder / "library.sqlite", isolation_level=None)
reader.execute("BEGIN")
reader.execute("SELECT * FROM head").fetchall()
store.commit(put=[Entry(VideoRecord(path="d", content="", size=1, mtime_ns=1), [random_clip(9)])])
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("damage", ["none", "deleted", "flipped", "emptied", "marker flipped"])
def test_a_commit_that_is_in_sqlites_log_alone_is_there_or_missed(folder, damage):
    """A reader kept the log from being emptied, the writer was killed, and the log is damaged."""
    assert subprocess.run([sys.executable, "-c", LOGGED, folder], check=False).returncode == -9
    log, marker = folder / "library.sqlite-wal", folder / "newest.txt"
    assert marker.read_text() == "4"
    if damage == "deleted":
        log.unlink()
        (folder / "library.sqlite-shm").unlink()
    elif damage in {"flipped", "emptied"}:
        content = bytearray(log.read_bytes())
        content[len(content) // 2] ^= 1
        log.write_bytes(content if damage == "flipped" else b"")
    elif damage == "marker flipped":
        marker.write_text("t")
    if damage == "none":
        assert [video.path for video in SqliteStore(folder).snapshot().videos] == ["a", "b", "c", "d"]
        assert verify_library(folder).whole
        SqliteStore(folder, mode="w").close()
        assert not marker.exists()
        return
    for use in (lambda: SqliteStore(folder), lambda: SqliteStore(folder, mode="w")):
        with pytest.raises(DamagedLibraryError, match="log, and the newest commits with it, are lost"):
            use()
    assert not verify_library(folder).whole
    report = repair_library(folder)
    assert report.whole
    assert report.lost_from == (5 if damage == "marker flipped" else 4)
    assert set("abc") <= set(report.doubtful)
    assert [video.path for video in SqliteStore(folder).snapshot().videos][:3] == ["a", "b", "c"]


def test_threads_that_share_a_reader_never_mix_two_versions(folder, monkeypatch):
    """One thread reads a version's arrays while another one asks for a newer version."""
    reader, writer = SqliteStore(folder), SqliteStore(folder, mode="w")
    between = reader._cache.get

    def newer(version, read):
        monkeypatch.setattr(reader._cache, "get", between)
        found = between(version, read)
        writer.commit(put=[Entry(record("a"), [random_clip(7), random_clip(8)])])
        assert len(reader.snapshot().clip_keys) == 4
        return found

    monkeypatch.setattr(reader._cache, "get", newer)
    assert len(reader.snapshot().clip_keys) == 3
    assert len(reader.snapshot().clip_keys) == 4
    writer.close()
    reader.close()
