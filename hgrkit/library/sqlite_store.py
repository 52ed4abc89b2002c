"""The default store: videos in SQLite, their clips in append-only arrays, one writer and any number of readers."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import accumulate
from pathlib import Path
from threading import Lock
from typing import Literal, TypeVar

import attrs

from hgrkit.checks.arguments import url_remark
from hgrkit.errors import (
    DamagedLibraryError,
    HgrkitError,
    LibraryError,
    LibraryNotFoundError,
    ShapeError,
)
from hgrkit.library.array_files import ARRAY_FOLDER, append_records, shorten_arrays
from hgrkit.library.arrays import encode_clips
from hgrkit.library.change import Change, WrittenLibrary, find_video
from hgrkit.library.database import (
    DATABASE_FILE,
    checkpoint,
    create_database,
    leave_open,
    open_for_writing,
    read_database,
    require_integrity,
    require_library,
    require_outside_libraries,
    require_vacant,
    transaction,
    translated_errors,
)
from hgrkit.library.legacy import SEGMENT_FOLDER, LegacyView, drop_segments, read_manifest, read_version
from hgrkit.library.manifest import FORMAT_VERSION, Manifest
from hgrkit.library.place import LibraryPlace
from hgrkit.library.records import Version, VideoRecord, path_bytes
from hgrkit.library.snapshot import TOLD_FILE, SqliteView, require_told, told_version, view_of
from hgrkit.library.store import Entry, Rename, Snapshot, Usage, VersionCache, changed_renames, check_entries
from hgrkit.library.tables import HEAD, Head, format_of, make_tables, read_head, row_from_record, write_manifest
from hgrkit.storage.atomic_file import sync_file
from hgrkit.storage.lock import WriterLock
from hgrkit.storage.open_folder import OpenFolder

__all__ = ["Mode", "SqliteStore"]

Mode = Literal["r", "w"]
T = TypeVar("T")


class SqliteStore:
    """A folder with `library.sqlite`, `arrays/*.bin` and, for writers, `writer.lock`.

    Clips are appended to the arrays first, durably, and count once one SQL transaction says so. A crash in between
    leaves records that belong to no version.
    """

    def __init__(self, folder: Path, *, mode: Mode = "r") -> None:
        """Open a library that exists; a writer brings it into order and into the newest format.

        Raises:
            LibraryNotFoundError: if there is none.
            LibraryLockedError: in mode `w`, if another process writes to it.
            LibraryMismatchError: if its format is a later one.
            DamagedLibraryError: if its database is not what was written.
            LibraryError: in mode `w`, if it cannot be written.
        """
        require_library(folder)
        self._cache, self._commits, self._closed = VersionCache(), Lock(), False
        self._failed: str | None = None
        self._lock: WriterLock | None = None
        self._connection: sqlite3.Connection | None = None
        self._place = LibraryPlace(folder)
        try:
            if mode == "w":
                self._begin_writing()
            self._manifest = self._read(read_manifest)
        except BaseException:
            self.close()
            raise

    @classmethod
    def create(cls, folder: Path, manifest: Manifest, *, outside: bool = False) -> SqliteStore:
        """Make an empty library and open it for writing; the folder may exist if it is empty.

        Raises:
            LibraryExistsError: if the folder holds a library, or anything else, or is to be `outside` of libraries
                and lies in one.
            LibraryError: if it cannot be written.
        """
        head = Head(version=Version(0, uuid.uuid4().hex))
        if outside:
            require_outside_libraries(folder)
        if remark := url_remark(folder):
            raise LibraryError(remark)
        with translated_errors(folder):
            require_vacant(folder)
            folder = folder.absolute()
            folder.mkdir(parents=True, exist_ok=True)
            with OpenFolder(folder) as opened, WriterLock(opened):
                require_vacant(folder)
                create_database(opened, lambda connection: make_tables(connection, manifest, head))
        return cls(folder, mode="w")

    @property
    def manifest(self) -> Manifest:
        """What made the library, as of the version that was last looked at."""
        return self._manifest

    def version(self) -> Version:
        """The version committed last."""
        return self._read(read_version)

    def find(self, path: str) -> VideoRecord | None:
        """One video, by its path."""
        found = self.read(lambda view: view.find(path))
        return None if found is None else found.record

    def read(self, question: Callable[[SqliteView | LegacyView], T]) -> T:
        """Answer a question from the version committed last, in one transaction."""
        seen = self._place.seen  # before the transaction, which then sees this version or a later one

        def ask(connection: sqlite3.Connection) -> T:
            view = view_of(connection, self._folder, self._cache)
            self._place.require_continuation(view, seen)
            return question(view)

        return self._read(ask)

    def snapshot(self) -> Snapshot:
        """The version committed last, read and checked."""
        snapshot = self.read(Snapshot.read)
        self._manifest = snapshot.manifest
        return snapshot

    def commit(
        self, *, put: Sequence[Entry] = (), remove: Sequence[str] = (), rename: Sequence[Rename] = ()
    ) -> Version:
        """Remove, rename and put videos: one append, then one transaction."""
        with self._writing() as connection:
            head, embed_dim = read_head(connection), read_manifest(connection).embed_dim
            check_entries(put, embed_dim)
            find = partial(find_video, connection)
            removed = [path for path in dict.fromkeys(remove) if find(path) is not None]
            renames = changed_renames(rename, find=find, removed=removed, put=put)
            if not (removed or renames or put):
                return head.version
            firsts = list(accumulate((len(entry.clips) for entry in put), initial=0))
            numbered = list(zip(range(head.next_video, head.next_video + len(put)), put, firsts, strict=False))
            rows = [
                row_from_record(number, entry.record, clips=len(entry.clips), first_clip=head.clips + first)
                for number, entry, first in numbered
            ]
            clips = [(number, head.next_clip + first, entry.clips) for number, entry, first in numbered]
            with self._attempt(connection, head.version) as version:
                new, checksums = append_records(self._folder, head, embed_dim, encode_clips(clips, embed_dim))
                with transaction(connection):
                    change = Change(connection, head)
                    change.remove([path_bytes(path) for path in removed])
                    change.rename(renames)
                    change.put(rows)
                    change.seal(
                        attrs.evolve(
                            new,
                            version=version,
                            next_video=head.next_video + len(put),
                            next_clip=head.next_clip + firsts[-1],
                        ),
                        checksums,
                    )
            return version

    def rewrite(self, snapshot: Snapshot | None = None, manifest: Manifest | None = None) -> Version:
        """Make a snapshot the whole library, in new arrays; old arrays and freed pages go.

        Another manifest alone is one row: the arrays stay as they are.
        """
        with self._writing() as connection:
            head, own = read_head(connection), snapshot is None
            if own and manifest is not None and manifest.embed_dim == read_manifest(connection).embed_dim:
                version = self._relabel(connection, manifest, head)
            else:
                if snapshot is None:
                    snapshot = Snapshot.read(SqliteView(connection, self._folder, VersionCache()))
                version = self._rewrite(connection, snapshot, manifest, head=head, keep_numbers=own)
        self._manifest = self._read(read_manifest)
        return version

    def usage(self) -> Usage:
        """The size of database and arrays."""
        with translated_errors(self._folder.path):
            patterns = (DATABASE_FILE + "*", f"{ARRAY_FOLDER}/*.bin", f"{SEGMENT_FOLDER}/*")
            files = [path for pattern in patterns for path in self._folder.path.glob(pattern)]
            return Usage(num_bytes=sum(path.lstat().st_size for path in files))

    def close(self) -> None:
        """Close the database and let go of the writer's lock."""
        with self._commits:
            connection, self._connection, self._closed = self._connection, None, True
            try:
                if connection is not None and self._place.is_held():
                    with suppress(HgrkitError, sqlite3.Error, OSError):
                        self._settle(connection)
                    connection.close()
                elif connection is not None:
                    leave_open(connection)
            finally:
                if self._lock is not None:
                    self._lock.release()
                self._folder.close()

    @property
    def _folder(self) -> OpenFolder:
        return self._place.folder

    # reading ---------------------------------------------------------------------------------------------------

    def _read(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """Read, and say so if the library is not where it was when it was opened."""
        self._require_open()
        try:
            return self._read_newest(read)
        except LibraryError as error:
            if self._place.database.is_file() or isinstance(error, LibraryNotFoundError):
                raise
            raise LibraryNotFoundError(
                f"the library that was opened is no longer at {self._folder.path}: it was removed or moved; "
                "open it where it is now."
            ) from error

    def _read_newest(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """Read; a rewriting deletes the arrays of older versions, and who meets one reads the newest."""
        failed: Version | None = None
        while True:
            folder = self._place.now() if self._lock is None else self._folder
            with translated_errors(folder.path):
                told = told_version(folder)

            def ask(connection: sqlite3.Connection, told: float | None = told) -> T:
                require_told(connection, told)
                return read(connection)

            try:
                return read_database(folder, ask)
            except DamagedLibraryError:
                found = read_database(folder, read_version)
                if found == failed:
                    raise
                failed = found

    def _require_open(self) -> None:
        if self._closed:
            raise LibraryError(f"the library {self._folder.path} is closed; open it again.")

    # writing ---------------------------------------------------------------------------------------------------

    def _begin_writing(self) -> None:
        """Take the lock and bring the library into order: of the newest format, with nothing left behind."""
        with translated_errors(self._folder.path):
            self._lock = WriterLock(self._folder)
        told = told_version(self._folder)
        self._connection = connection = open_for_writing(self._folder)
        self._place.hold()
        with translated_errors(self._place.database):
            require_told(connection, told)
            require_integrity(connection)
            self._checkpoint(connection)
            if format_of(connection) != FORMAT_VERSION:  # until the rewriting is committed, the old one is whole
                view = LegacyView(connection, self._folder, VersionCache())
                self._rewrite(connection, Snapshot.read(view), None, head=view.head, keep_numbers=True)
            self._tidy(connection)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """The connection of one commit; there is one at a time, and none while an earlier one left traces."""
        self._require_open()
        with self._commits, translated_errors(self._place.database):
            if self._connection is None or self._lock is None or not self._lock.held:
                raise LibraryError(
                    f"the library {self._folder.path} is open for reading only; open it with mode='w'."
                )
            self._lock.require_held()
            self._place.require_held()
            self._settle(self._connection)
            yield self._connection

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

    def _relabel(self, connection: sqlite3.Connection, manifest: Manifest, head: Head) -> Version:
        """Say otherwise what made the library, in a version of its own."""
        with self._attempt(connection, head.version) as version, transaction(connection):
            write_manifest(connection, manifest)
            HEAD.replace(connection, attrs.evolve(head, version=version).row())
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
                self._folder.write(TOLD_FILE, str(version.number).encode())

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
        is_current = format_of(connection) == FORMAT_VERSION
        done = is_current and read_head(connection).version.token == self._failed
        if not done and not self._log_is_empty(connection):
            raise LibraryError(
                f"{self._place.database}: an earlier commit failed and its traces cannot be removed yet; "
                "free disk space and try again."
            )
        self._failed = None
        self._tidy(connection)

    def _log_is_empty(self, connection: sqlite3.Connection) -> bool:
        log = self._place.database.with_name(self._place.database.name + "-wal")
        if log.stat().st_size and self._checkpoint(connection):
            sync_file(log)
        return log.stat().st_size == 0

    def _checkpoint(self, connection: sqlite3.Connection) -> bool:
        """Empty SQLite's log; only what is there alone needs to be told."""
        done = checkpoint(connection)
        if done:
            with suppress(OSError):
                self._folder.unlink(TOLD_FILE)
        return done

    def _tidy(self, connection: sqlite3.Connection) -> None:
        """Delete what an interruption or an earlier format left behind, as far as the disk lets it be deleted."""
        if format_of(connection) != FORMAT_VERSION:  # a migration that failed
            shorten_arrays(self._folder, _NO_ARRAYS, 1)
            self._folder.remove(ARRAY_FOLDER)
            return
        shorten_arrays(self._folder, read_head(connection), read_manifest(connection).embed_dim)
        drop_segments(self._folder)


_NO_ARRAYS = Head(version=Version(0, ""), generation=0)
"""Of a library whose migration has not been committed; it makes the arrays of generation 1."""
