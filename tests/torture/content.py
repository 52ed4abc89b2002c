"""Libraries of known content: videos that a seed gives back, steps that change them, and what must be found."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import attrs
import numpy as np

from hgrkit.indexing.feature_cache import FeatureCache
from hgrkit.library import ClipEmbeddings, Entry, Library, Manifest, SqliteStore, VideoRecord
from hgrkit.library.store import Rename, Snapshot
from hgrkit.testing.store_contract import StoreContract

MANIFEST: Manifest = StoreContract.manifest
DIM = MANIFEST.embed_dim


@attrs.frozen
class Video:
    """A video whose record and vectors follow from its fields.

    Attributes:
        path: where it lies.
        seed: of its vectors.
        clips: how many clips; 0 for a video that failed.
    """

    path: str
    seed: int
    clips: int

    @property
    def record(self) -> VideoRecord:
        return VideoRecord(
            path=self.path,
            content=f"sha256:{self.seed:064x}",
            size=self.seed,
            mtime_ns=self.seed * 7,
            state="indexed" if self.clips else "failed",
            reason=None if self.clips else f"nothing to see in {self.seed}",
            duration_s=3.0 * self.clips if self.clips else None,
            clips=self.clips,
            metadata={"seed": self.seed},
        )

    @property
    def entry(self) -> Entry:
        return Entry(self.record, [clip_of(self.seed, number) for number in range(self.clips)])


State = Mapping[str, Video]


@attrs.frozen
class Step:
    """What a writer does between two acknowledgements.

    Attributes:
        kind: `commit`, `graph`, `compact`, `reopen`, `upgrade` or `features`.
        put: videos added or replaced.
        remove: paths removed.
        rename: old path and what goes on under the new one.
    """

    kind: str
    put: tuple[Video, ...] = ()
    remove: tuple[str, ...] = ()
    rename: tuple[tuple[str, Video], ...] = ()

    def after(self, state: State) -> State:
        """What the library holds once this is done."""
        if self.kind == "upgrade":
            return {video.path: video for video in self.put}
        gone = {*self.remove, *(old for old, _ in self.rename)}
        kept = {path: video for path, video in state.items() if path not in gone}
        return {**kept, **{new.path: new for _, new in self.rename}, **{video.path: video for video in self.put}}


def clip_of(seed: int, number: int) -> ClipEmbeddings:
    """One clip of a video: vectors that no other seed gives."""
    random = np.random.default_rng([seed, number])
    frames = int(random.integers(1, 6))
    return ClipEmbeddings(
        start_s=3.0 * number,
        end_s=3.0 * number + 3,
        times_s=3.0 * number + np.sort(random.uniform(0, 3, frames)),
        event=random.normal(size=DIM),
        action=random.normal(size=(frames, DIM)),
        entity=random.normal(size=(frames, DIM)),
    )


def random_video(random: np.random.Generator, path: str) -> Video:
    """A video with up to three clips; one in eight is a failed one."""
    clips = int(random.integers(1, 4)) if random.random() > 0.125 else 0
    return Video(path, int(random.integers(1, 1 << 40)), clips)


def next_step(random: np.random.Generator, state: State, *, upgrades: bool = True, paths: int = 24) -> Step:
    """Something that a writer may do to a library; readers of an upgraded one would have to open it again."""
    kinds = ["commit", "graph", "compact", "reopen", "upgrade" if upgrades else "commit"]
    kind = str(random.choice(kinds, p=[0.66, 0.12, 0.1, 0.08, 0.04]))
    if kind == "upgrade":
        return Step(kind, put=tuple(random_video(random, path) for path in sorted(state)))
    if kind != "commit":
        return Step(kind)
    names = [f"{number:03}.mp4" for number in random.permutation(paths)]
    held, free = [name for name in names if name in state], [name for name in names if name not in state]
    put = [random_video(random, names.pop()) for _ in range(random.integers(1, 4))]
    taken = {video.path for video in put}
    held = [name for name in held if name not in taken]
    free = [name for name in free if name not in taken]
    remove = tuple(held.pop() for _ in range(random.integers(0, 2)) if held)
    rename = []
    if held and free and random.random() < 0.4:
        old, new = held.pop(), free.pop()
        rename = [(old, attrs.evolve(state[old], path=new))]
    if random.random() < 0.3 and (remove or rename):
        put = []
    return Step(kind, put=tuple(put), remove=remove, rename=tuple(rename))


def perform(library: Library, step: Step, folder: Path) -> Library:
    """Do a step to an open library; returns it, or the one that it was opened again as."""
    if step.kind == "commit":
        library.update(
            put=[video.entry for video in step.put],
            remove=step.remove,
            rename=[Rename(old, new.record) for old, new in step.rename],
        )
    elif step.kind == "graph":
        library.refresh_ann_index()
    elif step.kind == "compact":
        library.compact()
    elif step.kind == "reopen":
        library.close()
        return Library.open(folder, "w", candidates="hnsw")
    elif step.kind == "features":
        cache = FeatureCache(folder, "encoder-1", "uniform:20")
        cache.save("sha256:a", times_s=np.arange(9.0), features=np.ones((9, 400), np.float32), duration_s=9.0)
    elif step.kind == "upgrade":
        other = folder.with_name(folder.name + "-upgrade")
        shutil.rmtree(other, ignore_errors=True)
        with Library.create(other, attrs.evolve(MANIFEST, model_fingerprint="model-2")) as replacement:
            replacement.add_all([video.entry for video in step.put])
            library.replace_with(replacement)
    return library


@lru_cache(maxsize=1 << 14)
def digest_of(video: Video) -> str:
    """What `found` has to say of this video."""
    return _digest(video.record, [_rounded(clip) for clip in video.entry.clips])


def expected(state: State) -> dict[str, str]:
    """What `found` has to say of a library in this state."""
    return {path: digest_of(video) for path, video in state.items()}


def found(snapshot: Snapshot) -> dict[str, str]:
    """A digest of every video that is there: its record, its clips' times and every vector."""
    clips: dict[int, list[ClipEmbeddings]] = {}
    rows = range(len(snapshot.clip_keys))
    for place, clip in zip(snapshot.clip_videos.tolist(), snapshot.clips(rows), strict=True):
        clips.setdefault(place, []).append(clip)
    return {video.path: _digest(video, clips.get(place, [])) for place, video in enumerate(snapshot.videos)}


def found_in(folder: Path) -> dict[str, str]:
    """`found` of the library in a folder, opened for reading."""
    store = SqliteStore(folder)
    try:
        return found(store.snapshot())
    finally:
        store.close()


def _rounded(clip: ClipEmbeddings) -> ClipEmbeddings:
    half = {name: getattr(clip, name).astype(np.float16) for name in ("event", "action", "entity")}
    return attrs.evolve(clip, **half)


def _digest(record: VideoRecord, clips: list[ClipEmbeddings]) -> str:
    digest = hashlib.sha256(json.dumps(attrs.asdict(record), sort_keys=True).encode())
    for clip in clips:
        for part in (clip.times_s, clip.event, clip.action, clip.entity):
            digest.update(np.ascontiguousarray(part).tobytes())
        digest.update(f"{clip.start_s} {clip.end_s} {clip.num_frames};".encode())
    return digest.hexdigest()
