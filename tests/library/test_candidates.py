"""Candidates: the flat scan against sorting, the HNSW index against the flat scan."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hgrkit.library.arrays import ClipArrays, clip_type, frame_type
from hgrkit.library.candidates import AnnCache, FlatScan
from hgrkit.matching.frame_weights import unit_vectors


def arrays_of(events: np.ndarray, *removed: tuple[int, int]) -> ClipArrays:
    """Clips of one video each that have these events."""
    clips = np.zeros(len(events), clip_type(events.shape[1]))
    clips["event"], clips["video"] = events, np.arange(len(events))
    checksums = np.arange(-(-len(events) // 64), dtype="<u8")
    arrays = ClipArrays(clips, np.empty(0, frame_type(events.shape[1])), removed=removed, checksums=checksums)
    arrays._checked_blocks[:] = True
    return arrays


@pytest.fixture(scope="module")
def events() -> np.ndarray:
    return unit_vectors(np.random.default_rng(0).normal(size=(2000, 16)).astype(np.float32))


@pytest.fixture
def cache(tmp_path) -> AnnCache:
    pytest.importorskip("hnswlib")
    return AnnCache(tmp_path)


def test_a_flat_scan_lists_the_nearest_first(events):
    stored = events.astype(np.float16).astype(np.float32)
    for count in (1, 10, 1999, 2000, 5000):
        expected = np.argsort(-(unit_vectors(stored) @ events[7]), kind="stable")[:count]
        found = FlatScan(arrays_of(events)).nearest(events[7], count)
        assert set(found.tolist()) == set(expected.tolist())
        assert found[0] == 7


def test_of_equally_near_clips_the_first_are_listed():
    scan = FlatScan(arrays_of(np.ones((50, 1), np.float32)))
    assert scan.nearest(np.ones(1, np.float32), 5).tolist() == [0, 1, 2, 3, 4]


def test_removed_clips_are_no_candidates(events, cache):
    arrays = arrays_of(events, (0, 100), (150, 151), (1990, 2000))
    for index in (FlatScan(arrays), cache.update(arrays)):
        for count in (5, 1889, 5000):
            found = set(index.nearest(events[150], count).tolist())
            assert len(found) == min(count, 1889)
            assert found <= set(arrays.rows.tolist())


def test_an_index_finds_nearly_what_a_flat_scan_finds(events, cache):
    arrays = arrays_of(events)
    index, scan = cache.update(arrays), FlatScan(arrays)
    assert index.nearest(events[0], 5000).size == 2000
    found = [len(set(index.nearest(e, 50).tolist()) & set(scan.nearest(e, 50).tolist())) for e in events[:50]]
    assert np.mean(found) / 50 > 0.9


def test_an_index_in_which_not_all_can_be_reached_is_scanned_instead(cache):
    events = np.repeat(np.eye(4, dtype=np.float32), 500, axis=0)
    assert sorted(cache.update(arrays_of(events)).nearest(events[0], 2000).tolist()) == list(range(2000))


def test_clips_that_came_since_are_scanned_and_then_added(events, cache):
    cache.update(arrays_of(events[:1000]))
    grown = arrays_of(events[:1050])
    index = cache.load(grown)
    assert (index.size, index.nearest(events[1030], 1).tolist()) == (1000, [1030])
    assert cache.update(grown).size == 1000
    assert cache.update(arrays_of(events)).size == 2000
    assert cache.load(arrays_of(events)).nearest(events[1999], 1).tolist() == [1999]


@pytest.mark.parametrize("damage", ["flip", "cut", "describe", "other events", "fewer events"])
def test_no_index_is_loaded_that_is_not_the_one_of_these_events(events, cache, damage):
    cache.update(arrays_of(events))
    path, description = cache.path, cache.path.with_suffix(".json")
    asked = arrays_of(events)
    if damage == "flip":
        content = bytearray(path.read_bytes())
        content[5000] ^= 1
        path.write_bytes(content)
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    elif damage == "describe":
        description.write_text(json.dumps({**json.loads(description.read_text()), "clips": 1000}))
    elif damage == "other events":
        asked._checksums = asked._checksums[::-1]
    else:
        asked = arrays_of(events[:1999])
    assert cache.load(asked) is None
    assert cache.update(asked).size == len(asked.clips)


def test_a_zero_vector_stays_zero():
    assert unit_vectors(np.zeros((1, 3), np.float32)).tolist() == [[0, 0, 0]]
