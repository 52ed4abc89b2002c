from __future__ import annotations

import shutil
from pathlib import Path

import attrs
import numpy as np
import pytest

from hgrkit.library import Entry, Library, QueryEmbeddings, VideoRecord
from hgrkit.library.store import Rename
from hgrkit.testing.store_contract import StoreContract, random_clip


def record(path: str, content: str = "", **values: object) -> VideoRecord:
    return VideoRecord(path=path, content=content, size=1, mtime_ns=1, **values)


def clips(seed: int, count: int) -> list:
    return [random_clip(10 * seed + number, frames=2 + number) for number in range(count)]


def make_library(folder: Path, kind: str) -> None:
    """Ten videos that were added one by one and together, replaced, removed, moved; a failed one; an HNSW index.

    `plain`: nine commits; `compacted`: all of it rewritten; `followed`: and then two commits.
    """
    with Library.create(folder, StoreContract.manifest, candidates="hnsw") as library:
        for number in range(6):
            library.add(record(f"v/{number}.mp4"), clips(number, 1 + number % 3))
        library.add_all([Entry(record(f"w/{number}\udcff.mp4"), clips(20 + number, 2)) for number in range(4)])
        library.add(record("v/2.mp4", "new"), clips(40, 2))
        library.update(
            remove=["v/3.mp4"],
            rename=[Rename("v/4.mp4", record("x/4.mp4", "moved"))],
            put=[Entry(record("bad.mp4", state="failed", reason="it is empty"))],
        )
        if kind != "plain":
            library.compact()
        if kind == "followed":
            library.add(record("z.mp4"), clips(60, 2))
            library.update(remove=["v/0.mp4"])


@attrs.frozen
class Answers:
    """What a library says: its videos, and every video's stored vectors and score."""

    videos: dict[str, VideoRecord]
    vectors: dict[str, tuple[bytes, ...]]
    scores: dict[str, float]

    @classmethod
    def of(cls, folder: Path) -> Answers:
        random = np.random.default_rng(0)
        query = QueryEmbeddings(
            event=random.normal(size=8), action=random.normal(size=(1, 8)), entity=random.normal(size=(2, 8))
        )
        with Library.open(folder) as library:
            snapshot = library.snapshot()
            vectors: dict[str, tuple[bytes, ...]] = {video.path: () for video in snapshot.videos}
            stored = snapshot.clips(range(len(snapshot.clip_keys)))
            for place, clip in zip(snapshot.clip_videos.tolist(), stored, strict=True):
                parts = (clip.event, clip.action, clip.entity, clip.times_s)
                vectors[snapshot.videos[place].path] += tuple(part.tobytes() for part in parts)
            scores = library.scores([query])[:, 0].tolist()
            return cls(
                videos={video.path: video for video in snapshot.videos},
                vectors=vectors,
                scores=dict(zip(library.indexed_paths(), scores, strict=True)),
            )

    def without(self, paths) -> Answers:
        """The same, without some videos."""
        kept = [path for path in self.videos if path not in set(paths)]
        return Answers(
            {path: self.videos[path] for path in kept},
            {path: self.vectors[path] for path in kept},
            {path: self.scores[path] for path in kept if path in self.scores},
        )

    def assert_same(self, other: Answers) -> None:
        """Records and vectors to the last bit; scores but for the order of sums."""
        assert self.videos == other.videos
        assert self.vectors == other.vectors
        assert self.scores == pytest.approx(other.scores, abs=1e-6)


@pytest.fixture
def answers():
    """Takes what a library says, to be compared."""
    return Answers.of


@pytest.fixture(scope="session")
def made_libraries(tmp_path_factory) -> Path:
    """One library of each kind, and none of them may be touched."""
    folder = tmp_path_factory.mktemp("made")
    for kind in ("plain", "compacted", "followed"):
        make_library(folder / kind, kind)
    return folder


@pytest.fixture
def library_of(made_libraries, tmp_path):
    """A copy of a library of some kind, made by plain copy."""

    def copy(kind: str, name: str = "lib") -> Path:
        return Path(shutil.copytree(made_libraries / kind, tmp_path / name))

    return copy
