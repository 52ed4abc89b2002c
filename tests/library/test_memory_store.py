"""The contract of stores, kept by one that has nothing to do with SQLite or with files."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

import attrs
import numpy as np

from hgrkit.errors import LibraryError, ShapeError
from hgrkit.library import ClipEmbeddings, Entry, Manifest, Rename, Snapshot, Usage, Version, VideoRecord
from hgrkit.library.arrays import ClipArrays, clip_type, encode_clips, frame_type
from hgrkit.library.filters import table_of
from hgrkit.library.records import path_bytes
from hgrkit.library.store import StoredVideo, changed_renames, check_entries
from hgrkit.library.tables import record_from_row, row_from_record
from hgrkit.testing.store_contract import StoreContract


@attrs.frozen(eq=False)
class _Video:
    record: VideoRecord
    keys: tuple[int, ...]
    clips: tuple[ClipEmbeddings, ...]


@attrs.frozen(eq=False)
class MemoryView:
    """A version: a tuple that nobody changes."""

    version: Version
    manifest: Manifest
    _videos: tuple[_Video, ...] = ()

    @property
    def arrays(self):
        videos = [
            (number, video.keys[0] if video.keys else 0, video.clips) for number, video in enumerate(self._videos)
        ]
        dim = self.manifest.embed_dim
        clips, frames = [np.empty(0, clip_type(dim))], [np.empty(0, frame_type(dim))]
        for records, rows in encode_clips(videos, dim):
            records["first_frame"] += sum(map(len, frames))
            clips.append(records)
            frames.append(rows)
        return ClipArrays(np.concatenate(clips), np.concatenate(frames))

    def videos(self):
        firsts = np.cumsum([0, *(len(video.clips) for video in self._videos)]).tolist()
        return [
            StoredVideo(number, first, video.record)
            for number, (first, video) in enumerate(zip(firsts, self._videos, strict=False))
        ]

    def videos_of(self, numbers):
        return {video.number: video for video in self.videos() if video.number in numbers}

    def table(self):
        return table_of(self.videos())

    def find(self, path):
        return next((video for video in self.videos() if video.record.path == path), None)


@attrs.define(eq=False)
class _Shelf:
    """What stands for the disk: every version since the last rewriting, and the next clip's key."""

    versions: list[MemoryView]
    next_key: int = 1
    lock: Lock = attrs.field(factory=Lock)

    @property
    def current(self):
        return self.versions[-1]


_SHELVES: dict[Path, _Shelf] = {}


class MemoryStore:
    """Implements `hgrkit.library.Store`; folders are only names."""

    def __init__(self, folder: Path, *, write: bool) -> None:
        self._shelf = _SHELVES[folder]
        self._write = write
        self._closed = False

    @classmethod
    def create(cls, folder: Path, manifest: Manifest) -> MemoryStore:
        _SHELVES[folder] = _Shelf([MemoryView(Version(0, uuid.uuid4().hex), manifest)])
        return cls(folder, write=True)

    @property
    def manifest(self) -> Manifest:
        return self._shelf.current.manifest

    def version(self) -> Version:
        return self._shelf.current.version

    def find(self, path: str) -> VideoRecord | None:
        found = self.read(lambda view: view.find(path))
        return None if found is None else found.record

    def read(self, question):
        if self._closed:
            raise LibraryError("the store is closed.")
        return question(self._shelf.current)

    def snapshot(self) -> Snapshot:
        return self.read(Snapshot.read)

    def commit(
        self, *, put: Sequence[Entry] = (), remove: Sequence[str] = (), rename: Sequence[Rename] = ()
    ) -> Version:
        self._require_writable()
        check_entries(put, self.manifest.embed_dim)
        with self._shelf.lock:
            new = {entry.record.path: self._stored(entry) for entry in put}
            videos = {video.record.path: video for video in self._shelf.current._videos}
            gone = [path for path in remove if path in videos]
            renames = changed_renames(rename, find=self.find, removed=gone, put=put)
            if not (put or gone or renames):
                return self.version()
            taken = [(videos.pop(one.path), one.record) for one in renames]
            for path in gone:
                videos.pop(path, None)
            for video, record in taken:
                videos[record.path] = attrs.evolve(video, record=stored_record(record, clips=len(video.clips)))
            return self._seal({**videos, **new}, self.manifest)

    def rewrite(self, snapshot: Snapshot | None = None, manifest: Manifest | None = None) -> Version:
        self._require_writable()
        with self._shelf.lock:
            manifest = manifest or (snapshot or self._shelf.current).manifest
            if manifest.embed_dim != (snapshot or self._shelf.current).manifest.embed_dim:
                raise ShapeError(f"the vectors do not have embed_dim {manifest.embed_dim}.")
            videos = {} if snapshot else {video.record.path: video for video in self._shelf.current._videos}
            for place, record in enumerate(snapshot.videos if snapshot else ()):
                clips = snapshot.clips(np.flatnonzero(snapshot.clip_videos == place).tolist())
                videos[record.path] = self._stored(Entry(record, clips))
            self._seal(videos, manifest)
            del self._shelf.versions[:-1]
            return self.version()

    def usage(self) -> Usage:
        sizes = [version.arrays.frames.nbytes for version in self._shelf.versions]
        return Usage(num_bytes=sum(sizes))

    def close(self) -> None:
        self._closed = True

    def _stored(self, entry: Entry) -> _Video:
        first, self._shelf.next_key = self._shelf.next_key, self._shelf.next_key + len(entry.clips)
        keys = tuple(range(first, self._shelf.next_key))
        record = stored_record(entry.record, clips=len(keys))
        return _Video(record, keys, tuple(map(_rounded, entry.clips)))

    def _seal(self, videos: dict[str, _Video], manifest: Manifest) -> Version:
        version = Version(self.version().number + 1, uuid.uuid4().hex)
        ordered = sorted(videos.values(), key=lambda video: path_bytes(video.record.path))
        self._shelf.versions.append(MemoryView(version, manifest, tuple(ordered)))
        return version

    def _require_writable(self) -> None:
        if self._closed or not self._write:
            raise LibraryError("the store is not open for writing.")


def stored_record(record: VideoRecord, *, clips: int) -> VideoRecord:
    """The record as it comes back once it was stored."""
    return record_from_row(row_from_record(0, record, clips=clips, first_clip=0))


def _rounded(clip: ClipEmbeddings) -> ClipEmbeddings:
    with np.errstate(over="ignore"):
        halves = {name: getattr(clip, name).astype(np.float16) for name in ("event", "action", "entity")}
    return attrs.evolve(clip, **halves)


class TestMemoryStore(StoreContract):
    def create(self, folder: Path, manifest: Manifest) -> MemoryStore:
        return MemoryStore.create(folder, manifest)

    def reopen(self, folder: Path, *, write: bool) -> MemoryStore:
        return MemoryStore(folder, write=write)
