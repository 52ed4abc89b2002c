"""The default store: segments are the log of commits and hold the embeddings, SQLite is their index."""

from __future__ import annotations

import os
import sqlite3
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, TypeVar

import attrs

from hgrkit.errors import DamagedLibraryError, LibraryError, LibraryExistsError, LibraryNotFoundError
from hgrkit.library.atomic_file import TEMPORARY_SUFFIX
from hgrkit.library.change import make_tables
from hgrkit.library.commit_log import CommitLog
from hgrkit.library.database import (
    DATABASE_FILE,
    create_database,
    is_database,
    read_database,
    translated_errors,
)
from hgrkit.library.draft import find_video
from hgrkit.library.head import Head, read_head, read_manifest
from hgrkit.library.lock import LOCK_FILE, WriterLock
from hgrkit.library.manifest import FORMAT_VERSION, Manifest
from hgrkit.library.records import VideoRecord
from hgrkit.library.rules import check_entries
from hgrkit.library.snapshot import SegmentCache, SqliteSnapshot, read_snapshot
from hgrkit.library.store import Entry, Rename, Snapshot, Usage, Version
from hgrkit.library.writer import Writer
from hgrkit.url import url_remark

__all__ = ["Mode", "SqliteStore", "library_around", "require_outside_libraries"]

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
