"""The library's SQLite file: how it is made, written and read, and what its errors become."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
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
    LibraryMismatchError,
    LibraryNotFoundError,
)
from hgrkit.library.arrays import ARRAY_FOLDER, ARRAY_NAME
from hgrkit.library.legacy import SCHEMAS, SEGMENT_FOLDER
from hgrkit.library.manifest import FORMAT_VERSION
from hgrkit.library.tables import APPLICATION_ID
from hgrkit.storage.atomic_file import TEMPORARY_SUFFIX, full_disk, sync_file, sync_folder

__all__ = [
    "DATABASE_FILE",
    "checkpoint",
    "create_database",
    "is_database",
    "library_around",
    "open_for_writing",
    "read_database",
    "require_integrity",
    "require_library",
    "require_outside_libraries",
    "transaction",
    "translated_errors",
]

T = TypeVar("T")

DATABASE_FILE = "library.sqlite"

_APPLICATION_AT = 68
_BUSY_S = 30.0
_CHECKPOINT_S = 2.0
_ATTEMPTS = 20


def create_database(path: Path, fill: Callable[[sqlite3.Connection], None]) -> None:
    """Make a database whose tables and rows `fill` writes; it has its name only once it is complete and durable.

    A database of that name is replaced; whoever wants that deletes the log beside it (`-wal`, `-shm`) before.

    Raises:
        LibraryError: if it cannot be written.
    """
    temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
    with translated_errors(path):
        for leftover in path.parent.glob(temporary.name + "*"):
            leftover.unlink()
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
        temporary.replace(path)
        sync_folder(path.parent)


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


def open_for_writing(path: Path) -> sqlite3.Connection:
    """The connection of the one writer, whose lock must be held; whatever a dead writer left is recovered.

    Raises:
        DamagedLibraryError: if the file is no library's database.
        LibraryMismatchError: if its format is a later one.
        LibraryError: if it cannot be written.
    """
    with translated_errors(path):
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


def require_integrity(connection: sqlite3.Connection) -> None:
    """Let SQLite check its trees: a writer must not go by an index that leaves a video out (0.3 s for 200,000).

    Raises:
        DamagedLibraryError: if they do not agree.
    """
    ((found,),) = connection.execute("PRAGMA integrity_check(1)").fetchall()
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


def read_database(path: Path, read: Callable[[sqlite3.Connection], T]) -> T:
    """Read one committed version, without ever creating a file.

    SQLite's own readers of a WAL database make two files beside it. While there is no log, as while no writer
    lives, nothing needs them: the file is then read as it stands, and read again if a writer came in between.

    Raises:
        DamagedLibraryError: if the file is no library's database, or damaged.
        LibraryMismatchError: if its format is a later one.
        LibraryError: if it cannot be read.
    """
    for _ in range(_ATTEMPTS):
        before = _State.of(path)
        try:
            result = _read_once(path, read, immutable=before.quiet)
        except LibraryError:
            if _State.of(path) != before:
                continue
            raise
        if not before.quiet or _State.of(path) == before:
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
    inode: int
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> _State:
        with translated_errors(path):
            status = path.stat()
            indexed = path.with_name(path.name + "-shm").exists()
            try:
                logged = path.with_name(path.name + "-wal").stat().st_size
            except FileNotFoundError:
                indexed, logged = False, 0
        return cls(not indexed and not logged, status.st_ino, status.st_size, status.st_mtime_ns)


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
    return connection


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
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    found = {sql for (sql,) in connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")}
    if found != set(SCHEMAS.get(version, ())):
        raise DamagedLibraryError(f"{path} is damaged: its tables are not those of a library.")
