"""The default store: SQLite holds the truth, immutable segment files hold the embeddings."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Literal

from hgrkit.errors import (
    ConfigError,
    DamagedLibraryError,
    LibraryError,
    LibraryExistsError,
    LibraryNotFoundError,
    ShapeError,
)
from hgrkit.library.atomic_file import TEMPORARY_SUFFIX, sync_folder
from hgrkit.library.change import Change, first_head
from hgrkit.library.database import (
    DATABASE_FILE,
    create_database,
    open_for_writing,
    read_database,
    transaction,
    translated_errors,
)
from hgrkit.library.lock import LOCK_FILE, WriterLock
from hgrkit.library.manifest import Manifest
from hgrkit.library.records import VideoRecord
from hgrkit.library.schema import HEAD, MANIFEST, SEGMENTS, VIDEOS
from hgrkit.library.segment import SegmentRecord, write_segment
from hgrkit.library.snapshot import SEGMENT_FOLDER, SEGMENT_NAME, SegmentCache, SqliteSnapshot, read_snapshot
from hgrkit.library.store import Entry, Version
from hgrkit.library.video_row import path_bytes, record_from_row, row_from_record

__all__ = ["Mode", "SqliteStore"]

Mode = Literal["r", "w"]


class SqliteStore:
    """A folder with `library.sqlite`, `segments/*.safetensors` and, for writers, `writer.lock`.

    A commit writes its segment durably first and then one SQL transaction. A crash in between leaves a
    segment that no row names; the next writer deletes it.
    """

    def __init__(self, folder: Path, *, mode: Mode = "r") -> None:
        """Open a library that exists.

        Raises:
            LibraryNotFoundError: if there is none.
            LibraryLockedError: in mode `w`, if another process writes to it.
            LibraryMismatchError: if its format is a later one.
            DamagedLibraryError: if its database is not what was written.
        """
        self._database = folder / DATABASE_FILE
        if not self._database.is_file():
            raise LibraryNotFoundError(
                f"there is no library at {folder}; make one with `hgrkit index PATH --library {folder}`."
            )
        self._folder = folder
        self._lock: WriterLock | None = None
        self._writer: sqlite3.Connection | None = None
        self._commits = Lock()
        self._closed = False
        with translated_errors(folder):
            self._lock = WriterLock(folder) if mode == "w" else None
        try:
            if self._lock is not None:
                self._writer = open_for_writing(self._database)
                self._remove_orphans()
            self._manifest = read_database(self._database, _read_manifest)
        except BaseException:
            self.close()
            raise
        self._cache = SegmentCache(folder, embed_dim=self._manifest.embed_dim)

    @classmethod
    def create(cls, folder: Path, manifest: Manifest) -> SqliteStore:
        """Make an empty library and open it for writing; the folder may exist if it is empty.

        Raises:
            LibraryExistsError: if the folder holds a library, or anything else.
            LibraryError: if it cannot be written.
        """
        with translated_errors(folder):
            _require_vacant(folder)
            folder.mkdir(parents=True, exist_ok=True)
            with WriterLock(folder):
                _require_vacant(folder)
                create_database(folder / DATABASE_FILE, lambda connection: _fill(connection, manifest))
        return cls(folder, mode="w")

    @property
    def manifest(self) -> Manifest:
        """What made the library."""
        return self._manifest

    def version(self) -> Version:
        """The version committed last."""
        self._require_open()
        return read_database(self._database, _read_version)

    def find(self, path: str) -> VideoRecord | None:
        """One video, by its path."""
        self._require_open()
        rows = read_database(
            self._database, lambda connection: list(VIDEOS.rows(connection, "path = ?", (path_bytes(path),)))
        )
        return record_from_row(rows[0]) if rows else None

    def snapshot(self) -> SqliteSnapshot:
        """The version committed last, read and checked."""
        self._require_open()
        dim = self._manifest.embed_dim
        return read_database(
            self._database, lambda connection: read_snapshot(connection, cache=self._cache, embed_dim=dim)
        )

    def commit(self, *, put: Sequence[Entry] = (), remove: Sequence[str] = ()) -> Version:
        """Put and remove videos in one transaction."""
        connection = self._require_writable()
        _check_entries(put, self._manifest.embed_dim)
        token = uuid.uuid4().hex
        segment = self._write_segment(token, put)
        with self._commits, translated_errors(self._database), transaction(connection):
            change = Change(connection, token)
            for path in [*remove, *(entry.record.path for entry in put)]:
                change.remove(path)
            change.put(put, segment)
            return change.seal()

    def close(self) -> None:
        """Close the database and let go of the writer's lock."""
        self._closed = True
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()

    def _write_segment(self, token: str, put: Sequence[Entry]) -> SegmentRecord | None:
        clips = [clip for entry in put for clip in entry.clips]
        if not clips:
            return None
        segments = self._folder / SEGMENT_FOLDER
        with translated_errors(segments):
            if not segments.is_dir():
                segments.mkdir()
                sync_folder(self._folder)
            return write_segment(segments / f"{token}.safetensors", clips)

    def _remove_orphans(self) -> None:
        """Delete what a crashed writer left: files that no row names."""
        named = {
            row[1] for row in read_database(self._database, lambda connection: list(SEGMENTS.rows(connection)))
        }
        with translated_errors(self._folder):
            for path in (self._folder / SEGMENT_FOLDER).glob("*"):
                written = SEGMENT_NAME.fullmatch(path.name.removesuffix(TEMPORARY_SUFFIX))
                if written and path.name not in named:
                    path.unlink()

    def _require_open(self) -> None:
        if self._closed:
            raise LibraryError(f"the library {self._folder} is closed; open it again.")

    def _require_writable(self) -> sqlite3.Connection:
        self._require_open()
        if self._writer is None or self._lock is None or not self._lock.held:
            raise LibraryError(f"the library {self._folder} is open for reading only; open it with mode='w'.")
        return self._writer


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


def _check_entries(put: Sequence[Entry], embed_dim: int) -> None:
    if len({path_bytes(entry.record.path) for entry in put}) != len(put):
        raise ConfigError("a commit puts a path twice; put each video once.")
    for record, clips in ((entry.record, entry.clips) for entry in put):
        row_from_record(0, record, len(clips))  # what cannot be stored is refused before anything is written
        if (record.state == "indexed") != bool(clips):
            raise ConfigError(
                f"an indexed video needs at least one clip and a failed one has none; {record.path!r} is "
                f"{record.state} with {len(clips)} clips."
            )
        sizes = {clip.event.size for clip in clips} - {embed_dim}
        if sizes:
            raise ShapeError(f"clips of {record.path!r} have embed_dim {min(sizes)}, the library has {embed_dim}.")


def _fill(connection: sqlite3.Connection, manifest: Manifest) -> None:
    MANIFEST.put(connection, [(1, manifest.to_json())])
    HEAD.put(connection, [first_head(uuid.uuid4().hex)])


def _read_manifest(connection: sqlite3.Connection) -> Manifest:
    try:
        return Manifest.from_json(MANIFEST.only(connection)[1])
    except (ValueError, TypeError) as error:
        raise DamagedLibraryError(f"the library's manifest is damaged: {error}.") from error


def _read_version(connection: sqlite3.Connection) -> Version:
    _, number, token, *_ = HEAD.only(connection)
    return Version(number, token)
