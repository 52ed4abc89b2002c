"""The head row: which version was committed last, and what has to be found with it."""

from __future__ import annotations

import sqlite3
from typing import Any

import attrs

from hgrkit.errors import DamagedLibraryError
from hgrkit.library.manifest import Manifest
from hgrkit.library.schema import HEAD, HEAD_1, MANIFEST, Value
from hgrkit.library.store import Version

__all__ = ["Head", "format_of", "read_head", "read_manifest"]


@attrs.frozen(kw_only=True)
class Head:
    """What one row says of all others.

    Attributes:
        version: the version committed last.
        videos: rows of videos.
        clips: rows of clips.
        next_number: the number that the next row of any table takes.
        rows: the sum of the digests of all rows of videos, segments and clips; `None` in format 1.
    """

    version: Version
    videos: int = 0
    clips: int = 0
    next_number: int = 1
    rows: bytes | None = bytes(32)

    def row(self) -> tuple[Value, ...]:
        """The row of the table `head`."""
        version = self.version
        return (1, version.number, version.token, self.videos, self.clips, self.next_number, self.rows)


def read_head(connection: sqlite3.Connection) -> Head:
    """The head of a library of any format.

    Raises:
        DamagedLibraryError: if it is missing or not what was written.
    """
    row: tuple[Any, ...] = (HEAD_1 if format_of(connection) == 1 else HEAD).only(connection)
    _, number, token, videos, clips, next_number, *rows = row
    return Head(
        version=Version(number, token),
        videos=videos,
        clips=clips,
        next_number=next_number,
        rows=rows[0] if rows else None,
    )


def read_manifest(connection: sqlite3.Connection) -> Manifest:
    """What made the library.

    Raises:
        DamagedLibraryError: if its row is missing or not what was written.
    """
    try:
        return Manifest.from_json(MANIFEST.only(connection)[1])
    except (ValueError, TypeError) as error:
        raise DamagedLibraryError(f"the library's manifest is damaged: {error}.") from error


def format_of(connection: sqlite3.Connection) -> int:
    """The format that the database says it has; whoever opened it checked that it is one we know."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)
