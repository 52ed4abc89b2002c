"""The draft of a commit: what was asked for, checked against the library and written down as a commit record."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Sequence
from itertools import count

from hgrkit.library.commit_record import ClipSpan, CommitRecord, PutRecord
from hgrkit.library.head import read_head, read_manifest
from hgrkit.library.records import ClipEmbeddings, VideoRecord
from hgrkit.library.rules import check_entries, effective_renames
from hgrkit.library.schema import VIDEOS
from hgrkit.library.store import Entry, Rename
from hgrkit.library.video_row import path_bytes, record_from_row, stored_record

__all__ = ["clip_span", "draft_commit", "find_video"]


def draft_commit(
    connection: sqlite3.Connection, *, put: Sequence[Entry], remove: Sequence[str], rename: Sequence[Rename]
) -> CommitRecord | None:
    """The record of the next commit; `None` if it would change nothing.

    Raises:
        ConfigError, ShapeError: if something cannot be stored, or is not there to be renamed.
        DamagedLibraryError: if rows are not what was written.
    """
    head, manifest = read_head(connection), read_manifest(connection)
    check_entries(put, manifest.embed_dim)
    gone = tuple(path for path in dict.fromkeys(remove) if find_video(connection, path) is not None)
    renames = effective_renames(rename, find=lambda path: find_video(connection, path), gone=gone, put=put)
    if not (gone or renames or put):
        return None
    numbers = count(head.next_number)
    segment = next(numbers)
    puts = tuple(_put(next(numbers), entry, numbers) for entry in put)
    return CommitRecord(
        number=head.version.number + 1,
        token=uuid.uuid4().hex,
        parent=head.version.token,
        manifest=manifest,
        segment=segment,
        next_number=next(numbers),
        put=puts,
        remove=gone,
        rename=renames,
    )


def find_video(connection: sqlite3.Connection, path: str) -> VideoRecord | None:
    """One video, by its path.

    Raises:
        DamagedLibraryError: if its row is not what was written.
    """
    rows = list(VIDEOS.rows(connection, "path = ?", (path_bytes(path),)))
    return record_from_row(rows[0]) if rows else None


def clip_span(clip: ClipEmbeddings) -> ClipSpan:
    """What a commit record says of a clip."""
    return ClipSpan(clip.start_s, clip.end_s, clip.num_frames)


def _put(number: int, entry: Entry, numbers: count[int]) -> PutRecord:
    clips = tuple(map(clip_span, entry.clips))
    for _ in clips:
        next(numbers)  # a clip's key
    return PutRecord(number=number, record=stored_record(entry.record, clips=len(clips)), clips=clips)
