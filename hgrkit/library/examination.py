"""A library's files, examined to the last byte: what of it is whole, and what is damaged."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs

from hgrkit.errors import DamagedLibraryError, LibraryNotFoundError
from hgrkit.library.arrays import ARRAY_FOLDER, ClipArrays, lacking_records
from hgrkit.library.database import DATABASE_FILE, read_database
from hgrkit.library.legacy import SEGMENT_FOLDER, LegacyView
from hgrkit.library.manifest import FORMAT_VERSION, Manifest
from hgrkit.library.snapshot import read_any_manifest, read_version, stored_video, told_version
from hgrkit.library.sqlite_store import require_library
from hgrkit.library.store import Snapshot, StoredVideo, Version, VersionCache
from hgrkit.library.tables import (
    BLOCKS,
    REMOVED,
    SUMS,
    VIDEOS,
    VIDEOS_A_SUM,
    Head,
    RowSum,
    format_of,
    read_head,
    read_manifest,
)

__all__ = ["Damage", "Examination", "Progress", "examine_library"]

_PROBLEMS_NAMED = 8
_VIDEOS_A_PORTION = 64
_UNREPAIRABLE = "do nothing: restore a backup, or delete the folder and index the videos again"

Progress = Callable[[int, int], None]


@attrs.frozen(kw_only=True)
class Damage:
    """Something that is not as it was written and that the library itself cannot make good.

    Attributes:
        file: relative to the library's folder.
        problem: what is wrong with it.
        videos: paths of the videos whose answers it takes away or puts in doubt, as far as they can be read.
        repair: what `hgrkit repair` would do, in words.
    """

    file: str
    problem: str
    videos: tuple[str, ...] = ()
    repair: str


@attrs.define(kw_only=True, eq=False)
class Examination:
    """A library's files, examined.

    Attributes:
        folder: the library's folder.
        format_version: the layout on disk, if it can be read.
        version: the version committed last, if it can be read.
        head: its head, in the newest format.
        manifest: what made it.
        arrays: its clips, as far as they are there.
        videos: the videos that are whole, in the order of their paths.
        short: which arrays lack records.
        lost: paths of videos that are not.
        unnamed: how many more are not, of which not even the path can be read.
        stale: rows are missing or stale, and nobody can tell which: any video may be an older one.
        lost_from: the first version whose commit is lost with SQLite's log, if one is.
        damages: what is not whole.
    """

    folder: Path
    format_version: int | None = None
    version: Version | None = None
    head: Head | None = None
    manifest: Manifest | None = None
    arrays: ClipArrays | None = None
    videos: list[StoredVideo] = attrs.field(factory=list)
    short: list[str] = attrs.field(factory=list)
    lost: list[str] = attrs.field(factory=list)
    unnamed: int = 0
    stale: bool = False
    lost_from: int | None = None
    damages: list[Damage] = attrs.field(factory=list)

    @property
    def repairable(self) -> bool:
        """Whether something of the library can be saved."""
        return self.head is not None and self.manifest is not None


def examine_library(folder: Path, on_progress: Progress | None = None) -> Examination:
    """Examine every byte of the version that is committed now.

    Raises:
        LibraryNotFoundError: if there is no library, and nothing of one.
        LibraryMismatchError: if it is of a later format.
        LibraryError: if it cannot be read.
    """
    found = Examination(folder=folder)
    try:
        require_library(folder)
        told = told_version(folder)
        read_database(folder / DATABASE_FILE, lambda connection: _read_tables(connection, found, told))
    except LibraryNotFoundError:
        raise
    except DamagedLibraryError as error:
        is_segment = found.manifest is not None and found.format_version != FORMAT_VERSION
        file = SEGMENT_FOLDER if is_segment else DATABASE_FILE
        found.damages.append(Damage(file=file, problem=_problem(error), repair=_UNREPAIRABLE))
        return found
    if found.arrays is not None:
        _check_clips(found, found.arrays, on_progress)
    return found


def _read_tables(connection: sqlite3.Connection, found: Examination, told: float | None) -> None:
    """Read what the database says; what can be read of a damaged one is kept."""
    fresh = Examination(folder=found.folder)
    for field in attrs.fields(Examination):  # a reading may be repeated
        setattr(found, field.name, getattr(fresh, field.name))
    found.format_version, found.version = format_of(connection), read_version(connection)
    checked = [str(line) for (line,) in connection.execute("PRAGMA integrity_check(3)")]
    if found.format_version != FORMAT_VERSION:
        found.manifest = read_any_manifest(connection)
        snapshot = Snapshot.read(LegacyView(connection, found.folder, VersionCache()))
        found.videos = list(snapshot.stored)
        return
    problems = [] if checked == ["ok"] else checked
    _read_rows(connection, found, problems, told)
    if problems:
        named = list(dict.fromkeys(problems))
        more = [f"and {len(named) - _PROBLEMS_NAMED} more"] if len(named) > _PROBLEMS_NAMED else []
        found.damages.append(
            Damage(
                file=DATABASE_FILE,
                problem="; ".join([*named[:_PROBLEMS_NAMED], *more]),
                videos=tuple(found.lost),
                repair="rewrite the intact videos, and name those that are lost",
            )
        )


def _read_rows(
    connection: sqlite3.Connection, found: Examination, problems: list[str], told: float | None
) -> None:
    """Read the rows of the newest format that are intact, and note what is wrong with the others."""
    found.head, found.manifest = read_head(connection), read_manifest(connection)
    total = RowSum()
    sums, checksums, removed = (
        dict(_intact(connection, table, total, problems)) for table in (SUMS, BLOCKS, REMOVED)
    )
    if total.content != found.head.rows:
        found.stale = True
        problems.append("some of its rows are lost, stale or surplus")
    if told is not None and found.head.version.number < told:
        found.stale, found.lost_from = True, found.head.version.number + 1
        problems.append("SQLite's log, and the newest commits with it, are lost")
    files = found.head.extent.files(found.folder, found.manifest.embed_dim)
    found.arrays = ClipArrays.salvage(
        files,
        checksums=checksums,
        tail=found.head.extent.tail,
        removed=[(first, first + count) for first, count in removed.items()],
    )
    found.short = lacking_records(files, (found.arrays.clips, found.arrays.frames))
    for bucket in sorted({*sums, *_buckets(connection, problems)}):
        _read_bucket(connection, bucket, sums.get(bucket, bytes(32)), found, problems)
    found.videos.sort(key=lambda video: os.fsencode(video.record.path))
    found.unnamed = max(0, found.head.videos - len(found.videos) - len(found.lost))
    if found.unnamed:
        problems.append(f"videos that cannot be read: {found.unnamed}")


def _intact(
    connection: sqlite3.Connection, table: Any, total: RowSum, problems: list[str]
) -> Iterator[tuple[int, Any]]:
    """The rows of a small table that are what was written."""
    try:
        for row, digest in table.scan(connection):
            if digest is None:
                problems.append(f"row {row[0]!r} of table {table.name} is not what was written")
            else:
                total.add(digest)
                yield row
    except sqlite3.DatabaseError as error:
        problems.append(f"table {table.name} cannot be read: {error}")


def _buckets(connection: sqlite3.Connection, problems: list[str]) -> set[int]:
    """The sums that the videos which are there belong to."""
    try:
        query = "SELECT DISTINCT id / ? FROM videos NOT INDEXED"
        return {bucket for (bucket,) in connection.execute(query, (VIDEOS_A_SUM,))}
    except sqlite3.DatabaseError as error:
        problems.append(f"table videos cannot be read: {error}")
        return set()


def _read_bucket(
    connection: sqlite3.Connection, bucket: int, expected: bytes, found: Examination, problems: list[str]
) -> None:
    """Read the videos under one sum; if it does not agree, all of them are in doubt, and count as lost."""
    total, first = RowSum(), bucket * VIDEOS_A_SUM
    videos = []
    try:
        for row, digest in VIDEOS.scan(connection, "id >= ? AND id < ?", (first, first + VIDEOS_A_SUM)):
            if digest is None:
                problems.append(f"row {row[0]!r} of table videos is not what was written")
            else:
                total.add(digest)
                videos.append(stored_video(row))
    except sqlite3.DatabaseError as error:
        problems.append(f"table videos cannot be read: {error}")
    if total.content == expected:
        found.videos += videos
    else:
        problems.append("some rows of videos are lost, stale or surplus")
        found.lost += [video.record.path for video in videos]


def _check_clips(found: Examination, arrays: ClipArrays, on_progress: Progress | None) -> None:
    """Check every video's clips; those that are damaged are lost."""
    whole: list[StoredVideo] = []
    lost: list[str] = []
    for done, video in enumerate(found.videos, 1):
        if arrays.is_video_intact(video.number, video.rows):
            whole.append(video)
        else:
            lost.append(video.record.path)
        if on_progress is not None and (done % _VIDEOS_A_PORTION == 0 or done == len(found.videos)):
            on_progress(done, len(found.videos))
    num_clips = sum(len(video.rows) for video in whole)
    if lost or found.short:
        found.damages.append(
            Damage(
                file=ARRAY_FOLDER,
                problem="; ".join(found.short or ["records of clips or frames are not what was written"]),
                videos=tuple(lost),
                repair=f"rewrite the intact videos; videos to index again: {len(lost)}",
            )
        )
    elif not found.damages and num_clips != arrays.num_living:
        found.damages.append(
            Damage(
                file=DATABASE_FILE,
                problem=f"its videos have {num_clips} clips, of which {arrays.num_living} are there",
                repair="rewrite the library from its videos",
            )
        )
    found.videos, found.lost = whole, sorted({*found.lost, *lost})


def _problem(error: DamagedLibraryError) -> str:
    """What is wrong, without the advice that the message ends with."""
    return str(error).split("; run `hgrkit repair`")[0].split("; restore a backup")[0].rstrip(".")
