"""What the contract of stores is tried with: clips, records, and checks that say what was promised."""

from __future__ import annotations

from functools import partial

import numpy as np

from hgrkit.errors import LibraryError
from hgrkit.library.records import ClipEmbeddings, VideoRecord
from hgrkit.library.store import Entry, Snapshot, Store

__all__ = [
    "EMBED_DIM",
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
