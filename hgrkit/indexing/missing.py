"""Which videos of a library have lost their files: told from what is merely elsewhere or cannot be reached."""

# Paths are compared as absolute ones without following links, as `os.path` does it.
# ruff: noqa: PTH100, PTH116, PTH117, PTH120, PTH112

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterable, Sequence
from pathlib import PurePath

from hgrkit.library.records import VideoRecord

__all__ = ["emptied_roots", "has_moved_away", "is_below", "is_gone", "missing_videos"]

_HOLDS_DRIVES = re.compile(r"/(mnt|media(/[^/]+)?|run/media(/[^/]+)?|Volumes|net|home)")
"""Folders in which the folder of a drive may come and go with the drive."""


def is_gone(path: str) -> bool:
    """Whether there is surely no file of that name; where that cannot be told, as on a failing disk, it is not."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError as error:
        return error.errno == errno.ELOOP  # a link that leads to itself
    except ValueError:  # a path that no file system takes
        return False
    return False


def is_below(path: str, roots: Iterable[str]) -> bool:
    """Whether a path is one of these or lies in one, component by component, however they are spelled.

    >>> is_below("videos/a.mp4", ["./videos/"]), is_below("videos2/a.mp4", ["videos"]), is_below("/a.mp4", ["/"])
    (True, False, True)
    """
    parts = _parts(path)
    return any(parts[: len(root)] == root for root in map(_parts, roots))


def has_moved_away(path: str, to: str) -> bool:
    """Whether a file is gone and not only out of reach, so that the one of the same bytes at `to` is it.

    A drive that is not mounted takes its files along, and copies of them elsewhere are copies. What is left of it
    is the empty folder that it was mounted on, or nothing in a folder where drives come and go. So what counts is
    the nearest folder above the file that is still there. With anything in it, its disk is there, and the file or
    the folders between were renamed, moved or deleted. If it is empty, it may have been emptied by moving the
    file, which changes the folder when the file is in its new place or later; a folder to mount on is older than
    any copy from the drive.
    """
    if not is_gone(path):
        return False
    folder = os.path.dirname(os.path.abspath(path))
    while not os.path.isdir(folder) and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
    if folder == os.path.dirname(folder) or (_HOLDS_DRIVES.fullmatch(folder) and not os.path.ismount(folder)):
        return False
    try:
        with os.scandir(folder) as entries:
            is_empty = next(entries, None) is None
        return not is_empty or os.stat(folder).st_mtime_ns >= os.stat(to).st_ctime_ns
    except OSError:
        return False


def missing_videos(
    records: Iterable[VideoRecord], roots: Sequence[str], unreadable: Sequence[str] = ()
) -> list[str]:
    """Paths of videos below `roots` whose files are gone, sorted.

    A root that is no longer there, or cannot be listed, says nothing of what was in it, nor does what was
    `unreadable` when the roots were walked. Nor is a relative path missing: nobody knows where it was typed.
    """
    living = [root for root in roots if _can_be_listed(root)]
    return sorted(
        record.path
        for record in records
        if os.path.isabs(record.path)
        and is_below(record.path, living)
        and is_gone(record.path)
        and not is_below(record.path, unreadable)
    )


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
