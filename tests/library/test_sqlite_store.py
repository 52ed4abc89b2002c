"""The SQLite store: the contract of every store, and what only its files can show."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from hgrkit.errors import (
    DamagedLibraryError,
    LibraryError,
    LibraryExistsError,
    LibraryMismatchError,
    LibraryNotFoundError,
)
from hgrkit.library import Entry, Manifest, SqliteStore, VideoRecord
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


def test_segments_that_no_row_names_are_deleted_by_the_next_writer(folder):
    orphans = [folder / "segments" / name for name in ("0" * 32 + ".safetensors", "1" * 32 + ".safetensors.tmp")]
    for orphan in orphans:
        orphan.write_bytes(b"left by a crash")
    SqliteStore(folder).close()
    assert all(orphan.exists() for orphan in orphans)
    SqliteStore(folder, mode="w").close()
    assert not any(orphan.exists() for orphan in orphans)
    assert len(list((folder / "segments").iterdir())) == 3


def test_a_replaced_video_leaves_no_row_behind(folder):
    store = SqliteStore(folder, mode="w")
    store.commit(put=[Entry(record("a"), [random_clip(9)])])
    store.close()
    rows = sqlite3.connect(folder / "library.sqlite").execute("SELECT COUNT(*) FROM clips").fetchall()
    assert rows == [(3,)]


def test_a_commit_that_fails_in_the_database_keeps_the_old_version(folder, monkeypatch):
    store = SqliteStore(folder, mode="w")
    before = store.version()
    monkeypatch.setattr(
        "hgrkit.library.change._Change.seal", lambda self, commit: self._connection.execute("SELECT nothing")
    )
    with pytest.raises(LibraryError):
        store.commit(put=[Entry(record("a"), [random_clip(9)])])
    monkeypatch.undo()
    assert store.version() == before
    assert len(list((folder / "segments").iterdir())) == 3
    store.commit(put=[Entry(record("d"), [random_clip(9)])])
    assert [video.path for video in store.snapshot().videos] == ["a", "b", "c", "d"]
    store.close()


def test_a_full_disk_while_a_segment_is_written_is_an_error_and_leaves_the_library_whole(folder, monkeypatch):
    store = SqliteStore(folder, mode="w")
    before = listing(folder / "segments")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LibraryError, match="No space left"):
        store.commit(put=[Entry(record("a"), [random_clip(9)])])
    monkeypatch.undo()
    assert listing(folder / "segments") == before
    assert len(store.snapshot().videos) == 3
    store.close()


def test_a_later_format_is_refused_by_name(folder):
    with sqlite3.connect(folder / "library.sqlite") as connection:
        connection.execute("PRAGMA user_version = 3")
    connection.close()
    with pytest.raises(LibraryMismatchError, match="format 3, this hgrkit reads formats up to 2"):
        SqliteStore(folder)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE videos SET path = x'62ff' WHERE path = x'62'",
        "UPDATE clips SET segment_id = (SELECT max(id) FROM segments)",
        "UPDATE clips SET start_s = 0.5 WHERE ordinal = 0",
        "UPDATE head SET clips = 2",
        "UPDATE segments SET digests = zeroblob(32)",
        "UPDATE videos SET content = CAST(x'ff' AS TEXT)",
        "DELETE FROM clips WHERE ordinal = 0",
        "DELETE FROM videos WHERE path = x'62'",
        "DELETE FROM segments",
        "DELETE FROM head",
        "DROP TABLE clips",
        "CREATE TRIGGER t AFTER INSERT ON videos BEGIN DELETE FROM videos; END",
    ],
)
def test_rows_that_were_tampered_with_are_damage(folder, statement):
    with sqlite3.connect(folder / "library.sqlite") as connection:
        connection.execute(statement)
    connection.close()
    with pytest.raises(DamagedLibraryError):
        SqliteStore(folder).snapshot()


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
