"""Names the file of a run that could not be written, and says what to do."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import safetensors

__all__ = ["writing"]

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_FULL_WORDS = "No space left on device"


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Run a block that writes `path`, whose errors then say so.

    Raises:
        OSError: if the disk is full or fails, with the number of the system's own error.
    """
    try:
        yield
    except OSError as error:
        reason = "the disk is full" if error.errno in _FULL else error.strerror or str(error)
        raise _named(path, reason, error.errno or errno.EIO) from error
    except safetensors.SafetensorError as error:
        full = _FULL_WORDS in str(error)
        reason = "the disk is full" if full else " ".join(str(error).split())
        raise _named(path, reason, errno.ENOSPC if full else errno.EIO) from error


def _named(path: Path, reason: str, number: int) -> OSError:
    what = "free space" if number in _FULL else "see to it"
    return OSError(number, f"cannot write {path}: {reason}; {what} and run the same command again")
