"""What every store of a library has to promise: a test suite that implementations inherit."""

# ruff: noqa: D102 (a test's name is its claim)

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np

from hgrkit.errors import ConfigError, LibraryError, ShapeError
from hgrkit.library.records import VideoRecord
from hgrkit.library.store import Entry, Rename
from hgrkit.testing.store_change_contract import (
    EMBED_DIM,
    StoreChangeContract,
    check,
    clips_of,
    constant_clip,
    failed,
    huge_clip,
    random_clip,
    record,
    refuses,
    rounded,
    same,
)

__all__ = ["StoreContract", "random_clip"]


class StoreContract(StoreChangeContract):
    """Inherit, name the class `Test...`, and say how a store is made and opened again.

    Every test gets an empty folder of its own from pytest's `tmp_path`.
    """

    def test_a_new_store_is_empty_and_knows_its_manifest(self, tmp_path: Path) -> None:
        store = self.create(tmp_path / "lib", self.manifest)
        snapshot = store.snapshot()
        check(store.manifest == self.manifest, "the manifest must come back")
        check(snapshot.videos == () and snapshot.events().shape == (0, EMBED_DIM), "a new store must be empty")
        store.close()

    def test_embeddings_come_back_rounded_to_float16(self, tmp_path: Path) -> None:
        clips = [random_clip(1, frames=1), random_clip(2, frames=5)]
        store = self.create(tmp_path / "lib", self.manifest)
        store.commit(put=[Entry(record("a.mp4"), clips)])
        store.close()
        store = self.reopen(tmp_path / "lib", write=False)
        snapshot = store.snapshot()
        for stored, given in zip(snapshot.clips([0, 1]), clips, strict=True):
            check((stored.start_s, stored.end_s) == (given.start_s, given.end_s), "clip times must come back")
            same(stored.times_s, given.times_s)
            for name in ("event", "action", "entity"):
                same(getattr(stored, name), rounded(getattr(given, name)))
        same(snapshot.events(), rounded(np.stack([clip.event for clip in clips])))
        store.close()

    def test_records_come_back_with_every_field(self, tmp_path: Path) -> None:
        strange = "Bücher\udcff/\n'; DROP TABLE videos;--.mp4"
        failed = VideoRecord(
            path=strange, content="sha256:1", size=2**40, mtime_ns=-5, state="failed", reason="no \udcff stream"
        )
        indexed = VideoRecord(
            path="a.mp4",
            content="",
            size=0,
            mtime_ns=2**62,
            duration_s=1.25,
            clips=1,
            metadata={"tags": ["\udc80", None, 1.5]},
        )
        store = self.create(tmp_path / "lib", self.manifest)
        store.commit(put=[Entry(failed), Entry(indexed, [random_clip(0)])])
        store.close()
        store = self.reopen(tmp_path / "lib", write=False)
        found = store.find(strange)
        check(found is not None and found.path == strange and found.state == "failed", "the path must come back")
        check(found is not None and (found.size, found.mtime_ns) == (2**40, -5), "numbers must come back")
        check(store.find("a.mp4") == indexed, "the record must come back")
        check(store.find("b.mp4") is None, "what was never put must not be found")
        store.close()

    def test_videos_are_in_the_order_of_their_paths_and_clips_in_theirs(self, tmp_path: Path) -> None:
        store = self.create(tmp_path / "lib", self.manifest)
        for number, path in enumerate(["c", "a", "é", "b"]):
            store.commit(put=[Entry(record(path), [random_clip(number, frames=1), random_clip(number, frames=2)])])
        snapshot = store.snapshot()
        check([video.path for video in snapshot.videos] == ["a", "b", "c", "é"], "videos must be in order")
        same(snapshot.clip_videos, np.repeat(np.arange(4), 2))
        check([clip.num_frames for clip in snapshot.clips(range(8))] == [1, 2] * 4, "clips must be in order")
        store.close()

    def test_putting_a_path_again_replaces_its_clips_in_one_version(self, tmp_path: Path) -> None:
        store = self.create(tmp_path / "lib", self.manifest)
        store.commit(
            put=[Entry(record("a"), [random_clip(1), random_clip(2)]), Entry(record("b"), [random_clip(3)])]
        )
        before = store.snapshot()
        store.commit(put=[Entry(record("a", content="new"), [random_clip(4)])])
        after = store.snapshot()
        check(after.version.number == before.version.number + 1, "a replacement must be one commit")
        check([video.content for video in after.videos] == ["new", ""], "the record must be the new one")
        check(clips_of(after, "a") == 1 and clips_of(after, "b") == 1, "old clips must be gone")
        same(after.events(), rounded(np.stack([random_clip(4).event, random_clip(3).event])))
        kept, new = int(after.clip_keys[1]), int(after.clip_keys[0])
        check(kept == int(before.clip_keys[2]), "an untouched clip must keep its key")
        check(new not in before.clip_keys, "a new clip must take a new key")
        store.close()

    def test_an_indexed_video_may_become_a_failed_one_and_back(self, tmp_path: Path) -> None:
        store = self.create(tmp_path / "lib", self.manifest)
        for given, clips in (
            (record("a"), [random_clip(1)]),
            (failed("a"), []),
            (record("a"), [random_clip(2), random_clip(3)]),
        ):
            store.commit(put=[Entry(given, clips)])
            found = store.find("a")
            check(
                found is not None and (found.state, found.clips) == (given.state, len(clips)), "state must follow"
            )
            check(len(store.snapshot().clip_keys) == len(clips), "clips must follow")
        store.close()

    def test_removed_videos_are_gone_and_may_come_back(self, tmp_path: Path) -> None:
        store = self.create(tmp_path / "lib", self.manifest)
        store.commit(put=[Entry(record(path), [random_clip(1)]) for path in "abc"])
        store.commit(remove=["a", "c", "never there"])
        check([video.path for video in store.snapshot().videos] == ["b"], "only b must be left")
        store.commit(put=[Entry(record("a"), [random_clip(5)])])
        same(store.snapshot().events()[0], rounded(random_clip(5).event))
        store.close()

    def test_a_commit_that_changes_nothing_is_no_new_version(self, tmp_path: Path) -> None:
        store = self.create(tmp_path / "lib", self.manifest)
        before = store.version()
        check(store.commit() == before and store.commit(remove=["x"]) == before, "the version must stay")
        store.close()

    def test_a_refused_commit_changes_nothing(self, tmp_path: Path) -> None:
        store = self.create(tmp_path / "lib", self.manifest)
        store.commit(put=[Entry(record("a"), [random_clip(1)])])
        version = store.version()
        good = Entry(record("b"), [random_clip(2)])
        for bad in (
            Entry(record("c"), [random_clip(3, embed_dim=EMBED_DIM + 1)]),
            Entry(record("c")),
            Entry(failed("c"), [random_clip(3)]),
            Entry(record("b"), [random_clip(3)]),
            Entry(record("c"), [huge_clip()]),
            Entry(record("c", metadata={"x": object()}), [random_clip(3)]),
        ):
            try:
                store.commit(put=[good, bad], remove=["a"])
            except (ConfigError, ShapeError):
                pass
            else:
                raise AssertionError(f"{bad} must be refused")
            check(store.version() == version and len(store.snapshot().videos) == 1, "nothing may have changed")
        store.close()

    def test_a_snapshot_never_changes_while_others_write(self, tmp_path: Path) -> None:
        writer = self.create(tmp_path / "lib", self.manifest)
        writer.commit(put=[Entry(record("a"), [random_clip(1)]), Entry(record("b"), [random_clip(2)])])
        reader = self.reopen(tmp_path / "lib", write=False)
        snapshot = reader.snapshot()
        writer.commit(put=[Entry(record("a"), [random_clip(3)])])
        writer.commit(remove=["b"])
        check([video.path for video in snapshot.videos] == ["a", "b"], "the old version must stay readable")
        same(snapshot.clips([0])[0].action, rounded(random_clip(1).action))
        same(snapshot.clips([1])[0].action, rounded(random_clip(2).action))
        check(reader.version() == writer.version() != snapshot.version, "a reader must notice new versions")
        check(len(reader.snapshot().videos) == 1, "a new snapshot must see them")
        writer.close()
        reader.close()

    def test_readers_in_threads_see_whole_versions_while_one_writes(self, tmp_path: Path) -> None:
        writer = self.create(tmp_path / "lib", self.manifest)
        reader = self.reopen(tmp_path / "lib", write=False)
        writer.commit(put=[Entry(record(path), [constant_clip(0)]) for path in "ab"])
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
            writer.commit(put=[Entry(record(path), [constant_clip(number)] * (number % 3 + 1)) for path in "ab"])
        done.set()
        for thread in threads:
            thread.join()
        check(not torn, f"readers saw half a version: {torn[:3]}")
        writer.close()
        reader.close()

    def test_threads_of_one_writer_may_commit_at_once(self, tmp_path: Path) -> None:
        writer = self.create(tmp_path / "lib", self.manifest)

        def write(name: str) -> None:
            for number in range(8):
                writer.commit(put=[Entry(record(f"{name}{number}"), [random_clip(number)])])

        threads = [threading.Thread(target=write, args=(name,)) for name in "abc"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        check(writer.version().number == 24 and len(writer.snapshot().videos) == 24, "no commit may be lost")
        writer.close()

    def test_what_was_committed_is_there_when_the_store_is_opened_again(self, tmp_path: Path) -> None:
        store = self.create(tmp_path / "lib", self.manifest)
        store.commit(put=[Entry(record(path), [random_clip(seed)]) for seed, path in enumerate("abc")])
        store.commit(put=[Entry(failed("d"))], remove=["a"], rename=[Rename("b", record("é"))])
        for write in (True, False):
            before = store.snapshot()
            store.close()
            store = self.reopen(tmp_path / "lib", write=write)
            after = store.snapshot()
            check(store.version() == before.version == after.version, "the version must be the same")
            check(after.videos == before.videos, "the videos must be the same")
            same(after.clip_keys, before.clip_keys)
            same(after.clip_videos, before.clip_videos)
            same(after.clip_frames, before.clip_frames)
            same(after.events(), before.events())
            for old, new in zip(before.clips(range(2)), after.clips(range(2)), strict=True):
                same(new.action, old.action)
        store.close()
        store = self.reopen(tmp_path / "lib", write=True)
        store.commit(put=[Entry(record("f"), [random_clip(7)])])
        check(int(store.snapshot().clip_keys[1]) not in before.clip_keys, "keys must never be used twice")
        store.close()

    def test_a_refused_commit_leaves_nothing_behind(self, tmp_path: Path) -> None:
        store = self.create(tmp_path / "lib", self.manifest)
        store.commit(put=[Entry(record("a"), [random_clip(1)])])
        before = store.usage()
        for _ in range(3):
            try:
                store.commit(put=[Entry(record("b"), [random_clip(2), huge_clip()])])
            except ShapeError:
                pass
            else:
                raise AssertionError("a value beyond float16 must be refused")
        check(store.usage() == before, "no file may be left behind")
        store.commit(put=[Entry(record("b"), [random_clip(2)])])
        store.close()
        store = self.reopen(tmp_path / "lib", write=True)
        check([video.path for video in store.snapshot().videos] == ["a", "b"], "the writer must be able to go on")
        store.close()

    def test_a_reader_may_not_write_and_a_closed_store_does_nothing(self, tmp_path: Path) -> None:
        self.create(tmp_path / "lib", self.manifest).close()
        reader = self.reopen(tmp_path / "lib", write=False)
        refuses(reader)
        reader.close()
        reader.close()
        writer = self.reopen(tmp_path / "lib", write=True)
        writer.close()
        refuses(writer)
