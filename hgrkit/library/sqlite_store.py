"""The default store: videos in SQLite, their clips in append-only arrays, one writer and any number of readers."""

from __future__ import annotations

import os
import sqlite3
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, TypeVar

from hgrkit.checks.arguments import url_remark
from hgrkit.errors import DamagedLibraryError, LibraryError, LibraryExistsError, LibraryNotFoundError
from hgrkit.library.arrays import ARRAY_FOLDER, ARRAY_NAME
from hgrkit.library.database import (
    DATABASE_FILE,
    create_database,
    is_database,
    read_database,
    translated_errors,
)
from hgrkit.library.legacy import SEGMENT_FOLDER, LegacyView
from hgrkit.library.manifest import Manifest
from hgrkit.library.records import Version, VideoRecord
from hgrkit.library.snapshot import (
    SqliteView,
    read_any_manifest,
    read_version,
    require_told,
    told_version,
    view_of,
)
from hgrkit.library.store import Entry, Rename, Snapshot, Usage, VersionCache
from hgrkit.library.tables import Head, make_tables
from hgrkit.library.writer import Writer
from hgrkit.storage.atomic_file import TEMPORARY_SUFFIX
from hgrkit.storage.lock import LOCK_FILE, WriterLock

__all__ = ["Mode", "SqliteStore", "library_around", "require_library", "require_outside_libraries"]

Mode = Literal["r", "w"]
T = TypeVar("T")


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

    def read(self, question: Callable[[SqliteView | LegacyView], T]) -> T:
        """Answer a question from the version committed last, in one transaction."""
        return self._read(lambda connection: question(view_of(connection, self._folder, self._cache)))

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
            patterns = (DATABASE_FILE + "*", f"{ARRAY_FOLDER}/*.bin", f"{SEGMENT_FOLDER}/*")
            files = [path for pattern in patterns for path in self._folder.glob(pattern)]
            return Usage(num_bytes=sum(path.stat().st_size for path in files))

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
            with translated_errors(self._folder):
                told = told_version(self._folder)

            def ask(connection: sqlite3.Connection, told: float | None = told) -> T:
                require_told(connection, told)
                return read(connection)

            try:
                return read_database(self._database, ask)
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
