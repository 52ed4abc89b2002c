"""Names a file by its bytes, so that a touched or moved file is known again."""

from __future__ import annotations

import hashlib
from pathlib import Path

__all__ = ["content_hash"]


def content_hash(path: str) -> str:
    """SHA-256 over the whole file, read in pieces, as `sha256:<64 hex digits>`.

    Raises:
        OSError: if the file cannot be read.
    """
    with Path(path).open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
