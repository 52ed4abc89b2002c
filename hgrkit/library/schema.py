"""The library's tables: every row is sealed with a SHA-256 of itself, which is checked whenever it is read."""

from __future__ import annotations

import hashlib
import sqlite3
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from hgrkit.errors import DamagedLibraryError

__all__ = ["APPLICATION_ID", "CLIPS", "HEAD", "MANIFEST", "SCHEMA", "SEGMENTS", "VIDEOS", "SealedTable", "Value"]

Value = int | float | str | bytes | None

APPLICATION_ID: Final = 0x68677231
"""`hgr1`, in the header of the database file."""


@attrs.frozen
class SealedTable:
    """A table of numbered rows whose last column is the digest of the others.

    Attributes:
        name: the table.
        types: its columns between `id` and `digest`, with their SQL types.
    """

    name: str
    types: Mapping[str, str]

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns but the digest, `id` first."""
        return ("id", *self.types)

    @property
    def definition(self) -> str:
        """The statement that makes it; every library's database holds this very text."""
        types = {"id": "INTEGER PRIMARY KEY", **self.types, "digest": _BLOB}
        return f"CREATE TABLE {self.name} ({', '.join(' '.join(column) for column in types.items())})"

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
                    f"row {row[0]!r} of table {self.name} is not what was written; "
                    "restore the library from a backup."
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


_TEXT, _INTEGER, _REAL, _BLOB = (f"{kind} NOT NULL" for kind in ("TEXT", "INTEGER", "REAL", "BLOB"))

MANIFEST: Final = SealedTable("manifest", {"body": _TEXT})

# The version committed last: a random token that no other history shares, what has to be found, and the number
# that the next row of any table takes.
HEAD: Final = SealedTable(
    "head", {"version": _INTEGER, "token": _TEXT, "videos": _INTEGER, "clips": _INTEGER, "next_id": _INTEGER}
)

# A path is the file system's bytes; metadata is JSON.
VIDEOS: Final = SealedTable(
    "videos",
    {
        "path": "BLOB NOT NULL UNIQUE",
        "content": _TEXT,
        "size": _INTEGER,
        "mtime_ns": _INTEGER,
        "state": _TEXT,
        "reason": "TEXT",
        "duration_s": "REAL",
        "clips": _INTEGER,
        "metadata": _TEXT,
    },
)

SEGMENTS: Final = SealedTable(
    "segments",
    {
        "file": "TEXT NOT NULL UNIQUE",
        "clips": _INTEGER,
        "frames": _INTEGER,
        "num_bytes": _INTEGER,
        "block_bytes": _INTEGER,
        "digests": _BLOB,
    },
)

# `removed_in` is the tombstone: the version from which a clip is gone.
CLIPS: Final = SealedTable(
    "clips",
    {
        "video_id": _INTEGER,
        "ordinal": _INTEGER,
        "start_s": _REAL,
        "end_s": _REAL,
        "segment_id": _INTEGER,
        "segment_row": _INTEGER,
        "first_frame": _INTEGER,
        "frames": _INTEGER,
        "removed_in": "INTEGER",
    },
)

SCHEMA: Final = (
    *(table.definition for table in (MANIFEST, HEAD, VIDEOS, SEGMENTS, CLIPS)),
    "CREATE INDEX clips_of_video ON clips (video_id)",
)
