"""What every store has to promise of renames and rewritings, and the sample clips that it is tried with."""

# ruff: noqa: D102 (a test's name is its claim)

from __future__ import annotations

from functools import partial
from pathlib import Path

import attrs
import numpy as np

from hgrkit.errors import ConfigError, LibraryError, ShapeError
from hgrkit.library.manifest import Manifest
from hgrkit.library.records import ClipEmbeddings, VideoRecord
from hgrkit.library.store import Entry, Rename, Snapshot, Store

__all__ = [
    "EMBED_DIM",
    "StoreChangeContract",
    "check",
    "clips_of",
    "constant_clip",
    "failed",
    "huge_clip",
    "random_clip",
    "record",
    "refuses",
    "rounded",
    "same",
]

EMBED_DIM = 8


def random_clip(seed: int, *, frames: int = 3, embed_dim: int = EMBED_DIM) -> ClipEmbeddings:
    """A clip of `frames` seconds with random embeddings."""
    random = np.random.default_rng(seed)
    return ClipEmbeddings(
        start_s=0.0,
        end_s=float(frames),
        times_s=np.arange(frames) + 0.5,
        event=random.normal(size=embed_dim),
        action=random.normal(size=(frames, embed_dim)),
        entity=random.normal(size=(frames, embed_dim)),
    )


def record(path: str, *, content: str = "", metadata: dict[str, object] | None = None) -> VideoRecord:
    """An indexed video."""
    return VideoRecord(path=path, content=content, size=1, mtime_ns=1, metadata=metadata or {})


def failed(path: str) -> VideoRecord:
    """A failed video."""
    return VideoRecord(path=path, content="", size=1, mtime_ns=1, state="failed", reason="it has no video stream")


def constant_clip(value: float) -> ClipEmbeddings:
    """A clip whose every number is the same."""
    ones = np.ones((2, EMBED_DIM))
    return ClipEmbeddings(
        start_s=0, end_s=2, times_s=[0.5, 1.5], event=value * ones[0], action=value * ones, entity=value * ones
    )


def huge_clip() -> ClipEmbeddings:
    """A clip that float16 cannot hold."""
    return constant_clip(1e6)


def clips_of(snapshot: Snapshot, path: str) -> int:
    """How many clips a video of a snapshot has."""
    (place,) = (place for place, video in enumerate(snapshot.videos) if video.path == path)
    return int((snapshot.clip_videos == place).sum())


def rounded(values: np.ndarray) -> np.ndarray:
    """What comes back of stored embeddings."""
    return values.astype(np.float16).astype(np.float32)


def same(found: np.ndarray, expected: np.ndarray) -> None:
    """Require equal arrays."""
    np.testing.assert_array_equal(found, expected)


def refuses(store: Store) -> None:
    """Require that a store does not let itself be written."""
    for write in (partial(store.commit, put=[Entry(record("a"), [random_clip(1)])]), store.rewrite):
        try:
            write()
        except LibraryError:
            continue
        raise AssertionError("writing must be refused with a LibraryError")


def check(condition: bool, promise: str) -> None:
    """Require a promise to be kept."""
    if not condition:
        raise AssertionError(promise)


class StoreChangeContract:
    """Says how a store is made and opened again, and what becomes of videos that move.

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

    def test_a_renamed_video_keeps_its_clips_and_their_keys(self, tmp_path: Path) -> None:
        store = self.create(tmp_path / "lib", self.manifest)
        store.commit(
            put=[Entry(record("a"), [random_clip(1), random_clip(2)]), Entry(record("b"), [random_clip(3)])]
        )
        before = store.snapshot()
        moved = record("c", content="same", metadata={"moved": True})
        store.commit(rename=[Rename("a", moved), Rename("b", record("b", content="touched"))])
        after = store.snapshot()
        check([video.path for video in after.videos] == ["b", "c"], "the video must have its new path")
        check([video.content for video in after.videos] == ["touched", "same"], "the records must be the new ones")
        check(store.find("c") == attrs.evolve(moved, clips=2), "the store must count the clips itself")
        check(after.clip_keys.tolist() == before.clip_keys[[2, 0, 1]].tolist(), "clips must keep their keys")
        same(after.events(), before.events()[[2, 0, 1]])
        check([video.path for video in before.videos] == ["a", "b"], "the old version must stay")
        store.close()

    def test_renames_happen_at_once_after_removals_and_before_anything_is_put(self, tmp_path: Path) -> None:
        store = self.create(tmp_path / "lib", self.manifest)
        store.commit(put=[Entry(record(path), [random_clip(seed)]) for seed, path in enumerate("abcd")])
        store.commit(rename=[Rename("a", record("b")), Rename("b", record("a"))])
        same(store.snapshot().events(), rounded(np.stack([random_clip(n).event for n in (1, 0, 2, 3)])))
        store.commit(
            put=[Entry(record("a"), [random_clip(9)])],
            remove=["c"],
            rename=[Rename("a", record("c")), Rename("b", record("d"))],
        )
        snapshot = store.snapshot()
        check([video.path for video in snapshot.videos] == ["a", "c", "d"], "the videos must be the new ones")
        same(snapshot.events(), rounded(np.stack([random_clip(n).event for n in (9, 1, 0)])))
        store.close()

    def test_a_rename_of_what_is_not_there_or_changes_state_is_refused(self, tmp_path: Path) -> None:
        store = self.create(tmp_path / "lib", self.manifest)
        store.commit(put=[Entry(record("a"), [random_clip(1)]), Entry(record("b"), [random_clip(2)])])
        version = store.version()
        for removed, bad in (
            ([], [Rename("x", record("y"))]),
            (["a"], [Rename("a", record("y"))]),
            ([], [Rename("a", failed("y"))]),
            ([], [Rename("a", record("y")), Rename("b", record("y"))]),
            ([], [Rename("a", record("y")), Rename("a", record("z"))]),
            ([], [Rename("a", record("new"))]),
        ):
            try:
                store.commit(put=[Entry(record("new"), [random_clip(3)])], remove=removed, rename=bad)
            except ConfigError:
                pass
            else:
                raise AssertionError(f"{bad} must be refused")
            check(store.version() == version and len(store.snapshot().videos) == 2, "nothing may have changed")
        check(store.commit(rename=[Rename("a", record("a"))]) == version, "a rename to itself changes nothing")
        store.close()

    def test_a_rewriting_changes_no_answer_and_frees_what_is_gone(self, tmp_path: Path) -> None:
        store = self.create(tmp_path / "lib", self.manifest)
        for number in range(12):
            store.commit(put=[Entry(record("abc"[number % 3]), [random_clip(number, frames=60)] * 2)])
        store.commit(put=[Entry(failed("d"))], rename=[Rename("b", record("e"))], remove=["a"])
        before, size = store.snapshot(), store.usage()
        version = store.rewrite()
        after = store.snapshot()
        check(version == after.version == store.version(), "a rewriting must return the new version")
        check(version.number == before.version.number + 1, "a rewriting must be one commit")
        check(after.videos == before.videos and after.manifest == before.manifest, "the videos must be the same")
        same(after.clip_keys, before.clip_keys)
        same(after.clip_videos, before.clip_videos)
        same(after.events(), rounded(np.stack([random_clip(n, frames=60).event for n in (11, 11, 10, 10)])))
        same(after.clips([3])[0].entity, rounded(random_clip(10, frames=60).entity))
        check(store.usage().num_bytes < size.num_bytes, "space must have been freed")
        store.commit(put=[Entry(record("f"), [random_clip(7)])], remove=["c"])
        key = int(store.snapshot().clip_keys[-1])
        check(key not in before.clip_keys, "keys must never be used twice")
        store.close()
        store = self.reopen(tmp_path / "lib", write=False)
        check([video.path for video in store.snapshot().videos] == ["d", "e", "f"], "the store must go on")
        store.close()

    def test_a_store_may_become_what_another_one_is(self, tmp_path: Path) -> None:
        store = self.create(tmp_path / "lib", self.manifest)
        store.commit(put=[Entry(record(path), [random_clip(1)]) for path in "ab"])
        old_keys = set(store.snapshot().clip_keys.tolist())
        upgraded = attrs.evolve(self.manifest, model_fingerprint="model-2", embed_dim=4)
        other = self.create(tmp_path / "other", upgraded)
        other.commit(put=[Entry(record("b"), [random_clip(2, embed_dim=4)]), Entry(failed("c"))])
        reader = self.reopen(tmp_path / "lib", write=False)
        try:
            store.rewrite(other.snapshot(), self.manifest)
        except ShapeError:
            check(len(reader.snapshot().videos) == 2, "nothing may have changed")
        else:
            raise AssertionError("a manifest of another size must be refused")
        store.rewrite(other.snapshot())
        other.close()
        snapshot = reader.snapshot()
        check(store.manifest == snapshot.manifest == upgraded, "the manifest must be the other's")
        check([video.path for video in snapshot.videos] == ["b", "c"], "the videos must be the other's")
        same(snapshot.events(), rounded(random_clip(2, embed_dim=4).event[None]))
        check(not old_keys & set(snapshot.clip_keys.tolist()), "other clips must have other keys")
        store.commit(put=[Entry(record("d"), [random_clip(3, embed_dim=4)])])
        reader.close()
        store.close()
