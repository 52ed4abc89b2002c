"""`verify_library`: whether a library is what was written, whoever uses it meanwhile; no byte is changed."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs

from hgrkit.arguments import check_callable, check_path
from hgrkit.errors import DamagedLibraryError, LibraryError, LibraryNotFoundError
from hgrkit.library.arrays import (
    ARRAY_FOLDER,
    ARRAY_NAME,
    ClipArrays,
    array_path,
    clip_type,
    frame_type,
    map_records,
)
from hgrkit.library.candidates import AnnCache
from hgrkit.library.database import DATABASE_FILE, read_database, translated_errors
from hgrkit.library.legacy import SEGMENT_FOLDER, LegacyView
from hgrkit.library.manifest import FORMAT_VERSION, Manifest
from hgrkit.library.snapshot import TOLD_FILE, read_any_manifest, read_version, stored_video, told_version
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
from hgrkit.storage.atomic_file import TEMPORARY_SUFFIX
from hgrkit.storage.lock import LOCK_FILE

__all__ = ["DAMAGED_FOLDER", "Damage", "Examination", "Note", "VerifyReport", "examine_library", "verify_library"]

DAMAGED_FOLDER = "damaged"
"""Where a repair puts what it replaces."""

_UPGRADE_FOLDER = "upgrade"
_ATTEMPTS = 5
_PROBLEMS_NAMED = 8
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


@attrs.frozen(kw_only=True)
class Note:
    """Something that was noticed and does no harm: the library deals with it by itself.

    Attributes:
        file: relative to the library's folder.
        remark: what it is and what becomes of it.
    """

    file: str
    remark: str


@attrs.frozen(kw_only=True)
class VerifyReport:
    """What `verify_library` found.

    Attributes:
        library: the folder.
        format_version: the layout on disk; `None` if the database cannot be read.
        version: the number of the version committed last; `None` likewise.
        videos: how many there are, failed ones included.
        clips: how many clips they have.
        num_bytes: size of everything in the folder.
        damages: what is not whole.
        notes: what is no damage.
    """

    library: str
    format_version: int | None
    version: int | None
    videos: int
    clips: int
    num_bytes: int
    damages: tuple[Damage, ...]
    notes: tuple[Note, ...]

    @property
    def whole(self) -> bool:
        """Whether nothing is damaged."""
        return not self.damages

    def to_dict(self) -> dict[str, Any]:
        """Return everything, as JSON holds it."""
        return {"whole": self.whole, **attrs.asdict(self)}


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


def verify_library(folder: str | os.PathLike[str], *, on_progress: Progress | None = None) -> VerifyReport:
    """Check everything: the database and every row of it, every byte of the arrays, and that they agree.

    Needs neither videos nor a model. A writer may continue meanwhile: one committed version is checked. As for
    every reader, SQLite makes its index (`-shm`) anew if a dead writer left a log without one.

    Args:
        folder: the library's folder; reading it is enough.
        on_progress: is told how many videos were checked, and how many there are.

    Raises:
        LibraryNotFoundError: if there is no library, and nothing of one.
        LibraryMismatchError: if it is of a later format.
        LibraryError: if it cannot be read.
    """
    path = Path(check_path("folder", folder))
    check_callable("on_progress", on_progress, takes="how many videos were checked and how many there are")
    with translated_errors(path):
        for _ in range(_ATTEMPTS):
            found = examine_library(path, on_progress)
            if not found.damages or not _moved_on(found):
                break
        return VerifyReport(
            library=str(path),
            format_version=found.format_version,
            version=None if found.version is None else found.version.number,
            videos=len(found.videos) + len(found.lost) + found.unnamed,
            clips=sum(video.record.clips for video in found.videos),
            num_bytes=_size(path),
            damages=tuple(found.damages),
            notes=tuple(_notes(found)),
        )


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
    if found.format_version == FORMAT_VERSION:
        _check_clips(found, on_progress)
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
    found.head, found.manifest = read_head(connection), read_manifest(connection)
    problems = [] if checked == ["ok"] else checked
    total = RowSum()
    sums, checksums, removed = (
        dict(_intact(connection, table, total, problems)) for table in (SUMS, BLOCKS, REMOVED)
    )
    if total.content != found.head.rows:
        found.stale = True
        problems.append("some of its rows are lost, stale or surplus")
    if told is not None and found.version.number < told:
        found.stale, found.lost_from = True, found.version.number + 1
        problems.append("SQLite's log, and the newest commits with it, are lost")
    found.arrays = _arrays(found, checksums, [(first, first + count) for first, count in removed.items()])
    for bucket in sorted({*sums, *_buckets(connection, problems)}):
        _read_bucket(connection, bucket, sums.get(bucket, bytes(32)), found, problems)
    found.videos.sort(key=lambda video: os.fsencode(video.record.path))
    found.unnamed = max(0, found.head.videos - len(found.videos) - len(found.lost))
    if found.unnamed:
        problems.append(f"videos that cannot be read: {found.unnamed}")
    if problems:
        named = list(dict.fromkeys(problems))
        more = [f"and {len(named) - _PROBLEMS_NAMED} more"] if len(named) > _PROBLEMS_NAMED else []
        found.damages.append(
            Damage(
                file=DATABASE_FILE,
                problem="; ".join([*named[:_PROBLEMS_NAMED], *more]),
                videos=tuple(found.lost),
                repair="write the videos that are whole anew, and name those that are lost",
            )
        )


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


def _arrays(found: Examination, checksums: dict[int, bytes], removed: list[tuple[int, int]]) -> ClipArrays:
    """The arrays as far as they are there; a block whose checksum is lost has one that nothing agrees with."""
    head, manifest = found.head, found.manifest
    assert head is not None  # noqa: S101
    assert manifest is not None  # noqa: S101
    clips, frames = (
        map_records(found.folder, name, head.generation, count, kind(manifest.embed_dim))
        for name, count, kind in (("clips", head.clips, clip_type), ("frames", head.frames, frame_type))
    )
    found.short = [
        f"{array_path(found.folder, name, head.generation).name} holds {len(there)} of {count} records"
        for name, there, count in (("clips", clips, head.clips), ("frames", frames, head.frames))
        if len(there) < count
    ]
    return ClipArrays.salvage(
        clips, frames, num_clips=head.clips, checksums=checksums, tail=head.tail, removed=removed
    )


def _check_clips(found: Examination, on_progress: Progress | None) -> None:
    """Check every video's clips; those that are damaged are lost."""
    arrays = found.arrays
    assert arrays is not None  # noqa: S101
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
                repair=f"write the videos that are whole anew; videos to index again: {len(lost)}",
            )
        )
    elif not found.damages and num_clips != arrays.num_living:
        found.damages.append(
            Damage(
                file=DATABASE_FILE,
                problem=f"its videos have {num_clips} clips, of which {arrays.num_living} are there",
                repair="write the library anew, as its videos say",
            )
        )
    found.videos, found.lost = whole, sorted({*found.lost, *lost})


_VIDEOS_A_PORTION = 64


def _moved_on(found: Examination) -> bool:
    """Whether a writer committed something meanwhile, and may have deleted what was to be examined."""
    try:
        return read_database(found.folder / DATABASE_FILE, read_version) != found.version
    except LibraryError:
        return False


def _problem(error: DamagedLibraryError) -> str:
    """What is wrong, without the advice that the message ends with."""
    return str(error).split("; run `hgrkit repair`")[0].split("; restore a backup")[0].rstrip(".")


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):  # a living writer deletes files
            total += path.stat().st_size if path.is_file() else 0
    return total


# what else lies in the folder, none of which can harm ----------------------------------------------------------


def _notes(found: Examination) -> Iterator[Note]:
    folder = found.folder
    known = {DATABASE_FILE, ARRAY_FOLDER, TOLD_FILE, "cache"} | (
        {SEGMENT_FOLDER} if found.format_version != FORMAT_VERSION else set()
    )
    remarks = {
        DAMAGED_FOLDER: "what earlier repairs replaced; delete it when you have looked",
        _UPGRADE_FOLDER: "an upgrade that is being made or was interrupted; `--upgrade` resumes it",
        SEGMENT_FOLDER: "of an earlier format; the next writer deletes it",
    }
    writer = _writer(folder)
    for path in sorted(folder.iterdir()):
        name = path.name
        if name.startswith(DATABASE_FILE + TEMPORARY_SUFFIX):
            yield Note(file=name, remark="a database that was never finished; `hgrkit repair` deletes it")
        elif name in {f"{DATABASE_FILE}-wal", f"{DATABASE_FILE}-shm"}:
            yield Note(file=name, remark=f"SQLite's log, {writer or 'left by a writer that died'}")
        elif name == LOCK_FILE:
            remark = writer or ("left by a writer that died; it blocks nobody" if _is_filled(path) else None)
            yield from [Note(file=name, remark=remark)] if remark else []
        elif name not in known:
            yield Note(file=name, remark=remarks.get(name, "no file of a library; it is left alone"))
    yield from _array_notes(found)
    if found.arrays is not None and unfit_ann_index(folder, found.arrays):
        yield Note(
            file="cache/ann.hnsw",
            remark="an HNSW index of another state; searches do without, a writer replaces it",
        )


def _array_notes(found: Examination) -> Iterator[Note]:
    for path in sorted((found.folder / ARRAY_FOLDER).glob("*")):
        match = ARRAY_NAME.fullmatch(path.name)
        file = f"{ARRAY_FOLDER}/{path.name}"
        if match is None:
            yield Note(file=file, remark="no file of a library; it is left alone")
        elif found.head is None or found.manifest is None:
            continue
        elif int(match[2]) != found.head.generation:
            yield Note(file=file, remark="of a rewriting that is being made, was interrupted or is superseded")
        else:
            kind, count = (clip_type, found.head.clips) if match[1] == "clips" else (frame_type, found.head.frames)
            if path.is_file() and path.stat().st_size > count * kind(found.manifest.embed_dim).itemsize:
                remark = "records of a commit that is being made or was interrupted; the next writer cuts them off"
                yield Note(file=file, remark=remark)


def unfit_ann_index(folder: Path, arrays: ClipArrays) -> bool:
    """Whether there is an HNSW index that no search may load."""
    cache = AnnCache(folder)
    return cache.path.exists() and cache.load(arrays) is None


def _is_filled(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _writer(folder: Path) -> str | None:
    """Who writes now, as far as the lock's text and the list of processes tell; nobody is kept waiting."""
    try:
        named = json.loads((folder / LOCK_FILE).read_bytes()[:4096])
        pid, host = int(named["pid"]), str(named["host"])
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    if host != socket.gethostname():
        return f"process {pid} on {host} may be writing"
    return f"process {pid} is writing" if _lives(pid) else None


def _lives(pid: int) -> bool:
    if os.name == "nt" or not 0 < pid < 1 << 31:  # Windows: a signal of 0 would end the process
        return os.name == "nt"
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's
        return True
    return True
