"""Connections to a library's SQLite file, which a stranger may have made: with limits, and to our tables only."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import cache
from pathlib import Path

from hgrkit.errors import DamagedLibraryError, LibraryMismatchError
from hgrkit.library.legacy import SCHEMAS
from hgrkit.library.manifest import FORMAT_VERSION
from hgrkit.library.tables import APPLICATION_ID, LONGEST_ROW
from hgrkit.storage.open_folder import OpenFolder

__all__ = ["BUSY_S", "DATABASE_FILE", "check_format", "connect", "require_files"]

DATABASE_FILE = "library.sqlite"

BUSY_S = 30.0
"""How long a statement waits for others."""


def connect(path: Path, mode: str, *, immutable: bool = False) -> sqlite3.Connection:
    """Open a file in one of SQLite's modes: `ro`, `rw` or `rwc`; an immutable one is read without any lock."""
    location = f"{path.absolute().as_uri()}?mode={mode}{'&immutable=1' if immutable else ''}"
    connection = sqlite3.connect(location, uri=True, isolation_level=None, timeout=BUSY_S, check_same_thread=False)
    connection.text_factory = _text
    # A file that a stranger made can hold anything: views that call functions, values that fill the memory.
    for limit, most in _LIMITS.items():
        connection.setlimit(limit, most)
    size = path.stat().st_size if path.exists() else 0
    connection.set_progress_handler(_budget(_LEAST_STEPS + _STEPS_A_BYTE * size), _STEPS_AT_ONCE)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    return connection


def _budget(steps: int) -> Callable[[], bool]:
    """Make what SQLite asks now and then whether to stop: a crafted file's pages can form a tree without end."""
    left = steps // _STEPS_AT_ONCE

    def is_spent() -> bool:
        nonlocal left
        left -= 1
        return left < 0

    return is_spent


_STEPS_AT_ONCE, _LEAST_STEPS, _STEPS_A_BYTE = 100_000, 20_000_000, 4
"""SQLite takes some 30 steps a row, and a row takes a hundred bytes and more."""

_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: LONGEST_ROW,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 0,
}


def _text(content: bytes) -> str:
    """Text that is no UTF-8 must reach the digests, which then name its row."""
    return content.decode("utf-8", "replace")


def check_format(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse what is no library's database.

    Raises:
        DamagedLibraryError: if it has other tables than a library has, or others beside them.
        LibraryMismatchError: if its format is a later one.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise DamagedLibraryError(f"{path} is not the database of a library.")
    if version > FORMAT_VERSION:
        raise LibraryMismatchError(
            f"{path} has format {version}, this hgrkit reads formats up to {FORMAT_VERSION}; upgrade hgrkit."
        )
    found = connection.execute(
        "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name LIMIT ?", (_MOST_OBJECTS,)
    ).fetchall()
    if found != _schema(version):
        raise DamagedLibraryError(f"{path} is damaged: its tables are not those of a library.")
    pages = connection.execute("SELECT COUNT(DISTINCT rootpage), COUNT(*) FROM sqlite_master").fetchone()
    if pages[0] != pages[1]:
        raise DamagedLibraryError(f"{path} is damaged: two of its tables are one.")


_MOST_OBJECTS = 50


@cache
def _schema(version: int) -> list[tuple[str | None, ...]]:
    """What `sqlite_master` has of a library of a format: made anew, so that it is what SQLite makes of it."""
    connection = sqlite3.connect(":memory:")
    try:
        for statement in SCHEMAS.get(version, ()):
            connection.execute(statement)
        return connection.execute(
            "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
        ).fetchall()
    finally:
        connection.close()


def require_files(folder: OpenFolder) -> None:
    """Refuse links and the like where SQLite would write, and a journal that names a file for SQLite to delete."""
    for suffix in _BESIDE:
        name = DATABASE_FILE + suffix
        if folder.status(name) is not None and not folder.is_file(name):
            raise DamagedLibraryError(f"{folder.path / name} is a link or no file; put a file in its place.")
    journal = folder.path / (DATABASE_FILE + "-journal")
    if folder.is_file(journal.name) and (size := journal.stat().st_size) >= len(_NAMES_A_FILE):
        with journal.open("rb") as file:
            file.seek(size - len(_NAMES_A_FILE))
            if file.read() == _NAMES_A_FILE:
                raise DamagedLibraryError(
                    f"{journal} is no journal of a library: it names another file; delete it."
                )


_BESIDE = ("", "-wal", "-shm", "-journal")
_NAMES_A_FILE = bytes.fromhex("d9d505f920a163d7")
"""The end of a journal of several databases. SQLite deletes the file that it names when it rolls back."""
