"""The library's first format, still read: it kept the clips of removed videos, and had no sum of its rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

from hgrkit.errors import DamagedLibraryError
from hgrkit.library.schema import CLIPS_1
from hgrkit.library.segment import SegmentRecord

__all__ = ["read_clips_of_format_1"]


def read_clips_of_format_1(
    connection: sqlite3.Connection, segments: Mapping[int, SegmentRecord]
) -> list[tuple[Any, ...]]:
    """The living clips, as rows of the table that clips have now.

    Raises:
        DamagedLibraryError: if a row is not what was written, or the clips of a segment, living or not, lack rows.
    """
    written = dict(connection.execute("SELECT segment_id, COUNT(*) FROM clips GROUP BY segment_id"))
    if written != {number: record.clips for number, record in segments.items()}:
        raise DamagedLibraryError(
            "the library's database is damaged: clips of some segment are missing; "
            "run `hgrkit repair`, or restore a backup."
        )
    return [row[:-1] for row in CLIPS_1.rows(connection, "removed_in IS NULL")]
