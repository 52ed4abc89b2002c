"""`verify_library`: whether a library is what was written, whoever uses it meanwhile; no byte is changed."""

from __future__ import annotations

import errno
import json
import os
import socket
import sqlite3
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs

from hgrkit.checks.arguments import check_callable, check_path
from hgrkit.errors import DamagedLibraryError, LibraryError, LibraryNotFoundError
from hgrkit.library.array_files import ARRAY_FOLDER, ARRAY_NAME, array_files
from hgrkit.library.arrays import ClipArrays
from hgrkit.library.candidates import ANN_FILE, AnnCache
from hgrkit.library.database import DATABASE_FILE, read_database, require_library, translated_errors
from hgrkit.library.legacy import SEGMENT_FOLDER, LegacyView, read_version
from hgrkit.library.manifest import FORMAT_VERSION
from hgrkit.library.records import Version
from hgrkit.library.snapshot import TOLD_FILE, SqliteView, told_version
from hgrkit.library.store import Snapshot, StoredVideo, VersionCache
from hgrkit.library.tables import format_of
from hgrkit.storage.atomic_file import TEMPORARY_SUFFIX
from hgrkit.storage.lock import LOCK_FILE
from hgrkit.storage.open_folder import OpenFolder

__all__ = [
    "DAMAGED_FOLDER",
    "Damage",
    "Examination",
    "Note",
    "Progress",
    "VerifyReport",
    "examine_library",
    "unfit_ann_index",
    "verify_library",
]

DAMAGED_FOLDER = "damaged"
"""Where a repair puts what it replaces."""

_UPGRADE_FOLDER = "upgrade"
_ATTEMPTS = 5
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
            num_bytes=sum(map(_num_bytes, path.rglob("*"))),
            damages=tuple(found.damages),
            notes=tuple(_notes(found)),
        )


def _moved_on(found: Examination) -> bool:
    """Whether a writer committed something meanwhile, and may have deleted what was to be examined."""
    try:
        return read_database(found.folder, read_version) != found.version
    except LibraryError:
        return False


# every byte ----------------------------------------------------------------------------------------------------


@attrs.define(kw_only=True, eq=False)
class Examination:
    """A library's files, examined.

    Attributes:
        folder: the library's folder.
        format_version: the layout on disk, if it can be read.
        version: the version committed last, if it can be read.
        view: what was read of a library of the newest format; without it nothing can be repaired.
        videos: the videos that are whole, in the order of their paths.
        lost: paths of videos that are not.
        damages: what is not whole.
    """

    folder: OpenFolder
    format_version: int | None = None
    version: Version | None = None
    view: SqliteView | None = None
    videos: Sequence[StoredVideo] = ()
    lost: Sequence[str] = ()
    damages: list[Damage] = attrs.field(factory=list)

    @property
    def unnamed(self) -> int:
        """How many more videos are not whole, of which not even the path can be read."""
        return 0 if self.view is None else self.view.unnamed


def examine_library(path: Path, on_progress: Progress | None = None) -> Examination:
    """Examine every byte of the version that is committed now.

    Raises:
        LibraryNotFoundError: if there is no library, and nothing of one.
        LibraryMismatchError: if it is of a later format.
        LibraryError: if it cannot be read.
    """
    folder = OpenFolder(path) if path.is_dir() else None
    try:
        require_library(path)
        if folder is None:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), os.fspath(path))
        told = told_version(folder)
        found = read_database(folder, lambda connection: _read(connection, folder, told))
    except LibraryNotFoundError:
        raise
    except DamagedLibraryError as error:
        if folder is None:
            raise
        found = Examination(folder=folder, damages=[_unrepairable(DATABASE_FILE, error)])
    if found.view is not None:
        _check_clips(found, found.view, on_progress)
    return found


def _read(connection: sqlite3.Connection, folder: OpenFolder, told: float | None) -> Examination:
    """Read what the database says; of a damaged one, what can be read."""
    found = Examination(folder=folder, format_version=format_of(connection))
    legacy = found.format_version != FORMAT_VERSION
    try:
        with translated_errors(folder.path / DATABASE_FILE):
            found.version = read_version(connection)
            checked = [str(line) for (line,) in connection.execute("PRAGMA integrity_check(3)")]
            if legacy:
                found.videos = Snapshot.read(LegacyView(connection, folder, VersionCache())).stored
                return found
            view = SqliteView(connection, folder, VersionCache(), told=told, tolerant=True)
            found.videos, found.lost = view.videos(), sorted(view.lost)
    except DamagedLibraryError as error:
        found.damages.append(_unrepairable(SEGMENT_FOLDER if legacy else DATABASE_FILE, error))
        return found
    found.view = view
    problems = list(dict.fromkeys([*(checked if checked != ["ok"] else []), *view.problems]))
    if problems:
        more = [f"and {len(problems) - _PROBLEMS_NAMED} more"] if len(problems) > _PROBLEMS_NAMED else []
        found.damages.append(
            Damage(
                file=DATABASE_FILE,
                problem="; ".join([*problems[:_PROBLEMS_NAMED], *more]),
                videos=tuple(found.lost),
                repair="rewrite the intact videos, and name those that are lost",
            )
        )
    return found


def _check_clips(found: Examination, view: SqliteView, on_progress: Progress | None) -> None:
    """Check every video's clips; those that are damaged are lost."""
    whole: list[StoredVideo] = []
    lost: list[str] = []
    for done, video in enumerate(found.videos, 1):
        if view.arrays.is_video_intact(video.number, video.rows):
            whole.append(video)
        else:
            lost.append(video.record.path)
        if on_progress is not None and (done % _VIDEOS_A_PORTION == 0 or done == len(found.videos)):
            on_progress(done, len(found.videos))
    num_clips = sum(len(video.rows) for video in whole)
    if lost or view.short:
        found.damages.append(
            Damage(
                file=ARRAY_FOLDER,
                problem="; ".join(view.short or ["records of clips or frames are not what was written"]),
                videos=tuple(lost),
                repair=f"rewrite the intact videos; videos to index again: {len(lost)}",
            )
        )
    elif not found.damages and num_clips != view.arrays.num_living:
        found.damages.append(
            Damage(
                file=DATABASE_FILE,
                problem=f"its videos have {num_clips} clips, of which {view.arrays.num_living} are there",
                repair="rewrite the library from its videos",
            )
        )
    found.videos, found.lost = whole, sorted({*found.lost, *lost})


def _unrepairable(file: str, error: DamagedLibraryError) -> Damage:
    """What is wrong, without the advice that the message ends with."""
    problem = str(error).split("; run `hgrkit repair`")[0].split("; restore a backup")[0].rstrip(".")
    return Damage(file=file, problem=problem, repair=_UNREPAIRABLE)


# what else lies in the folder, none of which can harm ----------------------------------------------------------


def _notes(found: Examination) -> Iterator[Note]:
    folder = found.folder
    known = {DATABASE_FILE, ARRAY_FOLDER, TOLD_FILE, "cache"} | (
        {SEGMENT_FOLDER} if found.format_version != FORMAT_VERSION else set()
    )
    remarks = {
        DAMAGED_FOLDER: "files that earlier repairs replaced; delete them when you no longer need them",
        _UPGRADE_FOLDER: "an upgrade that is running or was interrupted; `--upgrade` resumes it",
        SEGMENT_FOLDER: "of an earlier format; the next writer deletes it",
    }
    writer = _writer(folder)
    for name in folder.names():
        if name.startswith(DATABASE_FILE + TEMPORARY_SUFFIX):
            yield Note(file=name, remark="a database that was never finished; `hgrkit repair` deletes it")
        elif name in {f"{DATABASE_FILE}-wal", f"{DATABASE_FILE}-shm"}:
            yield Note(file=name, remark=f"SQLite's log, {writer or 'left by a writer that died'}")
        elif name == LOCK_FILE:
            remark = writer or (
                "left by a writer that died; it does not block others" if _size_of(folder, name) else None
            )
            yield from [Note(file=name, remark=remark)] if remark else []
        elif name not in known:
            yield Note(file=name, remark=remarks.get(name, "not a file of a library; hgrkit ignores it"))
    yield from _array_notes(found)
    if found.view is not None and unfit_ann_index(folder, found.view.arrays):
        yield Note(
            file="cache/ann.hnsw",
            remark="an HNSW index of another state, or of another user; searches do without, a writer replaces it",
        )


def _array_notes(found: Examination) -> Iterator[Note]:
    view, folder = found.view, found.folder
    files = () if view is None else array_files(folder, view.head, view.manifest.embed_dim)
    own = {file.name: file.num_bytes for file in files}
    for name in folder.names(ARRAY_FOLDER):
        file = f"{ARRAY_FOLDER}/{name}"
        if ARRAY_NAME.fullmatch(name) is None:
            yield Note(file=file, remark="not a file of a library; hgrkit ignores it")
        elif own and file not in own:
            yield Note(file=file, remark="of a compaction or repair that is running or was interrupted")
        elif _size_of(folder, file) > own.get(file, sys.maxsize):
            remark = "records of a commit that is running or was interrupted; the next writer removes them"
            yield Note(file=file, remark=remark)


def unfit_ann_index(folder: OpenFolder, arrays: ClipArrays) -> bool:
    """Whether there is an HNSW index that no search may load."""
    cache = AnnCache(folder.path)
    return folder.is_file(ANN_FILE) and cache.load(arrays) is None


def _size_of(folder: OpenFolder, name: str) -> int:
    try:
        found = folder.status(name) if folder.is_file(name) else None
    except (OSError, DamagedLibraryError):  # a living writer deletes files
        found = None
    return 0 if found is None else found.st_size


def _num_bytes(path: Path) -> int:
    try:
        found = path.lstat()
    except OSError:
        return 0
    return found.st_size if stat.S_ISREG(found.st_mode) else 0


def _writer(folder: OpenFolder) -> str | None:
    """Who writes now, as far as the lock's text and the list of processes tell; nobody is kept waiting."""
    try:
        named = json.loads(folder.read(LOCK_FILE, 4096) or b"")
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
