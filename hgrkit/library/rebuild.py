"""The database made anew from the segments: their commit records, replayed in order."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import attrs

from hgrkit.errors import DamagedLibraryError, HgrkitError
from hgrkit.library.change import apply_commit, make_tables
from hgrkit.library.commit_record import CommitRecord, LoggedSegment
from hgrkit.library.database import create_database
from hgrkit.library.head import Head, read_head
from hgrkit.library.history import Commit, History
from hgrkit.library.schema import HEAD
from hgrkit.library.store import Version
from hgrkit.library.video_row import path_bytes

__all__ = ["Replayed", "rebuild_database", "replay_history"]


def rebuild_database(path: Path, history: History) -> None:
    """Write the database that a history leads to, in place of whatever is there; the log beside it must be gone.

    From a history that lost nothing this is, row by row, the database that there was. Otherwise it holds the
    videos that are left, and no longer agrees with the segments: rewrite the library then.

    Raises:
        DamagedLibraryError: if the commits do not fit together.
        LibraryError: if it cannot be written.
    """
    create_database(path, lambda connection: _replay(connection, history))


@attrs.frozen
class Replayed:
    """What a history leads to.

    Attributes:
        head: the head row, which has the sum of all others.
        paths: every video, in the order of their paths' bytes.
    """

    head: Head
    paths: tuple[str, ...]


def replay_history(history: History) -> Replayed:
    """Find out what database a history leads to, without writing one.

    Raises:
        DamagedLibraryError: if the commits do not fit together.
    """
    connection = sqlite3.connect("", isolation_level=None)  # a temporary database, on disk if it is large
    try:
        connection.execute("BEGIN")
        _replay(connection, history)
        paths = connection.execute("SELECT path FROM videos ORDER BY path")
        return Replayed(read_head(connection), tuple(path.decode("utf-8", "surrogateescape") for (path,) in paths))
    except (HgrkitError, sqlite3.Error) as error:
        raise DamagedLibraryError(f"the commit records do not fit together: {error}") from error
    finally:
        connection.close()


def _replay(connection: sqlite3.Connection, history: History) -> None:
    first = history.commits[0]
    manifest = first.segments[0].commit.manifest
    make_tables(connection, manifest.to_json(), Head(version=Version(first.number - 1, first.parent)))
    for commit in history.commits:
        parts = commit.segments
        if history.lost:
            _bridge(connection, commit)
            parts = _without_what_is_lost(connection, commit)
        apply_commit(connection, parts)


def _bridge(connection: sqlite3.Connection, commit: Commit) -> None:
    """Let the database be at the version before a commit, though the commits up to there are lost."""
    head = attrs.evolve(read_head(connection), version=Version(commit.number - 1, commit.parent))
    HEAD.replace(connection, head.row())


def _without_what_is_lost(connection: sqlite3.Connection, commit: Commit) -> tuple[LoggedSegment, ...]:
    """A commit that can be applied though segments of it, or videos that it renames, are lost."""
    known = {path for (path,) in connection.execute("SELECT path FROM videos")} if _renames(commit) else set()

    def evolved(part: int, record: CommitRecord) -> CommitRecord:
        rename = tuple(rename for rename in record.rename if path_bytes(rename.path) in known)
        return attrs.evolve(record, part=part, parts=len(commit.segments), rename=rename)

    return tuple(
        attrs.evolve(segment, commit=evolved(part, segment.commit)) for part, segment in enumerate(commit.segments)
    )


def _renames(commit: Commit) -> bool:
    return any(segment.commit.rename for segment in commit.segments)
