"""`verify_library`: whether a library is what was written, whoever uses it meanwhile; no byte is changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from hgrkit.arguments import check_callable, check_path
from hgrkit.errors import LibraryError
from hgrkit.library.database import DATABASE_FILE, read_database, translated_errors
from hgrkit.library.examination import Examination, examine_library
from hgrkit.library.findings import VerifyReport
from hgrkit.library.head import read_head

__all__ = ["report_of", "verify_library"]

_ATTEMPTS = 5


def verify_library(
    folder: str | os.PathLike[str], *, on_progress: Callable[[int, int], None] | None = None
) -> VerifyReport:
    """Check everything: the database and every row of it, every byte of every segment, and that they agree.

    Needs neither videos nor a model. A writer may go on meanwhile: one committed version is checked. As for every
    reader, SQLite makes its index (`-shm`) anew if a dead writer left a log without one.

    Args:
        folder: the library's folder; reading it is enough.
        on_progress: is told how many segments were read, and how many there are.

    Raises:
        LibraryNotFoundError: if there is no library, and nothing of one.
        LibraryMismatchError: if it is of a later format.
        LibraryError: if it cannot be read.
    """
    path = Path(check_path("folder", folder))
    check_callable("on_progress", on_progress, takes="how many segments were read and how many there are")
    with translated_errors(path):
        for _ in range(_ATTEMPTS):
            examination = examine_library(path, on_progress)
            if not examination.damages or not _moved_on(examination):
                break
        return report_of(examination)


def report_of(examination: Examination) -> VerifyReport:
    """What an examination found, in the words of a report."""
    folder, contents = examination.folder, examination.contents
    return VerifyReport(
        library=str(folder),
        format_version=contents.format_version if contents else None,
        version=contents.head.version.number if contents else None,
        videos=contents.head.videos if contents else 0,
        clips=contents.head.clips if contents else 0,
        segments=len(contents.segments) if contents else len(examination.log.segments),
        num_bytes=_size(folder),
        damages=examination.damages,
        notes=examination.notes,
    )


def _moved_on(examination: Examination) -> bool:
    """Whether a writer committed something meanwhile, and may have deleted what was to be examined."""
    if examination.contents is None:
        return False
    try:
        version = read_database(examination.folder / DATABASE_FILE, read_head).version
    except LibraryError:
        return True
    return version != examination.contents.head.version


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):  # a living writer deletes files
            total += path.stat().st_size if path.is_file() else 0
    return total
