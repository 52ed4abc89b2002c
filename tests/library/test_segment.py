"""Segments on disk: round trips, blocks, and files that another program could have made."""

from __future__ import annotations

import os

import attrs
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from hgrkit.errors import ConfigError, DamagedLibraryError, ShapeError
from hgrkit.library import segment as module
from hgrkit.library.segment import Segment, write_segment
from hgrkit.storage import tensor_file
from hgrkit.testing.store_contract import random_clip


@pytest.fixture(params=["read", "mapped"])
def written(request, tmp_path, monkeypatch):
    """A segment of two clips in blocks of 64 bytes: read into memory, or mapped."""
    monkeypatch.setattr(module, "BLOCK_BYTES", 64)
    monkeypatch.setattr(tensor_file, "_MAPPED_FROM", 0 if request.param == "mapped" else 1 << 30)
    clips = [random_clip(0, frames=2), random_clip(1, frames=3)]
    path = tmp_path / "one.safetensors"
    return path, write_segment(path, clips, embed_dim=8, commit="{}"), clips


def test_a_segment_is_a_safetensors_file_of_four_tensors(written):
    path, record, _ = written
    tensors = load_file(path)
    assert {name: (tensor.dtype.name, tensor.shape) for name, tensor in tensors.items()} == {
        "event": ("float16", (2, 8)),
        "action": ("float16", (5, 8)),
        "entity": ("float16", (5, 8)),
        "times_s": ("float64", (5,)),
    }
    assert (record.clips, record.frames, record.num_bytes) == (2, 5, path.stat().st_size)
    with safe_open(path, "np") as file:
        assert file.metadata().keys() == {"format", "version", "commit", "digest"}
    assert len(record.digests) == 32 * -(-record.num_bytes // 64)


def test_clips_come_back(written):
    path, record, clips = written
    clip = Segment(path, record, embed_dim=8).clip(1, slice(2, 5), start_s=0, end_s=3)
    np.testing.assert_array_equal(clip.entity, clips[1].entity.astype(np.float16))
    np.testing.assert_array_equal(clip.times_s, clips[1].times_s)


def test_every_flipped_bit_is_noticed_and_its_block_named(written):
    path, record, _ = written
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        content = bytearray(whole)
        content[place] ^= 1 << place % 8
        path.write_bytes(content)
        with pytest.raises(
            DamagedLibraryError, match=rf"one\.safetensors is damaged: block {place // 64}, from byte"
        ):
            Segment(path, record, embed_dim=8)


def test_a_segment_of_other_shapes_is_refused_even_with_matching_digests(written, tmp_path):
    path, record, _ = written
    save_file({"event": np.zeros((3, 8), np.float16), "times_s": np.zeros(5)}, path)
    content = path.read_bytes()
    digests = module._block_digests([content], 64)
    crafted = attrs.evolve(record, num_bytes=len(content), digests=digests)
    with pytest.raises(DamagedLibraryError, match="tensor event is F16"):
        Segment(path, crafted, embed_dim=8)
    for header in (b"", b"\xff" * 8, b"\x02" + b"\0" * 7 + b"[]", b"\x0c" + b"\0" * 7 + b'{"event":{}}'):
        path.write_bytes(header)
        crafted = attrs.evolve(record, num_bytes=len(header), digests=module._block_digests([header], 64))
        with pytest.raises(DamagedLibraryError):
            Segment(path, crafted, embed_dim=8)


def test_values_beyond_float16_are_refused_before_anything_is_written(tmp_path):
    clip = attrs.evolve(random_clip(0), event=np.full(8, 1e5))
    with pytest.raises(ShapeError, match="must stay below 65504, got 100000"):
        write_segment(tmp_path / "one.safetensors", [clip], embed_dim=8, commit="{}")
    assert not list(tmp_path.iterdir())


def test_a_commit_without_clips_is_a_file_of_empty_tensors(tmp_path):
    path = tmp_path / "one.safetensors"
    record = write_segment(path, [], embed_dim=8, commit="{}")
    assert {name: tensor.shape for name, tensor in load_file(path).items()} == {
        "event": (0, 8),
        "action": (0, 8),
        "entity": (0, 8),
        "times_s": (0,),
    }
    assert Segment(path, record, embed_dim=8).event.shape == (0, 8)


def test_what_is_no_file_is_damage_and_never_waited_for(written):
    path, record, _ = written
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DamagedLibraryError, match="it is no file"):
        Segment(path, record, embed_dim=8)


def test_a_commit_that_no_reader_could_read_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="commit fewer videos at once"):
        write_segment(tmp_path / "one.safetensors", [], embed_dim=8, commit="x" * 100_000_001)
    assert not list(tmp_path.iterdir())
