"""Libraries that someone else made, or that someone else changes while they are open."""

from __future__ import annotations

import math
import os
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest

from hgrkit.errors import DamagedLibraryError, LibraryError, LibraryLockedError
from hgrkit.library import (
    Entry,
    Library,
    QueryEmbeddings,
    SqliteStore,
    VideoRecord,
    find_duplicates,
    verify_library,
)
from hgrkit.library.candidates import AnnCache
from hgrkit.library.repair import repair_library
from hgrkit.library.tables import HEAD, VIDEOS
from hgrkit.testing.store_contract import StoreContract, random_clip
from tests.torture.forged_libraries import FILES, Forgery

DIM = StoreContract.manifest.embed_dim
QUERY = QueryEmbeddings(event=np.ones(DIM), action=np.ones((1, DIM)), entity=np.ones((1, DIM)))


def record(path: str, **values: object) -> VideoRecord:
    return VideoRecord(path=path, content="", size=1, mtime_ns=1, **values)


def add(library: Library, path: str, seed: int = 0) -> None:
    library.add(record(path), [random_clip(seed, frames=3)])


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("strangers") / "library"
    with Library.create(folder, StoreContract.manifest, candidates="flat") as library:
        library.add_all([Entry(record(f"{n}.mp4"), [random_clip(n, frames=3)]) for n in range(6)])
    return folder


@pytest.fixture
def forged(made, tmp_path) -> Forgery:
    return Forgery(tmp_path, made)


@pytest.fixture
def outside(tmp_path) -> Path:
    folder = tmp_path / "outside"
    (folder / "below").mkdir(parents=True)
    for name in (
        "precious.txt",
        "clips-9.bin",
        "clips-1.bin",
        f"{'0' * 32}.safetensors",
        "library.sqlite.tmp",
        "below/x",
    ):
        (folder / name).write_bytes(b"precious " * 2000)
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refusals_of(folder: Path) -> list[str]:
    """What a search and a look at everything say."""
    said = []
    for ask in (
        lambda library: library.search(QUERY, 3),
        lambda library: library.snapshot().clips(range(len(library.snapshot().clip_keys))),
    ):
        try:
            with Library.open(folder) as library:
                ask(library)
        except DamagedLibraryError as error:
            said.append(str(error))
    return said


# links and names ---- ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("target", ["precious.txt", ".", "missing.txt"])
def test_no_link_inside_a_library_is_followed_by_a_writer(forged, outside, name, target):
    forged.seal()
    place, before = forged.folder / name, content(outside)
    if place.is_dir():
        shutil.rmtree(place)
    place.unlink(missing_ok=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(outside / target)
    with suppress(LibraryError), Library.open(forged.folder, "w", candidates="hnsw") as library:
        add(library, "new.mp4")
        library.compact()
    with suppress(LibraryError):
        repair_library(forged.folder)
    assert content(outside) == before


def test_cached_features_are_neither_written_nor_deleted_through_a_link(forged, outside):
    from hgrkit.indexing.feature_cache import FeatureCache, prune_features

    before = content(outside)
    (forged.folder / "cache").mkdir()
    (forged.folder / "cache" / "features").symlink_to(outside)
    cache = FeatureCache(forged.folder, frame_encoder="x@1", sampling="fps:2")
    cache.save("sha256:0", times_s=np.array([0.5]), features=np.ones((1, 4)), duration_s=1.0)
    with suppress(LibraryError):
        prune_features(forged.folder, ())
    assert content(outside) == before


def test_an_index_that_another_user_made_is_not_loaded(made, tmp_path, monkeypatch):
    pytest.importorskip("hnswlib")
    folder = Path(shutil.copytree(made, tmp_path / "library"))
    with Library.open(folder, "w", candidates="hnsw") as library:
        add(library, "new.mp4")
    with closing(SqliteStore(folder)) as store:
        arrays = store.read(lambda view: view.arrays)
    assert AnnCache(folder).load(arrays) is not None
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "another"))
    monkeypatch.setenv("APPDATA", str(tmp_path / "another"))
    monkeypatch.setattr("hnswlib.Index", lambda **_: pytest.fail("it was loaded"))
    assert AnnCache(folder).load(arrays) is None


def test_files_that_are_nobodys_stay(forged, outside):
    forged.seal()
    others = {"arrays/mine.txt", "arrays/clips-999.bin", "segments/mine.txt", "cache/mine.txt"}
    for name in others:
        (forged.folder / name).parent.mkdir(exist_ok=True)
        (forged.folder / name).write_text("mine")
    with Library.open(forged.folder, "w") as library:
        add(library, "new.mp4")
        library.compact()
    assert others <= content(forged.folder).keys()


def test_a_journal_that_names_a_file_deletes_none(forged, outside):
    forged.seal()
    name = os.fsencode(outside / "precious.txt")
    magic = bytes.fromhex("d9d505f920a163d7")
    header = (magic + struct.pack(">IIIII", 1, 1, 20, 512, 4096)).ljust(512, b"\0")
    tail = struct.pack(">I", 0) + name + struct.pack(">II", len(name), sum(name)) + magic
    (forged.folder / "library.sqlite-journal").write_bytes(header + bytes(4104) + tail)
    before = content(outside)
    with suppress(LibraryError), Library.open(forged.folder, "w") as library:
        add(library, "new.mp4")
    assert content(outside) == before


@pytest.mark.parametrize(
    "statements",
    [
        ["CREATE TABLE more (a)"],
        ["CREATE TRIGGER t AFTER UPDATE ON head BEGIN DELETE FROM videos; END"],
        ["ALTER TABLE removed RENAME TO r", "CREATE VIEW removed AS SELECT * FROM r"],
        ["PRAGMA writable_schema = ON", "UPDATE sqlite_master SET rootpage = 2"],
    ],
)
def test_tables_that_hgrkit_does_not_make_are_refused(forged, statements):
    forged.seal()
    with closing(sqlite3.connect(forged.folder / "library.sqlite")) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    for mode in ("r", "w"):
        with pytest.raises(DamagedLibraryError), Library.open(forged.folder, mode) as library:
            library.search(QUERY, 3)


# libraries that are moved, replaced and deleted ----------------------------------------------------------------


@pytest.mark.parametrize("what", ["moved", "replaced", "deleted"])
def test_a_writer_notices_that_its_library_is_no_longer_there(made, tmp_path, what):
    folder, other = tmp_path / "library", tmp_path / "other"
    for copy in (folder, other):
        shutil.copytree(made, copy)
    library = Library.open(folder, "w")
    add(library, "before.mp4")
    if what == "deleted":
        shutil.rmtree(folder)
    else:
        folder.rename(tmp_path / "moved")
    if what == "replaced":
        other.rename(folder)
    before = content(folder)
    with pytest.raises(LibraryError, match="moved, replaced or deleted"):
        add(library, "after.mp4")
    with suppress(LibraryError):  # there is nothing to bring in order
        library.close()
    assert content(folder) == before
    for left in (folder, tmp_path / "moved"):
        if left.exists():
            assert verify_library(left).whole
    if what != "deleted":
        with Library.open(tmp_path / "moved") as found:
            assert "before.mp4" in {video.path for video in found.videos()}


def test_a_database_that_is_replaced_under_a_writer_is_not_written(made, tmp_path):
    folder = Path(shutil.copytree(made, tmp_path / "library"))
    library = Library.open(folder, "w")
    (folder / "library.sqlite").rename(tmp_path / "kept.sqlite")
    shutil.copy(made / "library.sqlite", folder)
    with pytest.raises(LibraryError, match="replaced"):
        add(library, "after.mp4")
    with suppress(LibraryError):
        library.close()
    assert (folder / "library.sqlite").read_bytes() == (made / "library.sqlite").read_bytes()


def test_a_relative_path_is_that_of_when_the_library_was_opened(made, tmp_path, monkeypatch):
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        shutil.copytree(made, folder / "library")
    monkeypatch.chdir(first)
    with Library.open("library", "w") as library:
        monkeypatch.chdir(second)
        add(library, "new.mp4")
    held = {}
    for folder in (first, second):
        with Library.open(folder / "library") as library:
            held[folder] = "new.mp4" in {video.path for video in library.videos()}
    assert held == {first: True, second: False}


def test_without_the_lock_file_there_is_still_one_writer(made, tmp_path):
    folder = Path(shutil.copytree(made, tmp_path / "library"))
    with Library.open(folder, "w") as library:
        (folder / "writer.lock").unlink()
        with pytest.raises(LibraryLockedError):
            Library.open(folder, "w")
        with pytest.raises(LibraryError, match="deleted or replaced"):
            add(library, "new.mp4")
    with Library.open(folder, "w") as library:
        add(library, "new.mp4")


# absurd numbers ----- ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("clip_seconds", 1e-9),
        ("clip_seconds", math.inf),
        ("clip_seconds", math.nan),
        ("embed_dim", 1e30),
        ("embed_dim", 1 << 62),
        ("embed_dim", -8),
        ("model", ["x"]),
    ],
)
def test_a_manifest_of_absurd_numbers_is_damaged(forged, name, value):
    forged.manifest[name] = value
    forged.seal()
    assert len(refusals_of(forged.folder)) == 2
    assert not verify_library(forged.folder).whole


@pytest.mark.parametrize("column", ["videos", "clips", "frames", "generation", "next_video", "next_clip"])
@pytest.mark.parametrize("value", [(1 << 63) - 1, -1, 1 << 50])
def test_a_head_of_absurd_counts_takes_no_memory(forged, column, value):
    forged.seal()
    with closing(sqlite3.connect(forged.folder / "library.sqlite")) as connection:
        forged.head(column, value)
        HEAD.replace(connection, tuple(forged.rows["head"][0]))
        connection.commit()
    may_be_right = column in ("next_video", "next_clip", "generation") and value > 0
    assert may_be_right or len(refusals_of(forged.folder)) >= 1
    assert may_be_right or not verify_library(forged.folder).whole


@pytest.mark.parametrize("name", ["event", "action", "entity"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_vectors_that_are_no_numbers_are_damage(forged, name, value):
    records = forged.clips if name == "event" else forged.frames
    records[name][0, 0] = value
    forged.seal()
    assert refusals_of(forged.folder)
    assert not verify_library(forged.folder).whole
    with Library.open(forged.folder) as library, pytest.raises(DamagedLibraryError):
        find_duplicates(library)


@pytest.mark.parametrize(
    ("name", "value"),
    [("time_s", math.inf), ("time_s", -1e300), ("start_s", math.nan), ("end_s", -5.0), ("end_s", 1e300)],
)
def test_times_that_are_no_times_are_damage(forged, name, value):
    (forged.frames if name == "time_s" else forged.clips)[name][1] = value
    forged.seal()
    assert len(refusals_of(forged.folder)) == 2
    assert not verify_library(forged.folder).whole


@pytest.mark.parametrize(("first", "count"), [(0, 18), (-1, 1), (0, 1 << 40), (1 << 62, 3), (17, 2)])
def test_clips_must_not_share_frames(forged, first, count):
    forged.clips["first_frame"][2], forged.clips["num_frames"][2] = first, count
    forged.seal()
    assert len(refusals_of(forged.folder)) == 2
    assert not verify_library(forged.folder).whole


@pytest.mark.parametrize(("column", "value"), [("clips", 0), ("clips", 2), ("first_clip", 1), ("state", "failed")])
def test_clips_must_be_those_of_their_video(forged, column, value):
    row = forged.rows["videos"][0]
    row[VIDEOS.columns.index(column)] = value
    if column == "state":
        row[VIDEOS.columns.index("clips")] = 0
    forged.seal()
    with Library.open(forged.folder) as library, pytest.raises(DamagedLibraryError):
        library.search(QUERY, 6)
    assert not verify_library(forged.folder).whole


def test_reasons_without_end_are_damage_and_long_ones_are_cut(forged, made, tmp_path):
    row = list(forged.rows["videos"][0])
    row[0], row[1] = 500, b"failed.mp4"
    for name, value in {"state": "failed", "reason": "r" * 900_000, "duration_s": None, "clips": 0}.items():
        row[VIDEOS.columns.index(name)] = value
    forged.rows["videos"].append(row)
    forged.head("videos", len(forged.rows["videos"]))
    forged.seal()
    assert not verify_library(forged.folder).whole
    with Library.open(forged.folder) as library, pytest.raises(DamagedLibraryError, match="row 500"):
        library.videos()
    folder = Path(shutil.copytree(made, tmp_path / "own"))
    with Library.open(folder, "w") as library:
        library.add(record("failed.mp4", state="failed", reason="r" * 900_000))
        assert next(len(video.reason) for video in library.videos() if video.reason) == 10_000
    assert verify_library(folder).whole


def test_a_manifest_nested_without_end_is_damaged(forged):
    forged.manifest = None
    forged.rows["manifest"][0][1] = "[" * 100_000
    forged.seal()
    assert len(refusals_of(forged.folder)) == 2


# files that shrink under a reader ------------------------------------------------------------------------------

SHRINKING = """
import os, sys
import numpy as np
from hgrkit.errors import DamagedLibraryError
from hgrkit.library import Library, QueryEmbeddings
ones = np.ones(8)
query = QueryEmbeddings(event=ones, action=ones[None], entity=ones[None])
with Library.open(sys.argv[1]) as library:
    assert library.search(query, 3) if sys.argv[3] == "after" else library.version
    snapshot = library.snapshot()
    os.truncate(sys.argv[2], 0)
    for ask in (lambda: library.search(query, 3), lambda: snapshot.clips(range(6))):
        try:
            ask()
        except DamagedLibraryError as error:
            print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows lets nobody shorten a file that is mapped")
@pytest.mark.parametrize("name", ["clips-1.bin", "frames-1.bin"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_file_that_shrinks_under_a_reader_is_an_error(made, tmp_path, name, when):
    folder = Path(shutil.copytree(made, tmp_path / "library"))
    command = [sys.executable, "-c", SHRINKING, folder, folder / "arrays" / name, when]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != -signal.SIGBUS
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2
    assert "damaged" in done.stdout
