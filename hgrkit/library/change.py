"""A commit applied to the database, row by row: a new one, one rolled forward, or one replayed."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import attrs

from hgrkit.errors import DamagedLibraryError
from hgrkit.library.commit_record import CommitRecord, LoggedSegment
from hgrkit.library.head import Head, read_head, read_manifest
from hgrkit.library.manifest import FORMAT_VERSION
from hgrkit.library.schema import CLIPS, HEAD, MANIFEST, SCHEMA, SEGMENTS, VIDEOS, RowSum, Value
from hgrkit.library.segment import SegmentRecord
from hgrkit.library.store import Rename, Version
from hgrkit.library.video_row import path_bytes, row_from_record

__all__ = ["apply_commit", "make_tables"]


def make_tables(connection: sqlite3.Connection, body: str, head: Head) -> None:
    """The tables of a library that holds nothing, inside a transaction.

    Args:
        connection: a database without tables.
        body: the manifest, as JSON.
        head: the version that there is, without videos.
    """
    for statement in SCHEMA:
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
    MANIFEST.replace(connection, (1, body))
    HEAD.replace(connection, head.row())


def apply_commit(connection: sqlite3.Connection, parts: Sequence[LoggedSegment]) -> Version:
    """Do to the database what a commit's segments say, inside a transaction.

    Args:
        connection: the database, at the version before.
        parts: every segment of the commit, in order; one that is the whole library may follow any older version.

    Raises:
        DamagedLibraryError: if the segments are not one commit that follows the database's version, or rows are
            not what was written.
        sqlite3.Error: if the disk fails.
    """
    commits = [part.commit for part in parts]
    _require_one_commit(commits)
    _require_next(connection, commits[0])
    if commits[0].whole:
        _forget_everything(connection, commits[0])
    change = _Change(connection)
    for path in commits[0].remove:
        change.remove(path)
    change.rename(commits[0].rename)
    for part in parts:
        change.put(part.commit, part.segment)
    change.seal(commits[0])
    return Version(commits[0].number, commits[0].token)


def _require_one_commit(commits: Sequence[CommitRecord]) -> None:
    shared = {attrs.evolve(commit, part=0, segment=0, put=(), remove=(), rename=()) for commit in commits}
    parts = [commit.part for commit in commits]
    if len(shared) != 1 or len(parts) != commits[0].parts or parts != list(range(len(parts))):
        raise DamagedLibraryError(f"the segments of version {commits[0].number} do not belong together.")


def _require_next(connection: sqlite3.Connection, commit: CommitRecord) -> None:
    version = read_head(connection).version
    follows = (version.number + 1, version.token) == (commit.number, commit.parent)
    if not follows and not (commit.whole and commit.number > version.number):
        raise DamagedLibraryError(
            f"version {commit.number} does not follow version {version.number}, which the database has."
        )
    if not commit.whole and commit.manifest != read_manifest(connection):
        raise DamagedLibraryError(f"version {commit.number} was made with another model than the database says.")


def _forget_everything(connection: sqlite3.Connection, commit: CommitRecord) -> None:
    """Make the tables anew, whatever the format of the old ones."""
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        connection.execute(f'DROP TABLE "{name}"')
    before = Version(commit.number - 1, commit.parent)
    make_tables(connection, commit.manifest.to_json(), Head(version=before))


class _Change:
    """The rows of one commit; `seal` writes the new head."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        head = read_head(connection)
        self._connection = connection
        self._videos = head.videos
        self._clips = head.clips
        self._total = RowSum(head.rows or bytes(32))

    def remove(self, path: str) -> None:
        """Delete a video, if there is one, and its clips."""
        for video in self._take(path):
            self._clips -= len(CLIPS.delete(self._connection, "video_id = ?", (video[0],), self._total))

    def rename(self, renames: Sequence[Rename]) -> None:
        """Give videos other records, all at once: two may swap their paths."""
        taken = [(rename, self._take(rename.path)) for rename in renames]
        for rename, rows in taken:
            if len(rows) != 1:
                raise DamagedLibraryError(f"{rename.path!r} was renamed and is not there.")
            self.remove(rename.record.path)
            ((number, *_, clips, _),) = rows
            self._insert(row_from_record(number, rename.record, clips))

    def put(self, commit: CommitRecord, segment: SegmentRecord) -> None:
        """Insert the videos of one segment and their clips; what has their paths is removed."""
        SEGMENTS.insert(self._connection, [_segment_row(commit.segment, segment)], self._total)
        row = first_frame = 0
        for put in commit.put:
            self.remove(put.record.path)
            self._insert(row_from_record(put.number, put.record, len(put.clips)))
            rows: list[tuple[Value, ...]] = []
            for ordinal, clip in enumerate(put.clips):
                place = (commit.segment, row, first_frame, clip.frames)
                rows.append((put.number + 1 + ordinal, put.number, ordinal, clip.start_s, clip.end_s, *place))
                row, first_frame = row + 1, first_frame + clip.frames
            CLIPS.insert(self._connection, rows, self._total)
            self._clips += len(rows)

    def seal(self, commit: CommitRecord) -> None:
        """Write the head."""
        head = Head(
            version=Version(commit.number, commit.token),
            videos=self._videos,
            clips=self._clips,
            next_number=commit.next_number,
            rows=self._total.content,
        )
        HEAD.replace(self._connection, head.row())

    def _insert(self, row: tuple[Value, ...]) -> None:
        VIDEOS.insert(self._connection, [row], self._total)
        self._videos += 1

    def _take(self, path: str) -> list[tuple[Any, ...]]:
        rows = VIDEOS.delete(self._connection, "path = ?", (path_bytes(path),), self._total)
        self._videos -= len(rows)
        return rows


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
