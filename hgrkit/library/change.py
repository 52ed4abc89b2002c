"""The rows of one commit: what a writer does to the tables, inside a transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs

from hgrkit.library.appending import append_clips
from hgrkit.library.arrays import BLOCK_CLIPS, Extent
from hgrkit.library.manifest import Manifest
from hgrkit.library.records import ClipEmbeddings, VideoRecord, path_bytes
from hgrkit.library.store import Rename, Snapshot, Version
from hgrkit.library.tables import (
    BLOCKS,
    HEAD,
    REMOVED,
    SUMS,
    VIDEOS,
    VIDEOS_A_SUM,
    Head,
    RowSum,
    Value,
    make_tables,
    read_head,
    record_from_row,
    row_from_record,
)

__all__ = ["Change", "WrittenLibrary", "find_video"]

_VIDEOS_A_PORTION = 64


def find_video(connection: sqlite3.Connection, path: str) -> VideoRecord | None:
    """Find one video by its path.

    Raises:
        DamagedLibraryError: if its row is not what was written.
    """
    rows = list(VIDEOS.rows(connection, "path = ?", (path_bytes(path),)))
    return record_from_row(rows[0]) if rows else None


class Change:
    """One commit: remove, rename and put, in this order, and then `seal`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Begin at the version committed last.

        Raises:
            DamagedLibraryError: if its head is not what was written.
        """
        self._connection = connection
        self._head = read_head(connection)
        self._total = RowSum(self._head.rows)
        self._sums: dict[int, RowSum] = {}
        self._num_videos = self._head.videos

    def remove(self, path: str) -> None:
        """Delete a video, if there is one, and mark its clips as removed."""
        self._remove(path_bytes(path))

    def _remove(self, key: Any) -> None:
        for row in self._take(key):
            clips, first_clip = row[8], row[10]
            if clips:
                REMOVED.insert(self._connection, [(first_clip, clips)], self._total)

    def rename(self, renames: Sequence[Rename]) -> None:
        """Give videos other records, all at once: two may swap their paths."""
        taken = [(rename.record, self._take(path_bytes(rename.path))) for rename in renames]
        for record, rows in taken:
            for row in rows:
                self.put(row_from_record(row[0], record, clips=row[8], first_clip=row[10]))

    def put(self, row: tuple[Value, ...]) -> None:
        """Insert a video; what has its path is removed."""
        self._remove(row[1])
        VIDEOS.insert(self._connection, [row], self._sum_of(row[0]))
        self._num_videos += 1

    def seal(self, version: Version, extent: Extent, checksums: bytes, *, next_video: int, next_clip: int) -> None:
        """Write the sums, the checksums of the blocks that were completed and the head of the new version."""
        if checksums:
            first_block = self._head.extent.clips // BLOCK_CLIPS
            BLOCKS.insert(self._connection, [(first_block, checksums)], self._total)
        for bucket, total in self._sums.items():
            SUMS.delete(self._connection, "id = ?", (bucket,), self._total)
            if total.content != bytes(32):
                SUMS.insert(self._connection, [(bucket, total.content)], self._total)
        head = attrs.evolve(
            self._head,
            version=version,
            extent=extent,
            videos=self._num_videos,
            next_video=next_video,
            next_clip=next_clip,
            rows=self._total.content,
        )
        HEAD.replace(self._connection, head.row())

    def _take(self, key: Any) -> list[tuple[Any, ...]]:
        rows = list(VIDEOS.rows(self._connection, "path = ?", (key,)))
        for row in rows:
            VIDEOS.delete(self._connection, "id = ?", (row[0],), self._sum_of(row[0]))
        self._num_videos -= len(rows)
        return rows

    def _sum_of(self, number: Any) -> RowSum:
        bucket = int(number) // VIDEOS_A_SUM
        if bucket not in self._sums:
            rows = list(SUMS.rows(self._connection, "id = ?", (bucket,)))
            self._sums[bucket] = RowSum(rows[0][1] if rows else bytes(32))
        return self._sums[bucket]


class WrittenLibrary:
    """A snapshot written to arrays of a new generation, end to end; `fill` makes it the whole library."""

    def __init__(
        self,
        folder: Path,
        snapshot: Snapshot,
        *,
        manifest: Manifest,
        head: Head,
        keep_numbers: bool,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Write the arrays, durably.

        Args:
            folder: the library's folder.
            snapshot: what to write.
            manifest: what made it, from now on.
            head: of the version that is written: its token, its generation and the next numbers.
            keep_numbers: let videos keep their numbers and clips their keys; else they take the head's next ones.
            on_progress: is told how many videos are written, and how many there are.

        Raises:
            DamagedLibraryError: if the snapshot is not what was written.
            OSError: if the disk is full or fails.
        """
        self._snapshot, self._manifest, self._head = snapshot, manifest, head
        numbers = [video.number for video in snapshot.stored]
        self._numbers = numbers if keep_numbers else range(head.next_video, head.next_video + len(numbers))
        self._keep_numbers, self._on_progress = keep_numbers, on_progress
        self._extent, self._checksums = append_clips(folder, self._clips(), head.extent, manifest.embed_dim)

    def fill(self, connection: sqlite3.Connection) -> None:
        """Replace all tables, inside a transaction."""
        make_tables(connection, self._manifest, self._head)
        change, first_clip = Change(connection), 0
        for number, record in zip(self._numbers, self._snapshot.videos, strict=True):
            change.put(row_from_record(number, record, clips=record.clips, first_clip=first_clip))
            first_clip += record.clips
        new = not self._keep_numbers
        change.seal(
            self._head.version,
            self._extent,
            self._checksums,
            next_video=self._head.next_video + new * len(self._numbers),
            next_clip=self._head.next_clip + new * first_clip,
        )

    def _clips(self) -> Iterator[tuple[int, int, list[ClipEmbeddings]]]:
        row, total = 0, len(self._snapshot.videos)
        for done, (number, record) in enumerate(zip(self._numbers, self._snapshot.videos, strict=True), 1):
            clips = self._snapshot.clips(range(row, row + record.clips))
            keep = self._keep_numbers and record.clips
            yield number, int(self._snapshot.clip_keys[row]) if keep else self._head.next_clip + row, clips
            row += record.clips
            if self._on_progress is not None and (done % _VIDEOS_A_PORTION == 0 or done == total):
                self._on_progress(done, total)
