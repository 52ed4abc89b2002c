"""Kills, damage, locks and concurrent use of a library."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import attrs
import numpy as np
import pytest

from hgrkit.errors import DamagedLibraryError, LibraryLockedError
from hgrkit.library import ClipEmbeddings, Library, QueryEmbeddings, SqliteStore, VideoRecord
from hgrkit.library.array_files import ArrayFile, append_records
from hgrkit.library.verify import verify_library
from hgrkit.testing.store_contract import StoreContract, random_clip

MANIFEST = StoreContract.manifest

WRITER = """
import sys
from hgrkit.library import Library
from hgrkit.testing.store_contract import random_clip
from hgrkit.library import VideoRecord
with Library.open(sys.argv[1], "w", candidates="hnsw") as library:
    for number in range(int(sys.argv[2]), 10**6):
        record = VideoRecord(path=f"{number % 40:03}.mp4", content=str(number), size=number, mtime_ns=0)
        library.add(record, [random_clip(number * 10 + part) for part in range(number % 4 + 1)])
        print(number, flush=True)
        if number % 10 == 0:
            library.refresh_ann_index()
        if number % 25 == 0:
            library.compact()
"""


def record(path: str, content: str = "") -> VideoRecord:
    return VideoRecord(path=path, content=content, size=1, mtime_ns=1)


def query(seed: int = 0) -> QueryEmbeddings:
    random = np.random.default_rng(seed)
    return QueryEmbeddings(
        event=random.normal(size=8), action=random.normal(size=(1, 8)), entity=random.normal(size=(2, 8))
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A library of three videos, closed."""
    with Library.create(tmp_path / "lib", MANIFEST) as library:
        for number, path in enumerate("abc"):
            library.add(record(path), [random_clip(number)])
    return tmp_path / "lib"


def test_a_killed_writer_loses_nothing_that_it_acknowledged_and_leaves_no_half_video(tmp_path):
    folder = tmp_path / "lib"
    Library.create(folder, MANIFEST).close()
    start = 0
    for kill in range(5):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, folder, str(start)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        acknowledged = process.stdout.readline()
        time.sleep(0.02 + 0.037 * kill)
        process.send_signal(signal.SIGKILL)
        acknowledged = [acknowledged, *process.stdout.read().split("\n")][-2]
        process.wait()
        process.stdout.close()
        start = int(acknowledged) + 1

        with Library.open(folder) as library:
            videos = {video.path: int(video.content) for video in library.videos()}
            for number in range(max(0, start - 40), start):
                assert videos[f"{number % 40:03}.mp4"] in (number, start)
            assert library.search(query(), 3)
            snapshot = library.snapshot()
            for row, place in enumerate(snapshot.clip_videos.tolist()):
                number = int(snapshot.videos[place].content)
                part = row - int(np.flatnonzero(snapshot.clip_videos == place)[0])
                expected = random_clip(number * 10 + part).event.astype(np.float16)
                assert (snapshot.clips([row])[0].event == expected).all()
            assert all(video.clips == int(video.content) % 4 + 1 for video in library.videos())
    assert start > 5


@pytest.mark.parametrize("name", ["clips", "frames"])
@pytest.mark.parametrize("place", [0, 20, 60, 70, -1])
def test_a_flipped_byte_in_an_array_is_an_error_and_no_answer(folder, name, place):
    path = folder / "arrays" / f"{name}-1.bin"
    content = bytearray(path.read_bytes())
    content[place] ^= 0x10
    path.write_bytes(content)
    with Library.open(folder) as library:
        assert library.counts().clips == 3
        with pytest.raises(DamagedLibraryError, match="clip"):
            library.search(query(), 3)
        with pytest.raises(DamagedLibraryError, match="clip"):
            library.scores([query()])


def test_truncated_swapped_and_missing_arrays_are_noticed(folder):
    clips, frames = folder / "arrays" / "clips-1.bin", folder / "arrays" / "frames-1.bin"
    whole = clips.read_bytes(), frames.read_bytes()
    for damage in (
        lambda: clips.write_bytes(whole[0][:-1]),
        lambda: clips.write_bytes(b""),
        lambda: (clips.write_bytes(whole[1]), frames.write_bytes(whole[0])),
        clips.unlink,
        frames.unlink,
    ):
        damage()
        with Library.open(folder) as library, pytest.raises(DamagedLibraryError, match=r"clips|frames"):
            library.search(query(), 3)
    clips.write_bytes(whole[0])
    frames.write_bytes(whole[1])
    with Library.open(folder) as library:
        assert len(library.search(query(), 3)) == 3


def test_a_second_writer_is_told_who_holds_the_library(folder):
    with Library.open(folder, "w"):
        with pytest.raises(LibraryLockedError, match=rf"process {os.getpid()} on \S+; wait"):
            Library.open(folder, "w")
        program = "import sys; from hgrkit.library import Library; Library.open(sys.argv[1], 'w')"
        done = subprocess.run([sys.executable, "-c", program, folder], capture_output=True, text=True, check=False)
        assert f"process {os.getpid()} on" in done.stderr
        assert len(Library.open(folder).videos()) == 3
    Library.open(folder, "w").close()


def test_a_lock_names_its_holder_whoever_held_it_before_and_nobody_once_it_is_let_go(folder):
    lock = folder / "writer.lock"
    lock.write_text(json.dumps({"pid": 1, "host": "a-killed-writer-on-a-host-of-a-long-name" * 5}))
    with Library.open(folder, "w"):
        assert json.loads(lock.read_text())["pid"] == os.getpid()
        with pytest.raises(LibraryLockedError, match=rf"process {os.getpid()} on"):
            Library.open(folder, "w")
    assert lock.read_text() == ""
    assert verify_library(folder).notes == ()


def test_the_lock_of_a_dead_process_never_blocks_even_if_its_child_lives(folder):
    program = (
        "import os, sys, time\n"
        "from hgrkit.library import Library\n"
        "library = Library.open(sys.argv[1], 'w')\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    print(os.getpid(), flush=True)\n"
        "    time.sleep(60)\n"
        "os.waitid(os.P_PID, child, os.WEXITED | os.WSTOPPED)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program, folder], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    process.kill()
    process.wait()
    try:
        assert json.loads((folder / "writer.lock").read_text())["pid"] == process.pid
        Library.open(folder, "w").close()
    finally:
        os.kill(child, signal.SIGKILL)
        process.stdout.close()


def test_readers_in_threads_get_whole_answers_while_a_writer_adds_replaces_and_removes(folder):
    wrong: list[str] = []
    done = threading.Event()
    reader = Library.open(folder)

    def search() -> None:
        while not done.is_set():
            try:
                matches = reader.search(query(), 50)
                values = {match.video: set(match.times_s.tolist()) for match in matches}
                matrix = reader.scores([query()] * 2)
            except Exception as error:  # noqa: BLE001
                wrong.append(repr(error))
                return
            if not set("abc") <= values.keys() or any(match.score > 1.001 for match in matches):
                wrong.append(f"{sorted(values)}")
            if not np.isfinite(matrix).all():
                wrong.append("a score is not finite")

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    with Library.open(folder, "w") as writer:
        for number in range(25):
            writer.add(record("abc"[number % 3], str(number)), [random_clip(number + part) for part in range(3)])
            writer.add(record(f"d{number % 5}"), [random_clip(number)])
            if number % 4 == 0:
                assert writer.remove(f"d{number % 5}")
            writer.compact()
    done.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert {video.path for video in reader.videos()} == {video.path for video in Library.open(folder).videos()}
    reader.close()


def test_a_question_that_meets_a_compaction_is_put_again_to_the_newest_version(folder, monkeypatch):
    """The arrays are deleted between the reading of the rows and the mapping of the files."""

    def meanwhile(file):
        if not compacted:
            compacted.append(file.path.name)
            with Library.open(folder, "w") as writer:
                writer.remove("a")
                writer.compact()
        return map_file(file)

    compacted: list[str] = []
    map_file = ArrayFile.map
    with Library.open(folder) as reader:
        monkeypatch.setattr(ArrayFile, "map", meanwhile)
        assert [match.video for match in reader.search(query(), 3)] != []
        assert {video.path for video in reader.videos()} == {"b", "c"}
    assert compacted == ["clips-1.bin"]


def test_a_snapshot_and_its_vectors_outlive_a_compaction(folder):
    with Library.open(folder) as reader, Library.open(folder, "w") as writer:
        snapshot = reader.snapshot()
        writer.remove("a")
        writer.compact()
        assert len(snapshot.clips([0, 1, 2])) == 3
        assert len(reader.snapshot().clip_keys) == 2


def test_damage_is_no_reason_to_ask_for_ever(folder):
    asked: list[int] = []

    def ask(view):
        asked.append(view.version.number)
        view.arrays.check_clips()

    (folder / "arrays" / "clips-1.bin").write_bytes(bytes(3 * (64 + 16)))
    with pytest.raises(DamagedLibraryError, match="not what was written"):
        SqliteStore(folder).read(ask)
    assert asked == [3, 3]


def test_a_video_that_is_indexed_again_stays_listed_with_its_old_answer_until_the_new_one_is_in(
    folder, monkeypatch
):
    with Library.open(folder) as reader, Library.open(folder, "w") as writer:
        before = [(match.video, match.score) for match in reader.search(query(), 3)]
        seen: list[object] = []

        def looking(*arguments: object, **others: object) -> object:
            seen.append([(match.video, match.score) for match in reader.search(query(), 3)])
            return append_records(*arguments, **others)

        monkeypatch.setattr("hgrkit.library.sqlite_store.append_records", looking)
        writer.add(record("b", "new"), [random_clip(77)])
        assert seen == [before]
        after = reader.search(query(), 3)
        assert sorted(match.video for match in after) == ["a", "b", "c"]
        assert [(match.video, match.score) for match in after] != before
        assert reader.video("b") == attrs.evolve(record("b", "new"), clips=1)


def test_a_row_that_is_stale_or_surplus_is_damage(folder):
    database = sqlite3.connect(folder / "library.sqlite")
    (old,) = database.execute("SELECT * FROM videos WHERE path = x'61'").fetchall()
    with Library.open(folder, "w") as library:
        library.rename("a", record("a", "touched"))
        library.remove("b")
    places = ", ".join("?" * len(old))
    with database:
        database.execute(f"INSERT OR REPLACE INTO videos VALUES ({places})", old)
    database.close()
    with pytest.raises(DamagedLibraryError, match="lost, stale or surplus"):
        Library.open(folder).videos()


def test_a_library_can_be_moved_and_copied(folder, tmp_path):
    before = [match.score for match in Library.open(folder).search(query(), 3)]
    folder.rename(tmp_path / "moved")
    assert [match.score for match in Library.open(tmp_path / "moved").search(query(), 3)] == before


def test_nothing_of_a_library_is_a_pickle(folder):
    with Library.open(folder, "w", candidates="hnsw") as library:
        library.add(record("d"), [ClipEmbeddings(**{name: getattr(random_clip(1), name) for name in _FIELDS})])
    names = {path.suffix for path in folder.rglob("*") if path.is_file()}
    assert names == {".sqlite", ".bin", ".lock", ".hnsw", ".json"}


_FIELDS = ("start_s", "end_s", "times_s", "event", "action", "entity")
