"""Video records as rows of the table `videos`, and paths as the bytes that the file system knows them by."""

from __future__ import annotations

import json
from typing import Any

from hgrkit.errors import ConfigError, DamagedLibraryError
from hgrkit.library.records import VideoRecord
from hgrkit.library.schema import Value

__all__ = ["path_bytes", "record_from_row", "row_from_record", "stored_record"]

_INTEGERS = 1 << 63


def path_bytes(path: str) -> bytes:
    """The key of a path; bytes that are no UTF-8 come and go as Python's surrogate escapes.

    Raises:
        ConfigError: if the path holds what no file system gave.
    """
    try:
        return path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise ConfigError(f"the path {path!r} cannot be stored: {error.reason}.") from None


def row_from_record(number: int, record: VideoRecord, clips: int) -> tuple[Value, ...]:
    """A row of `videos`.

    Raises:
        ConfigError: if the path or the metadata cannot be stored.
    """
    try:
        metadata = json.dumps(dict(record.metadata), sort_keys=True, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"the metadata of {record.path!r} is no JSON object: {error}.") from error
    for name in ("size", "mtime_ns"):
        if not -_INTEGERS <= getattr(record, name) < _INTEGERS:
            raise ConfigError(f"the {name} of {record.path!r} cannot be stored: {getattr(record, name)}.")
    try:
        record.content.encode()
    except UnicodeEncodeError as error:
        raise ConfigError(f"the content hash of {record.path!r} cannot be stored: {error.reason}.") from error
    return (
        number,
        path_bytes(record.path),
        record.content,
        record.size,
        record.mtime_ns,
        record.state,
        None if record.reason is None else record.reason.encode("utf-8", "backslashreplace").decode(),
        None if record.duration_s is None else float(record.duration_s),
        clips,
        metadata,
    )


def record_from_row(row: tuple[Any, ...]) -> VideoRecord:
    """The record of a row whose digest was checked.

    Raises:
        DamagedLibraryError: if the row holds what no record does; whoever wrote it sealed it all the same.
    """
    number, path, content, size, mtime_ns, state, reason, duration_s, clips, metadata = row
    try:
        return VideoRecord(
            path=path.decode("utf-8", "surrogateescape"),
            content=content,
            size=size,
            mtime_ns=mtime_ns,
            state=state,
            reason=reason,
            duration_s=duration_s,
            clips=clips,
            metadata=dict(json.loads(metadata)),
        )
    except (ValueError, TypeError, RecursionError) as error:
        raise DamagedLibraryError(f"row {number} of table videos is no video: {error}.") from error


def stored_record(record: VideoRecord, *, clips: int) -> VideoRecord:
    """The record as it comes back once it was stored.

    Raises:
        ConfigError: if it cannot be stored.
    """
    return record_from_row(row_from_record(0, record, clips))
