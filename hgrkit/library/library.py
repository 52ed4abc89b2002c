"""The library: videos and their clips on disk, kept by one writer and searched by any number of readers."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar, get_args

from hgrkit.checks.arguments import check_choice, check_instance, check_path, check_sequence, check_text
from hgrkit.errors import ConfigError, LibraryError, ShapeError
from hgrkit.library.candidates import AnnCache, CandidateSource
from hgrkit.library.filters import Filter
from hgrkit.library.manifest import Manifest
from hgrkit.library.matches import Matches
from hgrkit.library.records import ClipEmbeddings, CompactReport, Counts, Float32, QueryEmbeddings, VideoRecord
from hgrkit.library.removal import listed_path
from hgrkit.library.request import SearchRequest, Source
from hgrkit.library.scoring import LevelWeights, SearchSettings
from hgrkit.library.search import all_videos, indexed_paths, pair_scores, search_clips, video_scores
from hgrkit.library.sqlite_store import Mode, SqliteStore
from hgrkit.library.store import Entry, Rename, Snapshot, Store, Version, View

__all__ = ["Library"]

T = TypeVar("T")
P = TypeVar("P")
StrPath = str | os.PathLike[str]


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

    def __init__(self, stores: Sequence[tuple[Store, AnnCache]], *, writable: bool) -> None:
        """Join the parts; callers want `create` or `open`."""
        self._stores = tuple(store for store, _ in stores)
        self._ann_caches = tuple(cache for _, cache in stores)
        self._manifest: Manifest = self._stores[0].manifest
        self._writable = writable

    @classmethod
    def create(
        cls, path: StrPath, manifest: Manifest, *, candidates: CandidateSource = "auto", outside: bool = False
    ) -> Library:
        """Make an empty library in a folder that is empty or does not exist yet, and open it for writing.

        Args:
            path: the folder.
            manifest: what it is made with.
            candidates: where the clips that a search compares exactly come from, as `open` says.
            outside: refuse a folder inside another library; only an upgrade makes one there, for itself.

        Raises:
            LibraryExistsError: if the folder holds a library or anything else, or lies where it must not.
            LibraryLockedError: if another process is making it.
            LibraryError: if it cannot be written.
        """
        path = Path(check_path("the library", path))
        check_instance("manifest", manifest, Manifest)
        cache = AnnCache(path.absolute(), candidates)
        return cls([(SqliteStore.create(path, manifest, outside=outside), cache)], writable=True)

    @classmethod
    def open(
        cls,
        path: StrPath | Sequence[StrPath],
        mode: Mode = "r",
        *,
        manifest: Manifest | None = None,
        candidates: CandidateSource = "auto",
    ) -> Library:
        """Open a library that exists, or several as one.

        Args:
            path: its folder, or the folders of several libraries that the same parts made, to be read only. Hits
                and their order are those of one library that holds all videos; a video that several hold is listed
                once.
            mode: `r` never creates or writes anything; `w` takes the writer's lock.
            manifest: the parts that it will be used with; they have to be those that made it.
            candidates: where the clips that a search compares exactly come from: a `flat` scan of all events, an
                `hnsw` index of them, or `auto`, which takes the index where it is faster.

        Raises:
            LibraryNotFoundError: if there is no library.
            LibraryMismatchError: if other parts, or a later format, made it.
            LibraryLockedError: in mode `w`, if another process writes to it.
            DamagedLibraryError: if its database is not what was written.
            ConfigError: if several libraries are to be written, or one is named twice.
        """
        check_choice("mode", mode, get_args(Mode))
        if manifest is not None:
            check_instance("manifest", manifest, Manifest)
        several = path if isinstance(path, Sequence) and not isinstance(path, str | bytes) else [path]
        folders = [Path(check_path("the library", folder)) for folder in several]
        if not folders or len({folder.absolute() for folder in folders}) != len(folders):
            raise ConfigError("libraries to open as one must be at least one, and each must be named once.")
        if mode == "w" and len(folders) > 1:
            raise ConfigError("several libraries cannot be written as one; open one of them with mode='w'.")
        caches = [AnnCache(folder.absolute(), candidates) for folder in folders]
        stores: list[SqliteStore] = []
        try:
            for folder in folders:
                stores.append(SqliteStore(folder, mode=mode))
                stores[-1].manifest.require(manifest or stores[0].manifest, library=str(folder))
        except BaseException:
            for store in stores:
                store.close()
            raise
        return cls(list(zip(stores, caches, strict=True)), writable=mode == "w")

    @property
    def manifest(self) -> Manifest:
        """What made the library."""
        return self._stores[0].manifest

    @property
    def version(self) -> Version:
        """The version committed last; of several libraries, one that changes when one of theirs does."""
        versions = [store.version() for store in self._stores]
        return Version(sum(one.number for one in versions), "+".join(one.token for one in versions))

    def snapshot(self) -> Snapshot:
        """The version committed last, with its clips; later commits do not change it."""
        return self.ask(lambda sources: Snapshot.read(self._only(sources).view))

    def videos(self, where: str | None = None) -> tuple[VideoRecord, ...]:
        """Every video, failed ones included, in the order of their paths' bytes.

        With an SQL expression as `search` takes it: the indexed ones that it is true of.
        """
        chosen = None if where is None else Filter.read(where)
        return tuple(self.ask(lambda sources: all_videos(sources, chosen)))

    def indexed_paths(self) -> tuple[str, ...]:
        """The videos that can be found: the rows of `scores`."""
        return tuple(self.ask(indexed_paths))

    def video(self, path: str) -> VideoRecord | None:
        """One video, by its path, absolute or from the current folder; `None` if the library does not have it."""
        return self._find(self._listed(path))

    def counts(self) -> Counts:
        """How much there is."""
        videos = self.videos()
        indexed = sum(video.state == "indexed" for video in videos)
        clips = sum(video.clips for video in videos)
        return Counts(videos=len(videos), indexed=indexed, failed=len(videos) - indexed, clips=clips)

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
        self._only(self._stores).commit(put=check_sequence("entries", entries, Entry, of="Entry objects"))

    def update(
        self, *, put: Sequence[Entry] = (), remove: Sequence[str] = (), rename: Sequence[Rename] = ()
    ) -> Version:
        """Remove, rename and put videos, in this order, in one commit, all or none.

        A video that is put replaces what the library has of its path; until then the old one stays findable.

        Raises:
            LibraryError, ShapeError, ConfigError: as `Store.commit` does.
        """
        return self._only(self._stores).commit(
            put=check_sequence("put", put, Entry, of="Entry objects"),
            remove=check_sequence("remove", remove, str, of="paths"),
            rename=check_sequence("rename", rename, Rename, of="Rename objects"),
        )

    def rename(self, path: str, record: VideoRecord) -> None:
        """Let a video continue as another record with the same clips: its file was moved, or only touched.

        A video that has the record's path already is replaced. Raises what `update` does.
        """
        self.update(rename=[Rename(self._listed(path), record)])

    def remove(self, path: str) -> bool:
        """Remove a video; whether there was one.

        Raises:
            LibraryError: if the library is open for reading only, or the disk fails.
        """
        before = self.version
        return self.update(remove=[self._listed(path)]) != before

    def search(
        self,
        query: QueryEmbeddings,
        k: int = 10,
        *,
        settings: SearchSettings | None = None,
        videos: Sequence[str] | None = None,
        per_video: int = 1,
        where: str | None = None,
        leave_out: str | None = None,
    ) -> Matches:
        """The best clip of each of the best videos, and further moments, by exact scores; equal ones by path.

        Args:
            query: what is asked.
            k: answers, at least 1.
            settings: how clips are scored.
            videos: paths of the only ones that are looked at, absolute or from the current folder; else all.
            per_video: answers of one video, at most: its best clip, and further moments that share no time with it
                or each other; none of them stands before the video's best clip.
            where: an SQL expression that is true of what is looked at, over `filters.COLUMNS` and the tags.
            leave_out: the path of a video that is no answer.

        Raises:
            ConfigError: if k or `per_video` is less than 1, or the filter cannot be read or evaluated.
            LibraryError: if one of `videos` is not indexed.
            ShapeError: if the query does not have the library's embedding size.
            DamagedLibraryError: if stored embeddings are not what was written.
        """
        check_instance("query", query, QueryEmbeddings, error=ShapeError, hint="Retriever.search takes words")
        settings = check_instance("settings", settings or SearchSettings(), SearchSettings)
        self._check([query])
        among = None if videos is None else check_sequence("videos", videos, str, of="paths")
        chosen = None if where is None else Filter.read(where)
        request = SearchRequest(
            query=query,
            k=k,
            settings=settings,
            videos=among,
            where=chosen,
            per_video=per_video,
            leave_out=leave_out,
        )
        return self.ask(lambda sources: search_clips(sources, request))

    def scores(self, queries: Sequence[QueryEmbeddings], settings: SearchSettings | None = None) -> Float32:
        """Every query against every indexed video, by its best clip; exhaustive and exact.

        Returns:
            float32 [V, C], V in the order of `indexed_paths`.

        Raises:
            ShapeError: if a query does not have the library's embedding size.
            DamagedLibraryError: if stored embeddings are not what was written.
        """
        settings = check_instance("settings", settings or SearchSettings(), SearchSettings)
        self._check(queries)
        return self.ask(lambda sources: video_scores(sources, queries, settings))

    def pair_scores(
        self, videos: Sequence[str], queries: Sequence[QueryEmbeddings], settings: Sequence[SearchSettings]
    ) -> Float32:
        """One score a query, by the best clip of the one video that it is asked of; exact.

        The C queries have a video each; of S settings, the scores are float32 [S, C].

        Raises:
            LibraryError: if a video is not indexed.
            ShapeError, DamagedLibraryError: as `scores` does.
        """
        ways = check_sequence("settings", settings, SearchSettings, of="SearchSettings")
        queries = check_sequence("queries", queries, QueryEmbeddings, of="QueryEmbeddings", error=ShapeError)
        videos = check_sequence("videos", videos, str, of="paths")
        if len(videos) != len(queries):
            raise ConfigError(f"pairs need one video a query, got {len(videos)} and {len(queries)} of them.")
        self._check(queries)
        return self.ask(lambda sources: pair_scores(sources, videos, queries, ways))

    def compact(self) -> CompactReport:
        """Write what is living into new files, end to end, and delete the old ones; answers stay what they are.

        It takes as much free disk space as the living embeddings do, until it is done.

        Raises:
            LibraryError: if the library is open for reading only, or the disk fails; nothing is then changed.
            DamagedLibraryError: if stored embeddings are not what was written.
        """
        store = self._only(self._stores)
        before = store.usage()
        store.rewrite()
        self._ann_caches[0].refresh(self.ask(lambda sources: sources[0].view.arrays))
        return CompactReport(bytes_before=before.num_bytes, bytes_after=store.usage().num_bytes)

    def replace_with(self, other: Library) -> None:
        """Become what another library is, in one commit: its videos, its embeddings and what made it.

        Raises:
            LibraryError: if the library is open for reading only, or the disk fails; nothing is then changed.
            DamagedLibraryError: if the other's embeddings are not what was written.
        """
        self._only(self._stores).rewrite(check_instance("other", other, Library).snapshot())
        self._manifest = self.manifest

    def relabel(self, manifest: Manifest) -> None:
        """Say otherwise what made the library, in one commit: the same parts under other names.

        Raises:
            LibraryMismatchError: if it names other parts.
            LibraryError: if the library is open for reading only, or the disk fails; nothing is then changed.
        """
        check_instance("manifest", manifest, Manifest)
        self.manifest.require(manifest, library="to relabel")
        self._only(self._stores).rewrite(manifest=manifest)
        self._manifest = self.manifest

    @property
    def level_weights(self) -> LevelWeights | None:
        """What `Retriever.tune` learned, as committed last; `None` for the model's own, or if several differ."""
        found = {source.view.manifest.level_weights for source in self.ask(list)}
        return found.pop() if len(found) == 1 else None

    def refresh_ann_index(self) -> bool:
        """Bring the HNSW index of a large library up to date, as `close` does; whether searches have one now.

        Raises:
            LibraryError: if the library is open for reading only, or the disk fails.
        """
        if not self._writable:
            raise LibraryError("a library that is open for reading only writes no HNSW index; open it with 'w'.")
        return self._ann_caches[0].refresh(self.ask(lambda sources: sources[0].view.arrays))

    def close(self) -> None:
        """Let go of the library; a writer of a large one first brings its HNSW index up to date."""
        writable, self._writable = self._writable, False
        try:
            if writable:
                self._ann_caches[0].refresh(self.ask(lambda sources: sources[0].view.arrays))
        finally:
            for store in self._stores:
                store.close()

    def ask(self, question: Callable[[Sequence[Source]], T]) -> T:
        """Ask the version committed last, as long as the parts that the library was opened for make it."""

        def ask(views: tuple[View, ...]) -> T:
            if len(views) < len(self._stores):
                return self._stores[len(views)].read(lambda view: ask((*views, view)))
            for view in views:
                view.manifest.require(self._manifest, library="that was opened")
                view.arrays.require_there()
            try:
                return question([Source(view, cache) for view, cache in zip(views, self._ann_caches, strict=True)])
            finally:
                for view in views:
                    view.arrays.require_there()

        return ask(())

    def _only(self, parts: Sequence[P]) -> P:
        """The part of the one library that this is."""
        if len(parts) > 1:
            raise LibraryError("several libraries are open as one; open the one that is meant.")
        return parts[0]

    def _check(self, queries: Sequence[QueryEmbeddings]) -> None:
        of = "QueryEmbeddings; make them of words with Retriever.read"
        embed_dim = self._manifest.embed_dim
        for query in check_sequence("queries", queries, QueryEmbeddings, of=of, error=ShapeError):
            if query.event.size != embed_dim:
                raise ShapeError(f"a query must have the library's embed_dim {embed_dim}, got {query.event.size}.")

    def _find(self, path: str) -> VideoRecord | None:
        return next((found for store in self._stores if (found := store.find(path)) is not None), None)

    def _listed(self, path: str) -> str:
        """A video's path as the library has it; an unknown one as it is."""
        if self._find(check_text("path", path)) is not None:
            return path
        return listed_path(path, {video.path for video in self.videos()}) or path

    def __enter__(self) -> Library:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._writable = self._writable and error is None  # after an error, nothing but letting go
        self.close()
