"""The library's SQLite file: how it is made, written and read, and what its errors become."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TypeVar

import attrs

from hgrkit.checks.arguments import url_remark
from hgrkit.errors import (
    DamagedLibraryError,
    HgrkitError,
    LibraryError,
    LibraryExistsError,
    LibraryMismatchError,
    LibraryNotFoundError,
)
from hgrkit.library.arrays import ARRAY_FOLDER, ARRAY_NAME
from hgrkit.library.legacy import SCHEMAS, SEGMENT_FOLDER
from hgrkit.library.manifest import FORMAT_VERSION
from hgrkit.library.tables import APPLICATION_ID, LONGEST_ROW
from hgrkit.storage.atomic_file import TEMPORARY_SUFFIX, full_disk, sync_file, sync_folder
from hgrkit.storage.open_folder import OpenFolder

__all__ = [
    "DATABASE_FILE",
    "checkpoint",
    "create_database",
    "is_database",
    "leave_open",
    "library_around",
    "open_for_writing",
    "read_database",
    "require_integrity",
    "require_library",
    "require_outside_libraries",
    "transaction",
    "translated_errors",
    "unfinished_databases",
]

T = TypeVar("T")

DATABASE_FILE = "library.sqlite"

_APPLICATION_AT = 68
_BUSY_S = 30.0
_CHECKPOINT_S = 2.0
_ATTEMPTS = 20


def create_database(folder: OpenFolder, fill: Callable[[sqlite3.Connection], None]) -> None:
    """Make a database whose tables and rows `fill` writes; it has its name only once it is complete and durable.

    A database of that name is replaced; whoever wants that deletes the log beside it (`-wal`, `-shm`) before.

    Raises:
        LibraryError: if it cannot be written.
    """
    name = DATABASE_FILE + TEMPORARY_SUFFIX
    temporary = folder.path / name
    with translated_errors(folder.path / DATABASE_FILE):
        folder.require_same()
        for leftover in unfinished_databases(folder):
            folder.unlink(leftover)
        connection = _connect(temporary, "rwc")
        try:
            # No log beside it: closing one says nothing of a disk that fails. The writer turns the log on.
            connection.execute("PRAGMA journal_mode = MEMORY")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            with transaction(connection):
                fill(connection)
        finally:
            connection.close()
        sync_file(temporary)
        folder.require_same()
        folder.replace(name, DATABASE_FILE)
        sync_folder(folder.path)


def unfinished_databases(folder: OpenFolder) -> list[str]:
    """Names of what an interrupted `create_database` left."""
    return [name for name in folder.names() if name.startswith(DATABASE_FILE + TEMPORARY_SUFFIX)]


def is_database(path: Path) -> bool:
    """Whether a file is a library's database, by the number that SQLite keeps for its programs in the header."""
    try:
        with path.open("rb") as file:
            header = file.read(_APPLICATION_AT + 4)
    except (OSError, ValueError):  # ValueError: a path that no file system takes
        return False
    return header.startswith(b"SQLite") and header[_APPLICATION_AT:] == APPLICATION_ID.to_bytes(4, "big")


def library_around(path: str | os.PathLike[str]) -> Path | None:
    """Find the innermost library that is at a path or has it inside; links are followed."""
    real = Path(os.path.realpath(path))
    return next((folder for folder in (real, *real.parents) if is_database(folder / DATABASE_FILE)), None)


def require_outside_libraries(path: str | os.PathLike[str]) -> None:
    """Refuse a place for a new library that lies inside one; what is there belongs to that one alone.

    Raises:
        LibraryExistsError: if it does, however deep.
    """
    outer = library_around(Path(path).absolute().parent)
    if outer is not None:
        raise LibraryExistsError(f"{path} lies inside the library {outer}; choose a folder outside of it.")


def require_library(folder: Path) -> None:
    """Refuse a folder without a database.

    Raises:
        DamagedLibraryError: if there are arrays or segments of a library.
        LibraryNotFoundError: if there is nothing of one.
    """
    database = folder / DATABASE_FILE
    if database.is_file():
        return
    if any(ARRAY_NAME.fullmatch(path.name) for path in folder.glob(f"{ARRAY_FOLDER}/*")) or any(
        folder.glob(f"{SEGMENT_FOLDER}/*.safetensors")
    ):
        raise DamagedLibraryError(
            f"{database} is damaged: it is missing; restore a backup, or delete the folder and index again."
        )
    raise LibraryNotFoundError(
        url_remark(folder)
        or f"there is no library at {folder}; make one with `hgrkit index PATH --library {folder}`."
    )


def open_for_writing(folder: OpenFolder) -> sqlite3.Connection:
    """The connection of the one writer, whose lock must be held; whatever a dead writer left is recovered.

    Raises:
        DamagedLibraryError: if the file is no library's database.
        LibraryMismatchError: if its format is a later one.
        LibraryError: if it cannot be written.
    """
    path = folder.path / DATABASE_FILE
    with translated_errors(path):
        folder.require_same()
        _require_files(folder)
        connection = _connect(path, "rw")
        try:
            _check_format(connection, path)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA wal_autocheckpoint = 0")
        except BaseException:
            connection.close()
            raise
        return connection


def leave_open(connection: sqlite3.Connection) -> None:
    """Never close a connection: closing the last one, SQLite deletes the log at its path, whosever that is by now."""
    _LEFT_OPEN.append(connection)
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))  # nor when Python ends


_LEFT_OPEN: list[sqlite3.Connection] = []


def _require_files(folder: OpenFolder) -> None:
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


def require_integrity(connection: sqlite3.Connection) -> None:
    """Let SQLite check its trees: a writer must not go by an index that leaves a video out (0.3 s for 200,000).

    Raises:
        DamagedLibraryError: if they do not agree.
    """
    ((found,),) = connection.execute("PRAGMA integrity_check(1)").fetchall()
    connection.set_progress_handler(None, 0)  # whoever writes goes on for longer, in trees that have an end
    if found != "ok":
        raise DamagedLibraryError(
            f"the library's database is damaged: {found}; run `hgrkit repair`, or restore a backup."
        )


def checkpoint(connection: sqlite3.Connection) -> bool:
    """Bring what was committed from the log into the database file, and empty the log.

    Returns:
        Whether that was done: a reader that goes on for seconds, or a disk that fails, leaves it in the log, where
        it is just as durable.
    """
    connection.execute(f"PRAGMA busy_timeout = {int(_CHECKPOINT_S * 1000)}")
    try:
        (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error:
        return False
    finally:
        connection.execute(f"PRAGMA busy_timeout = {int(_BUSY_S * 1000)}")
    return not busy


def read_database(folder: OpenFolder, read: Callable[[sqlite3.Connection], T]) -> T:
    """Read one committed version, without ever creating a file.

    SQLite's own readers of a WAL database make two files beside it. While there is no log, as while no writer
    lives, nothing needs them: the file is then read as it stands, and read again if a writer came in between.

    Raises:
        DamagedLibraryError: if the file is no library's database, or damaged.
        LibraryMismatchError: if its format is a later one.
        LibraryError: if it cannot be read, or another library came into the place of this one.
    """
    path = folder.path / DATABASE_FILE
    for _ in range(_ATTEMPTS):
        before = _State.of(folder)
        try:
            result = _read_once(path, read, immutable=before.quiet)
        except LibraryError:
            if _State.of(folder) != before:
                continue
            raise
        if not before.quiet or _State.of(folder) == before:
            folder.require_same()
            return result
    raise LibraryError(f"{path} changes faster than it can be read; try again.")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of what is written inside, or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def translated_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite and the system say into the library's own errors."""
    try:
        yield
    except HgrkitError:  # some are OSErrors too
        raise
    except sqlite3.OperationalError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_INTERRUPT:
            raise DamagedLibraryError(f"{path} is damaged: its tables do not end; restore a backup.") from error
        full = code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _has_no_room(path))
        raise LibraryError(f"{path}: {full_disk(errno.ENOSPC) if full else error}.") from error
    except (sqlite3.Error, UnicodeDecodeError) as error:  # SQLite's messages quote what they cannot read
        raise DamagedLibraryError(
            f"{path} is damaged: {error}; run `hgrkit repair`, or restore a backup."
        ) from error
    except OSError as error:
        reason = full_disk(error.errno) or error.strerror
        raise LibraryError(f"{error.filename or path}: {reason}.") from error


def _has_no_room(path: Path) -> bool:
    """Whether the disk is full: SQLite calls it an I/O error if its log's index finds no room."""
    try:
        return shutil.disk_usage(path.parent).free < 1 << 20
    except OSError:
        return False


@attrs.frozen
class _State:
    """What tells a reader without locks that nobody wrote meanwhile.

    A living writer has a log and its index (`-wal`, `-shm`) beside the database, even if the log is empty.
    """

    quiet: bool
    file: tuple[int, int]
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, folder: OpenFolder) -> _State:
        path = folder.path / DATABASE_FILE
        with translated_errors(path):
            folder.require_same()
            status, index, log = (folder.status(DATABASE_FILE + suffix) for suffix in ("", "-shm", "-wal"))
            if status is None:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fspath(path))
            for found in (status, index, log):
                if found is not None and not stat.S_ISREG(found.st_mode):
                    raise DamagedLibraryError(
                        f"{path}, or its log, is a link or no file; put a file in its place."
                    )
            quiet = log is None or (index is None and not log.st_size)
        return cls(quiet, (status.st_dev, status.st_ino), status.st_size, status.st_mtime_ns)


def _read_once(path: Path, read: Callable[[sqlite3.Connection], T], *, immutable: bool) -> T:
    with translated_errors(path):
        connection = _connect(path, "ro", immutable=immutable)
        try:
            connection.execute("BEGIN")
            _check_format(connection, path)
            return read(connection)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_CANTOPEN:
                raise
            raise LibraryError(
                f"{path} was left open by a writer that died, and its folder may only be read; "
                "open the library once with mode='w' where it may be written."
            ) from error
        finally:
            connection.close()


def _connect(path: Path, mode: str, *, immutable: bool = False) -> sqlite3.Connection:
    location = f"{path.absolute().as_uri()}?mode={mode}{'&immutable=1' if immutable else ''}"
    connection = sqlite3.connect(
        location, uri=True, isolation_level=None, timeout=_BUSY_S, check_same_thread=False
    )
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
    """Make what SQLite asks now and then whether to stop: the pages of a crafted file can form a tree without end."""
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


def _check_format(connection: sqlite3.Connection, path: Path) -> None:
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
