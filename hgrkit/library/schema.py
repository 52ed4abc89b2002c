"""The library's tables: every row is sealed with a SHA-256 of itself, which is checked whenever it is read."""

from __future__ import annotations

import hashlib
import sqlite3
import struct
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import product
from typing import Any, Final

import attrs

from hgrkit.errors import DamagedLibraryError

__all__ = [
    "APPLICATION_ID",
    "CLIPS",
    "CLIPS_1",
    "HEAD",
    "HEAD_1",
    "MANIFEST",
    "SCHEMA",
    "SCHEMAS",
    "SEGMENTS",
    "VIDEOS",
    "RowSum",
    "SealedTable",
    "Value",
]

Value = int | float | str | bytes | None

APPLICATION_ID: Final = 0x68677231
"""`hgr1`, in the header of the database file."""


class RowSum:
    """The sum, modulo 2^256, of the digests of a library's rows: no lost, stale or surplus row hides."""

    def __init__(self, content: bytes = bytes(32)) -> None:
        """Go on from a sum that was stored."""
        self._value = int.from_bytes(content, "little")

    def add(self, digest: bytes) -> None:
        """Count a row in."""
        self._value += int.from_bytes(digest, "little")

    def subtract(self, digest: bytes) -> None:
        """Count a row out."""
        self._value -= int.from_bytes(digest, "little")

    @property
    def content(self) -> bytes:
        """The sum, to be stored: 32 bytes."""
        return (self._value % _MODULUS).to_bytes(32, "little")


_MODULUS = 1 << 256
_PYTHON: Final[Mapping[str, type]] = {"TEXT": str, "INTEGER": int, "REAL": float, "BLOB": bytes}


@attrs.frozen(slots=False)
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

    def insert(self, connection: sqlite3.Connection, rows: Sequence[tuple[Value, ...]], total: RowSum) -> None:
        """Insert rows of new numbers, and add them to a sum."""
        digests = [self._digest(row) for row in rows]
        for digest in digests:
            total.add(digest)
        self._write(connection, "INSERT", [(*row, digest) for row, digest in zip(rows, digests, strict=True)])

    def replace(self, connection: sqlite3.Connection, row: tuple[Value, ...]) -> None:
        """Write the row of a table that has exactly one."""
        self._write(connection, "INSERT OR REPLACE", [(*row, self._digest(row))])

    def delete(
        self, connection: sqlite3.Connection, condition: str, parameters: tuple[Value, ...], total: RowSum
    ) -> list[tuple[Any, ...]]:
        """Delete the rows that meet an SQL condition, take them from a sum, and return them.

        Raises:
            DamagedLibraryError: if a row is not what was written.
        """
        rows = list(self.rows(connection, condition, parameters))
        for row in rows:
            total.subtract(self._digest(row))
        connection.execute(f"DELETE FROM {self.name} WHERE {condition}", parameters)  # noqa: S608
        return rows

    def rows(
        self,
        connection: sqlite3.Connection,
        condition: str = "1",
        parameters: tuple[Value, ...] = (),
        *,
        total: RowSum | None = None,
    ) -> Iterator[tuple[Any, ...]]:
        """Rows that meet an SQL condition (which may end in ORDER BY), without their digests.

        They are added to `total`, if there is one.

        Raises:
            DamagedLibraryError: if a row is not what was written.
        """
        query = f"SELECT {', '.join(self.columns)}, digest FROM {self.name} WHERE {condition}"  # noqa: S608
        for *row, digest in connection.execute(query, parameters):
            if tuple(map(type, row)) not in self._types or digest != self._digest(row):
                raise DamagedLibraryError(
                    f"row {row[0]!r} of table {self.name} is not what was written; "
                    "run `hgrkit repair`, or restore a backup."
                )
            if total is not None:
                total.add(digest)
            yield tuple(row)

    def only(self, connection: sqlite3.Connection) -> tuple[Any, ...]:
        """The row of a table that has exactly one.

        Raises:
            DamagedLibraryError: if the row is missing or not what was written.
        """
        rows = list(self.rows(connection))
        if len(rows) != 1:
            raise DamagedLibraryError(
                f"table {self.name} must have one row, not {len(rows)}; run `hgrkit repair`, or restore a backup."
            )
        return rows[0]

    def _write(self, connection: sqlite3.Connection, verb: str, sealed: Sequence[tuple[Value, ...]]) -> None:
        places = ", ".join("?" * (len(self.columns) + 1))
        connection.executemany(f"{verb} INTO {self.name} VALUES ({places})", sealed)

    @cached_property
    def _types(self) -> frozenset[tuple[type, ...]]:
        """The types that a row's values may have; SQLite itself takes any."""
        kinds = ("INTEGER NOT NULL", *self.types.values())
        allowed = [(_PYTHON[kind.split()[0]], *(() if "NOT NULL" in kind else (type(None),))) for kind in kinds]
        return frozenset(product(*allowed))

    def _digest(self, row: Sequence[Value]) -> bytes:
        return hashlib.sha256(b"".join((self.name.encode(), *map(_canonical, row)))).digest()


_DOUBLE = struct.Struct("<d")


def _canonical(value: Value) -> bytes:
    """Bytes that no two different values share, whatever comes after them."""
    if value is None:
        return b"n"
    if isinstance(value, int):
        return b"i%d;" % value
    if isinstance(value, float):
        return b"f" + _DOUBLE.pack(value)
    content = value.encode() if isinstance(value, str) else value
    return b"%c%d:%b" % (b"s" if isinstance(value, str) else b"b", len(content), content)


_TEXT, _INTEGER, _REAL, _BLOB = (f"{kind} NOT NULL" for kind in ("TEXT", "INTEGER", "REAL", "BLOB"))

MANIFEST: Final = SealedTable("manifest", {"body": _TEXT})

# The version committed last: a random token that no other history shares, what has to be found, the number that
# the next row of any table takes, and the sum of the rows of videos, segments and clips.
HEAD: Final = SealedTable(
    "head",
    {
        "version": _INTEGER,
        "token": _TEXT,
        "videos": _INTEGER,
        "clips": _INTEGER,
        "next_id": _INTEGER,
        "rows": _BLOB,
    },
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
    },
)

CLIP_INDEX: Final = "CREATE INDEX clips_of_video ON clips (video_id)"

SCHEMA: Final = (
    *(table.definition for table in (MANIFEST, HEAD, VIDEOS, SEGMENTS, CLIPS)),
    CLIP_INDEX,
)

# Format 1 had no sum, and marked the clips of removed videos with the version that removed them.
HEAD_1: Final = SealedTable("head", {name: kind for name, kind in HEAD.types.items() if name != "rows"})
CLIPS_1: Final = SealedTable("clips", {**CLIPS.types, "removed_in": "INTEGER"})

SCHEMAS: Final[Mapping[int, tuple[str, ...]]] = {
    1: (*(table.definition for table in (MANIFEST, HEAD_1, VIDEOS, SEGMENTS, CLIPS_1)), CLIP_INDEX),
    2: SCHEMA,
}
"""By format version, the statements that made every library of that format."""
