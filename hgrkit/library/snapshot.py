"""One committed version of the SQLite store, read in a single transaction and checked for completeness."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from threading import Lock
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import DamagedLibraryError
from hgrkit.library.commit_log import SEGMENT_FOLDER, SEGMENT_NAME
from hgrkit.library.head import read_head, read_manifest
from hgrkit.library.manifest import Manifest
from hgrkit.library.records import ClipEmbeddings, Float32, VideoRecord
from hgrkit.library.schema import CLIPS, CLIPS_1, SEGMENTS, VIDEOS, RowSum
from hgrkit.library.segment import Segment, SegmentRecord
from hgrkit.library.store import Frames, Version
from hgrkit.library.video_row import record_from_row

__all__ = ["SEGMENT_FOLDER", "SEGMENT_NAME", "SegmentCache", "SqliteSnapshot", "read_snapshot"]


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


class SegmentCache:
    """The segments that were opened, by what the database says of them: a segment never changes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / SEGMENT_FOLDER
        self._segments: dict[SegmentRecord, Segment] = {}
        self._lock = Lock()

    def get(self, record: SegmentRecord, *, embed_dim: int) -> Segment:
        """The segment, opened and checked the first time.

        Raises:
            DamagedLibraryError: if its file is not what was written.
        """
        with self._lock:
            if record not in self._segments:
                if not SEGMENT_NAME.fullmatch(record.file):
                    raise DamagedLibraryError(f"{record.file!r} is no name of a segment in {self._folder}.")
                self._segments[record] = Segment(self._folder / record.file, record, embed_dim=embed_dim)
            return self._segments[record]

    def keep(self, records: Set[SegmentRecord]) -> None:
        """Let go of all other segments."""
        with self._lock:
            for record in self._segments.keys() - records:
                del self._segments[record]


@attrs.frozen(kw_only=True, eq=False)
class _ClipTable:
    """Columns of the living clips, [V] each, in the order of the snapshot's videos."""

    keys: npt.NDArray[np.int64]
    videos: npt.NDArray[np.int64]
    start_s: npt.NDArray[np.float64]
    end_s: npt.NDArray[np.float64]
    segments: npt.NDArray[np.int64]
    segment_rows: npt.NDArray[np.int64]
    first_frames: npt.NDArray[np.int64]
    num_frames: npt.NDArray[np.int64]

    def frames_of(self, row: int) -> slice:
        """Where a clip's frames lie in its segment."""
        first = int(self.first_frames[row])
        return slice(first, first + int(self.num_frames[row]))


@attrs.frozen(kw_only=True, eq=False)
class SqliteSnapshot:
    """What `read_snapshot` found; implements `hgrkit.library.store.Snapshot`."""

    version: Version
    manifest: Manifest
    videos: tuple[VideoRecord, ...]
    video_numbers: tuple[int, ...]
    _table: _ClipTable
    _segments: Mapping[int, SegmentRecord]
    _cache: SegmentCache

    @property
    def clip_keys(self) -> npt.NDArray[np.int64]:
        """[V] the clips' numbers."""
        return self._table.keys

    @property
    def clip_videos(self) -> npt.NDArray[np.int64]:
        """[V] positions in `videos`."""
        return self._table.videos

    @property
    def clip_frames(self) -> npt.NDArray[np.int64]:
        """[V] how many frames each clip has."""
        return self._table.num_frames

    def events(self) -> Float32:
        """[V, D] the event embeddings."""
        events = np.empty((len(self._table.keys), self.manifest.embed_dim), np.float32)
        order = np.argsort(self._table.segments, kind="stable")
        for rows in np.split(order, np.flatnonzero(np.diff(self._table.segments[order])) + 1):
            if rows.size:
                segment = self._segment(int(self._table.segments[rows[0]]))
                events[rows] = segment.event[self._table.segment_rows[rows]]
        return events

    def frames(self, rows: Sequence[int]) -> tuple[list[Frames], list[Frames]]:
        """The clips' action and entity frames, as they are stored."""
        placed = [(self._segment(int(self._table.segments[row])), self._table.frames_of(row)) for row in rows]
        return [segment.action[frames] for segment, frames in placed], [
            segment.entity[frames] for segment, frames in placed
        ]

    def clips(self, rows: Sequence[int]) -> list[ClipEmbeddings]:
        """The clips at these positions."""
        return [self._clip(row) for row in rows]

    def _clip(self, row: int) -> ClipEmbeddings:
        table = self._table
        return self._segment(int(table.segments[row])).clip(
            int(table.segment_rows[row]),
            table.frames_of(row),
            start_s=float(table.start_s[row]),
            end_s=float(table.end_s[row]),
        )

    def _segment(self, number: int) -> Segment:
        return self._cache.get(self._segments[number], embed_dim=self.manifest.embed_dim)


def read_snapshot(connection: sqlite3.Connection, cache: SegmentCache) -> SqliteSnapshot:
    """Read what is committed, in any format that we know, and check that nothing of it is missing.

    Raises:
        DamagedLibraryError: if rows are changed, lost, stale or surplus, or point to nothing.
    """
    head, manifest, total = read_head(connection), read_manifest(connection), RowSum()
    videos = list(VIDEOS.rows(connection, "1 ORDER BY path", total=total))
    segments = {row[0]: _segment_record(row) for row in SEGMENTS.rows(connection, total=total)}
    if head.rows is None:
        clips = read_clips_of_format_1(connection, segments)
    else:
        clips = list(CLIPS.rows(connection, total=total))
        if total.content != head.rows:
            raise _incomplete("some of its rows are lost, stale or surplus")
    if (len(videos), len(clips)) != (head.videos, head.clips):
        raise _incomplete(
            f"{len(videos)} videos and {len(clips)} clips are there instead of {head.videos} and {head.clips}"
        )
    _check_references(videos, segments, clips)
    places = {row[0]: place for place, row in enumerate(videos)}
    cache.keep({segments[number] for number in {row[5] for row in clips}})
    return SqliteSnapshot(
        version=head.version,
        manifest=manifest,
        videos=tuple(map(record_from_row, videos)),
        video_numbers=tuple(row[0] for row in videos),
        table=_clip_table(clips, places),
        segments=segments,
        cache=cache,
    )


def _segment_record(row: tuple[Any, ...]) -> SegmentRecord:
    _, file, clips, frames, num_bytes, block_bytes, digests = row
    return SegmentRecord(
        file=file, clips=clips, frames=frames, num_bytes=num_bytes, block_bytes=block_bytes, digests=digests
    )


def _check_references(
    videos: list[tuple[Any, ...]], segments: Mapping[int, SegmentRecord], clips: list[tuple[Any, ...]]
) -> None:
    """Every video has its clips, every clip its frames."""
    if Counter(row[1] for row in clips) != Counter({row[0]: row[8] for row in videos if row[8]}):
        raise _incomplete("clips of some video are missing")
    for _, _, _, _, _, segment, segment_row, first_frame, frames in clips:
        record = segments.get(segment)
        ordered = segment_row >= 0 and first_frame >= 0 and frames >= 1
        if not ordered or record is None or segment_row >= record.clips or first_frame + frames > record.frames:
            raise _incomplete(f"a clip points behind the end of segment {segment}")


def _clip_table(clips: list[tuple[Any, ...]], places: Mapping[int, int]) -> _ClipTable:
    ordered = sorted(clips, key=lambda row: (places[row[1]], row[2]))
    columns = list(zip(*ordered, strict=True)) or [()] * len(CLIPS.columns)
    return _ClipTable(
        keys=np.array(columns[0], np.int64),
        videos=np.array([places[video] for video in columns[1]], np.int64),
        start_s=np.array(columns[3], np.float64),
        end_s=np.array(columns[4], np.float64),
        segments=np.array(columns[5], np.int64),
        segment_rows=np.array(columns[6], np.int64),
        first_frames=np.array(columns[7], np.int64),
        num_frames=np.array(columns[8], np.int64),
    )


def _incomplete(what: str) -> DamagedLibraryError:
    return DamagedLibraryError(
        f"the library's database is damaged: {what}; run `hgrkit repair`, or restore a backup."
    )
