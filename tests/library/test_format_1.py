"""A library of the first format, kept since it was written: read as it is, and migrated with the same answers."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import attrs
import numpy as np
import pytest

from hgrkit.errors import DamagedLibraryError, LibraryError
from hgrkit.library import Library, QueryEmbeddings, VideoRecord
from hgrkit.library.commit_record import read_commit_record
from hgrkit.testing.store_contract import random_clip

KEPT = Path(__file__).parent / "format_1"
EXPECTED = json.loads((KEPT / "expected.json").read_text())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shutil.copytree(KEPT / "library", tmp_path / "lib")


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def require_the_kept_answers(library: Library) -> None:
    assert [attrs.asdict(video) for video in library.videos()] == EXPECTED["videos"]
    assert library.snapshot().clip_keys.tolist() == EXPECTED["clip_keys"]
    queries = [
        QueryEmbeddings(event=one["event"], **{level: rows(one[level]) for level in ("action", "entity")})
        for one in EXPECTED["queries"]
    ]
    for query, expected in zip(queries, EXPECTED["queries"], strict=True):
        found = library.search(query, 10)
        assert [match.video for match in found] == [answer[0] for answer in expected["answers"]]
        for match, (_, *numbers) in zip(found, expected["answers"], strict=True):
            moment = (match.moment.start_s, match.moment.end_s)
            assert [match.start_s, match.end_s, match.score, *moment] == pytest.approx(numbers, abs=2e-6)
    np.testing.assert_allclose(library.scores(queries), EXPECTED["scores"], atol=2e-6)


def rows(values: list[list[float]]) -> np.ndarray:
    return np.array(values, np.float32).reshape(-1, 8)


def test_a_reader_reads_it_as_it_is(folder):
    before = files(folder)
    with Library.open(folder) as library:
        assert (library.manifest.format_version, library.version.number) == (1, EXPECTED["version"])
        require_the_kept_answers(library)
    assert files(folder) == before


def test_a_writer_migrates_it_with_the_same_answers(folder):
    reader = Library.open(folder)
    require_the_kept_answers(reader)
    with Library.open(folder, "w") as library:
        assert (library.manifest.format_version, library.version.number) == (2, EXPECTED["version"] + 1)
        require_the_kept_answers(library)
        require_the_kept_answers(reader)
        library.add(VideoRecord(path="new.mp4", content="", size=1, mtime_ns=1), [random_clip(1)])
        assert library.snapshot().clip_keys[-1] > max(EXPECTED["clip_keys"])
    reader.close()
    records = sorted(map(read_commit_record, (folder / "segments").iterdir()), key=lambda record: record.number)
    assert [record.whole for record in records] == [True, False]
    with Library.open(folder, "w") as library:
        assert library.version.number == EXPECTED["version"] + 2


@pytest.mark.parametrize("lost", ["a commit", "a part"])
def test_a_migration_that_was_interrupted_is_brought_to_its_end(folder, lost, monkeypatch):
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("hgrkit.library.sqlite_store.apply_commit", killed)
    monkeypatch.setattr("hgrkit.library.rewrite.SEGMENT_BYTES", 2000)
    monkeypatch.setattr("hgrkit.library.commit_log.CommitLog.discard", lambda *_: None)
    with pytest.raises(KeyboardInterrupt):
        Library.open(folder, "w")
    monkeypatch.undo()
    left = [
        path for path in (folder / "segments").iterdir() if path.name not in files(KEPT / "library" / "segments")
    ]
    assert len(left) > 1
    if lost == "a part":
        left[0].unlink()
    with Library.open(folder) as library:
        assert library.manifest.format_version == 1
        require_the_kept_answers(library)
    with Library.open(folder, "w") as library:
        assert library.version.number == EXPECTED["version"] + 1
        require_the_kept_answers(library)


def test_a_full_disk_leaves_it_as_it_was(folder, monkeypatch):
    before = files(folder)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hgrkit.storage.atomic_file.os.fsync", full)
    with pytest.raises(LibraryError, match="No space left"):
        Library.open(folder, "w")
    monkeypatch.undo()
    left = files(folder)
    assert left.pop("writer.lock") == b""
    assert left == before
    with Library.open(folder, "w") as library:
        require_the_kept_answers(library)


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM clips WHERE removed_in IS NOT NULL", "DELETE FROM head", "UPDATE head SET clips = 3"],
)
def test_its_damage_is_damage(folder, statement):
    with sqlite3.connect(folder / "library.sqlite") as connection:
        connection.execute(statement)
    connection.close()
    with pytest.raises(DamagedLibraryError):
        Library.open(folder).videos()
    with pytest.raises(DamagedLibraryError):
        Library.open(folder, "w")
