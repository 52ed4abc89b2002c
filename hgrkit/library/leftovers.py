"""What else lies in a library's folder: logs, locks, temporaries and caches, none of which can harm it."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from hgrkit.errors import DamagedLibraryError
from hgrkit.library.commit_log import SEGMENT_FOLDER, SEGMENT_NAME
from hgrkit.library.database import DATABASE_FILE
from hgrkit.library.findings import Note
from hgrkit.library.graph_cache import GraphCache
from hgrkit.library.snapshot import SqliteSnapshot
from hgrkit.matching.frame_weights import unit_vectors
from hgrkit.storage.atomic_file import TEMPORARY_SUFFIX
from hgrkit.storage.lock import LOCK_FILE

__all__ = ["DAMAGED_FOLDER", "leftover_notes", "unfit_graphs"]

DAMAGED_FOLDER = "damaged"
"""Where a repair puts what it replaces."""

_CACHE_FOLDER = "cache"
_UPGRADE_FOLDER = "upgrade"
_LOG_SUFFIXES = ("-wal", "-shm")


def leftover_notes(folder: Path, snapshot: SqliteSnapshot | None) -> list[Note]:
    """Notes on everything in the folder but the database and the segments.

    Args:
        folder: the library's folder.
        snapshot: the version committed last, whose graph is looked at; `None` if it cannot be read.
    """
    return [*_top_notes(folder), *_temporary_segments(folder), *_graph_notes(folder, snapshot)]


def unfit_graphs(folder: Path, snapshot: SqliteSnapshot) -> list[Path]:
    """The files of graphs that are not, byte for byte, what was built from this version."""
    files = sorted((folder / _CACHE_FOLDER).glob("graph-*"))
    current = f"graph-{snapshot.version.token}"
    if not any(path.stem == current for path in files):
        return files
    try:
        fits = GraphCache(folder).fits(snapshot.version, unit_vectors(snapshot.events()))
    except DamagedLibraryError:  # without the vectors nobody can tell
        fits = True
    return [path for path in files if not fits or path.stem != current]


def _top_notes(folder: Path) -> Iterator[Note]:
    writer = _writer(folder)
    for path in sorted(folder.iterdir()):
        name = path.name
        if name.startswith(DATABASE_FILE + TEMPORARY_SUFFIX):
            yield Note(file=name, remark="a database that was never finished; `hgrkit repair` deletes it")
        elif name in {DATABASE_FILE + suffix for suffix in _LOG_SUFFIXES}:
            yield Note(file=name, remark=f"SQLite's log, {writer or 'left by a writer that died'}")
        elif name == LOCK_FILE:
            yield from [Note(file=name, remark=remark) for remark in _lock_remarks(path, writer)]
        elif name == DAMAGED_FOLDER:
            yield Note(file=name, remark="what earlier repairs replaced; delete it when you have looked")
        elif name == _UPGRADE_FOLDER:
            yield Note(
                file=name, remark="an upgrade that is being made or was interrupted; `--upgrade` goes on with it"
            )
        elif name not in {DATABASE_FILE, SEGMENT_FOLDER, _CACHE_FOLDER}:
            yield Note(file=name, remark="no file of a library; it is left alone")


def _temporary_segments(folder: Path) -> Iterator[Note]:
    for path in sorted((folder / SEGMENT_FOLDER).glob("*")):
        file = f"{SEGMENT_FOLDER}/{path.name}"
        if not SEGMENT_NAME.fullmatch(path.name.removesuffix(TEMPORARY_SUFFIX)):
            yield Note(file=file, remark="no file of a library; it is left alone")
        elif path.name.endswith(TEMPORARY_SUFFIX):
            yield Note(file=file, remark="a segment that was never finished; the next writer deletes it")


def _graph_notes(folder: Path, snapshot: SqliteSnapshot | None) -> Iterator[Note]:
    if snapshot is None:
        return
    for path in unfit_graphs(folder, snapshot):
        file = f"{_CACHE_FOLDER}/{path.name}"
        if path.name.startswith(f"graph-{snapshot.version.token}."):
            yield Note(file=file, remark="a damaged cached graph; searches do without it, a writer builds it anew")
        else:
            yield Note(file=file, remark="a cached graph of another version; a writer replaces it")


def _lock_remarks(path: Path, writer: str | None) -> Iterator[str]:
    if writer is not None:
        yield writer
    elif path.is_file() and path.stat().st_size:
        yield "left by a writer that died; it blocks nobody"


def _writer(folder: Path) -> str | None:
    """Who writes now, as far as the lock's text and the list of processes tell; nobody is kept waiting."""
    try:
        named = json.loads((folder / LOCK_FILE).read_bytes()[:4096])
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
