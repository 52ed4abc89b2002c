"""The one writer of a library: it holds the lock, recovers what a dead writer left, and makes commits durable."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock

from hgrkit.errors import HgrkitError, LibraryError
from hgrkit.library.atomic_file import sync_file
from hgrkit.library.change import apply_commit
from hgrkit.library.commit_log import CommitLog
from hgrkit.library.commit_record import CommitRecord
from hgrkit.library.database import DATABASE_FILE, checkpoint, open_for_writing, transaction, translated_errors
from hgrkit.library.draft import draft_commit
from hgrkit.library.head import format_of, read_head
from hgrkit.library.lock import WriterLock
from hgrkit.library.manifest import FORMAT_VERSION, Manifest
from hgrkit.library.records import ClipEmbeddings
from hgrkit.library.rewrite import Rewrite
from hgrkit.library.schema import SEGMENTS
from hgrkit.library.snapshot import SegmentCache, read_snapshot
from hgrkit.library.store import Entry, Rename, Snapshot, Version

__all__ = ["Writer"]


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
