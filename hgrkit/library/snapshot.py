"""One committed version of a library's database and its arrays, read in one transaction."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

from hgrkit.errors import DamagedLibraryError
from hgrkit.library.arrays import ClipArrays
from hgrkit.library.legacy import LegacyView, read_legacy_manifest, read_legacy_version
from hgrkit.library.manifest import FORMAT_VERSION, Manifest
from hgrkit.library.records import path_bytes
from hgrkit.library.store import StoredVideo, Version, VersionCache
from hgrkit.library.tables import (
    BLOCKS,
    REMOVED,
    SUMS,
    VIDEOS,
    VIDEOS_A_SUM,
    Head,
    RowSum,
    format_of,
    read_head,
    read_manifest,
    record_from_row,
)

__all__ = [
    "TOLD_FILE",
    "SqliteView",
    "read_any_manifest",
    "read_version",
    "require_told",
    "stored_video",
    "told_version",
    "view_of",
]

TOLD_FILE: Final = "newest.txt"
"""Holds the number of a version that is in SQLite's log alone, so that the loss of the log is noticed."""


class SqliteView:
    """Reads what is committed; implements `hgrkit.library.store.View` while its connection is in a transaction."""

    def __init__(self, connection: sqlite3.Connection, folder: Path, cache: VersionCache) -> None:
        """Read the head and, of a version that is not in the cache, what the arrays need.

        Raises:
            DamagedLibraryError: if it is not what was written.
        """
        self._connection, self._cache = connection, cache
        self.head = read_head(connection)
        self.version: Version = self.head.version
        self.manifest: Manifest = read_manifest(connection)
        self.arrays, self._sums = cache.get(
            self.version, lambda: _read_arrays(connection, self.head, folder, self.manifest.embed_dim)
        )

    def find(self, path: str) -> StoredVideo | None:
        """Find one video by its path."""
        key = path_bytes(path)
        found = self._connection.execute("SELECT id FROM videos WHERE path = ?", (key,)).fetchone()
        video = None if found is None else self.videos_of([found[0]])[found[0]]
        # SQLite's index of paths is under no sum: what it does not have is looked for without it.
        others = self.videos() if video is None else [video] if path_bytes(video.record.path) != key else []
        if any(path_bytes(other.record.path) == key for other in others) or (video and others):
            raise _incomplete("its index of paths is not that of its videos")
        return video

    def videos_of(self, numbers: Collection[int]) -> dict[int, StoredVideo]:
        """Read videos by their numbers; each is checked with its neighbours."""
        wanted = set(numbers)
        buckets = sorted({number // VIDEOS_A_SUM for number in wanted})
        found = {row[0]: stored_video(row) for bucket in buckets for row in self._rows(bucket) if row[0] in wanted}
        if len(found) != len(wanted):
            raise _incomplete("clips belong to a video that does not exist")
        return found

    def videos(self) -> list[StoredVideo]:
        """Read every video, in the order of the paths."""
        rows = [row for bucket in sorted(self._sums) for row in self._rows(bucket)]
        self._require_all()
        return [stored_video(row) for row in sorted(rows, key=lambda row: row[1])]

    def table(self) -> sqlite3.Connection:
        """Return the database, once every row of videos was checked.

        A row that was changed must not leave a video out of an answer in silence. That takes 0.2 s for 50,000
        videos (benchmarks/results/filters.json), so rows are checked once, as the arrays are: those under a sum
        that has not changed are not checked again in the next version.
        """
        for bucket, total in self._sums.items():
            if self._cache.checked.get(bucket) != total:
                self._rows(bucket)
                self._cache.checked[bucket] = total
        self._require_all()
        return self._connection

    def _require_all(self) -> None:
        """Notice rows of videos that are under no sum."""
        ((count,),) = self._connection.execute("SELECT COUNT(*) FROM videos").fetchall()
        if count != self.head.videos:
            raise _incomplete(f"{count} rows of videos were found instead of {self.head.videos}")

    def _rows(self, bucket: int) -> list[tuple[Any, ...]]:
        """The rows of videos under one sum."""
        total, first = RowSum(), bucket * VIDEOS_A_SUM
        bounds = (first, first + VIDEOS_A_SUM)
        rows = list(VIDEOS.rows(self._connection, "id >= ? AND id < ?", bounds, total=total))
        if total.content != self._sums.get(bucket, bytes(32)):
            raise _incomplete("some rows of videos are lost, stale or surplus")
        return rows


def view_of(connection: sqlite3.Connection, folder: Path, cache: VersionCache) -> SqliteView | LegacyView:
    """Return the view of a library of any format that we read."""
    is_legacy = format_of(connection) != FORMAT_VERSION
    return LegacyView(connection, folder, cache) if is_legacy else SqliteView(connection, folder, cache)


def read_version(connection: sqlite3.Connection) -> Version:
    """Read which version of a library of any format was committed last."""
    is_legacy = format_of(connection) != FORMAT_VERSION
    return read_legacy_version(connection) if is_legacy else read_head(connection).version


def told_version(folder: Path) -> float | None:
    """Read which version a reader must meet at least, before it begins; `None` if the database says it all.

    What is no number stands for any later version.

    Raises:
        OSError: if the file is there and cannot be read.
    """
    path = folder / TOLD_FILE
    if not path.exists():
        return None
    try:
        return int(path.read_bytes()[:32]) if path.is_file() else math.inf
    except FileNotFoundError:
        return None
    except ValueError:
        return math.inf


def require_told(connection: sqlite3.Connection, told: float | None) -> None:
    """Refuse a database that is older than it was said to be.

    Raises:
        DamagedLibraryError: if commits are lost with SQLite's log.
    """
    if told is not None and read_version(connection).number < told:
        raise _incomplete("SQLite's log, and the newest commits with it, are lost")


def read_any_manifest(connection: sqlite3.Connection) -> Manifest:
    """Read what made a library of any format."""
    is_legacy = format_of(connection) != FORMAT_VERSION
    return read_legacy_manifest(connection) if is_legacy else read_manifest(connection)


def _read_arrays(
    connection: sqlite3.Connection, head: Head, folder: Path, embed_dim: int
) -> tuple[ClipArrays, dict[int, bytes]]:
    """Map the arrays of a version, and read the sums of its videos.

    Raises:
        DamagedLibraryError: if rows are changed, lost, stale or surplus, or an array is missing or too short.
    """
    total = RowSum()
    sums = dict(SUMS.rows(connection, total=total))
    checksums = b"".join(part for _, part in BLOCKS.rows(connection, "1 ORDER BY id", total=total))
    removed = [(first, first + count) for first, count in REMOVED.rows(connection, total=total)]
    if total.content != head.rows:
        raise _incomplete("some of its rows are lost, stale or surplus")
    files = head.extent.files(folder, embed_dim)
    return ClipArrays.open(files, checksums=checksums + head.extent.tail, removed=removed), sums


def stored_video(row: tuple[Any, ...]) -> StoredVideo:
    """Make a video of its row."""
    return StoredVideo(number=row[0], first_clip=row[-1], record=record_from_row(row))


def _incomplete(what: str) -> DamagedLibraryError:
    return DamagedLibraryError(
        f"the library's database is damaged: {what}; run `hgrkit repair`, or restore a backup."
    )
