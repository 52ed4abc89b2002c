"""Everything that a library's database says, read in one transaction and checked as thoroughly as can be."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path

import attrs

from hgrkit.errors import DamagedLibraryError
from hgrkit.library.database import DATABASE_FILE, read_database
from hgrkit.library.head import Head, format_of, read_head
from hgrkit.library.schema import CLIPS, CLIPS_1, SEGMENTS
from hgrkit.library.segment import SegmentRecord
from hgrkit.library.snapshot import SegmentCache, SqliteSnapshot, read_snapshot

__all__ = ["ClipPlace", "DatabaseContents", "read_contents"]


@attrs.frozen
class ClipPlace:
    """Where a clip's vectors lie.

    Attributes:
        segment: the segment.
        row: its row in the tensor `event`.
        frames: its rows in the other tensors.
        start_s: where it begins in its video, in seconds.
        end_s: where it ends.
    """

    segment: SegmentRecord
    row: int
    frames: slice
    start_s: float
    end_s: float


@attrs.frozen(kw_only=True, eq=False)
class DatabaseContents:
    """A database that is what was written.

    Attributes:
        format_version: the layout on disk.
        head: the version committed last.
        snapshot: its videos and clips; the segments are not looked at.
        segments: every segment that it names, by file.
        places: where each clip lies, in the order of the snapshot.
    """

    format_version: int
    head: Head
    snapshot: SqliteSnapshot
    segments: Mapping[str, SegmentRecord]
    places: tuple[ClipPlace, ...]

    def videos_by_segment(self) -> dict[str, tuple[str, ...]]:
        """For each segment file, the videos that have clips in it."""
        found: dict[str, dict[str, None]] = {file: {} for file in self.segments}
        for place, video in zip(self.places, self.snapshot.clip_videos.tolist(), strict=True):
            found[place.segment.file][self.snapshot.videos[video].path] = None
        return {file: tuple(videos) for file, videos in found.items()}


def read_contents(folder: Path) -> DatabaseContents:
    """Read a library's database: SQLite's own check, every row's digest, their sum, and what refers to what.

    Raises:
        DamagedLibraryError: if it is not what was written.
        LibraryMismatchError: if its format is a later one.
        LibraryError: if it cannot be read.
    """
    path = folder / DATABASE_FILE
    if not path.is_file():
        raise DamagedLibraryError(f"{path} is damaged: it is missing.")
    return read_database(path, lambda connection: _read(connection, folder))


def _read(connection: sqlite3.Connection, folder: Path) -> DatabaseContents:
    found = [line for (line,) in connection.execute("PRAGMA integrity_check(3)")]
    if found != ["ok"]:
        raise DamagedLibraryError(f"{folder / DATABASE_FILE} is damaged: {'; '.join(map(str, found))}.")
    version, head = format_of(connection), read_head(connection)
    snapshot = read_snapshot(connection, SegmentCache(folder))
    segments = {
        number: SegmentRecord(**dict(zip(SEGMENTS.types, row, strict=True)))
        for number, *row in SEGMENTS.rows(connection)
    }
    table, living = (CLIPS_1, "removed_in IS NULL") if version == 1 else (CLIPS, "1")
    places = {
        row[0]: ClipPlace(segments[row[5]], row[6], slice(row[7], row[7] + row[8]), row[3], row[4])
        for row in table.rows(connection, living)
    }
    return DatabaseContents(
        format_version=version,
        head=head,
        snapshot=snapshot,
        segments={record.file: record for record in segments.values()},
        places=tuple(places[key] for key in snapshot.clip_keys.tolist()),
    )
