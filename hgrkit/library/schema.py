"""The library's tables, and the seal of their rows: each row carries a SHA-256 of itself, checked whenever it is read."""

from __future__ import annotations

import hashlib
import sqlite3
import struct
from collections.abc import Iterator, Sequence
from typing import Any, Final

import attrs

from hgrkit.errors import DamagedLibraryError

__all__ = ["APPLICATION_ID", "CLIPS", "HEAD", "MANIFEST", "SCHEMA", "SEGMENTS", "VIDEOS", "SealedTable", "Value"]

Value = int | float | str | bytes | None

APPLICATION_ID: Final = 0x68677231
"""`hgr1`, in the header of the database file."""

SCHEMA: Final = (
    "CREATE TABLE manifest (id INTEGER PRIMARY KEY, body TEXT NOT NULL, digest BLOB NOT NULL)",
    # what was committed last: a number, a random token that no other history shares, and what must be found
    "CREATE TABLE head (id INTEGER PRIMARY KEY, version INTEGER NOT NULL, token TEXT NOT NULL, "
    "videos INTEGER NOT NULL, clips INTEGER NOT NULL, next_id INTEGER NOT NULL, digest BLOB NOT NULL)",
    # a path is the file system's bytes; metadata is JSON
    "CREATE TABLE videos (id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE, content TEXT NOT NULL, "
    "size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, state TEXT NOT NULL, reason TEXT, duration_s REAL, "
    "clips INTEGER NOT NULL, metadata TEXT NOT NULL, digest BLOB NOT NULL)",
    "CREATE TABLE segments (id INTEGER PRIMARY KEY, file TEXT NOT NULL UNIQUE, clips INTEGER NOT NULL, "
    "frames INTEGER NOT NULL, num_bytes INTEGER NOT NULL, block_bytes INTEGER NOT NULL, digests BLOB NOT NULL, "
    "digest BLOB NOT NULL)",
    # removed_in is the tombstone: the version from which the clip is gone
    "CREATE TABLE clips (id INTEGER PRIMARY KEY, video_id INTEGER NOT NULL, ordinal INTEGER NOT NULL, "
    "start_s REAL NOT NULL, end_s REAL NOT NULL, segment_id INTEGER NOT NULL, segment_row INTEGER NOT NULL, "
    "first_frame INTEGER NOT NULL, frames INTEGER NOT NULL, removed_in INTEGER, digest BLOB NOT NULL)",
    "CREATE INDEX clips_of_video ON clips (video_id)",
)


@attrs.frozen
class SealedTable:
    """A table whose last column is the digest of the others; the first is the row's number.

    Attributes:
        name: the table.
        columns: all columns but the digest.
    """

    name: str
    columns: tuple[str, ...]

    def put(self, connection: sqlite3.Connection, rows: Sequence[tuple[Value, ...]]) -> None:
        """Insert rows, or replace those of the same number."""
        places = ", ".join("?" * (len(self.columns) + 1))
        connection.executemany(
            f"INSERT OR REPLACE INTO {self.name} VALUES ({places})",  # noqa: S608
            [(*row, self._digest(row)) for row in rows],
        )

    def rows(
        self, connection: sqlite3.Connection, condition: str = "1", parameters: tuple[Value, ...] = ()
    ) -> Iterator[tuple[Any, ...]]:
        """Rows that meet an SQL condition (which may end in ORDER BY), without their digests.

        Raises:
            DamagedLibraryError: if a row is not what was written.
        """
        query = f"SELECT {', '.join(self.columns)}, digest FROM {self.name} WHERE {condition}"  # noqa: S608
        for *row, digest in connection.execute(query, parameters):
            if digest != self._digest(row):
                raise DamagedLibraryError(
                    f"row {row[0]!r} of table {self.name} is not what was written; restore the library from a backup."
                )
            yield tuple(row)

    def only(self, connection: sqlite3.Connection) -> tuple[Any, ...]:
        """The row of a table that has exactly one.

        Raises:
            DamagedLibraryError: if the row is missing or not what was written.
        """
        rows = list(self.rows(connection))
        if len(rows) != 1:
            raise DamagedLibraryError(
                f"table {self.name} must have one row, it has {len(rows)}; restore the library from a backup."
            )
        return rows[0]

    def _digest(self, row: Sequence[Value]) -> bytes:
        return hashlib.sha256(b"".join((self.name.encode(), *map(_canonical, row)))).digest()


def _canonical(value: Value) -> bytes:
    """Bytes that no two different values share, whatever comes after them."""
    if value is None:
        return b"n"
    if isinstance(value, int):
        return b"i%d;" % value
    if isinstance(value, float):
        return b"f" + struct.pack("<d", value)
    content = value.encode() if isinstance(value, str) else value
    return b"%c%d:%b" % (b"s" if isinstance(value, str) else b"b", len(content), content)


MANIFEST: Final = SealedTable("manifest", ("id", "body"))
HEAD: Final = SealedTable("head", ("id", "version", "token", "videos", "clips", "next_id"))
VIDEOS: Final = SealedTable(
    "videos",
    ("id", "path", "content", "size", "mtime_ns", "state", "reason", "duration_s", "clips", "metadata"),
)
SEGMENTS: Final = SealedTable("segments", ("id", "file", "clips", "frames", "num_bytes", "block_bytes", "digests"))
CLIPS: Final = SealedTable(
    "clips",
    (
        "id",
        "video_id",
        "ordinal",
        "start_s",
        "end_s",
        "segment_id",
        "segment_row",
        "first_frame",
        "frames",
        "removed_in",
    ),
)
