"""`backup_library`: one committed version, copied into a folder of its own while a writer may continue."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import attrs

from hgrkit.checks.arguments import check_callable, check_path
from hgrkit.errors import LibraryExistsError, MissingPathError
from hgrkit.library.change import WrittenLibrary
from hgrkit.library.database import create_database, require_outside_libraries
from hgrkit.library.sqlite_store import SqliteStore
from hgrkit.library.store import Snapshot
from hgrkit.storage.atomic_file import writing, written_whole
from hgrkit.storage.open_folder import OpenFolder

__all__ = ["BackupReport", "backup_library"]


@attrs.frozen(kw_only=True)
class BackupReport:
    """What was backed up.

    Attributes:
        library: the library's folder.
        out: the backup's.
        version: the number of the version that it holds.
        videos: how many videos, failed ones included.
        clips: how many clips they have.
        num_bytes: what it takes.
    """

    library: str
    out: str
    version: int
    videos: int
    clips: int
    num_bytes: int


def backup_library(
    folder: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> BackupReport:
    """Copy the version committed last into a new folder: a library, whole, compact and of the newest format.

    Every byte is checked on its way. A writer may continue meanwhile. Caches are left out.

    Args:
        folder: the library's folder; reading it is enough.
        out: the backup's folder; it has its name only once it is complete and durable.
        on_progress: is told how many videos are copied, and how many there are.

    Raises:
        LibraryNotFoundError: if there is no library.
        LibraryExistsError: if `out` exists already, or lies inside a library.
        MissingPathError: if the folder above `out` does not exist.
        DamagedLibraryError: if the library is not what was written; nothing is left then.
        LibraryError, OSError: if the disk is full or fails; nothing is left then.
    """
    source, target = Path(check_path("folder", folder)), Path(check_path("out", out))
    check_callable("on_progress", on_progress, takes="how many videos are copied and how many there are")
    _require_vacant(target)
    store = SqliteStore(source)
    try:
        snapshot, head = store.read(lambda view: (Snapshot.read(view), view.head))
    finally:
        store.close()
    with writing(target), written_whole(target, partial(_require_vacant, target)) as copy:
        copy.mkdir()
        with OpenFolder(copy) as opened:
            written = WrittenLibrary(opened, snapshot, head.emptied(head.version, 1), on_progress=on_progress)
            create_database(opened, written.fill)
    return BackupReport(
        library=str(source),
        out=str(target),
        version=snapshot.version.number,
        videos=len(snapshot.videos),
        clips=len(snapshot.clip_keys),
        num_bytes=sum(path.stat().st_size for path in target.rglob("*") if path.is_file()),
    )


def _require_vacant(target: Path) -> None:
    if os.path.lexists(target):
        raise LibraryExistsError(f"{target} exists already; choose a folder that does not.")
    if not target.parent.is_dir():
        raise MissingPathError(f"there is no folder {str(target.parent)!r} for {target.name!r}; make it first.")
    require_outside_libraries(target)
