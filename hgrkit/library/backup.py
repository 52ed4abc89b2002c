"""`backup_library`: one committed version, copied into a folder of its own while a writer may continue."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from hgrkit.checks.arguments import check_callable, check_path
from hgrkit.errors import LibraryExistsError, MissingPathError
from hgrkit.library.change import WrittenLibrary
from hgrkit.library.database import DATABASE_FILE, create_database
from hgrkit.library.sqlite_store import SqliteStore, require_outside_libraries
from hgrkit.storage.atomic_file import TEMPORARY_SUFFIX, sync_folder, writing

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
        snapshot, head = store.state()
    finally:
        store.close()
    with writing(target), _folder_made_whole(target) as copy:
        written = WrittenLibrary(
            copy, snapshot, manifest=snapshot.manifest, head=head, keep_numbers=True, on_progress=on_progress
        )
        create_database(copy / DATABASE_FILE, written.fill)
    return BackupReport(
        library=str(source),
        out=str(target),
        version=snapshot.version.number,
        videos=len(snapshot.videos),
        clips=len(snapshot.clip_keys),
        num_bytes=sum(path.stat().st_size for path in target.rglob("*") if path.is_file()),
    )


@contextmanager
def _folder_made_whole(target: Path) -> Iterator[Path]:
    """Give out a new folder that gets the target's name once it is complete, and goes if that fails."""
    copy = target.with_name(f"{target.name}.{uuid.uuid4().hex[:8]}{TEMPORARY_SUFFIX}")
    try:
        copy.mkdir()
        yield copy
        _require_vacant(target)
        copy.rename(target)
        sync_folder(target.parent)
    except BaseException:
        shutil.rmtree(copy, ignore_errors=True)
        raise


def _require_vacant(target: Path) -> None:
    if os.path.lexists(target):
        raise LibraryExistsError(f"{target} exists already; choose a folder that does not.")
    if not target.parent.is_dir():
        raise MissingPathError(f"there is no folder {str(target.parent)!r} for {target.name!r}; make it first.")
    require_outside_libraries(target)
