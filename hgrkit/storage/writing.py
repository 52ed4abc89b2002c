"""Names the file that could not be written, and says what to do about a disk that is full."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import safetensors

from hgrkit.errors import HgrkitError

__all__ = ["full_disk", "writing"]

_REMEDIES = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some of your quota",
    errno.EFBIG: "raise the limit on a file's size (ulimit -f)",
}
_FULL_WORDS = os.strerror(errno.ENOSPC)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Run a block that writes `path`, whose errors then say so.

    Raises:
        OSError: if the disk is full or fails, with the number of the system's own error and the file's name.
    """
    try:
        yield
    except HgrkitError:  # some are OSErrors too
        raise
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = "the disk is full" if full else error.strerror or str(error)
        raise _named(path, reason, error.errno or errno.EIO) from error
    except safetensors.SafetensorError as error:
        full = _FULL_WORDS in str(error)
        reason = "the disk is full" if full else " ".join(str(error).split())
        raise _named(path, reason, errno.ENOSPC if full else errno.EIO) from error


def full_disk(number: int | None) -> str:
    """What the system calls a write that found no room, and what to do; empty if it was another error."""
    if number not in _REMEDIES:
        return ""
    return f"{os.strerror(number)}; {_REMEDIES[number]} and run the same command again, what was finished is kept"


def _named(path: Path, reason: str, number: int) -> OSError:
    what = "free some space" if number in (errno.ENOSPC, errno.EDQUOT) else "fix that"
    text = f"cannot write {path}: {reason}; {what} and run the same command again"
    return OSError(number, text, os.fspath(path))
