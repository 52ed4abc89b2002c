"""The rows of one commit: what a writer does to the tables, inside a transaction."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, pairwise

import attrs
import numpy as np

from hgrkit.library.array_files import append_records
from hgrkit.library.arrays import BLOCK_CLIPS, Records, portions_of
from hgrkit.library.manifest import Manifest
from hgrkit.library.records import VideoRecord, path_bytes
from hgrkit.library.store import Rename, Snapshot
from hgrkit.library.tables import (
    BLOCKS,
    HEAD,
    REMOVED,
    SUMS,
    VIDEOS,
    VIDEOS_A_SUM,
    Head,
    Row,
    RowSum,
    make_tables,
    record_from_row,
    row_from_record,
)
from hgrkit.storage.open_folder import OpenFolder

__all__ = ["Change", "WrittenLibrary", "find_video"]

_VIDEOS_A_PORTION = 64
_CHECKSUMS = 8 << 16  # bytes in a row, of four million clips


def find_video(connection: sqlite3.Connection, path: str) -> VideoRecord | None:
    """Find one video by its path."""
    rows = list(VIDEOS.rows(connection, "path = ?", (path_bytes(path),)))
    return record_from_row(rows[0]) if rows else None


class Change:
    """One commit: remove, rename and put, in this order, and then `seal`."""

    def __init__(self, connection: sqlite3.Connection, head: Head) -> None:
        """Begin at the version that a head is of."""
        self._connection, self._head = connection, head
        self._total = RowSum(head.rows)
        self._added: defaultdict[int, RowSum] = defaultdict(RowSum)
        self._num_videos = head.videos

    def remove(self, keys: Sequence[bytes]) -> None:
        """Delete the videos with these paths, if there are any, and mark their clips as removed."""
        marks = [(row[10], row[8]) for row in self._take(keys) if row[8]]
        self._total.add(*REMOVED.insert(self._connection, marks))

    def rename(self, renames: Sequence[Rename]) -> None:
        """Give videos other records, all at once: two may swap their paths."""
        records = {path_bytes(rename.path): rename.record for rename in renames}
        self.put(
            [
                row_from_record(row[0], records[row[1]], clips=row[8], first_clip=row[10])
                for row in self._take([*records])
            ]
        )

    def put(self, rows: Sequence[Row]) -> None:
        """Insert videos; those that have their paths are removed."""
        self.remove([row[1] for row in rows])
        for row, digest in zip(rows, VIDEOS.insert(self._connection, rows), strict=True):
            self._added[row[0] // VIDEOS_A_SUM].add(digest)
        self._num_videos += len(rows)

    def seal(self, head: Head, checksums: bytes) -> None:
        """Write the sums, the checksums of the blocks that were completed and the head of the new version."""
        first_block = self._head.clips // BLOCK_CLIPS
        parts = [
            (first_block + at // 8, checksums[at : at + _CHECKSUMS]) for at in range(0, len(checksums), _CHECKSUMS)
        ]
        self._total.add(*BLOCKS.insert(self._connection, parts))
        for (bucket, rows), digest in SUMS.delete(self._connection, "id", [*self._added]):
            self._total.subtract(digest)
            self._added[bucket].add(rows)
        sums = [(bucket, total.content) for bucket, total in self._added.items() if total.content != bytes(32)]
        self._total.add(*SUMS.insert(self._connection, sums))
        head = attrs.evolve(head, videos=self._num_videos, rows=self._total.content)
        HEAD.replace(self._connection, head.row())

    def _take(self, keys: Sequence[bytes]) -> list[Row]:
        taken = VIDEOS.delete(self._connection, "path", keys)
        for row, digest in taken:
            self._added[row[0] // VIDEOS_A_SUM].subtract(digest)
        self._num_videos -= len(taken)
        return [row for row, _ in taken]


class WrittenLibrary:
    """A snapshot written to arrays of a new generation, end to end; `fill` makes it the whole library."""

    def __init__(
        self,
        folder: OpenFolder,
        snapshot: Snapshot,
        head: Head,
        *,
        manifest: Manifest | None = None,
        keep_numbers: bool = True,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Write the arrays, durably.

        Args:
            folder: the library's folder.
            snapshot: what to write.
            head: of the version that is written, as long as it holds nothing.
            manifest: what made it, from now on; the snapshot's by default.
            keep_numbers: let videos keep their numbers and clips their keys; else they take the head's next ones.
            on_progress: is told how many videos are written, and how many there are.
        """
        self._snapshot, self._empty, self._manifest = snapshot, head, manifest or snapshot.manifest
        self._keep_numbers, self._on_progress = keep_numbers, on_progress
        self._head, self._checksums = append_records(folder, head, self._manifest.embed_dim, self._portions())

    def fill(self, connection: sqlite3.Connection) -> None:
        """Replace all tables, inside a transaction."""
        make_tables(connection, self._manifest, self._empty)
        change, head, stored = Change(connection, self._empty), self._head, self._snapshot.stored
        firsts = accumulate((video.record.clips for video in stored), initial=0)
        new = range(head.next_video, head.next_video + len(stored))
        numbers = [video.number for video in stored] if self._keep_numbers else new
        change.put(
            [
                row_from_record(number, video.record, clips=video.record.clips, first_clip=first)
                for number, video, first in zip(numbers, stored, firsts, strict=False)
            ]
        )
        if not self._keep_numbers:
            head = attrs.evolve(head, next_video=new.stop, next_clip=head.next_clip + head.clips)
        change.seal(head, self._checksums)

    def _portions(self) -> Iterator[Records]:
        """The clips of some videos after the other."""
        clip_videos, total = self._snapshot.clip_videos, len(self._snapshot.stored)
        edges = [*range(0, total, _VIDEOS_A_PORTION), total]
        for done, (start, stop) in zip(edges[1:], pairwise(np.searchsorted(clip_videos, edges)), strict=False):
            for some in portions_of(self._snapshot.clip_frames[start:stop]):
                places = start + np.array(some)
                clips, frames = self._snapshot.records(places)
                if not self._keep_numbers:
                    clips["video"] = self._empty.next_video + clip_videos[places]
                    clips["key"] = self._empty.next_clip + places
                yield clips, frames
            if self._on_progress is not None:
                self._on_progress(done, total)
