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
from pathlib import Path
from typing import TypeVar

import attrs

from hgrkit.checks.arguments import url_remark
from hgrkit.errors import (
    DamagedLibraryError,
    HgrkitError,
    LibraryError,
    LibraryExistsError,
    LibraryNotFoundError,
)
from hgrkit.library.array_files import ARRAY_FOLDER, ARRAY_NAME
from hgrkit.library.connection import BUSY_S, DATABASE_FILE, check_format, connect, require_files
from hgrkit.library.legacy import SEGMENT_FOLDER
from hgrkit.library.tables import APPLICATION_ID
from hgrkit.storage.atomic_file import TEMPORARY_SUFFIX, full_disk, sync_file
from hgrkit.storage.lock import LOCK_FILE
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
    "require_vacant",
    "transaction",
    "translated_errors",
    "unfinished_databases",
]

T = TypeVar("T")

_APPLICATION_AT = 68
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
        connection = connect(temporary, "rwc")
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
        folder.sync()


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


def require_vacant(folder: Path) -> None:
    """Refuse a folder for a new library unless nothing but the traces of an interrupted `create` is there.

    Raises:
        LibraryExistsError: if it holds a library, or anything else.
    """
    if (folder / DATABASE_FILE).exists():
        raise LibraryExistsError(f"there is a library at {folder} already; open it, or choose another folder.")
    if folder.exists() and not folder.is_dir():
        raise LibraryExistsError(f"{folder} is a file; choose a folder that is empty or does not exist.")
    traces = (LOCK_FILE, DATABASE_FILE + TEMPORARY_SUFFIX)
    if folder.is_dir() and not all(path.name.startswith(traces) for path in folder.iterdir()):
        raise LibraryExistsError(
            f"{folder} holds other files and no library; choose a folder that is empty or does not exist."
        )


def require_outside_libraries(path: str | os.PathLike[str]) -> None:
    """Refuse a place for a new library that lies inside one; what is there belongs to that one alone.

    Raises:
        LibraryExistsError: if it does, however deep.
    """
    outer = library_around(Path(path).absolute().parent)
    if outer is not None:
        raise LibraryExistsError(f"{path} is inside the library {outer}; choose a folder outside it.")


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
        require_files(folder)
        connection = connect(path, "rw")
        try:
            check_format(connection, path)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA wal_autocheckpoint = 0")
        except BaseException:
            connection.close()
            raise
        return connection


def leave_open(connection: sqlite3.Connection) -> None:
    """Never close a connection: on closing the last one, SQLite deletes the log at its path, whosever that is."""
    _LEFT_OPEN.append(connection)
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))  # nor when Python ends


_LEFT_OPEN: list[sqlite3.Connection] = []


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
        connection.execute(f"PRAGMA busy_timeout = {int(BUSY_S * 1000)}")
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
        connection = connect(path, "ro", immutable=immutable)
        try:
            connection.execute("BEGIN")
            check_format(connection, path)
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
