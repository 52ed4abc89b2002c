"""The rules that every store of a library keeps, as tests for an implementation's own suite to inherit."""

# ruff: noqa: D102 (a test's name is its claim)

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import attrs
import numpy as np
import pytest

from hgrkit.errors import ConfigError, LibraryError, ShapeError
from hgrkit.library.manifest import Manifest
from hgrkit.library.records import ClipEmbeddings, VideoRecord
from hgrkit.library.store import Entry, Rename, Snapshot, Store

__all__ = ["StoreContract", "random_clip"]

EMBED_DIM = 8


def random_clip(seed: int, *, frames: int = 3, embed_dim: int = EMBED_DIM) -> ClipEmbeddings:
    """A clip of `frames` seconds with random embeddings."""
    rng = np.random.default_rng(seed)
    return ClipEmbeddings(
        start_s=0.0,
        end_s=float(frames),
        times_s=np.arange(frames) + 0.5,
        event=rng.normal(size=embed_dim),
        action=rng.normal(size=(frames, embed_dim)),
        entity=rng.normal(size=(frames, embed_dim)),
    )


def _constant_clip(value: float) -> ClipEmbeddings:
    ones = np.ones((2, EMBED_DIM))
    return ClipEmbeddings(
        start_s=0, end_s=2, times_s=[0.5, 1.5], event=value * ones[0], action=value * ones, entity=value * ones
    )


_HUGE_CLIP = _constant_clip(1e6)
"""A clip that float16 cannot hold."""


def _record(path: str, *, content: str = "", metadata: dict[str, object] | None = None) -> VideoRecord:
    return VideoRecord(path=path, content=content, size=1, mtime_ns=1, metadata=metadata or {})


def _failed(path: str) -> VideoRecord:
    return VideoRecord(path=path, content="", size=1, mtime_ns=1, state="failed", reason="it has no video stream")


def _entry(path: str, *seeds: int) -> Entry:
    """An indexed video with a random clip for each seed."""
    return Entry(_record(path), [random_clip(seed) for seed in seeds])


def _paths(snapshot: Snapshot) -> list[str]:
    return [video.path for video in snapshot.videos]


def _stored_events(*seeds: int) -> np.ndarray:
    """What comes back of the events of random clips."""
    return _rounded(np.stack([random_clip(seed).event for seed in seeds]))


def _rounded(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float16).astype(np.float32)


def _same(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_array_equal(found, expected)


def _refuses(store: Store) -> None:
    """Require that a store does not let itself be written."""
    with pytest.raises(LibraryError):
        store.commit(put=[_entry("a", 1)])
    with pytest.raises(LibraryError):
        store.rewrite()


class StoreContract:
    """Inherit, name the class `Test...`, and say how a store is made and opened again.

    Every test gets an empty folder of its own from pytest's `tmp_path`.
    """

    manifest = Manifest(
        model="contract",
        model_fingerprint="model-1",
        frame_encoder="contract",
        frame_encoder_fingerprint="frames-1",
        sampling="uniform:20",
        clip_seconds=None,
        embed_dim=EMBED_DIM,
    )

    def create(self, folder: Path, manifest: Manifest) -> Store:
        """A new store in a folder that does not exist, open for writing."""
        raise NotImplementedError

    def reopen(self, folder: Path, *, write: bool) -> Store:
        """A store that was made before."""
        raise NotImplementedError

    @pytest.fixture(name="store")
    def _store(self, tmp_path: Path) -> Iterator[Store]:
        """A new store in the folder `lib`; a test that opens it again closes it first."""
        store = self.create(tmp_path / "lib", self.manifest)
        yield store
        store.close()

    def test_a_new_store_is_empty_and_knows_its_manifest(self, store: Store) -> None:
        snapshot = store.snapshot()
        assert store.manifest == self.manifest, "the manifest must come back"
        assert snapshot.videos == (), "a new store must be empty"
        assert snapshot.events().shape == (0, EMBED_DIM), "a new store must be empty"

    def test_embeddings_come_back_rounded_to_float16(self, store: Store, tmp_path: Path) -> None:
        clips = [random_clip(1, frames=1), random_clip(2, frames=5)]
        store.commit(put=[Entry(_record("a.mp4"), clips)])
        store.close()
        store = self.reopen(tmp_path / "lib", write=False)
        snapshot = store.snapshot()
        for stored, given in zip(snapshot.clips([0, 1]), clips, strict=True):
            assert (stored.start_s, stored.end_s) == (given.start_s, given.end_s), "clip times must come back"
            _same(stored.times_s, given.times_s)
            for name in ("event", "action", "entity"):
                _same(getattr(stored, name), _rounded(getattr(given, name)))
        _same(snapshot.events(), _rounded(np.stack([clip.event for clip in clips])))
        store.close()

    def test_records_come_back_with_every_field(self, store: Store, tmp_path: Path) -> None:
        strange = "Bücher\udcff/\n'; DROP TABLE videos;--.mp4"
        failed = VideoRecord(
            path=strange, content="sha256:1", size=2**40, mtime_ns=-5, state="failed", reason="no \udcff stream"
        )
        metadata = {"tags": ["\udc80", None, 1.5]}
        indexed = VideoRecord(
            path="a.mp4", content="", size=0, mtime_ns=2**62, duration_s=1.25, clips=1, metadata=metadata
        )
        store.commit(put=[Entry(failed), Entry(indexed, [random_clip(0)])])
        store.close()
        store = self.reopen(tmp_path / "lib", write=False)
        found = store.find(strange)
        assert found is not None, "the path must come back"
        assert (found.path, found.state) == (strange, "failed"), "the path must come back"
        assert found is not None, "numbers must come back"
        assert (found.size, found.mtime_ns) == (2**40, -5), "numbers must come back"
        assert store.find("a.mp4") == indexed, "the record must come back"
        assert store.find("b.mp4") is None, "what was never put must not be found"
        store.close()

    def test_videos_are_in_the_order_of_their_paths_and_clips_in_theirs(self, store: Store) -> None:
        for seed, path in enumerate(["c", "a", "é", "b"]):
            store.commit(put=[Entry(_record(path), [random_clip(seed, frames=1), random_clip(seed, frames=2)])])
        snapshot = store.snapshot()
        assert _paths(snapshot) == ["a", "b", "c", "é"], "videos must be in order"
        _same(snapshot.clip_videos, np.repeat(np.arange(4), 2))
        assert [clip.num_frames for clip in snapshot.clips(range(8))] == [1, 2] * 4, "clips must be in order"

    def test_putting_a_path_again_replaces_its_clips_in_one_version(self, store: Store) -> None:
        store.commit(put=[_entry("a", 1, 2), _entry("b", 3)])
        before = store.snapshot()
        store.commit(put=[Entry(_record("a", content="new"), [random_clip(4)])])
        after = store.snapshot()
        assert after.version.number == before.version.number + 1, "a replacement must be one commit"
        assert [video.content for video in after.videos] == ["new", ""], "the record must be the new one"
        _same(after.clip_videos, np.arange(2))
        _same(after.events(), _stored_events(4, 3))
        assert after.clip_keys[1] == before.clip_keys[2], "an untouched clip must keep its key"
        assert after.clip_keys[0] not in before.clip_keys, "a new clip must take a new key"

    def test_an_indexed_video_may_become_a_failed_one_and_back(self, store: Store) -> None:
        for entry in (_entry("a", 1), Entry(_failed("a")), _entry("a", 2, 3)):
            store.commit(put=[entry])
            found = store.find("a")
            state = (entry.record.state, len(entry.clips))
            assert found is not None, "state must follow"
            assert (found.state, found.clips) == state, "state must follow"
            assert len(store.snapshot().clip_keys) == len(entry.clips), "clips must follow"

    def test_removed_videos_are_gone_and_may_come_back(self, store: Store) -> None:
        store.commit(put=[_entry(path, 1) for path in "abc"])
        store.commit(remove=["a", "c", "never there"])
        assert _paths(store.snapshot()) == ["b"], "only b must be left"
        store.commit(put=[_entry("a", 5)])
        _same(store.snapshot().events(), _stored_events(5, 1))

    def test_a_commit_that_changes_nothing_is_no_new_version(self, store: Store) -> None:
        before = store.version()
        assert store.commit() == before, "the version must stay"
        assert store.commit(remove=["x"]) == before, "the version must stay"

    def test_a_refused_commit_changes_nothing(self, store: Store) -> None:
        store.commit(put=[_entry("a", 1)])
        version = store.version()
        for bad in (
            Entry(_record("c"), [random_clip(3, embed_dim=EMBED_DIM + 1)]),
            Entry(_record("c")),
            Entry(_failed("c"), [random_clip(3)]),
            _entry("b", 3),
            Entry(_record("c"), [_HUGE_CLIP]),
            Entry(_record("c", metadata={"x": object()}), [random_clip(3)]),
        ):
            with pytest.raises((ConfigError, ShapeError)):
                store.commit(put=[_entry("b", 2), bad], remove=["a"])
            assert store.version() == version, "nothing may have changed"
            assert len(store.snapshot().videos) == 1, "nothing may have changed"

    def test_a_refused_commit_leaves_nothing_behind(self, store: Store, tmp_path: Path) -> None:
        store.commit(put=[_entry("a", 1)])
        before = store.usage()
        for _ in range(3):
            with pytest.raises(ShapeError):
                store.commit(put=[Entry(_record("b"), [random_clip(2), _HUGE_CLIP])])
        assert store.usage() == before, "no file may be left behind"
        store.commit(put=[_entry("b", 2)])
        store.close()
        store = self.reopen(tmp_path / "lib", write=True)
        assert _paths(store.snapshot()) == ["a", "b"], "the writer must be able to continue"
        store.close()

    def test_a_snapshot_never_changes_while_others_write(self, store: Store, tmp_path: Path) -> None:
        store.commit(put=[_entry("a", 1), _entry("b", 2)])
        reader = self.reopen(tmp_path / "lib", write=False)
        snapshot = reader.snapshot()
        store.commit(put=[_entry("a", 3)])
        store.commit(remove=["b"])
        assert _paths(snapshot) == ["a", "b"], "the old version must stay readable"
        for seed, clip in enumerate(snapshot.clips([0, 1]), 1):
            _same(clip.action, _rounded(random_clip(seed).action))
        assert reader.version() == store.version() != snapshot.version, "a reader must notice new versions"
        assert len(reader.snapshot().videos) == 1, "a new snapshot must see them"
        reader.close()

    def test_readers_in_threads_see_whole_versions_while_one_writes(self, store: Store, tmp_path: Path) -> None:
        reader = self.reopen(tmp_path / "lib", write=False)
        store.commit(put=[Entry(_record(path), [_constant_clip(0)]) for path in "ab"])
        torn: list[str] = []
        done = threading.Event()

        def read() -> None:
            while not done.is_set():
                try:
                    snapshot = reader.snapshot()
                    values = {float(clip.event[0]) for clip in snapshot.clips(range(len(snapshot.clip_keys)))}
                except LibraryError as error:
                    torn.append(repr(error))
                    return
                if len(values) != 1 or len(snapshot.videos) != 2:
                    torn.append(f"{values} of {len(snapshot.videos)} videos")

        threads = [threading.Thread(target=read) for _ in range(3)]
        for thread in threads:
            thread.start()
        for number in range(1, 20):
            clips = [_constant_clip(number)] * (number % 3 + 1)
            store.commit(put=[Entry(_record(path), clips) for path in "ab"])
        done.set()
        for thread in threads:
            thread.join()
        assert not torn, f"readers saw half a version: {torn[:3]}"
        reader.close()

    def test_threads_of_one_writer_may_commit_at_once(self, store: Store) -> None:
        def write(name: str) -> None:
            for number in range(8):
                store.commit(put=[_entry(f"{name}{number}", number)])

        threads = [threading.Thread(target=write, args=(name,)) for name in "abc"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert store.version().number == 24, "no commit may be lost"
        assert len(store.snapshot().videos) == 24, "no commit may be lost"

    def test_what_was_committed_is_there_when_the_store_is_opened_again(
        self, store: Store, tmp_path: Path
    ) -> None:
        store.commit(put=[_entry(path, seed) for seed, path in enumerate("abc")])
        store.commit(put=[Entry(_failed("d"))], remove=["a"], rename=[Rename("b", _record("é"))])
        for write in (True, False):
            before = store.snapshot()
            store.close()
            store = self.reopen(tmp_path / "lib", write=write)
            after = store.snapshot()
            assert store.version() == before.version == after.version, "the version must be the same"
            assert after.videos == before.videos, "the videos must be the same"
            for name in ("clip_keys", "clip_videos", "clip_frames"):
                _same(getattr(after, name), getattr(before, name))
            _same(after.events(), before.events())
            for old, new in zip(before.clips(range(2)), after.clips(range(2)), strict=True):
                _same(new.action, old.action)
        store.close()
        store = self.reopen(tmp_path / "lib", write=True)
        store.commit(put=[_entry("f", 7)])
        assert store.snapshot().clip_keys[1] not in before.clip_keys, "keys must never be used twice"
        store.close()

    def test_a_reader_may_not_write_and_a_closed_store_does_nothing(self, store: Store, tmp_path: Path) -> None:
        store.close()
        reader = self.reopen(tmp_path / "lib", write=False)
        _refuses(reader)
        reader.close()
        reader.close()
        writer = self.reopen(tmp_path / "lib", write=True)
        writer.close()
        _refuses(writer)

    def test_a_renamed_video_keeps_its_clips_and_their_keys(self, store: Store) -> None:
        store.commit(put=[_entry("a", 1, 2), _entry("b", 3)])
        before = store.snapshot()
        moved = _record("c", content="same", metadata={"moved": True})
        store.commit(rename=[Rename("a", moved), Rename("b", _record("b", content="touched"))])
        after = store.snapshot()
        assert _paths(after) == ["b", "c"], "the video must have its new path"
        assert [video.content for video in after.videos] == ["touched", "same"], "the records must be the new ones"
        assert store.find("c") == attrs.evolve(moved, clips=2), "the store must count the clips itself"
        _same(after.clip_keys, before.clip_keys[[2, 0, 1]])
        _same(after.events(), before.events()[[2, 0, 1]])
        assert _paths(before) == ["a", "b"], "the old version must stay"

    def test_renames_happen_at_once_after_removals_and_before_anything_is_put(self, store: Store) -> None:
        store.commit(put=[_entry(path, seed) for seed, path in enumerate("abcd")])
        store.commit(rename=[Rename("a", _record("b")), Rename("b", _record("a"))])
        _same(store.snapshot().events(), _stored_events(1, 0, 2, 3))
        renames = [Rename("a", _record("c")), Rename("b", _record("d"))]
        store.commit(put=[_entry("a", 9)], remove=["c"], rename=renames)
        assert _paths(store.snapshot()) == ["a", "c", "d"], "the videos must be the new ones"
        _same(store.snapshot().events(), _stored_events(9, 1, 0))

    def test_a_rename_of_what_is_not_there_or_changes_state_is_refused(self, store: Store) -> None:
        store.commit(put=[_entry("a", 1), _entry("b", 2)])
        version = store.version()
        for removed, bad in (
            ([], [Rename("x", _record("y"))]),
            (["a"], [Rename("a", _record("y"))]),
            ([], [Rename("a", _failed("y"))]),
            ([], [Rename("a", _record("y")), Rename("b", _record("y"))]),
            ([], [Rename("a", _record("y")), Rename("a", _record("z"))]),
            ([], [Rename("a", _record("new"))]),
        ):
            with pytest.raises(ConfigError):
                store.commit(put=[_entry("new", 3)], remove=removed, rename=bad)
            assert store.version() == version, "nothing may have changed"
            assert len(store.snapshot().videos) == 2, "nothing may have changed"
        assert store.commit(rename=[Rename("a", _record("a"))]) == version, "a rename to itself changes nothing"

    def test_a_rewriting_changes_no_answer_and_frees_what_is_gone(self, store: Store, tmp_path: Path) -> None:
        long = partial(random_clip, frames=60)
        for number in range(12):
            store.commit(put=[Entry(_record("abc"[number % 3]), [long(number)] * 2)])
        store.commit(put=[Entry(_failed("d"))], rename=[Rename("b", _record("e"))], remove=["a"])
        before, size = store.snapshot(), store.usage()
        version = store.rewrite()
        after = store.snapshot()
        assert version == after.version == store.version(), "a rewriting must return the new version"
        assert version.number == before.version.number + 1, "a rewriting must be one commit"
        assert after.videos == before.videos, "the videos must be the same"
        assert after.manifest == before.manifest, "the videos must be the same"
        _same(after.clip_keys, before.clip_keys)
        _same(after.clip_videos, before.clip_videos)
        _same(after.events(), _rounded(np.stack([long(seed).event for seed in (11, 11, 10, 10)])))
        _same(after.clips([3])[0].entity, _rounded(long(10).entity))
        assert store.usage().num_bytes < size.num_bytes, "space must have been freed"
        store.commit(put=[_entry("f", 7)], remove=["c"])
        assert store.snapshot().clip_keys[-1] not in before.clip_keys, "keys must never be used twice"
        store.close()
        store = self.reopen(tmp_path / "lib", write=False)
        assert _paths(store.snapshot()) == ["d", "e", "f"], "the store must continue"
        store.close()

    def test_a_store_may_become_what_another_one_is(self, store: Store, tmp_path: Path) -> None:
        store.commit(put=[_entry(path, 1) for path in "ab"])
        old_keys = set(store.snapshot().clip_keys.tolist())
        upgraded = attrs.evolve(self.manifest, model_fingerprint="model-2", embed_dim=4)
        other = self.create(tmp_path / "other", upgraded)
        clips = [random_clip(seed, embed_dim=4) for seed in (2, 3, 4)]
        other.commit(put=[Entry(_record("b"), clips), Entry(_failed("c"))])
        reader = self.reopen(tmp_path / "lib", write=False)
        with pytest.raises(ShapeError):  # a manifest of another size
            store.rewrite(other.snapshot(), self.manifest)
        assert len(reader.snapshot().videos) == 2, "nothing may have changed"
        store.rewrite(other.snapshot())
        other.close()
        snapshot = reader.snapshot()
        assert store.manifest == snapshot.manifest == upgraded, "the manifest must be the other's"
        assert _paths(snapshot) == ["b", "c"], "the videos must be the other's"
        _same(snapshot.events(), _rounded(np.stack([clip.event for clip in clips])))
        assert not old_keys & set(snapshot.clip_keys.tolist()), "other clips must have other keys"
        store.commit(put=[Entry(_record("d"), [random_clip(3, embed_dim=4)])])
        reader.close()
