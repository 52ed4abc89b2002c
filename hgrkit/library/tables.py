"""The library's tables: rows sealed with a SHA-256 of themselves, and sums that notice lost and stale rows.

`head` seals everything: `rows` is the sum of the digests of `sums`, `blocks` and `removed`; a row of `sums` is in
turn the sum of the digests of some `videos`. So one video is checked by reading its neighbours, not all videos.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import product
from typing import Any, Final

import attrs

from hgrkit.errors import ConfigError, DamagedLibraryError
from hgrkit.library.arrays import Extent
from hgrkit.library.manifest import FORMAT_VERSION, Manifest
from hgrkit.library.records import VideoRecord, path_bytes
from hgrkit.library.store import Version

__all__ = [
    "APPLICATION_ID",
    "BLOCKS",
    "HEAD",
    "INDEXED_KEY",
    "MANIFEST",
    "REMOVED",
    "SCHEMA",
    "SUMS",
    "VIDEOS",
    "Head",
    "RowSum",
    "SealedTable",
    "Value",
    "format_of",
    "make_tables",
    "read_head",
    "read_manifest",
    "record_from_row",
    "row_from_record",
    "stored_record",
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


def _canonical(name: str, row: Sequence[Value]) -> bytes:
    # Not `repr`, which shows characters as each Python's Unicode tables have them.
    return ascii((name, *row)).encode()


@attrs.frozen(slots=False)
class SealedTable:
    """A table of numbered rows whose last column is the digest of the others.

    Attributes:
        name: the table.
        types: its columns between `id` and `digest`, with their SQL types.
        canonical: makes the bytes under a digest from the table's name and a row.
    """

    name: str
    types: Mapping[str, str]
    canonical: Callable[[str, Sequence[Value]], bytes] = _canonical

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
        for row, digest in self.scan(connection, condition, parameters):
            if digest is None:
                raise DamagedLibraryError(
                    f"row {row[0]!r} of table {self.name} is not what was written; "
                    "run `hgrkit repair`, or restore a backup."
                )
            if total is not None:
                total.add(digest)
            yield row

    def scan(
        self, connection: sqlite3.Connection, condition: str = "1", parameters: tuple[Value, ...] = ()
    ) -> Iterator[tuple[tuple[Any, ...], bytes | None]]:
        """Read rows that meet an SQL condition, each with its digest, or `None` if it is not what was written."""
        query = f"SELECT {', '.join(self.columns)}, digest FROM {self.name} WHERE {condition}"  # noqa: S608
        for *row, digest in connection.execute(query, parameters):
            intact = tuple(map(type, row)) in self._types and digest == self._digest(row)
            yield tuple(row), digest if intact else None

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
        return hashlib.sha256(self.canonical(self.name, row)).digest()


_TEXT, _INTEGER, _REAL, _BLOB = (f"{kind} NOT NULL" for kind in ("TEXT", "INTEGER", "REAL", "BLOB"))

MANIFEST: Final = SealedTable("manifest", {"body": _TEXT})

# The version committed last: a random token that no other history shares, which arrays belong to it and how many
# of their records, the next numbers of videos and of clips, and what the rows of all other tables add up to.
# `tail` is the checksum of the clip records after the last full block.
HEAD: Final = SealedTable(
    "head",
    {
        "version": _INTEGER,
        "token": _TEXT,
        "videos": _INTEGER,
        "generation": _INTEGER,
        "clips": _INTEGER,
        "frames": _INTEGER,
        "next_video": _INTEGER,
        "next_clip": _INTEGER,
        "tail": _BLOB,
        "rows": _BLOB,
    },
)

# A path is the file system's bytes; metadata is JSON; `first_clip` is the record of the arrays where clips begin.
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
        "first_clip": _INTEGER,
    },
)

SUMS: Final = SealedTable("sums", {"rows": _BLOB})
"""What the rows of videos add up to, `VIDEOS_A_SUM` numbers at a time."""

BLOCKS: Final = SealedTable("blocks", {"checksums": _BLOB})
"""Checksums of full blocks of clip records, eight bytes each; `id` is the first block."""

REMOVED: Final = SealedTable("removed", {"clips": _INTEGER})
"""Clip records that are no longer in the library, from `id` on."""

VIDEOS_A_SUM: Final = 64
"""Reading one video checks up to so many rows, opening a library reads one sum for so many videos: at 200,000
videos both take some milliseconds."""

SCHEMA: Final = tuple(table.definition for table in (MANIFEST, HEAD, VIDEOS, SUMS, BLOCKS, REMOVED))


@attrs.frozen(kw_only=True)
class Head:
    """What one row says of all others.

    Attributes:
        version: the version committed last.
        extent: how far its arrays go.
        videos: rows of videos.
        next_video: the number that the next video takes.
        next_clip: the key that the next clip takes.
        rows: the sum of the digests of all rows of `sums`, `blocks` and `removed`.
    """

    version: Version
    extent: Extent = attrs.field(factory=Extent)
    videos: int = 0
    next_video: int = 1
    next_clip: int = 1
    rows: bytes = bytes(32)

    def row(self) -> tuple[Value, ...]:
        """The row of the table `head`."""
        values = attrs.asdict(self, recurse=False)
        version, extent = values.pop("version"), attrs.asdict(values.pop("extent"))
        values |= {"version": version.number, "token": version.token, **extent}
        return (1, *(values[name] for name in HEAD.types))


def make_tables(connection: sqlite3.Connection, manifest: Manifest, head: Head) -> None:
    """Make the tables of a library that holds nothing, inside a transaction, in place of any others.

    Args:
        connection: the database.
        manifest: what makes the library.
        head: the version that there is, without videos.
    """
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        connection.execute(f'DROP TABLE "{name}"')
    for statement in SCHEMA:
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
    MANIFEST.replace(connection, (1, attrs.evolve(manifest, format_version=FORMAT_VERSION).to_json()))
    HEAD.replace(connection, head.row())


def read_head(connection: sqlite3.Connection) -> Head:
    """Read the head.

    Raises:
        DamagedLibraryError: if it is missing or not what was written.
    """
    row = dict(zip(HEAD.columns[1:], HEAD.only(connection)[1:], strict=True))
    extent = Extent(**{field.name: row.pop(field.name) for field in attrs.fields(Extent)})
    return Head(version=Version(row.pop("version"), row.pop("token")), extent=extent, **row)


def read_manifest(connection: sqlite3.Connection, table: SealedTable | None = None) -> Manifest:
    """Read what made the library, from the table of its format.

    Raises:
        DamagedLibraryError: if its row is missing or not what was written.
    """
    try:
        return Manifest.from_json((table or MANIFEST).only(connection)[1])
    except (ValueError, TypeError) as error:
        raise DamagedLibraryError(f"the library's manifest is damaged: {error}.") from error


def format_of(connection: sqlite3.Connection) -> int:
    """The format that the database says it has; whoever opened it checked that it is one we know."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


INDEXED_KEY: Final = "indexed:ns"
"""In the JSON of `metadata`: a column of its own would be another format. No tag can have this name."""

_INTEGERS = 1 << 63


def row_from_record(number: int, record: VideoRecord, *, clips: int, first_clip: int) -> tuple[Value, ...]:
    """Make a row of `videos`.

    Raises:
        ConfigError: if the path or the metadata cannot be stored.
    """
    try:
        noted = {} if record.indexed_ns is None else {INDEXED_KEY: record.indexed_ns}
        metadata = json.dumps({**record.metadata, **noted}, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"the metadata of {record.path!r} is no JSON object: {error}.") from error
    for name in ("size", "mtime_ns"):
        if not -_INTEGERS <= getattr(record, name) < _INTEGERS:
            raise ConfigError(f"the {name} of {record.path!r} cannot be stored: {getattr(record, name)}.")
    try:
        record.content.encode()
    except UnicodeEncodeError as error:
        raise ConfigError(f"the content hash of {record.path!r} cannot be stored: {error.reason}.") from error
    return (
        number,
        path_bytes(record.path),
        record.content,
        record.size,
        record.mtime_ns,
        record.state,
        None if record.reason is None else record.reason.encode("utf-8", "backslashreplace").decode(),
        None if record.duration_s is None else float(record.duration_s),
        clips,
        metadata,
        first_clip,
    )


def record_from_row(row: Sequence[Any]) -> VideoRecord:
    """Make the record of a row whose digest was checked.

    Raises:
        DamagedLibraryError: if the row holds what no record does; whoever wrote it sealed it all the same.
    """
    number, path, content, size, mtime_ns, state, reason, duration_s, clips, metadata = row[:10]
    try:
        values = dict(json.loads(metadata))
        return VideoRecord(
            indexed_ns=values.pop(INDEXED_KEY, None),
            path=path.decode("utf-8", "surrogateescape"),
            content=content,
            size=size,
            mtime_ns=mtime_ns,
            state=state,
            reason=reason,
            duration_s=duration_s,
            clips=clips,
            metadata=values,
        )
    except (ValueError, TypeError, RecursionError) as error:
        raise DamagedLibraryError(f"row {number} of table videos is no video: {error}.") from error


def stored_record(record: VideoRecord, *, clips: int) -> VideoRecord:
    """The record as it comes back once it was stored.

    Raises:
        ConfigError: if it cannot be stored.
    """
    return record_from_row(row_from_record(0, record, clips=clips, first_clip=0))
