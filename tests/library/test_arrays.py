"""The arrays on disk: records that come back, blocks at their bounds, and whatever else a file may hold."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import attrs
import numpy as np
import pytest

from hgrkit.errors import DamagedLibraryError, ShapeError
from hgrkit.library import (
    Entry,
    Library,
    QueryEmbeddings,
    SearchSettings,
    SqliteStore,
    VideoRecord,
    verify_library,
)
from hgrkit.library.array_files import append_records
from hgrkit.library.arrays import ClipArrays, clip_type, encode_clips, frame_type, portions_of
from hgrkit.matching.kernel import MappedFile
from hgrkit.storage.open_folder import OpenFolder
from hgrkit.testing.store_contract import StoreContract, random_clip

DIM = 8


def record(path: str) -> VideoRecord:
    return VideoRecord(path=path, content="", size=1, mtime_ns=1)


def entry(number: int, clips: int) -> Entry:
    return Entry(record(f"{number:03}"), [random_clip(1000 * number + part, frames=2) for part in range(clips)])


def array_path(folder: Path, name: str) -> Path:
    return folder / "arrays" / f"{name}-1.bin"


def arrays_of(folder: Path) -> ClipArrays:
    store = SqliteStore(folder)
    try:
        return store.read(lambda view: view.arrays)
    finally:
        store.close()


def events(folder: Path) -> list[bytes]:
    """Every stored clip, read and checked."""
    store = SqliteStore(folder)
    snapshot = store.snapshot()
    store.close()
    return [
        clip.event.tobytes() + clip.entity.tobytes() for clip in snapshot.clips(range(len(snapshot.clip_keys)))
    ]


def expected(*entries: Entry) -> list[bytes]:
    return [half(clip.event) + half(clip.entity) for one in entries for clip in one.clips]


def half(values: np.ndarray) -> bytes:
    return values.astype(np.float16).astype(np.float32).tobytes()


def make(folder: Path, *commits: int) -> list[Entry]:
    """A library of one video a commit, each of so many clips."""
    entries = [entry(number, clips) for number, clips in enumerate(commits)]
    store = SqliteStore.create(folder, StoreContract.manifest)
    for one in entries:
        store.commit(put=[one])
    store.close()
    return entries


def test_records_are_aligned_and_of_the_promised_size():
    assert clip_type(512).itemsize == 64 + 2 * 512
    assert clip_type(512).fields["event"][1] == 64
    assert frame_type(512).itemsize == 8 + 2 * 2 * 512


def test_clips_come_back_to_the_last_bit_of_float16(tmp_path):
    folder = tmp_path / "lib"
    (given,) = make(folder, 3)
    arrays = arrays_of(folder)
    arrays.check_clips()
    arrays.check_frames(arrays.rows)
    for row, clip in enumerate(given.clips):
        found = arrays.clip(row)
        assert (found.start_s, found.end_s) == (clip.start_s, clip.end_s)
        np.testing.assert_array_equal(found.times_s, clip.times_s)
        for name in ("event", "action", "entity"):
            assert getattr(found, name).tobytes() == half(getattr(clip, name))


@pytest.mark.parametrize(
    "commits",
    [
        (63,),
        (64,),
        (65,),
        (128,),
        (129,),
        (63, 1),
        (63, 1, 1),
        (64, 64, 1),
        (1, 62, 1, 65),
        (60, 10, 60, 2),
        (130, 1),
        (1,) * 66,
    ],
)
def test_commits_may_end_anywhere_in_a_block(tmp_path, commits):
    folder = tmp_path / "lib"
    entries = make(folder, *commits)
    assert events(folder) == expected(*entries)
    assert verify_library(folder).whole
    arrays = arrays_of(folder)
    assert len(arrays.clips) == sum(commits)
    assert all(map(arrays.is_block_intact, range(-(-sum(commits) // 64))))


@pytest.mark.parametrize("already", [1, 63, 64, 100])
def test_what_a_crash_appended_without_its_commit_belongs_to_nobody_and_is_overwritten(tmp_path, already):
    folder = tmp_path / "lib"
    (first,) = make(folder, already)
    store = SqliteStore(folder)
    head = store.read(lambda view: view.head)
    store.close()
    clips = encode_clips([(99, 500, [random_clip(seed, frames=4) for seed in range(70)])], DIM)
    append_records(OpenFolder(folder), head, DIM, clips)  # as a writer does before its transaction
    before = {name: array_path(folder, name).stat().st_size for name in ("clips", "frames")}
    assert events(folder) == expected(first)
    report = verify_library(folder)
    assert report.whole
    assert {note.file for note in report.notes} == {"arrays/clips-1.bin", "arrays/frames-1.bin"}
    second = entry(1, 2)
    store = SqliteStore(folder, mode="w")
    store.commit(put=[second])
    store.close()
    assert events(folder) == expected(first, second)
    assert verify_library(folder).notes == ()
    for name, size in before.items():
        assert array_path(folder, name).stat().st_size < size


def test_a_writer_that_died_between_append_and_commit_loses_nothing_that_was_there(tmp_path):
    folder = tmp_path / "lib"
    entries = make(folder, 60, 3)
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "import hgrkit.library.sqlite_store as module\n"
        "from hgrkit.library import Entry, SqliteStore, VideoRecord\n"
        "from hgrkit.testing.store_contract import random_clip\n"
        "store = SqliteStore(Path(sys.argv[1]), mode='w')\n"
        "module.transaction = lambda connection: os.kill(os.getpid(), signal.SIGKILL)\n"
        "record = VideoRecord(path='x', content='', size=1, mtime_ns=1)\n"
        "store.commit(put=[Entry(record, [random_clip(seed) for seed in range(5)])], remove=['000'])\n"
    )
    assert subprocess.run([sys.executable, "-c", program, folder], check=False).returncode == -9
    assert events(folder) == expected(*entries)
    last = entry(2, 66)
    store = SqliteStore(folder, mode="w")
    assert store.version().number == 2
    store.commit(put=[last])
    store.close()
    assert events(folder) == expected(*entries, last)
    assert verify_library(folder).whole


@pytest.mark.parametrize("name", ["clips", "frames"])
def test_a_flipped_bit_anywhere_in_a_file_is_noticed_by_whoever_reads_it(tmp_path, name):
    folder = tmp_path / "lib"
    make(folder, 64, 3)
    path = array_path(folder, name)
    whole = path.read_bytes()
    for place in range(0, len(whole), max(1, len(whole) // 150)):
        content = bytearray(whole)
        content[place] ^= 1 << place % 8
        path.write_bytes(content)
        with pytest.raises(DamagedLibraryError, match=r"is not what was written|are not what was written"):
            events(folder)
        assert not verify_library(folder).whole
    path.write_bytes(whole)
    assert verify_library(folder).whole


def test_records_that_changed_places_are_noticed(tmp_path):
    folder = tmp_path / "lib"
    make(folder, 130)
    path = array_path(folder, "clips")
    size = clip_type(DIM).itemsize
    content = path.read_bytes()
    for one, other, length in ((0, 1, 1), (0, 64, 64), (128, 129, 1)):
        swapped = bytearray(content)
        first, second = slice(one * size, (one + length) * size), slice(other * size, (other + length) * size)
        swapped[first], swapped[second] = content[second], content[first]
        path.write_bytes(swapped)
        with pytest.raises(DamagedLibraryError, match=r"block . of its clips is not what was written"):
            events(folder)


@pytest.mark.parametrize("name", ["clips", "frames"])
@pytest.mark.parametrize("left", [0, 1, -1, -100])
def test_a_short_file_is_damage_named_by_every_reader_and_no_writer_goes_on_with_it(tmp_path, name, left):
    folder = tmp_path / "lib"
    make(folder, 65)
    path = array_path(folder, name)
    path.write_bytes(path.read_bytes()[:left])
    for read in (events, lambda folder: SqliteStore(folder).read(lambda view: view.arrays)):
        with pytest.raises(DamagedLibraryError, match=rf"{path.name} holds \d+ of \d+ records"):
            read(folder)
    before = path.read_bytes()
    with pytest.raises(DamagedLibraryError, match="is missing or shorter"):
        SqliteStore(folder, mode="w")
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["clips", "frames"])
def test_a_missing_file_a_folder_and_a_pipe_are_damage_and_never_waited_for(tmp_path, name):
    folder = tmp_path / "lib"
    make(folder, 2)
    path = array_path(folder, name)
    for replace in (path.unlink, path.mkdir, lambda: (path.rmdir(), os.mkfifo(path))):
        replace()
        with pytest.raises(DamagedLibraryError, match=rf"{path.name} holds 0 of \d+ records"):
            events(folder)
        with pytest.raises(DamagedLibraryError, match="is missing or shorter"):
            SqliteStore(folder, mode="w")
    path.unlink()


def test_removed_clips_stay_where_they_are_until_the_library_is_compacted(tmp_path):
    folder = tmp_path / "lib"
    entries = make(folder, 3, 62, 2, 5)
    store = SqliteStore(folder, mode="w")
    store.commit(remove=["001"], put=[entry(4, 1)])
    store.commit(remove=["000"])
    arrays = store.read(lambda view: view.arrays)
    assert (len(arrays.clips), arrays.num_living, sorted(arrays.removed)) == (73, 8, [(0, 3), (3, 65)])
    assert arrays.rows.tolist() == list(range(65, 73))
    store.close()
    assert events(folder) == expected(*entries[2:], entry(4, 1))
    assert verify_library(folder).whole
    store = SqliteStore(folder, mode="w")
    store.rewrite()
    arrays = store.read(lambda view: view.arrays)
    assert (len(arrays.clips), arrays.num_living, arrays.removed) == (8, 8, ())
    store.close()
    assert {path.name for path in (folder / "arrays").iterdir()} == {"clips-2.bin", "frames-2.bin"}
    assert events(folder) == expected(*entries[2:], entry(4, 1))


def test_a_snapshot_outlives_a_compaction_and_later_commits(tmp_path):
    folder = tmp_path / "lib"
    entries = make(folder, 3, 64)
    reader = SqliteStore(folder)
    snapshot = reader.snapshot()
    store = SqliteStore(folder, mode="w")
    store.rewrite()
    store.commit(put=[entry(0, 1)])
    store.rewrite()
    store.close()
    found = snapshot.clips(range(67))
    assert [half(clip.event) + half(clip.entity) for clip in found] == expected(*entries)
    reader.close()


def test_clips_are_handled_together_as_far_as_memory_allows():
    lengths = [20] * 130 + [5000, 1, 5000]
    portions = portions_of(lengths)
    assert [row for rows in portions for row in rows] == list(range(len(lengths)))
    assert len(portions[0]) == 64
    for rows in portions:
        frames = [lengths[row] for row in rows]
        assert sum(frames) - max(frames) <= 1280
    assert portions_of([]) == []


def test_values_beyond_float16_are_refused_and_leave_nothing(tmp_path):
    folder = tmp_path / "lib"
    (first,) = make(folder, 2)
    store = SqliteStore(folder, mode="w")
    before = store.usage()
    huge = attrs.evolve(random_clip(0), event=np.full(DIM, 1e5))
    with pytest.raises(ShapeError, match="must stay below 65504, got 100000"):
        store.commit(put=[Entry(record("x"), [random_clip(1), huge])])
    assert store.usage() == before
    store.close()
    assert events(folder) == expected(first)


def test_a_clip_that_no_writer_could_have_made_is_damage_even_with_matching_checksums(tmp_path):
    folder = tmp_path / "lib"
    (records,) = encode_clips([(1, 1, [random_clip(0)])], DIM)
    arrays = ClipArrays(*records)
    arrays.frames["action"][1, 2] = np.nan
    with pytest.raises(DamagedLibraryError, match=r"clip 0 is no clip: .* must be finite numbers"):
        arrays.clip(0)
    assert not folder.exists()


def test_a_long_reading_is_divided_and_lets_go_of_what_it_read(tmp_path, monkeypatch):
    folder = tmp_path / "library"
    query = QueryEmbeddings(event=np.ones(DIM), action=np.ones((1, DIM)), entity=np.ones((2, DIM)))
    settings = SearchSettings(exhaustive=True)
    with Library.create(folder, StoreContract.manifest, candidates="flat") as library:
        library.add_all([Entry(record(f"{n}.mp4"), [random_clip(n, frames=5)]) for n in range(90)])
    with Library.open(folder) as library:
        whole = [
            (found.video, found.score, found.moment) for found in library.search(query, 10, settings=settings)
        ]
    released = []
    monkeypatch.setattr("hgrkit.library.arrays._KEPT_BYTES", 1000)
    monkeypatch.setattr("hgrkit.library.arrays._PASS_BYTES", 4000)
    monkeypatch.setattr(MappedFile, "release", lambda _, first, size: released.append((first, size)))
    with Library.open(folder) as library:
        found = library.search(query, 10, settings=settings)
        assert [(one.video, one.score, one.moment) for one in found] == whole
        num_bytes = len(library.snapshot().clip_keys) * 5 * frame_type(DIM).itemsize
    assert len(released) > 3
    assert released[0][0] == 0
    assert sum(size for _, size in released) == num_bytes
    assert [first + size for first, size in released[:-1]] == [first for first, _ in released[1:]]
