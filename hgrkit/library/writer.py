"""The one writer of a library: every commit is appended, then sealed in one transaction, or leaves no trace."""

from __future__ import annotations

import shutil
import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import accumulate
from pathlib import Path
from threading import Lock

import attrs

from hgrkit.errors import HgrkitError, LibraryError, ShapeError
from hgrkit.library.arrays import ARRAY_FOLDER, append_records, encode_clips, shorten_arrays
from hgrkit.library.change import Change, WrittenLibrary, find_video
from hgrkit.library.database import (
    DATABASE_FILE,
    checkpoint,
    open_for_writing,
    require_integrity,
    transaction,
    translated_errors,
)
from hgrkit.library.legacy import SEGMENT_FOLDER, LegacyView
from hgrkit.library.manifest import FORMAT_VERSION, Manifest
from hgrkit.library.records import Version, path_bytes
from hgrkit.library.snapshot import TOLD_FILE, SqliteView, require_told, told_version
from hgrkit.library.store import Entry, Rename, Snapshot, VersionCache, changed_renames, check_entries
from hgrkit.library.tables import Head, format_of, read_head, read_manifest, row_from_record
from hgrkit.storage.atomic_file import sync_file, write_atomically
from hgrkit.storage.lock import WriterLock

__all__ = ["Writer"]


class Writer:
    """Commits to one library, from one thread at a time.

    Clips are appended to the arrays first, durably, and count once one SQL transaction says so. A crash in between
    leaves records that belong to no version.
    """

    def __init__(self, folder: Path) -> None:
        """Take the lock and bring the library into order: of the newest format, with nothing left behind.

        Raises:
            LibraryLockedError: if another process writes to it.
            LibraryMismatchError: if its format is a later one.
            DamagedLibraryError: if its database is not what was written.
            LibraryError: if it cannot be written.
        """
        self._folder = folder
        self._database = folder / DATABASE_FILE
        self._commits = Lock()
        self._failed: str | None = None
        self._connection: sqlite3.Connection | None = None
        with translated_errors(folder):
            self._lock = WriterLock(folder)
        try:
            told = told_version(folder)
            self._connection = open_for_writing(self._database)
            with translated_errors(self._database):
                require_told(self._connection, told)
                require_integrity(self._connection)
                self._checkpoint(self._connection)
                if format_of(self._connection) != FORMAT_VERSION:
                    self._migrate(self._connection)
                self._tidy(self._connection)
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
            head, embed_dim = read_head(connection), read_manifest(connection).embed_dim
            check_entries(put, embed_dim)
            find = partial(find_video, connection)
            removed = [path for path in dict.fromkeys(remove) if find(path) is not None]
            renames = changed_renames(rename, find=find, removed=removed, put=put)
            if not (removed or renames or put):
                return head.version
            numbers = range(head.next_video, head.next_video + len(put))
            firsts = list(accumulate((len(entry.clips) for entry in put), initial=0))
            rows = [
                row_from_record(number, entry.record, clips=len(entry.clips), first_clip=head.clips + first)
                for number, entry, first in zip(numbers, put, firsts, strict=False)
            ]
            videos = [
                (number, head.next_clip + first, entry.clips)
                for number, entry, first in zip(numbers, put, firsts, strict=False)
            ]
            with self._attempt(connection, head.version) as version:
                portions = encode_clips(videos, embed_dim)
                new, checksums = append_records(self._folder, head, embed_dim, portions)
                new = attrs.evolve(
                    new, version=version, next_video=numbers.stop, next_clip=head.next_clip + firsts[-1]
                )
                with transaction(connection):
                    change = Change(connection, head)
                    change.remove(list(map(path_bytes, removed)))
                    change.rename(renames)
                    change.put(rows)
                    change.seal(new, checksums)
            return version

    def rewrite(self, snapshot: Snapshot | None, manifest: Manifest | None) -> Version:
        """Make a snapshot, by default the last version, the whole library, and free what is no longer needed.

        Raises:
            LibraryError, ShapeError: as `Store.rewrite` says.
        """
        with self._commits, translated_errors(self._database):
            connection = self._ready()
            own = snapshot is None
            if snapshot is None:
                snapshot = Snapshot.read(SqliteView(connection, self._folder, VersionCache()))
            return self._rewrite(connection, snapshot, manifest, head=read_head(connection), keep_numbers=own)

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

    def _migrate(self, connection: sqlite3.Connection) -> None:
        """Write a library of an earlier format anew; until that is committed, the old one is whole."""
        view = LegacyView(connection, self._folder, VersionCache())
        self._rewrite(connection, Snapshot.read(view), None, head=view.head, keep_numbers=True)

    def _rewrite(
        self,
        connection: sqlite3.Connection,
        snapshot: Snapshot,
        manifest: Manifest | None,
        *,
        head: Head,
        keep_numbers: bool,
    ) -> Version:
        manifest = manifest or snapshot.manifest
        if manifest.embed_dim != snapshot.manifest.embed_dim:
            raise ShapeError(
                f"the manifest says embed_dim {manifest.embed_dim}, the vectors have "
                f"{snapshot.manifest.embed_dim}."
            )
        with self._attempt(connection, head.version) as version:
            empty = head.emptied(version, head.generation + 1)
            written = WrittenLibrary(self._folder, snapshot, empty, manifest=manifest, keep_numbers=keep_numbers)
            with transaction(connection):
                written.fill(connection)
        with suppress(sqlite3.Error):  # a full disk keeps the freed pages
            connection.execute("VACUUM")
        self._checkpoint(connection)
        self._tidy(connection)
        return version

    @contextmanager
    def _attempt(self, connection: sqlite3.Connection, last: Version) -> Iterator[Version]:
        """Give out the version that comes after another; if it fails, remove every trace of it."""
        version = Version(last.number + 1, uuid.uuid4().hex)
        try:
            yield version
        except BaseException:
            self._failed = version.token
            with suppress(HgrkitError, sqlite3.Error, OSError):
                self._settle(connection)
            raise
        if not self._checkpoint(connection):
            with suppress(OSError):  # what fails here has no say in a commit that is durable
                write_atomically(self._folder / TOLD_FILE, str(version.number).encode())

    def _settle(self, connection: sqlite3.Connection) -> None:
        """Remove every trace of a commit that failed; as long as that cannot be done, there is no other commit.

        Its frames may stand in SQLite's log although the commit was refused, and a crash would bring them back:
        the log is emptied before the records go.

        Raises:
            LibraryError, sqlite3.Error, OSError: if the disk does not let them be removed.
        """
        if self._failed is None:
            return
        # An interruption may come when the commit is done.
        if self._token(connection) != self._failed and not self._log_is_empty(connection):
            raise LibraryError(
                f"{self._database}: an earlier commit failed and its traces cannot be removed yet; "
                "free disk space and try again."
            )
        self._failed = None
        self._tidy(connection)

    def _checkpoint(self, connection: sqlite3.Connection) -> bool:
        """Empty SQLite's log; only what is there alone needs to be told."""
        done = checkpoint(connection)
        if done:
            with suppress(OSError):
                (self._folder / TOLD_FILE).unlink(missing_ok=True)
        return done

    def _token(self, connection: sqlite3.Connection) -> str | None:
        return None if format_of(connection) != FORMAT_VERSION else read_head(connection).version.token

    def _tidy(self, connection: sqlite3.Connection) -> None:
        """Delete what an interruption or an earlier format left behind, as far as the disk lets it be deleted."""
        if format_of(connection) != FORMAT_VERSION:  # a migration that failed
            shutil.rmtree(self._folder / ARRAY_FOLDER, ignore_errors=True)
            return
        head, manifest = read_head(connection), read_manifest(connection)
        shorten_arrays(self._folder, head, manifest.embed_dim)
        shutil.rmtree(self._folder / SEGMENT_FOLDER, ignore_errors=True)

    def _log_is_empty(self, connection: sqlite3.Connection) -> bool:
        log = self._database.with_name(self._database.name + "-wal")
        if log.stat().st_size and self._checkpoint(connection):
            sync_file(log)
        return log.stat().st_size == 0
