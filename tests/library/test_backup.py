"""Backing up: a copy of one version, whole or not at all, whoever writes meanwhile."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from hgrkit.errors import (
    DamagedLibraryError,
    LibraryError,
    LibraryExistsError,
    LibraryNotFoundError,
    MissingPathError,
)
from hgrkit.library import Library, QueryEmbeddings, VideoRecord, backup_library, verify_library
from hgrkit.testing.store_contract import StoreContract, random_clip

each_kind = pytest.mark.parametrize("kind", ["plain", "compacted", "followed"])


def record(path: str) -> VideoRecord:
    return VideoRecord(path=path, content="", size=1, mtime_ns=1)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def found(folder: Path) -> list[object]:
    random = np.random.default_rng(3)
    query = QueryEmbeddings(
        event=random.normal(size=8), action=random.normal(size=(2, 8)), entity=random.normal(size=(1, 8))
    )
    with Library.open(folder) as library:
        keys = library.snapshot().clip_keys.tolist()
        return [keys, [(match.video, match.score, match.moment) for match in library.search(query, 10)]]


@each_kind
def test_a_backup_is_the_library_to_the_last_bit_and_the_library_is_not_touched(
    library_of, answers, tmp_path, kind
):
    folder, out = library_of(kind), tmp_path / "backup"
    before = contents(folder)
    report = backup_library(folder, out)
    assert contents(folder) == before
    answers(out).assert_same(answers(folder))
    assert found(out) == found(folder)
    verified = verify_library(out)
    assert verified.whole
    assert verified.notes == ()
    with Library.open(folder) as library, Library.open(out) as copy:
        assert copy.version == library.version
        assert copy.manifest == library.manifest
        assert (report.version, report.videos, report.clips) == (
            library.version.number,
            10,
            library.counts().clips,
        )
    assert report.num_bytes == sum(map(len, contents(out).values()))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup", "lib"]


@pytest.mark.parametrize("version", [1, 2])
def test_a_backup_of_an_earlier_format_is_of_the_newest(answers, tmp_path, version):
    folder = shutil.copytree(Path(__file__).parent / f"format_{version}" / "library", tmp_path / "lib")
    before = contents(folder)
    backup_library(folder, tmp_path / "backup")
    assert contents(folder) == before
    answers(tmp_path / "backup").assert_same(answers(folder))
    assert verify_library(tmp_path / "backup").format_version == 3


def test_the_backup_goes_on_as_a_library_of_its_own(library_of, tmp_path):
    folder, out = library_of("followed"), tmp_path / "backup"
    backup_library(folder, out)
    with Library.open(folder) as library, Library.open(out, "w") as copy:
        old = set(library.snapshot().clip_keys.tolist())
        copy.add(record("new.mp4"), [random_clip(1)])
        assert copy.version.number == library.version.number + 1
        assert len(set(copy.snapshot().clip_keys.tolist()) - old) == 1
        copy.compact()
    assert verify_library(out).whole


def test_an_empty_library_can_be_backed_up(tmp_path):
    Library.create(tmp_path / "lib", StoreContract.manifest).close()
    assert backup_library(tmp_path / "lib", tmp_path / "backup").videos == 0
    assert verify_library(tmp_path / "backup").whole
    with Library.open(tmp_path / "backup", "w") as library:
        library.add(record("a"), [random_clip(0)])


def test_backups_beside_a_writer_hold_one_version_each(tmp_path):
    """The writer puts two videos of equal content at a time, and compacts: a mixed copy would show."""
    folder, stop, wrong = tmp_path / "lib", threading.Event(), []
    with Library.create(folder, StoreContract.manifest) as writer:
        writer.update(put=[entry(path, 0) for path in "ab"])

        def write() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                writer.update(put=[entry(path, number) for path in "ab"])
                if number % 3 == 0:
                    writer.compact()

        thread = threading.Thread(target=write)
        thread.start()
        try:
            versions = set()
            for number in range(8):
                out = tmp_path / f"backup-{number}"
                versions.add(backup_library(folder, out).version)
                if not verify_library(out).whole:
                    wrong.append(verify_library(out).damages)
                with Library.open(out) as copy:
                    a, b = copy.videos()
                    snapshot = copy.snapshot()
                    events = {clip.event.tobytes() for clip in snapshot.clips(range(len(snapshot.clip_keys)))}
                if a.content != b.content or len(events) != 1:
                    wrong.append((a, b))
                time.sleep(0.01)
        finally:
            stop.set()
            thread.join()
    assert not wrong
    assert len(versions) > 1


def entry(path: str, number: int):
    from hgrkit.library import Entry

    return Entry(
        VideoRecord(path=path, content=str(number), size=1, mtime_ns=1), [random_clip(number)] * (number % 3 + 1)
    )


def test_progress_is_told_to_the_end(tmp_path):
    with Library.create(tmp_path / "lib", StoreContract.manifest) as library:
        library.add_all([entry(f"{number:03}", number) for number in range(70)])
    told: list[tuple[int, int]] = []
    backup_library(tmp_path / "lib", tmp_path / "out", on_progress=lambda done, total: told.append((done, total)))
    assert told == [(64, 70), (70, 70)]


# what can go wrong ---------------------------------------------------------------------------------------------


def test_what_is_there_is_never_written_over(library_of, tmp_path):
    folder = library_of("plain")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("precious")
    (tmp_path / "link").symlink_to("nowhere")
    before = contents(tmp_path)
    for name in ("empty", "file", "link", "lib"):
        with pytest.raises(LibraryExistsError, match=f"{name} exists already"):
            backup_library(folder, tmp_path / name)
    with pytest.raises(LibraryExistsError, match="lies inside the library"):
        backup_library(folder, folder / "backup")
    with pytest.raises(MissingPathError, match="there is no folder"):
        backup_library(folder, tmp_path / "none" / "backup")
    with pytest.raises(LibraryNotFoundError):
        backup_library(tmp_path / "empty", tmp_path / "backup")
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", ["clips", "frames", "library"])
def test_a_damaged_library_gives_no_backup(library_of, tmp_path, name):
    folder = library_of("compacted")
    (path,) = (path for path in folder.rglob(f"{name}*") if path.suffix in {".bin", ".sqlite"})
    content = bytearray(path.read_bytes())
    content[-1 if name != "library" else 20] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DamagedLibraryError):
        backup_library(folder, tmp_path / "backup")
    assert [path.name for path in tmp_path.iterdir()] == ["lib"]


@pytest.mark.parametrize(
    "call",
    [
        "library.array_files.os.fsync",
        "library.array_files.os.write",
        "library.database.sync_file",
        "storage.atomic_file.sync_folder",
    ],
)
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_backup_that_fails_leaves_nothing_under_its_name(library_of, tmp_path, monkeypatch, call, error):
    folder = library_of("plain")

    def fail(*_: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(f"hgrkit.{call}", fail)
        with pytest.raises((LibraryError, OSError, KeyboardInterrupt)) as raised:
            backup_library(folder, tmp_path / "backup")
    if isinstance(error, OSError):
        assert "free some space" in str(raised.value)
    if call != "storage.atomic_file.sync_folder":
        assert [path.name for path in tmp_path.iterdir()] == ["lib"]
    assert verify_library(folder).whole


def test_a_backup_that_is_killed_has_no_name(library_of, tmp_path):
    folder = library_of("plain")
    program = (
        "import os, signal, sys\n"
        "from hgrkit.library import backup_library\n"
        "place, name = sys.argv[3].rsplit('.', 1)\n"
        "module = __import__('hgrkit.library.' + place, fromlist=[name])\n"
        "setattr(module, name, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))\n"
        "backup_library(sys.argv[1], sys.argv[2])\n"
    )
    for place in ("array_files.closing", "backup.create_database", "database.sync_file"):
        command = [sys.executable, "-c", program, folder, tmp_path / "backup", place]
        assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
        assert not (tmp_path / "backup").exists()
    assert all(path.name.endswith(".tmp") for path in tmp_path.iterdir() if path.name.startswith("backup"))
    backup_library(folder, tmp_path / "backup")
    assert verify_library(tmp_path / "backup").whole


def test_a_library_that_may_only_be_read_can_be_backed_up(library_of, tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    folder = library_of("plain")
    for path in [*folder.rglob("*"), folder]:
        path.chmod(0o555)
    try:
        backup_library(folder, tmp_path / "backup")
    finally:
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o755)
    assert verify_library(tmp_path / "backup").whole
