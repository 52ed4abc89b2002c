"""Libraries kept since they were written: read as they are, earlier formats migrated, with the same answers."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from hgrkit.errors import DamagedLibraryError, LibraryError
from hgrkit.library import (
    Library,
    QueryEmbeddings,
    VideoRecord,
    backup_library,
    repair_library,
    verify_library,
)
from hgrkit.testing.store_contract import random_clip

KEPT = {number: Path(__file__).parent / f"format_{number}" for number in (1, 2, 3)}
EXPECTED = {number: json.loads((folder / "expected.json").read_text()) for number, folder in KEPT.items()}


@pytest.fixture(params=[1, 2])
def number(request) -> int:
    return request.param


@pytest.fixture
def kept_folder(tmp_path: Path) -> Path:
    """A library of format 3, of the first release that wrote it, with removed, moved and failed videos."""
    return shutil.copytree(KEPT[3] / "library", tmp_path / "lib")


@pytest.fixture
def folder(number: int, tmp_path: Path) -> Path:
    return shutil.copytree(KEPT[number] / "library", tmp_path / "lib")


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def require_the_kept_answers(library: Library, number: int) -> None:
    """The same videos, the same vectors to the last bit, the same answers."""
    expected = EXPECTED[number]
    snapshot = library.snapshot()
    assert list(snapshot.videos) == [VideoRecord(**video) for video in expected["videos"]]
    assert snapshot.clip_keys.tolist() == expected["clip_keys"]
    clips = snapshot.clips(range(len(snapshot.clip_keys)))
    vectors = [[half(part) for part in (clip.event, clip.action, clip.entity)] for clip in clips]
    assert hashlib.sha256(json.dumps(vectors).encode()).hexdigest() == expected["vectors_sha256"]
    queries = [
        QueryEmbeddings(event=one["event"], **{level: rows(one[level]) for level in ("action", "entity")})
        for one in expected["queries"]
    ]
    for query, one in zip(queries, expected["queries"], strict=True):
        found = library.search(query, 10)
        assert [match.video for match in found] == [answer[0] for answer in one["answers"]]
        for match, (_, *numbers) in zip(found, one["answers"], strict=True):
            moment = (match.moment.start_s, match.moment.end_s)
            assert [match.start_s, match.end_s, match.score, *moment] == pytest.approx(numbers, abs=2e-6)
    np.testing.assert_allclose(library.scores(queries), expected["scores"], atol=2e-6)


def half(values: np.ndarray) -> str:
    return values.astype(np.float16).tobytes().hex()


def rows(values: list[list[float]]) -> np.ndarray:
    return np.array(values, np.float32).reshape(-1, 8)


def test_a_reader_reads_it_as_it_is(folder, number):
    before = files(folder)
    with Library.open(folder) as library:
        assert (library.manifest.format_version, library.version.number) == (number, EXPECTED[number]["version"])
        require_the_kept_answers(library, number)
        path = EXPECTED[number]["videos"][0]["path"]
        assert library.video(path) == VideoRecord(**EXPECTED[number]["videos"][0])
        assert library.video("never there") is None
    assert files(folder) == before


def test_a_writer_migrates_it_with_the_same_answers(folder, number):
    reader = Library.open(folder)
    require_the_kept_answers(reader, number)
    with Library.open(folder, "w") as library:
        version = EXPECTED[number]["version"] + 1
        assert (library.manifest.format_version, library.version.number) == (3, version)
        require_the_kept_answers(library, number)
        require_the_kept_answers(reader, number)
        assert verify_library(folder).whole
        library.add(VideoRecord(path="~new.mp4", content="", size=1, mtime_ns=1), [random_clip(1)])
        assert library.snapshot().clip_keys[-1] > max(EXPECTED[number]["clip_keys"])
    reader.close()
    assert {path.name for path in folder.iterdir()} == {"library.sqlite", "arrays", "writer.lock"}
    with Library.open(folder, "w") as library:
        assert library.version.number == version + 1


def test_a_library_of_this_format_that_was_kept_is_read_as_it_is(kept_folder):
    before = files(kept_folder)
    with Library.open(kept_folder) as library:
        assert library.version.number == EXPECTED[3]["version"]
        require_the_kept_answers(library, 3)
    report = verify_library(kept_folder)
    assert report.whole
    assert report.notes == ()
    assert files(kept_folder) == before


def test_a_library_of_this_format_that_was_kept_goes_on(kept_folder, tmp_path):
    with Library.open(kept_folder, "w") as library:
        require_the_kept_answers(library, 3)
        backup_library(kept_folder, tmp_path / "backup")
        library.add(VideoRecord(path="~new.mp4", content="", size=1, mtime_ns=1), [random_clip(1)])
        assert library.snapshot().clip_keys[-1] > max(EXPECTED[3]["clip_keys"])
        assert library.remove("~new.mp4")
        require_the_kept_answers(library, 3)
        library.compact()
        require_the_kept_answers(library, 3)
    for folder in (kept_folder, tmp_path / "backup"):
        assert verify_library(folder).whole
        with Library.open(folder) as library:
            require_the_kept_answers(library, 3)


KILLED = """
import os, signal, sys
from pathlib import Path
from hgrkit.library import Library
left = int(sys.argv[2])
OURS = (sys.argv[1], "writer.lock", "arrays", "clips-1", "frames-1", "segments", "safetensors", "newest")
def watch(event, arguments):
    global left
    counted = event in {"open", "os.mkdir", "os.truncate", "os.remove", "os.rmdir", "sqlite3.connect"}
    if counted and any(name in str(arguments) for name in OURS):  # names are relative to handles, too
        left -= 1
        if left == 0: os.kill(os.getpid(), signal.SIGKILL)
sync = os.fsync
def watched(descriptor):
    watch("open", sys.argv[1])
    sync(descriptor)
os.fsync = watched
sys.addaudithook(watch)
Library.open(sys.argv[1], "w").close()
"""


def test_a_migration_that_was_killed_is_brought_to_its_end(folder, number):
    killed = 0
    for step in range(1, 60, 3):
        copy = shutil.copytree(folder, folder.with_name("copy"))
        done = subprocess.run([sys.executable, "-c", KILLED, copy, str(step)], check=False)
        killed += done.returncode == -9
        with Library.open(copy) as library:
            require_the_kept_answers(library, number)
        with Library.open(copy, "w") as library:
            assert library.version.number == EXPECTED[number]["version"] + 1
            require_the_kept_answers(library, number)
        assert {path.name for path in copy.iterdir()} == {"library.sqlite", "arrays", "writer.lock"}
        shutil.rmtree(copy)
        if done.returncode == 0:
            break
    assert killed > 5


def test_a_full_disk_leaves_it_as_it_was(folder, number, monkeypatch):
    before = files(folder)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hgrkit.library.array_files.os.fsync", full)
    with pytest.raises(LibraryError, match="No space left"):
        Library.open(folder, "w")
    monkeypatch.undo()
    left = files(folder)
    assert left.pop("writer.lock") == b""
    assert left == before
    with Library.open(folder, "w") as library:
        require_the_kept_answers(library, number)


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM clips WHERE id = (SELECT min(id) FROM clips)", "DELETE FROM head", "UPDATE head SET clips = 3"],
)
def test_its_damaged_rows_are_damage(folder, statement):
    with closing(sqlite3.connect(folder / "library.sqlite", isolation_level=None)) as connection:
        connection.execute(statement)
    before = files(folder)
    with pytest.raises(DamagedLibraryError):
        Library.open(folder).videos()
    with pytest.raises(DamagedLibraryError):
        Library.open(folder, "w")
    assert not verify_library(folder).whole
    assert before.items() <= files(folder).items()


def test_a_damaged_segment_is_named_and_nothing_is_migrated_or_repaired(folder):
    segment = min((folder / "segments").iterdir())
    content = bytearray(segment.read_bytes())
    content[-1] ^= 1
    segment.write_bytes(content)
    before = files(folder)
    with pytest.raises(DamagedLibraryError, match=segment.name):
        Library.open(folder).videos()
    with pytest.raises(DamagedLibraryError, match=segment.name):
        Library.open(folder, "w")
    (found,) = verify_library(folder).damages
    assert found.file == "segments"
    assert segment.name in found.problem
    assert not repair_library(folder).whole
    assert before.items() <= files(folder).items()
