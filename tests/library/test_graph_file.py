"""Graph files: what hnswlib wrote is sound, what leads it astray is not, whatever its checksum says."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from hgrkit.library.candidates import HnswGraph
from hgrkit.library.graph_cache import is_sound_graph
from hgrkit.matching.frame_weights import unit_vectors

DIM, HEADER = 6, 96
ELEMENT = 4 + 32 * 4 + DIM * 4 + 8


@pytest.fixture(scope="module")
def events():
    pytest.importorskip("hnswlib")
    return unit_vectors(np.random.default_rng(0).normal(size=(500, DIM)).astype(np.float32))


@pytest.fixture(scope="module")
def content(events, tmp_path_factory):
    path = tmp_path_factory.mktemp("graph") / "one.hnsw"
    HnswGraph.build(events).save(str(path))
    return path.read_bytes()


def sound(content, events, tmp_path):
    (tmp_path / "one.hnsw").write_bytes(content)
    return is_sound_graph(tmp_path / "one.hnsw", events)


def test_what_hnswlib_wrote_is_sound_for_its_events_alone(content, events, tmp_path):
    assert sound(content, events, tmp_path)
    assert not sound(content, events[::-1], tmp_path)
    assert not sound(content, events[:-1], tmp_path)
    assert not sound(content, events[:, :-1], tmp_path)


def test_a_graph_of_one_and_of_many_equal_events_is_sound(events, tmp_path):
    for some in (events[:1], np.repeat(events[:1], 300, axis=0)):
        HnswGraph.build(some).save(str(tmp_path / "one.hnsw"))
        assert is_sound_graph(tmp_path / "one.hnsw", some)


def test_a_graph_of_another_length_is_not_sound(content, events, tmp_path):
    for length in (0, 1, HEADER, HEADER + 500 * ELEMENT, len(content) - 4, len(content) - 1):
        assert not sound(content[:length], events, tmp_path)
    assert not sound(content + bytes(4), events, tmp_path)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, struct.pack("<Q", 8)),
        (8, struct.pack("<Q", 2**40)),
        (16, struct.pack("<Q", 501)),
        (24, struct.pack("<Q", 2**33)),
        (48, struct.pack("<i", 30)),
        (52, struct.pack("<I", 500)),
        (56, struct.pack("<Q", 2**20)),
        (64, struct.pack("<Q", 2**20)),
        (72, struct.pack("<Q", 0)),
        (HEADER, struct.pack("<H", 33)),
        (HEADER + 2, b"\1"),
        (HEADER + 4, struct.pack("<I", 500)),
        (HEADER + 4 + 128, struct.pack("<f", 7)),
        (HEADER + ELEMENT - 8, struct.pack("<Q", 500)),
        (HEADER + 500 * ELEMENT, struct.pack("<I", 68)),
        (HEADER + 500 * ELEMENT, struct.pack("<I", 2**31)),
    ],
)
def test_a_number_that_leads_astray_is_seen(content, events, tmp_path, place, value):
    crafted = content[:place] + value + content[place + len(value) :]
    assert crafted != content
    assert not sound(crafted, events, tmp_path)


def test_whatever_passes_can_be_searched(content, events, tmp_path):
    """Bytes changed at random: hnswlib reads what is sound without a crash."""
    random = np.random.default_rng(1)
    searched = 0
    for _ in range(300):
        crafted = bytearray(content)
        crafted[int(random.integers(len(crafted)))] = int(random.integers(256))
        if sound(bytes(crafted), events, tmp_path):
            assert HnswGraph.load(str(tmp_path / "one.hnsw"), events).nearest(events[0], 10).size == 10
            searched += 1
    assert searched > 20
