"""Commit records: what a segment says of its commit, without the database."""

from __future__ import annotations

import json

import attrs
import pytest

from hgrkit.errors import DamagedLibraryError
from hgrkit.library import Entry, Rename, SqliteStore, VideoRecord
from hgrkit.library.commit_record import (
    ClipSpan,
    CommitRecord,
    PutRecord,
    read_commit_record,
    read_logged_segment,
)
from hgrkit.library.segment import Segment, write_segment
from hgrkit.testing.store_contract import StoreContract, random_clip

CLIPS = [random_clip(0, frames=2), random_clip(1)]


def record(path: str, **values) -> VideoRecord:
    return VideoRecord(path=path, content="sha256:1", size=2**40, mtime_ns=-5, **values)


@pytest.fixture
def commit() -> CommitRecord:
    put = record("B\udcffü", duration_s=1.5, clips=2, metadata={"a": [None, "ü"]})
    return CommitRecord(
        number=3,
        token="a" * 32,
        parent="b" * 32,
        manifest=attrs.evolve(StoreContract.manifest, clip_seconds=2.5),
        segment=7,
        next_number=12,
        put=(
            PutRecord(number=8, record=put, clips=(ClipSpan(0, 2, 2), ClipSpan(0, 3, 3))),
            PutRecord(number=11, record=record("bad", state="failed", reason="it is empty"), clips=()),
        ),
        remove=("x\udc80",),
        rename=(Rename("q", record("z")),),
    )


@pytest.fixture
def path(commit, tmp_path):
    path = tmp_path / "one.safetensors"
    write_segment(path, CLIPS, embed_dim=8, commit=commit.to_json())
    return path


def test_a_record_survives_json_in_ascii(commit):
    assert commit.to_json().isascii()
    assert CommitRecord.from_json(commit.to_json()) == commit


def test_a_segment_tells_its_commit_and_what_the_database_should_say_of_it(commit, tmp_path):
    path = tmp_path / "one.safetensors"
    written = write_segment(path, CLIPS, embed_dim=8, commit=commit.to_json())
    assert read_commit_record(path) == commit
    found = read_logged_segment(path)
    assert found.segment == written
    assert Segment(path, found.segment, embed_dim=8).times_s.shape == (5,)


def test_every_flipped_bit_and_every_lost_end_is_noticed(path):
    whole = path.read_bytes()
    for place in range(len(whole)):
        content = bytearray(whole)
        content[place] ^= 1 << place % 8
        path.write_bytes(content)
        with pytest.raises(DamagedLibraryError, match=r"one\.safetensors is damaged"):
            read_commit_record(path)
    for length in range(0, len(whole), 5):
        path.write_bytes(whole[:length])
        with pytest.raises(DamagedLibraryError):
            read_commit_record(path)


@pytest.mark.parametrize(
    "change",
    [
        {"number": -1},
        {"number": True},
        {"number": 2**63},
        {"token": "../" + "a" * 29},
        {"parts": None},
        {"manifest": {}},
        {"put": {}},
        {"put": [{"number": 8}]},
        {"remove": ["\ud800"]},
        {"rename": [{"from": 1, "record": {}}]},
    ],
)
def test_a_crafted_record_is_damage(commit, change, tmp_path):
    path = tmp_path / "one.safetensors"
    crafted = json.dumps({**json.loads(commit.to_json()), **change})
    write_segment(path, CLIPS, embed_dim=8, commit=crafted)
    with pytest.raises(DamagedLibraryError, match=r"no commit record|a manifest has the keys"):
        read_commit_record(path)


@pytest.mark.parametrize(
    "values",
    [
        {"state": "lost"},
        {"size": 2**63},
        {"clips": [[0, 2, 2]]},
        {"clips": [[0, 2, 2], [0, 3, 10**15]]},
        {"clips": [[0, 2, 2], [3, 0, 3]]},
        {"clips": [[0, 2, 2], [0, float("inf"), 3]]},
        {"metadata": []},
    ],
)
def test_a_crafted_video_is_damage(commit, values, tmp_path):
    path = tmp_path / "one.safetensors"
    crafted = json.loads(commit.to_json())
    crafted["put"][0].update(values)
    write_segment(path, CLIPS, embed_dim=8, commit=json.dumps(crafted))
    with pytest.raises(DamagedLibraryError):
        read_commit_record(path)


def test_deep_nesting_is_damage(tmp_path):
    path = tmp_path / "one.safetensors"
    write_segment(path, [], embed_dim=8, commit="[" * 200_000)
    with pytest.raises(DamagedLibraryError):
        read_commit_record(path)
    header = b"[" * 200_000
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(DamagedLibraryError, match="nested too deeply"):
        read_commit_record(path)


def test_the_segments_of_a_library_are_its_log(tmp_path):
    store = SqliteStore.create(tmp_path / "lib", StoreContract.manifest)
    versions = [store.version()]
    versions.append(store.commit(put=[Entry(record("a"), [random_clip(0)])]))
    versions.append(store.commit(put=[Entry(record("b", state="failed", reason="why"))]))
    versions.append(store.commit(rename=[Rename("a", record("c"))], remove=["b", "x"]))
    versions.append(store.rewrite())
    store.close()
    (only,) = (read_commit_record(path) for path in (tmp_path / "lib" / "segments").iterdir())
    assert (only.number, only.token, only.parent) == (4, versions[4].token, versions[3].token)
    assert only.whole
    assert [put.record.path for put in only.put] == ["c"]
