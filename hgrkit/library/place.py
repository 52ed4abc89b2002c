"""Where a library was opened: its folder, its database and its history, and whether they are still there."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import final

from hgrkit.errors import LibraryError, LibraryNotFoundError
from hgrkit.library.database import DATABASE_FILE, translated_errors
from hgrkit.library.legacy import LegacyView
from hgrkit.library.snapshot import SqliteView
from hgrkit.library.tables import Head
from hgrkit.storage.open_folder import OpenFolder

__all__ = ["LibraryPlace", "Seen"]

Seen = tuple[Head, str]
"""The head of a version that was read, and the fingerprint of its clips."""


@final
class LibraryPlace:
    """The folder of a library, held open.

    Attributes:
        folder: a reader's is replaced by what is at its path now.
        database: the path of its database.
        seen: the version that was read last.
    """

    def __init__(self, folder: Path) -> None:
        """Open the folder.

        Raises:
            LibraryError: if it cannot be opened.
        """
        with translated_errors(folder):
            self.folder = OpenFolder(folder)
        self.database = self.folder.path / DATABASE_FILE
        self.seen: Seen | None = None
        self._opened: os.stat_result | None = None

    def hold(self) -> None:
        """Remember the database that a writer has opened."""
        self._opened = self.folder.status(DATABASE_FILE)

    def is_held(self) -> bool:
        """Whether folder and database are still those that were opened."""
        try:
            self.folder.require_same()
        except LibraryError:
            return False
        found = self.folder.status(DATABASE_FILE)
        return self._opened is None or (found is not None and os.path.samestat(found, self._opened))

    def require_held(self) -> None:
        """Refuse to write elsewhere.

        Raises:
            LibraryError: if folder or database was moved, replaced or deleted.
        """
        if not self.is_held():
            raise LibraryError(
                f"{self.database} was moved, replaced or deleted while it was in use; open it again."
            )

    def now(self) -> OpenFolder:
        """The folder that is at the path now, for a reader."""
        with translated_errors(self.folder.path), suppress(FileNotFoundError):
            folder = OpenFolder(self.folder.path)
            if folder.identity != self.folder.identity:
                self.folder = folder
        return self.folder

    def require_continuation(self, view: SqliteView | LegacyView, seen: Seen | None) -> None:
        """Refuse a version that does not come after one that was seen before: another library has its place.

        The number of the database's file would not tell: a repair makes a new file, and a new one may get an old
        one's number.

        Args:
            view: what is read.
            seen: `seen` before it was read.

        Raises:
            LibraryNotFoundError: if it is another library's, or an older one.
        """
        if seen is not None and seen[0].version == view.version:
            return
        if seen is not None:
            head, clips = seen
            same_arrays = view.head.generation == head.generation
            if not view.head.may_follow(head) or (same_arrays and view.arrays.fingerprint(head.clips) != clips):
                raise LibraryNotFoundError(
                    f"the library that was opened is no longer at {self.folder.path}: another one, or an older "
                    "copy of it, has its place; open it again."
                )
        newest = (view.head, view.arrays.fingerprint(view.head.clips))
        if self.seen is seen:  # else another thread has noted this version or a later one
            self.seen = newest
