"""Candidates: the flat scan against sorting, the graph against the flat scan."""

from __future__ import annotations

import numpy as np
import pytest

from hgrkit.library.candidates import FlatScan, HnswGraph
from hgrkit.matching.frame_weights import unit_vectors


@pytest.fixture(scope="module")
def events() -> np.ndarray:
    return unit_vectors(np.random.default_rng(0).normal(size=(2000, 16)).astype(np.float32))


def test_a_flat_scan_lists_the_nearest_first(events):
    for count in (1, 10, 1999, 2000, 5000):
        expected = np.argsort(-(events @ events[7]), kind="stable")[:count]
        assert FlatScan(events).nearest(events[7], count).tolist() == expected.tolist()


def test_of_equally_near_clips_the_first_are_listed():
    events = np.ones((50, 1), np.float32)
    assert FlatScan(events).nearest(np.ones(1, np.float32), 5).tolist() == [0, 1, 2, 3, 4]


def test_a_graph_finds_nearly_what_a_flat_scan_finds(events):
    pytest.importorskip("hnswlib")
    graph, scan = HnswGraph.build(events), FlatScan(events)
    assert graph.nearest(events[0], 5000).size == 2000
    found = [len(set(graph.nearest(e, 50).tolist()) & set(scan.nearest(e, 50).tolist())) for e in events[:50]]
    assert np.mean(found) / 50 > 0.9


def test_a_graph_in_which_not_all_can_be_reached_is_scanned_instead():
    pytest.importorskip("hnswlib")
    events = np.repeat(np.eye(4, dtype=np.float32), 500, axis=0)
    assert sorted(HnswGraph.build(events).nearest(events[0], 2000).tolist()) == list(range(2000))


def test_a_zero_vector_stays_zero():
    assert unit_vectors(np.zeros((1, 3), np.float32)).tolist() == [[0, 0, 0]]
