"""The writer: what it recovers, what it refuses to touch, and what a disk that fails leaves behind."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hgrkit.library.commit_record import read_commit_record

from hgrkit.errors import DamagedLibraryError, LibraryError
from hgrkit.library import Entry, Rename, SqliteStore, VideoRecord
from hgrkit.library.database import _State
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


def segments(folder: Path) -> set[str]:
    return {path.name for path in (folder / "segments").iterdir()}


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
def test_commits_that_the_database_lost_are_rolled_forward(folder, tmp_path, commits, monkeypatch):
    monkeypatch.setattr("hgrkit.library.rewrite.SEGMENT_BYTES", 1500)  # several parts
    shutil.copy(folder / DATABASE, tmp_path / "before")
    store = SqliteStore(folder, mode="w")
    for commit in commits:
        commit(store)
    store.close()
    expected, rows = state(folder), rows_of(folder)
    shutil.copy(tmp_path / "before", folder / DATABASE)
    SqliteStore(folder, mode="w").close()
    assert state(folder) == expected
    assert rows_of(folder) == rows


def rows_of(folder: Path) -> list[list[tuple[object, ...]]]:
    connection = sqlite3.connect(folder / DATABASE)
    tables = ("manifest", "head", "videos", "segments", "clips")
    found = [connection.execute(f"SELECT * FROM {table} ORDER BY id").fetchall() for table in tables]
    connection.close()
    return found


def test_a_segment_of_a_commit_that_lacks_another_is_deleted(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("hgrkit.library.rewrite.SEGMENT_BYTES", 1500)
    copy = shutil.copytree(folder, tmp_path / "copy")
    before = state(copy), segments(copy)
    store = SqliteStore(folder, mode="w")
    store.rewrite()
    store.close()
    parts = sorted((folder / "segments").iterdir())
    assert len(parts) == 3
    for path in parts[:-1]:
        shutil.copy(path, copy / "segments")
    SqliteStore(copy, mode="w").close()
    assert (state(copy), segments(copy)) == before


def test_a_writer_deletes_nothing_if_the_database_is_older_than_its_segments(folder, tmp_path):
    shutil.copy(folder / DATABASE, tmp_path / "before")
    store = SqliteStore(folder, mode="w")
    for path in "def":
        store.commit(put=[entry(path, 1)])
    store.close()
    (lost,) = (path for path in (folder / "segments").iterdir() if read_commit_record(path).number == 5)
    lost.unlink()
    shutil.copy(tmp_path / "before", folder / DATABASE)
    before = segments(folder)
    with pytest.raises(DamagedLibraryError, match=r"version 6, which does not follow version 4 .*hgrkit repair"):
        SqliteStore(folder, mode="w")
    assert segments(folder) == before
    assert len(state(folder)[2]) == 4


def test_what_is_committed_lies_in_the_database_file_itself(folder, tmp_path):
    store = SqliteStore(folder, mode="w")
    store.commit(put=[entry("d", 9)])
    assert (folder / f"{DATABASE}-wal").stat().st_size == 0
    copy = tmp_path / "copy"
    shutil.copytree(folder / "segments", copy / "segments")
    shutil.copy(folder / DATABASE, copy)
    assert state(copy) == state(folder)
    store.close()


def test_readers_read_without_locks_only_while_no_writer_lives(folder):
    assert _State.of(folder / DATABASE).quiet
    store = SqliteStore(folder, mode="w")
    assert not _State.of(folder / DATABASE).quiet
    store.commit(put=[entry("d", 9)])
    assert not _State.of(folder / DATABASE).quiet
    store.close()
    assert _State.of(folder / DATABASE).quiet


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
        patch.setattr("hgrkit.library.change._Change.seal", lambda *_: int("broken"))
        with pytest.raises(ValueError, match="broken"):
            store.commit(put=[entry("e", 9)])
        assert len(segments(folder)) == 5
    with monkeypatch.context() as patch:
        patch.setattr("hgrkit.library.sqlite_store.checkpoint", lambda _: False)
        with pytest.raises(LibraryError, match="an earlier commit failed and its traces cannot be removed"):
            store.commit(put=[entry("f", 9)])
    store.commit(put=[entry("f", 9)])
    assert len(segments(folder)) == 5
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

folder, outcomes = Path(sys.argv[1]), []
for step in range(50):
    store = SqliteStore(folder, mode="w")
    before = store.version(), len(list((folder / "segments").iterdir()))
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
        store.commit(put=[entry("next", 3)])
        assert len(list((folder / "segments").iterdir())) == before[1] + 1, step
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


@pytest.mark.parametrize("write", ["open", "replace"])
def test_whatever_the_disk_refuses_the_library_stays_whole(folder, write, monkeypatch):
    def refused(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    expected = state(folder)
    store = SqliteStore(folder, mode="w")
    with monkeypatch.context() as patch:
        patch.setattr(Path, write, refused)
        for commit in (lambda: store.commit(put=[entry("a", 9)]), store.rewrite):
            with pytest.raises(LibraryError, match="Input/output error"):
                commit()
    assert state(folder) == expected
    store.commit(put=[entry("d", 9)])
    store.close()
    assert len(state(folder)[2]) == 4


def test_old_segments_that_cannot_be_deleted_go_with_the_next_writer(folder, monkeypatch):
    def refused(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    store = SqliteStore(folder, mode="w")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refused)
        store.rewrite()
    store.close()
    assert len(segments(folder)) == 4
    SqliteStore(folder, mode="w").close()
    assert len(segments(folder)) == 1
    assert len(state(folder)[2]) == 3
