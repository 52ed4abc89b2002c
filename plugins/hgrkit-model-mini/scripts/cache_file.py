"""Where the cache keeps what was computed: under a name that changes with everything that decides the content."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["cache_file", "file_digest", "short_digest"]


def cache_file(cache: Path, kind: str, *parts: Any) -> Path:
    """The path of something in the cache; the name of its kind may end in a suffix.

    Args:
        cache: the folder.
        kind: what it is, such as `sentences.npz`.
        parts: everything that decides the content, as JSON: whose fingerprints, which settings, which data.

    >>> cache_file(Path("cache"), "sentences.npz", "a transformer", ["a dog"]).name
    'sentences-61b5007e9606b2d6.npz'
    >>> cache_file(Path("cache"), "sentences.npz", "another one", ["a dog"]).name
    'sentences-409fcfc0516d0b1b.npz'
    """
    name = Path(kind)
    return cache / f"{name.stem}-{short_digest(*parts)}{name.suffix}"


def short_digest(*parts: Any) -> str:
    """The beginning of the SHA-256 of values that JSON can hold."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def file_digest(path: Path) -> str:
    """SHA-256 of a file, computed once for as long as it is not written again."""
    state = path.stat()
    return _file_digest(path, state.st_size, state.st_mtime_ns)


@cache
def _file_digest(path: Path, _size: int, _written_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
