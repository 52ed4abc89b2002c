"""The default store: videos in SQLite, their clips in append-only arrays, one writer and any number of readers."""

from __future__ import annotations

import os
import shutil
import sqlite3
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import accumulate
from pathlib import Path
from threading import Lock
from typing import Literal, TypeVar

from hgrkit.errors import (
    DamagedLibraryError,
    HgrkitError,
    LibraryError,
    LibraryExistsError,
    LibraryNotFoundError,
    ShapeError,
)
from hgrkit.library.arrays import ARRAY_FOLDER, ARRAY_NAME, append_clips, shorten_arrays
from hgrkit.library.change import Change, WrittenLibrary, find_video
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
from hgrkit.library.legacy import SEGMENT_FOLDER, LegacyView
from hgrkit.library.manifest import FORMAT_VERSION, Manifest
from hgrkit.library.records import VideoRecord
from hgrkit.library.snapshot import SqliteView, read_any_manifest, read_version, view_of
from hgrkit.library.store import (
    Entry,
    Rename,
    Snapshot,
    Usage,
    Version,
    VersionCache,
    View,
    changed_renames,
    check_entries,
)
from hgrkit.library.tables import Head, format_of, make_tables, read_head, read_manifest, row_from_record
from hgrkit.storage.atomic_file import TEMPORARY_SUFFIX, sync_file
from hgrkit.storage.lock import LOCK_FILE, WriterLock
from hgrkit.storage.url import url_remark

__all__ = ["Mode", "SqliteStore", "library_around", "require_outside_libraries"]

Mode = Literal["r", "w"]
T = TypeVar("T")


class Writer:
    """Commits to one library, from one thread at a time.

    Clips are appended to the arrays first, durably, and count once one SQL transaction says so. A crash in between
    leaves records that belong to nobody.
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
            self._connection = open_for_writing(self._database)
            with translated_errors(self._database):
                checkpoint(self._connection)
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
            removed = [path for path in dict.fromkeys(remove) if find_video(connection, path) is not None]
            renames = changed_renames(
                rename, find=lambda path: find_video(connection, path), removed=removed, put=put
            )
            if not (removed or renames or put):
                return head.version
            numbers = range(head.next_video, head.next_video + len(put))
            firsts = list(accumulate((len(entry.clips) for entry in put), initial=0))
            rows = [
                row_from_record(number, entry.record, clips=len(entry.clips), first_clip=head.clips + first)
                for number, entry, first in zip(numbers, put, firsts, strict=False)
            ]
            with self._attempt(connection, head.version) as version:
                appended = append_clips(
                    self._folder,
                    [
                        (number, head.next_clip + first, entry.clips)
                        for number, entry, first in zip(numbers, put, firsts, strict=False)
                    ],
                    generation=head.generation,
                    clips=head.clips,
                    frames=head.frames,
                    tail=head.tail,
                    embed_dim=embed_dim,
                )
                with transaction(connection):
                    change = Change(connection)
                    for path in removed:
                        change.remove(path)
                    change.rename(renames)
                    for row in rows:
                        change.put(row)
                    change.seal(version, appended, next_video=numbers.stop, next_clip=head.next_clip + firsts[-1])
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
        head = Head(version=view.version, generation=0, next_video=view.next_number, next_clip=view.next_number)
        self._rewrite(connection, Snapshot.read(view), None, head=head, keep_numbers=True)

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
            empty = Head(
                version=version,
                generation=head.generation + 1,
                next_video=head.next_video,
                next_clip=head.next_clip,
            )
            written = WrittenLibrary(
                self._folder, snapshot, manifest=manifest, head=empty, keep_numbers=keep_numbers
            )
            with transaction(connection):
                written.fill(connection)
        with suppress(sqlite3.Error):  # a full disk keeps the freed pages
            connection.execute("VACUUM")
        checkpoint(connection)
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
        checkpoint(connection)

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

    def _token(self, connection: sqlite3.Connection) -> str | None:
        return None if format_of(connection) != FORMAT_VERSION else read_head(connection).version.token

    def _tidy(self, connection: sqlite3.Connection) -> None:
        """Delete what an interruption or an earlier format left behind, as far as the disk lets it be deleted."""
        if format_of(connection) != FORMAT_VERSION:
            return
        head, manifest = read_head(connection), read_manifest(connection)
        shorten_arrays(
            self._folder,
            generation=head.generation,
            clips=head.clips,
            frames=head.frames,
            embed_dim=manifest.embed_dim,
        )
        shutil.rmtree(self._folder / SEGMENT_FOLDER, ignore_errors=True)

    def _log_is_empty(self, connection: sqlite3.Connection) -> bool:
        log = self._database.with_name(self._database.name + "-wal")
        if log.stat().st_size and checkpoint(connection):
            sync_file(log)
        return log.stat().st_size == 0


class SqliteStore:
    """A folder with `library.sqlite`, `arrays/*.bin` and, for writers, `writer.lock`."""

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
        self._database = folder / DATABASE_FILE
        self._folder = folder
        self._closed = False
        self._cache = VersionCache()
        self._writer = Writer(folder) if mode == "w" else None
        try:
            self._manifest = self._read(read_any_manifest)
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
        head = Head(version=Version(0, uuid.uuid4().hex))
        if remark := url_remark(folder):
            raise LibraryError(remark)
        with translated_errors(folder):
            _require_vacant(folder)
            folder.mkdir(parents=True, exist_ok=True)
            with WriterLock(folder):
                _require_vacant(folder)
                create_database(folder / DATABASE_FILE, lambda connection: make_tables(connection, manifest, head))
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

    def read(self, question: Callable[[View], T]) -> T:
        """Answer a question from the version committed last, in one transaction."""

        def ask(connection: sqlite3.Connection) -> T:
            return question(view_of(connection, self._folder, self._cache))

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
        return self._require_writer().commit(put=put, remove=remove, rename=rename)

    def rewrite(self, snapshot: Snapshot | None = None, manifest: Manifest | None = None) -> Version:
        """Make a snapshot the whole library, in new arrays; old arrays and freed pages go."""
        version = self._require_writer().rewrite(snapshot, manifest)
        self._manifest = self._read(read_any_manifest)
        return version

    def usage(self) -> Usage:
        """The size of database and arrays."""
        with translated_errors(self._folder):
            arrays = [*self._folder.glob(f"{ARRAY_FOLDER}/*.bin"), *self._folder.glob(f"{SEGMENT_FOLDER}/*")]
            files = [*arrays, *self._folder.glob(DATABASE_FILE + "*")]
            return Usage(num_bytes=sum(path.stat().st_size for path in files), files=len(arrays))

    def close(self) -> None:
        """Close the database and let go of the writer's lock."""
        self._closed = True
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def _read(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """Read; a rewriting deletes the arrays of older versions, and who meets one reads the newest."""
        if self._closed:
            raise LibraryError(f"the library {self._folder} is closed; open it again.")
        failed: Version | None = None
        while True:
            try:
                return read_database(self._database, read)
            except DamagedLibraryError:
                found = read_database(self._database, read_version)
                if found == failed:
                    raise
                failed = found

    def _require_writer(self) -> Writer:
        if self._closed:
            raise LibraryError(f"the library {self._folder} is closed; open it again.")
        if self._writer is None:
            raise LibraryError(f"the library {self._folder} is open for reading only; open it with mode='w'.")
        return self._writer


def library_around(path: str | os.PathLike[str]) -> Path | None:
    """Find the innermost library that is at a path or has it inside; links are followed."""
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


def require_library(folder: Path) -> None:
    """Refuse a folder without a database.

    Raises:
        DamagedLibraryError: if there are arrays or segments of a library.
        LibraryNotFoundError: if there is nothing of one.
    """
    database = folder / DATABASE_FILE
    if database.is_file():
        return
    if any(ARRAY_NAME.fullmatch(path.name) for path in folder.glob(f"{ARRAY_FOLDER}/*")) or any(
        folder.glob(f"{SEGMENT_FOLDER}/*.safetensors")
    ):
        raise DamagedLibraryError(
            f"{database} is damaged: it is missing; restore a backup, or delete the folder and index again."
        )
    raise LibraryNotFoundError(
        url_remark(folder)
        or f"there is no library at {folder}; make one with `hgrkit index PATH --library {folder}`."
    )


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
