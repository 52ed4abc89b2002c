"""Finds the video files that a run is about: where indexing begins."""

# pathlib would rewrite paths ("./a" to "a") that have to stay as the user gave them.
# ruff: noqa: PTH100, PTH110, PTH116, PTH118, PTH121

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import PurePath

import attrs

from hgrkit.errors import ConfigError, MissingPathError
from hgrkit.library.sqlite_store import library_around
from hgrkit.url import url_remark

__all__ = ["VIDEO_SUFFIXES", "VideoFile", "found_file", "require_videos", "walk_videos"]

VIDEO_SUFFIXES = frozenset(
    (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".flv", ".wmv", ".gif")
)
"""Suffixes, in any case, of the files that are taken from a folder."""


@attrs.frozen
class VideoFile:
    """A file as it was found.

    Attributes:
        path: as the user gave it, joined with what was found below it, not resolved.
        size: in bytes.
        mtime_ns: modification time in nanoseconds.
    """

    path: str
    size: int
    mtime_ns: int


def found_file(path: str) -> VideoFile | None:
    """A file as it is now; `None` if there is none, or it cannot be reached."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # a path that no file system takes
        return None
    return VideoFile(path, status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None


def walk_videos(paths: Iterable[str | os.PathLike[str]]) -> list[VideoFile]:
    """Video files below folders, and files named directly whatever their suffix; sorted by path, each once.

    Links inside folders are not followed. Of two spellings of one path the first counts.

    Raises:
        MissingPathError: if a path does not exist, is neither file nor folder, or a folder cannot be listed.
        ConfigError: if a path is a library, or lies inside one.
    """
    roots = list(paths)
    require_videos(roots)
    found: dict[str, VideoFile] = {}
    for path in roots:
        for file in _files(os.fspath(path)):
            found.setdefault(os.path.abspath(file.path), file)
    return sorted(found.values(), key=lambda file: file.path)


def require_videos(paths: Iterable[str | os.PathLike[str]]) -> None:
    """Refuse what cannot be videos: paths at which there is nothing, and what a library keeps for itself.

    Raises:
        MissingPathError: if a path does not exist.
        ConfigError: if one is a library, or lies inside one.
    """
    for given in paths:
        path = os.fspath(given)
        if not os.path.exists(path):
            remark = url_remark(path) or f"there is no file or folder {path!r}; nothing was indexed."
            raise MissingPathError(remark)
        library = library_around(path)
        if library is not None:
            inside = "is" if os.path.samefile(library, path) else f"lies inside {str(library)!r},"
            raise ConfigError(f"{path!r} {inside} a library; name the videos, or the folder that they are in.")


def _files(path: str) -> Iterator[VideoFile]:
    try:
        status = os.stat(path)
    except OSError as error:
        raise MissingPathError(f"no file or folder {path!r} ({error.strerror}).") from error
    if stat.S_ISDIR(status.st_mode):
        yield from _below(path)
    elif stat.S_ISREG(status.st_mode):
        yield VideoFile(path, status.st_size, status.st_mtime_ns)
    else:
        raise MissingPathError(f"{path!r} is neither a file nor a folder.")


def _below(folder: str) -> Iterator[VideoFile]:
    for directory, _, names in os.walk(folder, onerror=_unlistable, followlinks=False):
        for name in names:
            if PurePath(name).suffix.lower() in VIDEO_SUFFIXES:
                path = os.path.join(directory, name)
                try:
                    status = os.lstat(path)
                except FileNotFoundError:  # gone since the folder was listed
                    continue
                if stat.S_ISREG(status.st_mode):
                    yield VideoFile(path, status.st_size, status.st_mtime_ns)


def _unlistable(error: OSError) -> None:
    raise MissingPathError(f"the folder {error.filename!r} cannot be listed: {error.strerror}.") from error
