"""The library: videos and their clips on disk, kept by one writer and searched by any number of readers."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import TypeVar, get_args

import attrs

from hgrkit.arguments import check_choice, check_instance, check_path, check_sequence, check_text, check_whole
from hgrkit.errors import ConfigError, LibraryError, ShapeError
from hgrkit.library.arrays import ClipArrays
from hgrkit.library.candidates import AnnCache, AnnIndex, ann_available
from hgrkit.library.manifest import Manifest
from hgrkit.library.records import ClipEmbeddings, Float32, QueryEmbeddings, VideoRecord
from hgrkit.library.removal import listed_path
from hgrkit.library.scoring import SearchSettings
from hgrkit.library.search import ClipMatch, named_video, pair_scores, search_clips, video_scores
from hgrkit.library.sqlite_store import Mode, SqliteStore, require_outside_libraries
from hgrkit.library.store import Entry, Rename, Snapshot, Store, Version, View

__all__ = ["ANN_FROM", "CompactReport", "Counts", "Library"]

T = TypeVar("T")

ANN_FROM = 300_000
"""Clips from which candidates come from an HNSW index instead of a flat scan."""


@attrs.frozen(kw_only=True)
class Counts:
    """How much a library holds.

    Attributes:
        videos: all videos, failed ones included.
        indexed: those that can be found.
        failed: those that could not be read.
        clips: clips of all indexed videos.
    """

    videos: int
    indexed: int
    failed: int
    clips: int


@attrs.frozen(kw_only=True)
class CompactReport:
    """What a compaction did.

    Attributes:
        bytes_before: what database and arrays took.
        bytes_after: what they take now.
        files_before: files of embeddings that there were.
        files_after: files of embeddings that there are.
    """

    bytes_before: int
    bytes_after: int
    files_before: int
    files_after: int


class Library:
    """A folder of embedded videos that can be searched, copied and trusted.

    Readers see what is committed, from the next call on, also while another process writes; a reader never
    creates or changes a file, and its calls may come from many threads. A writer's changes are durable when its
    calls return.

    >>> import tempfile
    >>> manifest = Manifest(model="mini", model_fingerprint="m1", frame_encoder="lite2",
    ...     frame_encoder_fingerprint="f1", sampling="uniform:20", clip_seconds=None, embed_dim=2)
    >>> clip = ClipEmbeddings(start_s=0, end_s=4, times_s=[2.0], event=[1, 0], action=[[1, 0]], entity=[[0, 1]])
    >>> record = VideoRecord(path="dog.mp4", content="sha256:0", size=1, mtime_ns=0)
    >>> query = QueryEmbeddings(event=[1, 0], action=[[1, 0]], entity=[[0, 1]])
    >>> with tempfile.TemporaryDirectory() as folder, Library.create(f"{folder}/lib", manifest) as library:
    ...     library.add(record, [clip])
    ...     [(match.video, match.score) for match in library.search(query, 5)]
    [('dog.mp4', 1.0)]
    """

    def __init__(self, store: Store, ann_cache: AnnCache, *, writable: bool, ann_from: int = ANN_FROM) -> None:
        """Join the parts; callers want `create` or `open`."""
        self._store = store
        self._manifest = store.manifest
        self._ann_cache = ann_cache
        self._ann_from = ann_from
        self._ann: tuple[ClipArrays, AnnIndex | None] | None = None
        self._ann_lock = Lock()
        self._writable = writable

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        manifest: Manifest,
        *,
        ann_from: int = ANN_FROM,
        outside: bool = False,
    ) -> Library:
        """Make an empty library in a folder that is empty or does not exist yet, and open it for writing.

        Args:
            path: the folder.
            manifest: what it is made with.
            ann_from: clips from which candidates come from an HNSW index.
            outside: refuse a folder inside another library; only an upgrade makes one there, for itself.

        Raises:
            LibraryExistsError: if the folder holds a library or anything else, or lies where it must not.
            LibraryLockedError: if another process is making it.
            LibraryError: if it cannot be written.
        """
        path = Path(check_path("the library", path))
        check_instance("manifest", manifest, Manifest)
        ann_from = check_whole("ann_from", ann_from, least=0)
        if outside:
            require_outside_libraries(path)
        store = SqliteStore.create(path, manifest)
        return cls(store, AnnCache(path), writable=True, ann_from=ann_from)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        mode: Mode = "r",
        *,
        manifest: Manifest | None = None,
        ann_from: int = ANN_FROM,
    ) -> Library:
        """Open a library that exists.

        Args:
            path: its folder.
            mode: `r` never creates or writes anything; `w` takes the writer's lock.
            manifest: the parts that it will be used with; they have to be those that made it.
            ann_from: clips from which candidates come from an HNSW index.

        Raises:
            LibraryNotFoundError: if there is no library.
            LibraryMismatchError: if other parts, or a later format, made it.
            LibraryLockedError: in mode `w`, if another process writes to it.
            DamagedLibraryError: if its database is not what was written.
        """
        check_choice("mode", mode, get_args(Mode))
        ann_from = check_whole("ann_from", ann_from, least=0)
        path = Path(check_path("the library", path))
        store = SqliteStore(path, mode=mode)
        try:
            if manifest is not None:
                check_instance("manifest", manifest, Manifest)
                store.manifest.require(manifest, library=str(path))
        except BaseException:
            store.close()
            raise
        return cls(store, AnnCache(path), writable=mode == "w", ann_from=ann_from)

    @property
    def manifest(self) -> Manifest:
        """What made the library."""
        return self._store.manifest

    @property
    def version(self) -> Version:
        """The version committed last."""
        return self._store.version()

    def snapshot(self) -> Snapshot:
        """The version committed last, with its clips; later commits do not change it."""
        return self._ask(Snapshot.read)

    def videos(self) -> tuple[VideoRecord, ...]:
        """Every video, failed ones included, in the order of their paths' bytes."""
        return self._ask(lambda view: tuple(video.record for video in view.videos()))

    def indexed_paths(self) -> tuple[str, ...]:
        """The videos that can be found: the rows of `scores`."""
        return tuple(video.path for video in self.videos() if video.state == "indexed")

    def video(self, path: str) -> VideoRecord | None:
        """One video, by its path, absolute or from the current folder; `None` if the library does not have it."""
        return self._store.find(self._listed(path))

    def counts(self) -> Counts:
        """How much there is."""
        videos = self.videos()
        indexed = sum(video.state == "indexed" for video in videos)
        return Counts(
            videos=len(videos),
            indexed=indexed,
            failed=len(videos) - indexed,
            clips=sum(video.clips for video in videos),
        )

    def add(self, record: VideoRecord, clips: Sequence[ClipEmbeddings] = ()) -> None:
        """Add a video, or replace what the library has of its path; durable when this returns.

        Raises:
            LibraryError: if the library is open for reading only, or the disk fails; nothing is then changed.
            ShapeError: if a clip has another embedding size.
            ConfigError: if an indexed video has no clip, or a failed one has some.
        """
        self.add_all([Entry(record, clips)])

    def add_all(self, entries: Sequence[Entry]) -> None:
        """Add or replace many videos in one commit, all or none; much faster than one by one.

        Raises:
            LibraryError, ShapeError, ConfigError: as `add` does.
        """
        self._store.commit(put=check_sequence("entries", entries, Entry, of="Entry objects"))

    def update(
        self, *, put: Sequence[Entry] = (), remove: Sequence[str] = (), rename: Sequence[Rename] = ()
    ) -> Version:
        """Remove, rename and put videos, in this order, in one commit, all or none.

        A video that is put replaces what the library has of its path; until then the old one stays findable.

        Raises:
            LibraryError, ShapeError: as `add` does.
            ConfigError: as `add` does, or if what is to be renamed is not there or of another state.
        """
        return self._store.commit(
            put=check_sequence("put", put, Entry, of="Entry objects"),
            remove=check_sequence("remove", remove, str, of="paths"),
            rename=check_sequence("rename", rename, Rename, of="Rename objects"),
        )

    def rename(self, path: str, record: VideoRecord) -> None:
        """Let a video go on as another record with the same clips: its file was moved, or only touched.

        A video that has the record's path already is replaced.

        Raises:
            LibraryError: if the library is open for reading only, or the disk fails; nothing is then changed.
            ConfigError: if there is no such video, or the record is of another state.
        """
        self.update(rename=[Rename(self._listed(path), record)])

    def remove(self, path: str) -> bool:
        """Remove a video; whether there was one.

        Raises:
            LibraryError: if the library is open for reading only, or the disk fails.
        """
        before = self._store.version()
        return self.update(remove=[self._listed(path)]) != before

    def search(
        self,
        query: QueryEmbeddings,
        k: int = 10,
        *,
        settings: SearchSettings | None = None,
        videos: Sequence[str] | None = None,
    ) -> list[ClipMatch]:
        """The best clip of each of the k best videos, by exact scores, the best first; equal ones by path.

        Args:
            query: what is asked.
            k: videos, at least 1.
            settings: how clips are scored.
            videos: paths of the only ones that are looked at, absolute or from the current folder; all of the
                library unless given.

        Raises:
            ConfigError: if k is less than 1.
            LibraryError: if one of `videos` is not indexed.
            ShapeError: if the query does not have the library's embedding size.
            DamagedLibraryError: if stored embeddings are not what was written.
        """
        check_instance("query", query, QueryEmbeddings, error=ShapeError, hint="Retriever.search takes words")
        settings = _settings(settings)

        k = check_whole("k", k)
        self._check([query])
        among = None if videos is None else check_sequence("videos", videos, str, of="paths")

        def ask(view: View) -> list[ClipMatch]:
            chosen = None if among is None else [named_video(view, path) for path in dict.fromkeys(among)]
            index = self._ann_index(view.arrays, settings)
            return search_clips(view, query, k, settings, index=index, videos=chosen)

        return self._ask(ask)

    def scores(self, queries: Sequence[QueryEmbeddings], settings: SearchSettings | None = None) -> Float32:
        """Every query against every indexed video, by its best clip; exhaustive and exact.

        Returns:
            float32 [V, C], V in the order of `indexed_paths`.

        Raises:
            ShapeError: if a query does not have the library's embedding size.
            DamagedLibraryError: if stored embeddings are not what was written.
        """
        settings = _settings(settings)
        self._check(queries)
        return self._ask(lambda view: video_scores(view, queries, settings))

    def pair_scores(
        self, videos: Sequence[str], queries: Sequence[QueryEmbeddings], settings: Sequence[SearchSettings]
    ) -> Float32:
        """One score a query, by the best clip of the one video that it is asked of; exact.

        Args:
            videos: each query's video, by its path.
            queries: C queries.
            settings: S ways to score.

        Returns:
            float32 [S, C].

        Raises:
            LibraryError: if a video is not indexed.
            ShapeError: if a query does not have the library's embedding size.
            DamagedLibraryError: if stored embeddings are not what was written.
        """
        ways = check_sequence("settings", settings, SearchSettings, of="SearchSettings")
        queries = check_sequence("queries", queries, QueryEmbeddings, of="QueryEmbeddings", error=ShapeError)
        videos = check_sequence("videos", videos, str, of="paths")
        if len(videos) != len(queries):
            raise ConfigError(f"pairs need one video a query, got {len(videos)} and {len(queries)} of them.")
        self._check(queries)
        return self._ask(lambda view: pair_scores(view, videos, queries, ways))

    def compact(self) -> CompactReport:
        """Write what is living into new files, end to end, and delete the old ones; answers stay what they are.

        It takes as much free disk space as the living embeddings do, until it is done.

        Raises:
            LibraryError: if the library is open for reading only, or the disk fails; nothing is then changed.
            DamagedLibraryError: if stored embeddings are not what was written.
        """
        before = self._store.usage()
        self._store.rewrite()
        self._refresh_ann_index()
        after = self._store.usage()
        return CompactReport(
            bytes_before=before.num_bytes,
            bytes_after=after.num_bytes,
            files_before=before.files,
            files_after=after.files,
        )

    def replace_with(self, other: Library) -> None:
        """Become what another library is, in one commit: its videos, its embeddings and what made it.

        Raises:
            LibraryError: if the library is open for reading only, or the disk fails; nothing is then changed.
            DamagedLibraryError: if the other's embeddings are not what was written.
        """
        self._store.rewrite(check_instance("other", other, Library).snapshot())
        self._manifest = self._store.manifest

    def relabel(self, manifest: Manifest) -> None:
        """Say otherwise what made the library, in one commit: the same parts under other names.

        Raises:
            LibraryMismatchError: if it names other parts.
            LibraryError: if the library is open for reading only, or the disk fails; nothing is then changed.
        """
        check_instance("manifest", manifest, Manifest)
        self.manifest.require(manifest, library="to relabel")
        self._store.rewrite(manifest=manifest)
        self._manifest = self._store.manifest

    def refresh_ann_index(self) -> bool:
        """Bring the HNSW index of a large library up to date, as `close` does; whether searches have one now.

        Raises:
            LibraryError: if the library is open for reading only, or the disk fails.
        """
        if not self._writable:
            raise LibraryError("a library that is open for reading only writes no HNSW index; open it with 'w'.")
        return self._refresh_ann_index()

    def close(self) -> None:
        """Let go of the library; a writer of a large one first brings its HNSW index up to date."""
        writable, self._writable = self._writable, False
        try:
            if writable:
                self._refresh_ann_index()
        finally:
            self._store.close()

    def _ask(self, question: Callable[[View], T]) -> T:
        """Ask the version committed last, as long as the parts that the library was opened for make it."""

        def ask(view: View) -> T:
            view.manifest.require(self._manifest, library="that was opened")
            return question(view)

        return self._store.read(ask)

    def _check(self, queries: Sequence[QueryEmbeddings]) -> None:
        of = "QueryEmbeddings; make them of words with Retriever.read"
        embed_dim = self._manifest.embed_dim
        for query in check_sequence("queries", queries, QueryEmbeddings, of=of, error=ShapeError):
            if query.event.size != embed_dim:
                raise ShapeError(
                    f"a query must have embed_dim {embed_dim} as the library has, got {query.event.size}."
                )

    def _ann_index(self, arrays: ClipArrays, settings: SearchSettings) -> AnnIndex | None:
        """The saved index if it fits a large library; a scan needs nothing on disk."""
        if len(arrays.clips) < self._ann_from or settings.candidates_among(arrays.num_living) >= arrays.num_living:
            return None
        with self._ann_lock:
            if self._ann is None or self._ann[0] is not arrays:
                self._ann = (arrays, self._ann_cache.load(arrays))
            return self._ann[1]

    def _refresh_ann_index(self) -> bool:
        arrays = self._ask(lambda view: view.arrays)
        if len(arrays.clips) < max(self._ann_from, 1) or not ann_available():
            return False
        self._ann = (arrays, self._ann_cache.update(arrays))
        return True

    def _listed(self, path: str) -> str:
        """A video's path as the library has it; an unknown one as it is."""
        if self._store.find(check_text("path", path)) is not None:
            return path
        return listed_path(path, {video.path for video in self.videos()}) or path

    def __enter__(self) -> Library:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writable = self._writable and error is None  # after an error, nothing but letting go
        self.close()


def _settings(settings: SearchSettings | None) -> SearchSettings:
    return SearchSettings() if settings is None else check_instance("settings", settings, SearchSettings)
