"""The library's tables: rows sealed with a SHA-256 of themselves, and sums that notice lost and stale rows.

`head` seals everything: `rows` is the sum of the digests of `sums`, `blocks` and `removed`; a row of `sums` is in
turn the sum of the digests of some `videos`. So one video is checked by reading its neighbours, not all videos.
Whoever reads a row that is not what was written raises `DamagedLibraryError`.
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

from hgrkit.checks.arguments import shown
from hgrkit.errors import ConfigError, DamagedLibraryError
from hgrkit.library.manifest import FORMAT_VERSION, Manifest
from hgrkit.library.records import Version, VideoRecord, path_bytes

__all__ = [
    "APPLICATION_ID",
    "BLOCKS",
    "HEAD",
    "INDEXED_KEY",
    "LONGEST_ROW",
    "MANIFEST",
    "REMOVED",
    "SCHEMA",
    "SUMS",
    "VIDEOS",
    "Head",
    "RowSum",
    "SealedTable",
    "Value",
    "damaged_library",
    "format_of",
    "make_tables",
    "read_head",
    "record_from_row",
    "row_from_record",
]

Value = int | float | str | bytes | None
Row = tuple[Any, ...]


def damaged_library(what: str) -> DamagedLibraryError:
    """Make the error that says what is wrong and what to do."""
    return DamagedLibraryError(f"the library is damaged: {what}; run `hgrkit repair`, or restore a backup.")


APPLICATION_ID: Final = 0x68677231
"""`hgr1`, in the header of the database file."""


class RowSum:
    """The sum, modulo 2^256, of the digests of a library's rows: no lost, stale or surplus row hides."""

    def __init__(self, content: bytes = bytes(32)) -> None:
        """Go on from a sum that was stored."""
        self._value = int.from_bytes(content, "little")

    def add(self, *digests: bytes) -> None:
        """Count rows in."""
        self._value += sum(int.from_bytes(digest, "little") for digest in digests)

    def subtract(self, digest: bytes) -> None:
        """Count a row out."""
        self._value -= int.from_bytes(digest, "little")

    @property
    def content(self) -> bytes:
        """The sum, to be stored: 32 bytes."""
        return (self._value % _MODULUS).to_bytes(32, "little")


_MODULUS = 1 << 256
_KEYS_AT_ONCE = 500
"""SQLite may be compiled for 999 values in a statement."""
_PYTHON: Final[Mapping[str, type]] = {"TEXT": str, "INTEGER": int, "REAL": float, "BLOB": bytes}


def _canonical(name: str, row: Sequence[Value]) -> bytes:
    # Not `repr`, which shows characters as each Python's Unicode tables have them.
    return ascii((name, *row)).encode()


@attrs.frozen(slots=False)
class SealedTable:
    """A table of numbered rows whose last column is the digest of the others.

    Attributes:
        name: the table.
        definitions: its columns between `id` and `digest`, as SQL has them.
        canonical: makes the bytes under a digest from the table's name and a row.
        longest: how many characters or bytes a value of some columns may have; no more is ever written.
    """

    name: str
    definitions: str
    canonical: Callable[[str, Sequence[Value]], bytes] = _canonical
    longest: Mapping[str, int] = attrs.field(factory=dict)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """All columns but the digest, `id` first."""
        return ("id", *(column.split()[0] for column in self.definitions.split(", ")))

    @property
    def definition(self) -> str:
        """The statement that makes it; every library's database holds this very text."""
        return f"CREATE TABLE {self.name} (id INTEGER PRIMARY KEY, {self.definitions}, digest BLOB NOT NULL)"

    def insert(self, connection: sqlite3.Connection, rows: Sequence[Row]) -> list[bytes]:
        """Insert rows of new numbers, and return their digests."""
        digests = list(map(self._digest, rows))
        self._write(connection, "INSERT", [(*row, digest) for row, digest in zip(rows, digests, strict=True)])
        return digests

    def replace(self, connection: sqlite3.Connection, row: Row) -> None:
        """Write the row of a table that has exactly one."""
        self._write(connection, "INSERT OR REPLACE", [(*row, self._digest(row))])

    def delete(
        self, connection: sqlite3.Connection, column: str, keys: Sequence[Value]
    ) -> list[tuple[Row, bytes]]:
        """Delete the rows with these values of a column, and return them with their digests."""
        found = []
        for first in range(0, len(keys), _KEYS_AT_ONCE):
            some = tuple(keys[first : first + _KEYS_AT_ONCE])
            condition = f"{column} IN ({', '.join('?' * len(some))})"
            if rows := list(self.rows(connection, condition, some)):
                connection.execute(f"DELETE FROM {self.name} WHERE {condition}", some)  # noqa: S608
                found += [(row, self._digest(row)) for row in rows]
        return found

    def rows(
        self,
        connection: sqlite3.Connection,
        condition: str = "1",
        parameters: tuple[Value, ...] = (),
        *,
        total: RowSum | None = None,
    ) -> Iterator[Row]:
        """Rows that meet an SQL condition (which may end in ORDER BY), without their digests.

        They are added to `total`, if there is one.
        """
        for row, digest in self.scan(connection, condition, parameters):
            if digest is None:
                raise damaged_library(f"row {row[0]!r} of table {self.name} is not what was written")
            if total is not None:
                total.add(digest)
            yield row

    def scan(
        self, connection: sqlite3.Connection, condition: str = "1", parameters: tuple[Value, ...] = ()
    ) -> Iterator[tuple[Row, bytes | None]]:
        """Read rows that meet an SQL condition, each with its digest, or `None` if it is not what was written."""
        query = f"SELECT {', '.join(self.columns)}, digest FROM {self.name} WHERE {condition}"  # noqa: S608
        for *row, digest in connection.execute(query, parameters):
            intact = tuple(map(type, row)) in self._types and self._is_short(row)
            yield tuple(row), digest if intact and digest == self._digest(row) else None

    def only(self, connection: sqlite3.Connection) -> Row:
        """The row of a table that has exactly one."""
        rows = list(self.rows(connection))
        if len(rows) != 1:
            raise damaged_library(f"table {self.name} must have one row, not {len(rows)}")
        return rows[0]

    def _write(self, connection: sqlite3.Connection, verb: str, sealed: Sequence[Row]) -> None:
        places = ", ".join("?" * (len(self.columns) + 1))
        connection.executemany(f"{verb} INTO {self.name} VALUES ({places})", sealed)

    @cached_property
    def _types(self) -> frozenset[tuple[type, ...]]:
        """The types that a row's values may have; SQLite itself takes any."""
        kinds = [column.split(None, 1)[1] for column in f"id INTEGER NOT NULL, {self.definitions}".split(", ")]
        allowed = [(_PYTHON[kind.split()[0]], *(() if "NOT NULL" in kind else (type(None),))) for kind in kinds]
        return frozenset(product(*allowed))

    def _is_short(self, row: Sequence[Any]) -> bool:
        return all(len(row[self.columns.index(name)] or "") <= most for name, most in self.longest.items())

    def _digest(self, row: Sequence[Value]) -> bytes:
        return hashlib.sha256(self.canonical(self.name, row)).digest()


MANIFEST: Final = SealedTable("manifest", "body TEXT NOT NULL")

# The version committed last: a random token that no other history shares, which arrays belong to it and how many
# of their records, the next numbers of videos and of clips, and what the rows of all other tables add up to.
# `tail` is the checksum of the clip records after the last full block.
HEAD: Final = SealedTable(
    "head",
    "version INTEGER NOT NULL, token TEXT NOT NULL, videos INTEGER NOT NULL, generation INTEGER NOT NULL, "
    "clips INTEGER NOT NULL, frames INTEGER NOT NULL, next_video INTEGER NOT NULL, next_clip INTEGER NOT NULL, "
    "tail BLOB NOT NULL, rows BLOB NOT NULL",
)

LONGEST_REASON: Final = 10_000
"""Characters of why a video failed; what is longer is cut when it is stored."""

# A path is the file system's bytes; metadata is JSON; `first_clip` is the record of the arrays where clips begin.
VIDEOS: Final = SealedTable(
    "videos",
    "path BLOB NOT NULL UNIQUE, content TEXT NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, "
    "state TEXT NOT NULL, reason TEXT, duration_s REAL, clips INTEGER NOT NULL, metadata TEXT NOT NULL, "
    "first_clip INTEGER NOT NULL",
    longest={"reason": LONGEST_REASON},
)

SUMS: Final = SealedTable("sums", "rows BLOB NOT NULL")
"""What the rows of videos add up to, `VIDEOS_A_SUM` numbers at a time."""

BLOCKS: Final = SealedTable("blocks", "checksums BLOB NOT NULL")
"""Checksums of full blocks of clip records, eight bytes each; `id` is the first block."""

REMOVED: Final = SealedTable("removed", "clips INTEGER NOT NULL")
"""Clip records that are no longer in the library, from `id` on."""

VIDEOS_A_SUM: Final = 64
"""Reading one video checks up to so many rows, opening a library reads one sum for so many videos: at 200,000
videos both take some milliseconds."""

SCHEMA: Final = tuple(table.definition for table in (MANIFEST, HEAD, VIDEOS, SUMS, BLOCKS, REMOVED))


@attrs.frozen(kw_only=True)
class Head:
    """What one row says of all others, and of the arrays.

    Attributes:
        version: the version committed last.
        videos: rows of videos.
        generation: which arrays; every rewriting makes new ones.
        clips: clip records, removed ones included.
        frames: frame records.
        next_video: the number that the next video takes.
        next_clip: the key that the next clip takes.
        tail: checksum of the clip records after the last full block; empty if there are none.
        rows: the sum of the digests of all rows of `sums`, `blocks` and `removed`.
    """

    version: Version
    videos: int = 0
    generation: int = 1
    clips: int = 0
    frames: int = 0
    next_video: int = 1
    next_clip: int = 1
    tail: bytes = b""
    rows: bytes = bytes(32)

    def emptied(self, version: Version, generation: int) -> Head:
        """The head of a version that holds nothing; no number is given out twice."""
        return Head(version=version, generation=generation, next_video=self.next_video, next_clip=self.next_clip)

    def row(self) -> Row:
        """The row of the table `head`."""
        version, *others = attrs.astuple(self, recurse=False)
        return (1, version.number, version.token, *others)


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
    """Read the head."""
    row = dict(zip(HEAD.columns, HEAD.only(connection), strict=True))
    if not all(0 <= value < _COUNTS for value in row.values() if isinstance(value, int)):
        raise damaged_library("the counts of its head are no counts")
    version = Version(row.pop("version"), row.pop("token"))
    return Head(version=version, **{name: value for name, value in row.items() if name != "id"})


def format_of(connection: sqlite3.Connection) -> int:
    """The format that the database says it has; whoever opened it checked that it is one we know."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


INDEXED_KEY: Final = "indexed:ns"
"""In the JSON of `metadata`: a column of its own would be another format. No tag can have this name."""

_INTEGERS = 1 << 63
_COUNTS = 1 << 60
_LONGEST_TEXT = 900_000

LONGEST_ROW: Final = 1_000_000
"""Bytes of a row: whoever reads 64 of them, as for one video, needs no more memory than that."""


def row_from_record(number: int, record: VideoRecord, *, clips: int, first_clip: int) -> Row:
    """Make a row of `videos`.

    Raises:
        ConfigError: if the path or the metadata cannot be stored.
    """
    try:
        noted = {} if record.indexed_ns is None else {INDEXED_KEY: record.indexed_ns}
        metadata = json.dumps({**record.metadata, **noted}, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"the metadata of {record.path!r} is no JSON object: {error}.") from error
    if INDEXED_KEY in record.metadata:
        raise ConfigError(f"the metadata of {record.path!r} has the key {INDEXED_KEY!r}, which is hgrkit's own.")
    for name in ("size", "mtime_ns"):
        if not -_INTEGERS <= getattr(record, name) < _INTEGERS:
            raise ConfigError(f"the {name} of {record.path!r} cannot be stored: {getattr(record, name)}.")
    try:
        record.content.encode()
    except UnicodeEncodeError as error:
        raise ConfigError(f"the content hash of {record.path!r} cannot be stored: {error.reason}.") from error
    if len(metadata) + len(record.content) + len(record.path) > _LONGEST_TEXT:
        raise ConfigError(f"the metadata of {shown(record.path)} is too long to be stored; shorten it.")
    return (
        number,
        path_bytes(record.path),
        record.content,
        record.size,
        record.mtime_ns,
        record.state,
        None
        if record.reason is None
        else record.reason.encode("utf-8", "backslashreplace").decode()[:LONGEST_REASON],
        None if record.duration_s is None else float(record.duration_s),
        clips,
        metadata,
        first_clip,
    )


def record_from_row(row: Sequence[Any]) -> VideoRecord:
    """Make the record of a row whose digest was checked."""
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
