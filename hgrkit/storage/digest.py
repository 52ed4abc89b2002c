"""Digests of files, for fingerprints."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

__all__ = ["file_digest"]


def file_digest(path: Path) -> str:
    """The SHA-256 of a file in hexadecimal, computed again when its size or time has changed."""
    stat = path.stat()
    return _digest(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=256)
def _digest(path: Path, size: int, mtime_ns: int) -> str:
    del size, mtime_ns  # what tells one content of the file from another
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
