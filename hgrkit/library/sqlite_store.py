"""The default store, with its one writer: segments are the log of commits, SQLite is their index."""

from __future__ import annotations

import os
import sqlite3
import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Literal, TypeVar

import attrs

from hgrkit.arguments import url_remark
from hgrkit.errors import DamagedLibraryError, HgrkitError, LibraryError, LibraryExistsError, LibraryNotFoundError
from hgrkit.library.change import apply_commit, make_tables
from hgrkit.library.commit_log import CommitLog
from hgrkit.library.commit_record import CommitRecord
from hgrkit.library.database import (
    DATABASE_FILE,
    checkpoint,
    create_database,
    is_database,
    open_for_writing,
    read_database,
    transaction,
    translated_errors,
)
from hgrkit.library.draft import draft_commit, find_video
from hgrkit.library.head import Head, format_of, read_head, read_manifest
from hgrkit.library.manifest import FORMAT_VERSION, Manifest
from hgrkit.library.records import ClipEmbeddings, VideoRecord
from hgrkit.library.rewrite import Rewrite
from hgrkit.library.rules import check_entries
from hgrkit.library.schema import SEGMENTS
from hgrkit.library.snapshot import SegmentCache, SqliteSnapshot, read_snapshot
from hgrkit.library.store import Entry, Rename, Snapshot, Usage, Version
from hgrkit.storage.atomic_file import TEMPORARY_SUFFIX, sync_file
from hgrkit.storage.lock import LOCK_FILE, WriterLock

__all__ = ["Mode", "SqliteStore", "library_around", "require_outside_libraries"]


class Writer:
    """Commits to one library, from one thread at a time.

    A commit is written to its segment first, durably, and then to the database in one transaction. A crash between
    the two leaves a segment that the next writer rolls forward; an error between them removes the segment.
    """

    def __init__(self, folder: Path) -> None:
        """Take the lock and bring the library into order: of the newest format, with nothing left over.

        Raises:
            LibraryLockedError: if another process writes to it.
            LibraryMismatchError: if its format is a later one.
            DamagedLibraryError: if its database is not what was written, or older than its segments.
            LibraryError: if it cannot be written.
        """
        self._folder = folder
        self._database = folder / DATABASE_FILE
        self._log = CommitLog(folder)
        self._commits = Lock()
        self._failed: tuple[str, int] | None = None
        self._connection: sqlite3.Connection | None = None
        with translated_errors(folder):
            self._lock = WriterLock(folder)
        try:
            self._connection = open_for_writing(self._database)
            with translated_errors(self._database):
                self._recover(self._connection)
        except BaseException:
            self.close()
            raise

    def commit(self, *, put: Sequence[Entry], remove: Sequence[str], rename: Sequence[Rename]) -> Version:
        """Do all of it or nothing; durable when this returns.

        Raises:
            LibraryError, ConfigError, ShapeError: as `Store.commit` says.
        """
        with self._commits, translated_errors(self._database):
            connection = self._ready()
            record = draft_commit(connection, put=put, remove=remove, rename=rename)
            if record is None:
                return read_head(connection).version
            clips = [clip for entry in put for clip in entry.clips]
            return self._append(connection, record.token, 1, [(record, clips)])

    def rewrite(self, snapshot: Snapshot | None, manifest: Manifest | None) -> Version:
        """Make a snapshot, by default the last version, the whole library, and free what is no longer needed.

        Raises:
            LibraryError, ShapeError: as `Store.rewrite` says.
        """
        with self._commits, translated_errors(self._database):
            connection = self._ready()
            return self._rewrite(connection, snapshot, manifest)

    def close(self) -> None:
        """Close the database and let go of the lock; doing so twice is harmless."""
        with self._commits:
            connection, self._connection = self._connection, None
            try:
                if connection is not None:
                    with suppress(HgrkitError, sqlite3.Error, OSError):
                        self._settle(connection)
                    connection.close()
            finally:
                self._lock.release()

    def _ready(self) -> sqlite3.Connection:
        if self._connection is None or not self._lock.held:
            raise LibraryError(f"the library {self._folder} is not open for writing; open it with mode='w'.")
        self._settle(self._connection)
        return self._connection

    def _recover(self, connection: sqlite3.Connection) -> None:
        checkpoint(connection)
        while parts := self._log.following(read_head(connection).version, self._named(connection)):
            with transaction(connection):
                apply_commit(connection, parts)
            checkpoint(connection)
        self._log.clear(self._named(connection))
        if format_of(connection) != FORMAT_VERSION:
            self._rewrite(connection, None, None)

    def _rewrite(
        self, connection: sqlite3.Connection, snapshot: Snapshot | None, manifest: Manifest | None
    ) -> Version:
        head, numbers = read_head(connection), None
        cache = SegmentCache(self._folder)
        if snapshot is None:
            own = read_snapshot(connection, cache)
            snapshot, numbers = own, own.video_numbers
        rewrite = Rewrite(snapshot, manifest, head=head, numbers=numbers)
        version = self._append(connection, rewrite.token, rewrite.num_parts, _forgetting(rewrite, cache))
        with suppress(sqlite3.Error):  # a full disk keeps the freed pages
            connection.execute("VACUUM")
        checkpoint(connection)
        with suppress(OSError):  # what is left, the next writer deletes
            self._log.clear(self._named(connection))
        return version

    def _append(
        self,
        connection: sqlite3.Connection,
        token: str,
        num_parts: int,
        parts: Iterable[tuple[CommitRecord, Sequence[ClipEmbeddings]]],
    ) -> Version:
        try:
            segments = self._log.append(parts)
            with transaction(connection):
                version = apply_commit(connection, segments)
        except BaseException:
            self._failed = (token, num_parts)
            with suppress(HgrkitError, sqlite3.Error, OSError):
                self._settle(connection)
            raise
        checkpoint(connection)
        return version

    def _settle(self, connection: sqlite3.Connection) -> None:
        """Remove every trace of a commit that failed; as long as that cannot be done, there is no other commit.

        Its frames may stand in SQLite's log although the commit was refused, and a crash would bring them back:
        the log is emptied before the segment goes.

        Raises:
            LibraryError, sqlite3.Error, OSError: if the disk does not let them be removed.
        """
        if self._failed is None:
            return
        token, num_parts = self._failed
        if read_head(connection).version.token != token:  # an interruption may come when it is done
            if not self._log_is_empty(connection):
                raise LibraryError(
                    f"{self._database}: an earlier commit failed and its traces cannot be removed yet; "
                    "free disk space and try again."
                )
            self._log.discard(token, num_parts)
        self._failed = None

    def _log_is_empty(self, connection: sqlite3.Connection) -> bool:
        log = self._database.with_name(self._database.name + "-wal")
        if log.stat().st_size and checkpoint(connection):
            sync_file(log)
        return log.stat().st_size == 0

    def _named(self, connection: sqlite3.Connection) -> set[str]:
        return {row[1] for row in SEGMENTS.rows(connection)}


def _forgetting(rewrite: Rewrite, cache: SegmentCache) -> Iterable[tuple[CommitRecord, Sequence[ClipEmbeddings]]]:
    """The parts of a rewriting; after each, old segments are let go of, so that memory holds few of them."""
    for part in rewrite.parts():
        yield part
        cache.keep(frozenset())


Mode = Literal["r", "w"]
T = TypeVar("T")


class SqliteStore:
    """A folder with `library.sqlite`, `segments/*.safetensors` and, for writers, `writer.lock`."""

    def __init__(self, folder: Path, *, mode: Mode = "r") -> None:
        """Open a library that exists; a writer brings it into order and into the newest format.

        Raises:
            LibraryNotFoundError: if there is none.
            LibraryLockedError: in mode `w`, if another process writes to it.
            LibraryMismatchError: if its format is a later one.
            DamagedLibraryError: if its database is not what was written.
            LibraryError: in mode `w`, if it cannot be written.
        """
        self._database = folder / DATABASE_FILE
        if not self._database.is_file() and CommitLog(folder).usage():
            raise DamagedLibraryError(f"{self._database} is damaged: it is missing; run `hgrkit repair {folder}`.")
        if not self._database.is_file():
            raise LibraryNotFoundError(
                url_remark(folder)
                or f"there is no library at {folder}; make one with `hgrkit index PATH --library {folder}`."
            )
        self._folder = folder
        self._closed = False
        self._cache = SegmentCache(folder)
        self._writer = Writer(folder) if mode == "w" else None
        try:
            self._manifest = self._read(read_manifest)
        except BaseException:
            self.close()
            raise

    @classmethod
    def create(cls, folder: Path, manifest: Manifest) -> SqliteStore:
        """Make an empty library and open it for writing; the folder may exist if it is empty.

        Raises:
            LibraryExistsError: if the folder holds a library, or anything else.
            LibraryError: if it cannot be written.
        """
        body = attrs.evolve(manifest, format_version=FORMAT_VERSION).to_json()
        head = Head(version=Version(0, uuid.uuid4().hex))
        if remark := url_remark(folder):
            raise LibraryError(remark)
        with translated_errors(folder):
            _require_vacant(folder)
            folder.mkdir(parents=True, exist_ok=True)
            with WriterLock(folder):
                _require_vacant(folder)
                create_database(folder / DATABASE_FILE, lambda connection: make_tables(connection, body, head))
        return cls(folder, mode="w")

    @property
    def manifest(self) -> Manifest:
        """What made the library, as of the version that was last looked at."""
        return self._manifest

    def version(self) -> Version:
        """The version committed last."""
        return self._read(read_head).version

    def find(self, path: str) -> VideoRecord | None:
        """One video, by its path."""
        return self._read(lambda connection: find_video(connection, path))

    def snapshot(self) -> SqliteSnapshot:
        """The version committed last, read and checked."""
        snapshot = self._read(lambda connection: read_snapshot(connection, self._cache))
        self._manifest = snapshot.manifest
        return snapshot

    def commit(
        self, *, put: Sequence[Entry] = (), remove: Sequence[str] = (), rename: Sequence[Rename] = ()
    ) -> Version:
        """Remove, rename and put videos: one segment, then one transaction."""
        check_entries(put, self._manifest.embed_dim)
        return self._require_writer().commit(put=put, remove=remove, rename=rename)

    def rewrite(self, snapshot: Snapshot | None = None, manifest: Manifest | None = None) -> Version:
        """Make a snapshot the whole library, in new segments; old segments and freed pages go."""
        version = self._require_writer().rewrite(snapshot, manifest)
        self._manifest = self._read(read_manifest)
        return version

    def usage(self) -> Usage:
        """The size of database and segments."""
        with translated_errors(self._folder):
            files = [path for path in self._folder.glob(DATABASE_FILE + "*") if path.is_file()]
            segments = CommitLog(self._folder).usage()
            num_bytes = sum(segments) + sum(path.stat().st_size for path in files)
        return Usage(num_bytes=num_bytes, segments=len(segments))

    def close(self) -> None:
        """Close the database and let go of the writer's lock."""
        self._closed = True
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def _read(self, read: Callable[[sqlite3.Connection], T]) -> T:
        if self._closed:
            raise LibraryError(f"the library {self._folder} is closed; open it again.")
        return read_database(self._database, read)

    def _require_writer(self) -> Writer:
        if self._closed:
            raise LibraryError(f"the library {self._folder} is closed; open it again.")
        if self._writer is None:
            raise LibraryError(f"the library {self._folder} is open for reading only; open it with mode='w'.")
        return self._writer


def library_around(path: str | os.PathLike[str]) -> Path | None:
    """The innermost library that is at a path or has it inside; links are followed."""
    real = Path(os.path.realpath(path))
    return next((folder for folder in (real, *real.parents) if is_database(folder / DATABASE_FILE)), None)


def require_outside_libraries(path: str | os.PathLike[str]) -> None:
    """Refuse a place for a new library that lies inside one; what is there belongs to that one alone.

    Raises:
        LibraryExistsError: if it does, however deep.
    """
    outer = library_around(Path(path).absolute().parent)
    if outer is not None:
        raise LibraryExistsError(f"{path} lies inside the library {outer}; choose a folder outside of it.")


def _require_vacant(folder: Path) -> None:
    """Raise unless nothing but the traces of an interrupted `create` is there."""
    if (folder / DATABASE_FILE).exists():
        raise LibraryExistsError(f"there is a library at {folder} already; open it, or choose another folder.")
    if folder.exists() and not folder.is_dir():
        raise LibraryExistsError(f"{folder} is a file; choose a folder that is empty or does not exist.")
    traces = (LOCK_FILE, DATABASE_FILE + TEMPORARY_SUFFIX)
    if folder.is_dir() and not all(path.name.startswith(traces) for path in folder.iterdir()):
        raise LibraryExistsError(
            f"{folder} holds other files and no library; choose a folder that is empty or does not exist."
        )
