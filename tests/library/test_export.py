"""Exporting: everything comes out as it is stored, whole or not at all."""

from __future__ import annotations

import importlib.util
import json
import os
import zipfile
from itertools import pairwise
from pathlib import Path

import attrs
import numpy as np
import pytest

from hgrkit.errors import (
    ConfigError,
    DamagedLibraryError,
    LibraryExistsError,
    MissingPackageError,
    MissingPathError,
)
from hgrkit.library import Entry, Library, VideoRecord, arrays, export_library
from hgrkit.testing.store_contract import StoreContract, random_clip

each_format = pytest.mark.parametrize("to", ["npz", "parquet"])

PATHS = ("a/Bücher.mp4", "a/\udcff\udcfe.mp4", "b'\n.mp4")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    """Three videos of one to three clips with strange names, and a failed one; portions are small."""
    monkeypatch.setattr(arrays, "_FRAMES_AT_ONCE", 5)
    with Library.create(tmp_path / "lib", StoreContract.manifest) as library:
        library.add_all(
            [
                Entry(
                    VideoRecord(path=path, content="", size=1, mtime_ns=1),
                    [random_clip(10 * number + part, frames=part + 2) for part in range(number + 1)],
                )
                for number, path in enumerate(PATHS)
            ]
        )
        library.add(VideoRecord(path="0", content="", size=1, mtime_ns=1, state="failed", reason="it is empty"))
    return tmp_path / "lib"


@attrs.frozen
class Row:
    """One clip, however it was read."""

    path: bytes
    times: tuple[float, float, tuple[float, ...]]
    vectors: tuple[bytes, bytes, bytes]


def stored(folder: Path) -> list[Row]:
    with Library.open(folder) as library:
        snapshot = library.snapshot()
        return [
            Row(
                os.fsencode(snapshot.videos[place].path),
                (clip.start_s, clip.end_s, tuple(clip.times_s.tolist())),
                (clip.event.tobytes(), clip.action.tobytes(), clip.entity.tobytes()),
            )
            for place, clip in zip(snapshot.clip_videos, snapshot.clips(range(6)), strict=True)
        ]


def from_npz(path: Path) -> list[Row]:
    with np.load(path, allow_pickle=False) as data:
        arrays = dict(data)
    content, bounds = arrays["path_bytes"].tobytes(), arrays["path_offsets"].tolist()
    paths = [content[start:end] for start, end in pairwise(bounds)]
    assert arrays["event"].dtype == arrays["action"].dtype == np.float16
    rows = []
    for clip, video in enumerate(arrays["clip_video"].tolist()):
        frames = slice(*arrays["frame_offsets"][clip : clip + 2].tolist())
        rows.append(
            Row(
                paths[video],
                (
                    float(arrays["start_s"][clip]),
                    float(arrays["end_s"][clip]),
                    tuple(arrays["times_s"][frames].tolist()),
                ),
                (
                    arrays["event"][clip].astype(np.float32).tobytes(),
                    arrays["action"][frames].astype(np.float32).tobytes(),
                    arrays["entity"][frames].astype(np.float32).tobytes(),
                ),
            )
        )
    return rows


def from_parquet(path: Path) -> list[Row]:
    import pyarrow.parquet as pq

    return [
        Row(
            row["path"],
            (row["start_s"], row["end_s"], tuple(row["times_s"])),
            tuple(np.array(row[name], np.float32).tobytes() for name in ("event", "action", "entity")),
        )
        for row in pq.read_table(path).to_pylist()
    ]


READ = {"npz": from_npz, "parquet": from_parquet}


@each_format
def test_every_clip_comes_out_as_it_is_stored(folder, tmp_path, to):
    out = tmp_path / f"clips.{to}"
    with Library.open(folder) as library:
        report = export_library(library, out, to=to)
    assert READ[to](out) == stored(folder)
    assert (report.videos, report.clips, report.num_bytes) == (3, 6, out.stat().st_size)
    assert sorted(path.name for path in tmp_path.iterdir()) == [out.name, "lib"]


@each_format
def test_an_empty_library_gives_a_file_without_clips(tmp_path, to):
    with Library.create(tmp_path / "lib", StoreContract.manifest) as library:
        report = export_library(library, tmp_path / "out", to=to)
    assert (report.videos, report.clips) == (0, 0)
    assert READ[to](tmp_path / "out") == []


def test_the_manifest_comes_along(folder, tmp_path):
    import pyarrow.parquet as pq

    with Library.open(folder) as library:
        expected = json.loads(library.manifest.to_json())
        export_library(library, tmp_path / "out.npz", to="npz")
        export_library(library, tmp_path / "out.parquet", to="parquet")
    assert json.loads(str(np.load(tmp_path / "out.npz")["manifest"])) == expected
    assert json.loads(pq.read_schema(tmp_path / "out.parquet").metadata[b"hgrkit_manifest"]) == expected


def test_a_row_group_holds_a_bounded_number_of_clips(folder, tmp_path, monkeypatch):
    import pyarrow.parquet as pq

    monkeypatch.setattr(arrays, "_FRAMES_AT_ONCE", 1)
    with Library.open(folder) as library:
        export_library(library, tmp_path / "out.parquet", to="parquet")
    assert pq.ParquetFile(tmp_path / "out.parquet").num_row_groups == 6
    assert from_parquet(tmp_path / "out.parquet") == stored(folder)


def test_names_that_are_no_utf8_can_still_be_shown(folder, tmp_path):
    import pyarrow.parquet as pq

    with Library.open(folder) as library:
        export_library(library, tmp_path / "out.parquet", to="parquet")
    shown = pq.read_table(tmp_path / "out.parquet")["video"].to_pylist()
    assert {"a/Bücher.mp4", "a/��.mp4"} <= set(shown)


def test_an_npz_file_is_a_plain_zip_of_arrays_without_pickle(folder, tmp_path):
    with Library.open(folder) as library:
        export_library(library, tmp_path / "out.npz", to="npz")
    with zipfile.ZipFile(tmp_path / "out.npz") as archive:
        assert archive.testzip() is None
        assert all(archive.read(name).startswith(b"\x93NUMPY") for name in archive.namelist())


@each_format
def test_progress_is_told_to_the_end(folder, tmp_path, to):
    told: list[tuple[int, int]] = []
    with Library.open(folder) as library:
        export_library(
            library, tmp_path / "out", to=to, on_progress=lambda done, total: told.append((done, total))
        )
    assert [done for done, _ in told] == list(range(1, told[0][1] + 1))


# what can go wrong ---------------------------------------------------------------------------------------------


def test_a_file_that_is_there_is_overwritten_only_when_asked(folder, tmp_path):
    out = tmp_path / "out.npz"
    out.write_text("precious")
    with Library.open(folder) as library:
        with pytest.raises(LibraryExistsError, match=r"out\.npz exists already"):
            export_library(library, out, to="npz")
        assert out.read_text() == "precious"
        export_library(library, out, to="npz", overwrite=True)
    assert from_npz(out) == stored(folder)


@each_format
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_export_that_fails_leaves_nothing_and_keeps_what_was_there(folder, tmp_path, monkeypatch, to, error):
    out = tmp_path / "out"
    out.write_text("precious")

    def fail(path: Path) -> None:
        raise error

    monkeypatch.setattr("hgrkit.storage.atomic_file.sync_file", fail)
    with Library.open(folder) as library, pytest.raises(type(error)):
        export_library(library, out, to=to, overwrite=True)
    assert out.read_text() == "precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lib", "out"]


@pytest.mark.parametrize(
    ("out", "to", "error", "words"),
    [
        ("out.csv", "csv", ConfigError, "must be 'parquet' or 'npz', got 'csv'"),
        ("none/out.npz", "npz", MissingPathError, "there is no folder"),
        ("lib", "npz", ConfigError, "is a folder"),
    ],
)
def test_what_cannot_be_written_is_refused_before_anything_is(folder, tmp_path, out, to, error, words):
    with Library.open(folder) as library, pytest.raises(error, match=words):
        export_library(library, tmp_path / out, to=to)
    assert [path.name for path in tmp_path.iterdir()] == ["lib"]


def test_without_pyarrow_parquet_says_what_to_install(folder, tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "pyarrow" else find(name, *rest)
    )
    with (
        Library.open(folder) as library,
        pytest.raises(MissingPackageError, match=r"pip install 'hgrkit\[parquet\]'"),
    ):
        export_library(library, tmp_path / "out", to="parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["lib"]


@each_format
@pytest.mark.parametrize("name", ["clips", "frames"])
def test_a_damaged_array_is_an_error_and_no_file(folder, tmp_path, to, name):
    path = folder / "arrays" / f"{name}-1.bin"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with Library.open(folder) as library, pytest.raises(DamagedLibraryError, match="not what was written"):
        export_library(library, tmp_path / "out", to=to)
    assert [path.name for path in tmp_path.iterdir()] == ["lib"]


@each_format
def test_a_compaction_meanwhile_does_no_harm(folder, tmp_path, to):
    out, before = tmp_path / "out", stored(folder)

    def meanwhile(done: int, total: int) -> None:
        if done == 1:
            with Library.open(folder, "w") as writer:
                writer.remove(PATHS[1])
                writer.compact()

    with Library.open(folder) as library:
        export_library(library, out, to=to, on_progress=meanwhile)
    assert READ[to](out) == before
    assert len(Library.open(folder).snapshot().clip_keys) == 4
