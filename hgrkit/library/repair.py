"""`repair_library`: a library written anew from what of it is whole; what is replaced is kept beside it."""

from __future__ import annotations

import os
import re
import shutil
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs

from hgrkit.checks.arguments import check_callable, check_flag, check_path
from hgrkit.errors import LibraryError
from hgrkit.library.array_files import array_files
from hgrkit.library.candidates import ANN_FILE
from hgrkit.library.change import WrittenLibrary
from hgrkit.library.database import (
    DATABASE_FILE,
    checkpoint,
    create_database,
    open_for_writing,
    translated_errors,
    unfinished_databases,
)
from hgrkit.library.records import Version
from hgrkit.library.snapshot import TOLD_FILE, SqliteView
from hgrkit.library.store import Snapshot
from hgrkit.library.verify import DAMAGED_FOLDER, Examination, Progress, examine_library, unfit_ann_index
from hgrkit.storage.lock import WriterLock
from hgrkit.storage.open_folder import OpenFolder

__all__ = ["RepairReport", "repair_library"]


@attrs.frozen(kw_only=True)
class RepairReport:
    """What `repair_library` did, or would do.

    Attributes:
        library: the folder.
        dry_run: nothing was changed.
        whole: the library is whole now.
        steps: what was done, in words that follow `would`.
        dropped: videos that are no longer in the library because something of them was lost: index them again.
        unnamed: how many more there were, of which not even the path can be read.
        doubtful: videos that may be an older state of themselves, because rows were lost: index them again.
        lost_from: the first version whose commit is lost, and all later ones with it; `None` if none is.
        kept_in: the folder that what was damaged or replaced was moved to, relative to the library's; `None` if
            there was nothing to keep.
    """

    library: str
    dry_run: bool
    whole: bool
    steps: tuple[str, ...]
    dropped: tuple[str, ...] = ()
    unnamed: int = 0
    doubtful: tuple[str, ...] = ()
    lost_from: int | None = None
    kept_in: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return everything, as JSON holds it."""
        return attrs.asdict(self)


def repair_library(
    folder: str | os.PathLike[str], *, dry_run: bool = False, on_progress: Progress | None = None
) -> RepairReport:
    """Make a library whole again; every video whose rows and records are intact answers as before.

    Videos that lost something are removed and named. What is damaged or replaced moves to `damaged/1`, `damaged/2`
    and so on in the library's folder. Without its database, or with a damaged head of it, nothing can be saved.

    Args:
        folder: the library's folder.
        dry_run: change nothing, and say what would be done.
        on_progress: is told how many videos were checked, and how many there are.

    Raises:
        LibraryNotFoundError: if there is no library, and nothing of one.
        LibraryLockedError: if another process writes to it.
        LibraryMismatchError: if it is of a later format.
        LibraryError: if it cannot be read or written; repairing it again starts over.
    """
    path = Path(check_path("folder", folder))
    check_callable("on_progress", on_progress, takes="how many videos were checked and how many there are")
    check_flag("dry_run", dry_run)
    with translated_errors(path):
        if dry_run:
            return _report(examine_library(path, on_progress), dry_run=True)
        examine_library(path)  # refuse what is no library before anything is locked
        with WriterLock(path) as lock:
            found, kept_in = examine_library(path, on_progress), None
            report = _report(found, dry_run=False)
            lock.require_held()
            if found.damages and found.view is not None:
                kept_in = _rewrite(found, found.view)
            for useless in _useless(found):
                found.folder.unlink(useless)
            whole = not examine_library(path).damages
        return attrs.evolve(report, whole=whole, kept_in=kept_in)


def _report(found: Examination, *, dry_run: bool) -> RepairReport:
    steps = [f"delete {name}" for name in _useless(found)]
    view = found.view
    if found.damages and view is None:
        steps.insert(0, "do nothing: restore a backup, or delete the folder and index the videos again")
    elif found.damages:
        steps.insert(0, f"rewrite {len(found.videos)} intact videos, and drop the damaged files")
    return RepairReport(
        library=str(found.folder.path),
        dry_run=dry_run,
        whole=not found.damages or view is not None,
        steps=tuple(steps),
        dropped=tuple(found.lost),
        unnamed=found.unnamed,
        lost_from=None if view is None else view.lost_from,
        doubtful=tuple(video.record.path for video in found.videos) if view is not None and view.stale else (),
    )


def _useless(found: Examination) -> list[str]:
    useless = unfinished_databases(found.folder)
    if found.view is not None and unfit_ann_index(found.folder, found.view.arrays):
        useless.append(ANN_FILE)
    return useless


def _rewrite(found: Examination, view: SqliteView) -> str:
    """Write the whole videos to new arrays and a new database; at no moment is there no database.

    Returns:
        Where what is replaced was moved to, relative to the library's folder.
    """
    folder, database = found.folder, found.folder.path / DATABASE_FILE
    snapshot = Snapshot(view.version, view.manifest, view.arrays, found.videos)
    version = Version(view.version.number + 1, uuid.uuid4().hex)
    written = WrittenLibrary(folder, snapshot, view.head.emptied(version, view.head.generation + 1))
    with closing(open_for_writing(folder)) as connection:
        if not checkpoint(connection):  # SQLite would take an old log for the new database's own
            raise LibraryError(f"{database} is in use by readers; close them, and repair it again.")
    quarantine = _new_quarantine(folder)
    with (
        os.fdopen(folder.open(DATABASE_FILE), "rb") as old,
        os.fdopen(folder.open(f"{quarantine}/{DATABASE_FILE}", os.O_WRONLY | os.O_CREAT), "wb") as copy,
    ):
        shutil.copyfileobj(old, copy)
    folder.sync(quarantine)
    for suffix in ("-wal", "-shm", "-journal"):
        _move(folder, DATABASE_FILE + suffix, quarantine)
    create_database(folder, written.fill)
    _move(folder, TOLD_FILE, quarantine)
    for file in array_files(folder, view.head, view.manifest.embed_dim):
        _move(folder, file.name, quarantine)
    return quarantine


def _new_quarantine(folder: OpenFolder) -> str:
    """Make the next of the folders that keep what repairs replaced."""
    folder.make(DAMAGED_FOLDER)
    number = 1 + max((int(other) for other in folder.names(DAMAGED_FOLDER) if _NUMBER.fullmatch(other)), default=0)
    quarantine = f"{DAMAGED_FOLDER}/{number}"
    folder.make(quarantine)
    return quarantine


_NUMBER = re.compile("[0-9]{1,9}")


def _move(folder: OpenFolder, name: str, quarantine: str) -> None:
    """Keep a file, or whatever stands in its place, and take it away; what is not there is no matter."""
    if folder.status(name) is not None:
        above, _, last = name.rpartition("/")
        folder.replace(name, f"{quarantine}/{last}")
        folder.sync(quarantine)
        folder.sync(above)
