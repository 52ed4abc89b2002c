"""Finds the video files that a run is about, and what it leaves out: the first step of indexing."""

# Paths are made absolute without following links, as `os.path` does it.
# ruff: noqa: PTH100, PTH116, PTH118, PTH121

from __future__ import annotations

import errno
import os
import stat
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import PurePath
from types import MappingProxyType
from typing import final

import attrs

from hgrkit.checks.arguments import url_remark
from hgrkit.errors import ConfigError, MissingPathError
from hgrkit.indexing.report import Failure, Skipped
from hgrkit.library.database import DATABASE_FILE, library_around

__all__ = [
    "VIDEO_SUFFIXES",
    "LeftOut",
    "VideoFile",
    "Walk",
    "found_file",
    "is_gone",
    "real_place",
    "require_videos",
    "walk_videos",
]

VIDEO_SUFFIXES = frozenset(
    (
        *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".flv", ".wmv", ".gif"),
        *(".mts", ".m2ts", ".m2t", ".3gp", ".3g2", ".vob", ".asf", ".ogv", ".mxf", ".dv"),
    )
)
"""Suffixes, in any case, of the files that are taken from a folder."""

_TRASH = frozenset(
    (
        *("$recycle.bin", "recycler", "system volume information"),  # Windows
        *("#recycle", "@recycle", ".recycle", "@eadir", ".@__thumb"),  # network drives: Synology, QNAP, Samba
        ".thumbnails",
    )
)
"""Folders, in any case, of what was thrown away and of small copies; so is all that begins with `.Trash`."""


@attrs.frozen
class VideoFile:
    """A file as it was found.

    Attributes:
        path: absolute; links in it are not resolved.
        size: in bytes.
        mtime_ns: modification time in nanoseconds.
        may_be_link: whether it is followed if it is a symbolic link when it is read; one that a walk found as a
            regular file in a folder is not.
    """

    path: str
    size: int
    mtime_ns: int
    may_be_link: bool = attrs.field(default=True, eq=False)


@attrs.frozen(kw_only=True)
class LeftOut:
    """What a walk left out.

    Attributes:
        unreadable: folders and files that the system does not hand over, and why, by path.
        skipped: how much else was left out, by kind.
        trash: folders of trash and thumbnails that were skipped, sorted.
    """

    unreadable: tuple[Failure, ...] = ()
    skipped: Mapping[Skipped, int] = MappingProxyType({})
    trash: tuple[str, ...] = ()

    @property
    def unreadable_paths(self) -> tuple[str, ...]:
        """The paths that the system does not hand over."""
        return tuple(failure.path for failure in self.unreadable)


@attrs.frozen(kw_only=True)
class Walk:
    """What was found.

    Attributes:
        files: sorted by path, each once.
        roots: the paths that were walked, absolute, each once.
        left_out: what was not taken.
    """

    files: tuple[VideoFile, ...]
    roots: tuple[str, ...]
    left_out: LeftOut


def found_file(path: str) -> VideoFile | None:
    """Return a file as it is now; `None` if there is none, or it cannot be reached."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # a path that no file system takes
        return None
    return VideoFile(path, status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None


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


def walk_videos(paths: Iterable[str | os.PathLike[str]]) -> Walk:
    """Find video files below folders, and take files that are named directly, whatever their suffix.

    Links inside folders are not followed; folders of trash and thumbnails are walked only if they are named. What
    cannot be read is in the result and does not end the walk. Of two spellings of one folder the first counts.

    Raises:
        MissingPathError: if a path does not exist, or is neither file nor folder.
        ConfigError: if a path is a library, or lies inside one.
    """
    given = [os.fspath(path) for path in paths]
    require_videos(given)
    walker = _Walker()
    roots = {root: status for path in given for root, status in walker.root(path)}
    for root, status in roots.items():
        if stat.S_ISREG(status.st_mode):  # before the folders, which then do not count it as left out
            walker.take(root, real_place(root), status, may_be_link=True)
    for root, status in roots.items():
        if stat.S_ISDIR(status.st_mode):
            walker.walk(root)
    return walker.found(roots)


def require_videos(paths: Iterable[str | os.PathLike[str]]) -> None:
    """Refuse what cannot be videos: paths at which there is nothing, and libraries.

    What exists but cannot be reached is left to the walk, which reports it.

    Raises:
        MissingPathError: if a path does not exist.
        ConfigError: if one is a library, or lies inside one.
    """
    for given in paths:
        path = os.fspath(given)
        if is_gone(path):
            remark = url_remark(path) or f"there is no file or folder {path!r}; nothing was indexed."
            raise MissingPathError(remark)
        try:
            library = library_around(path)
        except ValueError:  # a path that no file system takes
            continue
        if library is not None:
            inside = "is" if os.path.samefile(library, path) else f"lies inside {str(library)!r},"
            raise ConfigError(f"{path!r} {inside} a library; name the videos or their folder.")


@final
class _Walker:
    """Collects what is found; files and folders are told apart by their real paths, links resolved."""

    def __init__(self) -> None:
        self._files: dict[str, VideoFile] = {}
        self._walked: set[str] = set()
        self._unreadable: dict[str, str] = {}
        self._skipped: Counter[Skipped] = Counter()
        self._trash: dict[str, str] = {}

    def root(self, path: str) -> Iterator[tuple[str, os.stat_result]]:
        """Yield a path that the user gave, absolute, with its status; nothing if it cannot be reached."""
        try:
            status = os.stat(path)
            root = _absolute(path, status)
        except (OSError, ValueError) as error:
            if isinstance(error, ValueError):  # a path that no file system takes
                raise MissingPathError(f"no file or folder {path!r} ({_reason(error)}).") from error
            self._unreadable[os.path.abspath(path)] = _reason(error)
            return
        if not stat.S_ISDIR(status.st_mode) and not stat.S_ISREG(status.st_mode):
            raise MissingPathError(f"{path!r} is neither a file nor a folder.")
        yield root, status

    def take(self, path: str, place: str, status: os.stat_result, *, may_be_link: bool = False) -> None:
        """Take a video file, with its real path as `place`."""
        self._files.setdefault(place, VideoFile(path, status.st_size, status.st_mtime_ns, may_be_link))

    def walk(self, root: str) -> None:
        """Take what is below a folder, unless that was done."""
        waiting = [(root, os.path.realpath(root), False)]
        while waiting:
            folder, place, in_library = waiting.pop()
            if place in self._walked:
                continue
            self._walked.add(place)
            entries = list(self._listed(folder))
            in_library = in_library or any(entry.name == DATABASE_FILE for entry in entries)
            for entry in entries:
                path, entry_place = os.path.join(folder, entry.name), os.path.join(place, entry.name)
                try:
                    if self._is_folder(entry, path, entry_place, in_library=in_library):
                        waiting.append((path, entry_place, in_library))
                except FileNotFoundError:  # gone since the folder was listed
                    continue
                except OSError as error:
                    self._unreadable[path] = _reason(error)

    def found(self, roots: Iterable[str]) -> Walk:
        """Return all that was found, sorted."""
        trash = [path for path, place in self._trash.items() if place not in self._walked]
        skipped: dict[Skipped, int] = {**self._skipped, "trash": len(trash)}
        return Walk(
            files=tuple(sorted(self._files.values(), key=lambda file: file.path)),
            roots=tuple(roots),
            left_out=LeftOut(
                unreadable=tuple(Failure(path, reason) for path, reason in sorted(self._unreadable.items())),
                skipped=skipped,
                trash=tuple(sorted(trash)),
            ),
        )

    def _listed(self, folder: str) -> Iterator[os.DirEntry[str]]:
        """Yield the folder's entries as far as they can be read."""
        try:
            os.stat(os.path.join(folder, os.curdir))  # one that may be listed and not entered says so here
            with os.scandir(folder) as entries:
                yield from entries
        except OSError as error:
            self._unreadable[folder] = _reason(error)

    def _is_folder(self, entry: os.DirEntry[str], path: str, place: str, *, in_library: bool) -> bool:
        """Take an entry if it is a video, count it if it is left out; true if it is a folder to be walked."""
        if place in self._files:
            return False
        name = entry.name
        if entry.is_symlink() or (sys.version_info >= (3, 12) and entry.is_junction()):
            self._skipped["links"] += 1
        elif entry.is_dir(follow_symlinks=False):
            if not _is_trash(path, name):
                return True
            self._trash[path] = place
        elif not entry.is_file(follow_symlinks=False):
            self._skipped["special_files"] += 1
        elif name.startswith("._"):  # what macOS keeps beside a file of that name on foreign drives
            self._skipped["apple_double"] += 1
        elif PurePath(name).suffix.lower() not in VIDEO_SUFFIXES:
            self._skipped["other_suffixes"] += not in_library  # hgrkit's own files are no news to anybody
        else:
            self.take(path, place, os.lstat(path))
        return False


def _is_trash(path: str, name: str) -> bool:
    lower = name.lower()
    own = path.endswith(os.path.join(".local", "share", "Trash"))  # the desktop's, in a home folder
    return own or lower in _TRASH or lower.startswith(".trash")


def real_place(path: str, real_folder: Callable[[str], str] = os.path.realpath) -> str:
    """Return a file's path with the links of its folder resolved: where it really is.

    Args:
        path: absolute.
        real_folder: resolves a folder; one that remembers serves many files.
    """
    folder, name = os.path.split(path)
    return os.path.join(real_folder(folder), name)


def _absolute(path: str, status: os.stat_result) -> str:
    """Make a path absolute by its letters; links are resolved where the letters would lead elsewhere.

    Behind a link `..` is the parent of its target: `link/../v` is not `v`.
    """
    plain = os.path.abspath(path)
    try:
        is_same = os.path.samestat(status, os.stat(plain))
    except OSError:
        is_same = False
    return plain if is_same else os.path.realpath(path)


def _reason(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
