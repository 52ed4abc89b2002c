"""The rows of one commit: videos put, clips buried, the head moved on, inside the SQLite store's transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from hgrkit.library.schema import CLIPS, HEAD, SEGMENTS, VIDEOS, Value
from hgrkit.library.segment import SegmentRecord
from hgrkit.library.store import Entry, Version
from hgrkit.library.video_row import path_bytes, row_from_record

__all__ = ["Change", "first_head"]


class Change:
    """What a commit does to the database, row by row; `seal` writes the new head."""

    def __init__(self, connection: sqlite3.Connection, token: str) -> None:
        """Begin from the head that is there.

        Raises:
            DamagedLibraryError: if the head is not what was written.
        """
        self._connection = connection
        _, version, self._old_token, self._videos, self._clips, self._next = HEAD.only(connection)
        self._old_version = version
        self._version = Version(version + 1, token)
        self._changed = False

    def remove(self, path: str) -> None:
        """Delete a video's row, if it has one, and mark its clips as gone."""
        for video in list(VIDEOS.rows(self._connection, "path = ?", (path_bytes(path),))):
            living = list(CLIPS.rows(self._connection, "video_id = ? AND removed_in IS NULL", (video[0],)))
            CLIPS.put(self._connection, [(*clip[:-1], self._version.number) for clip in living])
            self._connection.execute("DELETE FROM videos WHERE id = ?", (video[0],))
            self._videos -= 1
            self._clips -= len(living)
            self._changed = True

    def put(self, entries: Sequence[Entry], segment: SegmentRecord | None) -> None:
        """Insert videos that are not there, and their clips, which lie in the segment in this order."""
        segment_id = self._number()
        if segment is not None:
            SEGMENTS.put(self._connection, [_segment_row(segment_id, segment)])
        row = first_frame = 0
        for entry in entries:
            video_id = self._number()
            VIDEOS.put(self._connection, [row_from_record(video_id, entry.record, len(entry.clips))])
            rows: list[tuple[Value, ...]] = []
            for ordinal, clip in enumerate(entry.clips):
                place = (segment_id, row, first_frame, clip.num_frames)
                rows.append((self._number(), video_id, ordinal, clip.start_s, clip.end_s, *place, None))
                row, first_frame = row + 1, first_frame + clip.num_frames
            CLIPS.put(self._connection, rows)
            self._videos += 1
            self._clips += len(rows)
            self._changed = True

    def seal(self) -> Version:
        """Write the head; without any change the old version stays."""
        if not self._changed:
            return Version(self._old_version, self._old_token)
        head = (1, self._version.number, self._version.token, self._videos, self._clips, self._next)
        HEAD.put(self._connection, [head])
        return self._version

    def _number(self) -> int:
        number: int = self._next
        self._next += 1
        return number


def first_head(token: str) -> tuple[Value, ...]:
    """The head of an empty library."""
    return (1, 0, token, 0, 0, 1)


def _segment_row(number: int, segment: SegmentRecord) -> tuple[Value, ...]:
    return (
        number,
        segment.file,
        segment.clips,
        segment.frames,
        segment.num_bytes,
        segment.block_bytes,
        segment.digests,
    )
