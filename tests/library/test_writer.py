"""The writer: what it recovers, what it refuses to touch, and what a disk that fails leaves behind."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from hgrkit.errors import DamagedLibraryError, LibraryError
from hgrkit.library import Entry, Rename, SqliteStore, VideoRecord, verify_library
from hgrkit.library.database import _State, transaction
from hgrkit.storage.open_folder import OpenFolder
from hgrkit.testing.store_contract import StoreContract, random_clip

DATABASE = "library.sqlite"


def record(path: str, content: str = "") -> VideoRecord:
    return VideoRecord(path=path, content=content, size=1, mtime_ns=1)


def entry(path: str, seed: int) -> Entry:
    return Entry(record(path), [random_clip(seed), random_clip(seed + 1)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A library of three videos, closed."""
    store = SqliteStore.create(tmp_path / "lib", StoreContract.manifest)
    for number, path in enumerate("abc"):
        store.commit(put=[entry(path, number)])
    store.close()
    return tmp_path / "lib"


def state(folder: Path) -> list[object]:
    """Everything that a reader sees."""
    store = SqliteStore(folder)
    snapshot = store.snapshot()
    store.close()
    return [
        snapshot.version,
        snapshot.manifest,
        snapshot.videos,
        snapshot.clip_keys.tolist(),
        snapshot.events().tolist(),
        [clip.entity.tolist() for clip in snapshot.clips(range(len(snapshot.clip_keys)))],
    ]


def arrays(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in (folder / "arrays").iterdir()}


COMMITS = {
    "put": [lambda store: store.commit(put=[entry("a", 10), entry("d", 20)])],
    "remove": [lambda store: store.commit(remove=["b"])],
    "rename": [lambda store: store.commit(rename=[Rename("a", record("b")), Rename("b", record("z"))])],
    "rewrite": [lambda store: store.rewrite()],
    "many": [
        lambda store: store.commit(put=[entry("d", 5)]),
        lambda store: store.rewrite(),
        lambda store: store.commit(remove=["a"]),
        lambda store: store.rewrite(),
        lambda store: store.commit(put=[entry("a", 6)]),
    ],
}


@pytest.mark.parametrize("commits", COMMITS.values(), ids=COMMITS)
def test_after_every_commit_rows_and_arrays_agree_and_nothing_is_left_over(folder, commits):
    store = SqliteStore(folder, mode="w")
    for number, commit in enumerate(commits, 4):
        assert commit(store).number == number
        assert state(folder)[0].number == number
        report = verify_library(folder)
        assert report.whole
        assert {note.file for note in report.notes} <= {"writer.lock", f"{DATABASE}-wal", f"{DATABASE}-shm"}
    store.close()
    assert len(arrays(folder)) == 2
    assert verify_library(folder).notes == ()


def test_an_older_database_is_the_library_as_it_was_then(folder, tmp_path):
    """Whoever puts one back gets that version, whole; nothing in the folder tells that there was a later one."""
    shutil.copy(folder / DATABASE, tmp_path / "before")
    before = state(folder)
    store = SqliteStore(folder, mode="w")
    store.commit(put=[entry("d", 9)], remove=["a"])
    store.close()
    shutil.copy(tmp_path / "before", folder / DATABASE)
    assert state(folder) == before
    assert verify_library(folder).whole
    store = SqliteStore(folder, mode="w")
    store.commit(put=[entry("e", 9)])
    store.close()
    assert [video.path for video in state(folder)[2]] == ["a", "b", "c", "e"]
    assert verify_library(folder).whole


def test_what_is_committed_lies_in_the_database_file_itself(folder, tmp_path):
    store = SqliteStore(folder, mode="w")
    store.commit(put=[entry("d", 9)])
    assert (folder / f"{DATABASE}-wal").stat().st_size == 0
    copy = tmp_path / "copy"
    shutil.copytree(folder / "arrays", copy / "arrays")
    shutil.copy(folder / DATABASE, copy)
    assert state(copy) == state(folder)
    store.close()


def test_readers_read_without_locks_only_while_no_writer_lives(folder):
    assert _State.of(OpenFolder(folder)).quiet
    store = SqliteStore(folder, mode="w")
    assert not _State.of(OpenFolder(folder)).quiet
    store.commit(put=[entry("d", 9)])
    assert not _State.of(OpenFolder(folder)).quiet
    store.close()
    assert _State.of(OpenFolder(folder)).quiet


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="only Linux tells which file is synced")
@pytest.mark.parametrize("act", ["commit", "rewrite"])
def test_both_arrays_are_durable_before_the_database_says_that_they_count(folder, act, monkeypatch):
    synced: list[str] = []
    sync = os.fsync

    def watched(descriptor: int) -> None:
        sync(descriptor)
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)

    def begun(connection: sqlite3.Connection) -> object:
        synced.append("transaction")
        return transaction(connection)

    store = SqliteStore(folder, mode="w")
    monkeypatch.setattr(os, "fsync", watched)
    monkeypatch.setattr("hgrkit.library.sqlite_store.transaction", begun)
    store.commit(put=[entry("d", 9)]) if act == "commit" else store.rewrite()
    generation = 1 if act == "commit" else 2
    before = synced[: synced.index("transaction")]
    assert {f"frames-{generation}.bin", f"clips-{generation}.bin"} <= set(before)
    if act == "rewrite":
        assert before[-1] == "arrays"  # the names of new files, too
    store.close()


def test_an_interruption_after_the_commit_does_not_take_it_back(folder, monkeypatch):
    def interrupted(*_: object) -> bool:
        raise KeyboardInterrupt

    store = SqliteStore(folder, mode="w")
    monkeypatch.setattr("hgrkit.library.sqlite_store.checkpoint", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.commit(put=[entry("d", 9)])
    monkeypatch.undo()
    store.close()
    assert len(state(folder)[2]) == 4


def test_while_the_traces_of_a_failed_commit_cannot_be_removed_there_is_no_other_commit(folder, monkeypatch):
    store = SqliteStore(folder, mode="w")
    with monkeypatch.context() as patch:
        patch.setattr("hgrkit.library.sqlite_store.checkpoint", lambda _: False)
        store.commit(put=[entry("d", 9)])  # stays in the log
        committed = arrays(folder)
        patch.setattr("hgrkit.library.change.Change.seal", lambda *_, **__: int("broken"))
        with pytest.raises(ValueError, match="broken"):
            store.commit(put=[entry("e", 9)])
        assert arrays(folder)["clips-1.bin"] > committed["clips-1.bin"]
    with monkeypatch.context() as patch:
        patch.setattr("hgrkit.library.sqlite_store.checkpoint", lambda _: False)
        with pytest.raises(LibraryError, match="an earlier commit failed and its traces cannot be removed"):
            store.commit(put=[entry("f", 9)])
    store.commit(put=[entry("f", 9)])
    assert arrays(folder)["clips-1.bin"] == committed["clips-1.bin"] * 10 // 8
    store.close()
    assert [video.path for video in state(folder)[2]] == ["a", "b", "c", "d", "f"]


FULL_DISK = """
import json, resource, sys
from pathlib import Path
from hgrkit.errors import DamagedLibraryError, LibraryError
from hgrkit.library import Entry, SqliteStore, VideoRecord
from hgrkit.testing.store_contract import random_clip

def entry(path, frames):
    record = VideoRecord(path=path, content="", size=1, mtime_ns=1, metadata={"long": "x" * 3000})
    return Entry(record, [random_clip(frames, frames=frames)])

def sizes():
    return {path.name: path.stat().st_size for path in (folder / "arrays").iterdir()}

folder, outcomes = Path(sys.argv[1]), []
for step in range(50):
    store = SqliteStore(folder, mode="w")
    before = store.version(), sizes()
    resource.setrlimit(resource.RLIMIT_FSIZE, (step * 1500, resource.RLIM_INFINITY))
    try:
        store.rewrite() if step % 3 == 0 else store.commit(put=[entry(f"{step % 7}", 5 + 4 * (step % 9))])
        outcomes.append("done")
    except DamagedLibraryError:
        raise
    except LibraryError:
        outcomes.append("refused")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    if outcomes[-1] == "refused":
        assert store.version() == before[0], step
        store.commit(remove=["not there"])
        assert sizes() == before[1], step
        store.commit(put=[entry("next", 3)])
    store.close()
    snapshot = SqliteStore(folder).snapshot()
    snapshot.clips(range(len(snapshot.clip_keys)))
print(json.dumps(outcomes))
"""


def test_a_file_that_cannot_grow_ends_in_an_error_and_the_writer_goes_on(folder):
    pytest.importorskip("resource")
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, folder], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.stderr == ""
    outcomes = json.loads(done.stdout)
    assert outcomes.count("refused") > 10
    assert outcomes.count("done") > 10


@pytest.mark.parametrize("call", ["open", "write", "fsync"])
def test_whatever_the_disk_refuses_the_library_stays_whole(folder, call, monkeypatch):
    def refused(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    expected = state(folder)
    store = SqliteStore(folder, mode="w")
    before = arrays(folder)
    for commit in (lambda: store.commit(put=[entry("a", 9)]), store.rewrite):
        with monkeypatch.context() as patch:
            patch.setattr(os, call, refused)
            with pytest.raises(LibraryError, match="Input/output error"):
                commit()
        assert state(folder) == expected
    store.commit(put=[entry("d", 9)])
    assert arrays(folder).keys() == before.keys()
    store.close()
    assert len(state(folder)[2]) == 4


def test_old_arrays_that_cannot_be_deleted_go_with_the_next_writer(folder, monkeypatch):
    def refused(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    store = SqliteStore(folder, mode="w")
    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", refused)
        store.rewrite()
    store.close()
    assert len(arrays(folder)) == 4
    SqliteStore(folder, mode="w").close()
    assert len(arrays(folder)) == 2
    assert len(state(folder)[2]) == 3


def test_a_writer_reads_no_clip_but_those_of_the_last_block(folder):
    """Adding a video costs what the video costs, however large the library is."""
    store = SqliteStore(folder, mode="w")
    store.commit(put=[Entry(record("d"), [random_clip(seed) for seed in range(200)])])
    path = folder / "arrays" / "clips-1.bin"
    content = bytearray(path.read_bytes())
    content[70] ^= 1
    path.write_bytes(content)
    store.commit(put=[entry("e", 3)])
    content[-1 - 200] ^= 1
    path.write_bytes(content + path.read_bytes()[len(content) :])
    with pytest.raises(DamagedLibraryError, match="last clips are not what was written"):
        store.commit(put=[entry("f", 3)])
    store.close()
