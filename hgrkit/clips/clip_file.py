"""A file that is there whole or not at all, and never in the place of another one."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast, final

from hgrkit.errors import DecodeLimitError

__all__ = ["ClipFile"]

_MOST_BYTES = 16 << 30


@final
class ClipFile:
    """A file that is being written under a name of its own; a context manager that removes what was not placed.

    Args:
        folder: where it will be; it must exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        descriptor, name = tempfile.mkstemp(prefix=".hgrkit-", suffix=".part", dir=folder)
        self._file: BinaryIO = cast("BinaryIO", os.fdopen(descriptor, "wb"))
        self._path = Path(name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(OSError):  # a full disk says so again
            self._file.close()
        self._path.unlink(missing_ok=True)

    def take(self, at: int, data: bytes | None) -> None:
        """Write bytes where they belong; with none, begin anew.

        Raises:
            DecodeLimitError: if the file grows beyond 16 GiB, as no moment does.
            OSError: if the disk is full or fails.
        """
        if data is None:
            self._file.truncate(0)
            return
        if at + len(data) > _MOST_BYTES:
            raise DecodeLimitError(f"its clip would be larger than {_MOST_BYTES >> 30} GiB")
        self._file.seek(at)
        self._file.write(data)

    def place(self, stem: str, suffix: str) -> Path:
        """Give the file its name, or where that is taken the next one that is free: `stem (2)`, `stem (3)`, ...

        Raises:
            OSError: if the disk is full or fails.
        """
        self._file.flush()
        self._path.chmod(0o666 & ~_umask())
        self._file.close()
        number = 1
        while True:
            target = self._folder / f"{stem}{f' ({number})' if number > 1 else ''}{suffix}"
            if _moved(self._path, target):
                return target
            number += 1


def _moved(source: Path, target: Path) -> bool:
    """Rename a file unless something is in the way; in one step where the file system can."""
    try:
        os.link(source, target)
    except FileExistsError:
        return False
    except (AttributeError, OSError):  # no hard links here
        if os.path.lexists(target):
            return False
        source.rename(target)
        return True
    source.unlink()
    return True


def _umask() -> int:
    """What this process takes from the rights of new files; it can only be asked by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
