"""One committed version of a library's database and its arrays, read in one transaction.

What is not what was written raises `DamagedLibraryError`, or is noted.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Collection, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from hgrkit.errors import DamagedLibraryError
from hgrkit.library.array_files import array_files
from hgrkit.library.arrays import BLOCK_CLIPS, ClipArrays
from hgrkit.library.legacy import LegacyView, read_manifest, read_version
from hgrkit.library.manifest import FORMAT_VERSION, Manifest
from hgrkit.library.records import Version, path_bytes
from hgrkit.library.store import StoredVideo, VersionCache
from hgrkit.library.tables import (
    BLOCKS,
    REMOVED,
    SUMS,
    VIDEOS,
    VIDEOS_A_SUM,
    Row,
    RowSum,
    SealedTable,
    Value,
    damaged_library,
    format_of,
    read_head,
    record_from_row,
)
from hgrkit.storage.open_folder import OpenFolder

__all__ = [
    "TOLD_FILE",
    "SqliteView",
    "require_told",
    "told_version",
    "view_of",
]

TOLD_FILE: Final = "newest.txt"
"""Holds the number of a version that is in SQLite's log alone, so that the loss of the log is noticed."""

_COUNTED = -1  # among the sums that were checked: that there are no other rows

_LOG_LOST = "SQLite's log, and the newest commits with it, are lost"


class SqliteView:
    """Reads what is committed; implements `hgrkit.library.store.View` while its connection is in a transaction.

    Attributes:
        problems: what is not what was written, of a view that goes on with what is.
        short: which arrays lack records.
        lost: paths of videos that cannot be trusted, or whose clips cannot.
        unnamed: how many more there are, of which not even the path can be read.
        stale: rows are missing or stale, and nobody can tell which: any video may be an older one.
        lost_from: the first version whose commit is lost with SQLite's log, if one is.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        folder: OpenFolder,
        cache: VersionCache,
        *,
        told: float | None = None,
        tolerant: bool = False,
    ) -> None:
        """Read the head and, of a version that is not in the cache, what the arrays need.

        Args:
            connection: the database.
            folder: the library's.
            cache: of the versions that were read before.
            told: the version that must be there at least.
            tolerant: note what is damaged, and leave it out; the head and the manifest must be whole.
        """
        self._connection, self._cache, self._tolerant = connection, cache, tolerant
        self.problems: list[str] = []
        self.short: list[str] = []
        self.lost: list[str] = []
        self.unnamed, self.stale = 0, False
        self.lost_from: int | None = None
        self.head = read_head(connection)
        self.version: Version = self.head.version
        self.manifest: Manifest = read_manifest(connection)
        if told is not None and self.version.number < told:
            self._note(_LOG_LOST)
            self.stale, self.lost_from = True, self.version.number + 1
        self.arrays, self._sums = cache.get(self.version, lambda: self._read_arrays(folder))

    def find(self, path: str) -> StoredVideo | None:
        """Find one video by its path."""
        key = path_bytes(path)
        found = self._connection.execute("SELECT id FROM videos WHERE path = ?", (key,)).fetchone()
        video = None if found is None else self.videos_of([found[0]])[found[0]]
        # SQLite's index of paths is under no sum: what it does not have is looked for without it.
        others = self.videos() if video is None else [video] if path_bytes(video.record.path) != key else []
        if any(path_bytes(other.record.path) == key for other in others) or (video and others):
            raise damaged_library("its index of paths is not that of its videos")
        return video

    def videos_of(self, numbers: Collection[int]) -> dict[int, StoredVideo]:
        """Read videos by their numbers; each is checked with its neighbours."""
        wanted = set(numbers)
        buckets = sorted({number // VIDEOS_A_SUM for number in wanted})
        found = {row[0]: _stored(row) for bucket in buckets for row in self._rows(bucket) if row[0] in wanted}
        if len(found) != len(wanted):
            raise damaged_library("clips belong to a video that does not exist")
        return found

    def videos(self) -> list[StoredVideo]:
        """Read every video, in the order of the paths."""
        buckets = set(self._sums)
        try:
            query = "SELECT DISTINCT id / ? FROM videos NOT INDEXED"
            buckets |= {bucket for (bucket,) in self._connection.execute(query, (VIDEOS_A_SUM,))}
        except sqlite3.DatabaseError as error:
            self._note(f"table videos cannot be read: {error}", error)
        rows = [row for bucket in sorted(buckets) for row in self._rows(bucket)]
        self.unnamed = max(0, self.head.videos - len(rows) - len(self.lost))
        if self.unnamed:
            self._note(f"videos that cannot be read: {self.unnamed}")
        return [_stored(row) for row in sorted(rows, key=lambda row: row[1])]

    def table(self) -> sqlite3.Connection:
        """Return the database, once every row of videos was checked.

        A row that was changed must not leave a video out of an answer in silence. That takes 0.2 s for 50,000
        videos (benchmarks/results/filters.json), so rows are checked once, as the arrays are: those under a sum
        that has not changed are not checked again in the next version.
        """
        checked = self._cache.checked
        for bucket, total in self._sums.items():
            if checked.get(bucket) != total:
                self._rows(bucket)
                checked[bucket] = total
        if checked.get(_COUNTED) != self.head.rows:
            count = sum(
                1 for _ in self._connection.execute("SELECT 1 FROM videos LIMIT ?", (self.head.videos + 1,))
            )
            if count != self.head.videos:
                self._note(f"{count} rows of videos were found instead of {self.head.videos}")
            checked[_COUNTED] = self.head.rows
        return self._connection

    def _rows(self, bucket: int) -> list[Row]:
        """The rows of videos under one sum; if it does not agree, all of them are in doubt, and count as lost."""
        total, first = RowSum(), bucket * VIDEOS_A_SUM
        rows = list(self._intact(VIDEOS, total, "id >= ? AND id < ?", (first, first + VIDEOS_A_SUM)))
        inside = all(row[8] >= 0 and 0 <= row[10] <= self.head.clips - row[8] for row in rows)
        if inside and total.content == self._sums.get(bucket, bytes(32)):
            return rows
        self._note(
            "some rows of videos are lost, stale or surplus" if inside else "videos have clips that do not exist"
        )
        self.lost += [_stored(row).record.path for row in rows]
        return []

    def _read_arrays(self, folder: OpenFolder) -> tuple[ClipArrays, dict[int, bytes]]:
        """Map the arrays of the version, and read the sums of its videos."""
        total, head = RowSum(), self.head
        sums, blocks, removed = (
            {row[0]: row[1] for row in self._intact(table, total)} for table in (SUMS, BLOCKS, REMOVED)
        )
        if total.content != head.rows:
            self._note("some of its rows are lost, stale or surplus")
            self.stale = True
        files = array_files(folder, head, self.manifest.embed_dim)
        (clips, *mapped_clips), (frames, *mapped_frames) = found = [file.map() for file in files]
        mapped = [one for one in (*mapped_clips, *mapped_frames) if one is not None]
        self.short = [
            f"{file.path.name} holds {len(records)} of {file.count} records"
            for file, (records, _) in zip(files, found, strict=True)
            if len(records) < file.count
        ]
        if self.short and not self._tolerant:
            raise damaged_library("; ".join(self.short))
        checksums = self._block_checksums(
            [*sorted(blocks.items()), (head.clips // BLOCK_CLIPS, head.tail)], len(clips)
        )
        ranges = [(first, first + count) for first, count in removed.items()]
        edges = [edge for first_and_stop in sorted(ranges) for edge in first_and_stop]
        if edges != sorted(edges) or (edges and not 0 <= edges[0] <= edges[-1] <= head.clips):
            self._note("clips are removed twice, or do not exist")
            ranges = []
        arrays = ClipArrays(
            clips, frames, removed=ranges, checksums=checksums, mapped=mapped, num_frames=head.frames
        )
        return arrays, sums

    def _block_checksums(self, parts: list[tuple[int, bytes]], num_clips: int) -> npt.NDArray[np.uint64]:
        """Put the checksums of blocks together; there must be one for each block, and room is made for no more."""
        checksums = np.zeros(-(-num_clips // BLOCK_CLIPS), "<u8")
        expected = 0
        for block, part in parts:
            if block != expected or len(part) % 8:
                self._note("the checksums of some of its clips are lost or surplus")
            known = np.frombuffer(part[: len(part) // 8 * 8], "<u8")[: max(0, len(checksums) - block)]
            if block >= 0:
                checksums[block : block + len(known)] = known
            expected = block + len(part) // 8
        if expected != -(-self.head.clips // BLOCK_CLIPS):
            self._note("the checksums of some of its clips are lost or surplus")
        return checksums

    def _intact(
        self, table: SealedTable, total: RowSum, condition: str = "1", parameters: tuple[Value, ...] = ()
    ) -> Iterator[Row]:
        """The rows of a table that are what was written, which are added to a sum."""
        last: object = None
        try:
            for row, digest in table.scan(self._connection, condition, parameters):
                if isinstance(last, int) and row[0] <= last:
                    self._note(f"the rows of table {table.name} are in no order")
                    return
                last = row[0]
                if digest is None:
                    self._note(f"row {row[0]!r} of table {table.name} is not what was written")
                else:
                    total.add(digest)
                    yield row
        except sqlite3.DatabaseError as error:
            self._note(f"table {table.name} cannot be read: {error}", error)

    def _note(self, problem: str, error: sqlite3.Error | None = None) -> None:
        """Note a damage, or refuse to go on with it."""
        if not self._tolerant:
            raise error or damaged_library(problem)
        self.problems.append(problem)


def view_of(connection: sqlite3.Connection, folder: OpenFolder, cache: VersionCache) -> SqliteView | LegacyView:
    """Return the view of a library of any format that we read."""
    is_legacy = format_of(connection) != FORMAT_VERSION
    return LegacyView(connection, folder, cache) if is_legacy else SqliteView(connection, folder, cache)


def told_version(folder: OpenFolder) -> float | None:
    """Read which version a reader must meet at least, before it begins; `None` if the database says it all.

    What is no number stands for any later version.
    """
    try:
        told = folder.read(TOLD_FILE, 32)
        return None if told is None else int(told)
    except (ValueError, DamagedLibraryError):
        return math.inf


def require_told(connection: sqlite3.Connection, told: float | None) -> None:
    """Refuse a database that is older than it was said to be."""
    if told is not None and read_version(connection).number < told:
        raise damaged_library(_LOG_LOST)


def _stored(row: Row) -> StoredVideo:
    return StoredVideo(number=row[0], first_clip=row[-1], record=record_from_row(row))
