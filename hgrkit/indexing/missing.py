"""Which videos of a library have lost their files: told from what is merely elsewhere or cannot be reached."""

# Paths are compared as absolute ones without following links, as `os.path` does it.
# ruff: noqa: PTH100, PTH116, PTH120, PTH112

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import PurePath

from hgrkit.library.records import VideoRecord

__all__ = ["emptied_roots", "has_moved_away", "is_below", "is_gone", "missing_videos"]


def is_gone(path: str) -> bool:
    """Whether there is surely no file of that name; where that cannot be told, as on a failing disk, it is not."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):  # a path that no file system takes
        return False
    return False


def is_below(path: str, roots: Iterable[str]) -> bool:
    """Whether a path is one of these or lies in one, component by component, however they are spelled.

    >>> is_below("videos/a.mp4", ["./videos/"]), is_below("videos2/a.mp4", ["videos"]), is_below("/a.mp4", ["/"])
    (True, False, True)
    """
    parts = _parts(path)
    return any(parts[: len(root)] == root for root in map(_parts, roots))


def has_moved_away(path: str, roots: Iterable[str]) -> bool:
    """Whether a file is gone and not only out of reach, as one on a drive that is not mounted is.

    Its folder is still there, or it lies below one of `roots`, which are.
    """
    return is_gone(path) and (os.path.isdir(os.path.dirname(os.path.abspath(path))) or is_below(path, roots))


def missing_videos(records: Iterable[VideoRecord], roots: Sequence[str]) -> list[str]:
    """Paths of videos below `roots` whose files are gone, sorted.

    A root that is no longer there, or cannot be listed, says nothing of what was in it.
    """
    living = [root for root in roots if _can_be_listed(root)]
    return sorted(record.path for record in records if is_below(record.path, living) and is_gone(record.path))


def emptied_roots(roots: Sequence[str], found: Sequence[str], missing: Sequence[str]) -> list[str]:
    """Those of `roots` below which files are missing and none was found."""
    suspects = [root for root in roots if any(is_below(path, [root]) for path in missing)]
    return [root for root in suspects if not any(is_below(path, [root]) for path in found)]


def _can_be_listed(root: str) -> bool:
    try:
        if stat.S_ISDIR(os.stat(root).st_mode):
            os.scandir(root).close()
    except OSError:
        return False
    return True


def _parts(path: str) -> tuple[str, ...]:
    return PurePath(os.path.normcase(os.path.abspath(path))).parts
