"""What a library knows of the files of a run: by path, size and time, by their bytes, and which are gone."""

# Paths are made absolute and compared without following links, as `os.path` does it.
# ruff: noqa: PTH100, PTH112, PTH116, PTH117, PTH120

from __future__ import annotations

import functools
import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePath
from threading import Lock
from typing import Any, final

import attrs

from hgrkit.indexing.walk import VideoFile, is_gone, real_place
from hgrkit.library.records import VideoRecord
from hgrkit.library.store import Rename
from hgrkit.storage.regular_file import open_regular

__all__ = [
    "KnownVideos",
    "are_typed_here",
    "content_hash",
    "emptied_roots",
    "has_moved_away",
    "is_below",
    "made_absolute",
    "missing_videos",
]

_HOLDS_DRIVES = re.compile(r"/(mnt|media(/[^/]+)?|run/media(/[^/]+)?|Volumes|net|home)")
"""Folders in which the folder of a drive may come and go with the drive."""


def content_hash(path: str, *, follow_links: bool = True) -> str:
    """Return the SHA-256 of the whole file, read in pieces, as `sha256:<64 hex digits>`.

    Args:
        path: the file.
        follow_links: whether it may be a symbolic link.

    Raises:
        OSError: if the file cannot be read, or is no regular file.
    """
    with os.fdopen(open_regular(path, follow_links=follow_links), "rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


@final
class KnownVideos:
    """The library's videos as they were when the run began, and the contents that the run has seen since.

    Safe for threads.

    Args:
        records: the library's videos.
        retry_failed: treat failed videos as unknown.
        across_paths: whether files of equal bytes are the same video; not so where features come by name.
        contents: content hashes of files that need not be read for them.
    """

    def __init__(
        self,
        records: Iterable[VideoRecord],
        *,
        retry_failed: bool = False,
        across_paths: bool = True,
        contents: Mapping[VideoFile, str] | None = None,
    ) -> None:
        self._across_paths = across_paths
        self._metadata: dict[str, Mapping[str, Any]] = {}
        self._contents = dict(contents or {})
        self._place = _placer()
        self._places: dict[str, str] = {}
        self._by_path: dict[str, VideoRecord] = {}
        self._by_content: dict[str, list[VideoRecord]] = {}
        for record in records:
            self._metadata[record.path] = record.metadata
            if os.path.isabs(record.path):
                self._places.setdefault(self._place(record.path), record.path)
            if record.state == "indexed" or not (retry_failed or _is_old_fault(record.reason or "")):
                self._by_path[record.path] = record
                self._by_content.setdefault(record.content, []).append(record)
        self._claimed: set[str] = set()
        self._claims = Lock()

    def under_known_path(self, file: VideoFile) -> VideoFile:
        """Return the file under the path that the library has for it, if that leads there through a link."""
        if file.path in self._metadata:
            return file
        path = self._places.get(self._place(file.path), file.path)
        return file if path == file.path else attrs.evolve(file, path=path)

    def by_status(self, file: VideoFile) -> VideoRecord | None:
        """Return the record of a file whose path, size and modification time are unchanged."""
        record = self._by_path.get(file.path)
        same = record is not None and (record.size, record.mtime_ns) == (file.size, file.mtime_ns)
        return record if same else None

    def by_content(self, path: str, content: str) -> tuple[VideoRecord, ...]:
        """Return the records of these bytes that may stand for this path, its own first, failed ones last."""
        records = (
            record
            for record in self._by_content.get(content, ())
            if self._across_paths or record.path == path or record.state == "failed"
        )
        return tuple(
            sorted(records, key=lambda record: (record.path != path, record.state == "failed", record.path))
        )

    def content_of(self, file: VideoFile) -> str:
        """Return a file's content hash; one that may be asked for again is read only once.

        Raises:
            OSError: if the file cannot be read.
        """
        content = self._contents.get(file) or content_hash(file.path, follow_links=file.may_be_link)
        if file.path in self._metadata:  # its path is the library's, so what became of its old bytes may be asked
            self._contents[file] = content
        return content

    def metadata(self, path: str) -> Mapping[str, Any]:
        """Return the user's own values for a path, which stay whatever becomes of its file."""
        return self._metadata.get(path, {})

    def claim(self, content: str) -> bool:
        """Whether the caller is to read these bytes: nobody in this run does so for another path."""
        with self._claims:
            first = content not in self._claimed
            self._claimed.add(content)
            return first or not self._across_paths

    def forget_claims(self) -> None:
        """Allow bytes to be read again that could not be read the first time; every path then reads its own."""
        with self._claims:
            self._claimed.clear()
            self._across_paths = False


def _placer() -> Callable[[str], str]:
    """Return a function that says where a path really is, and resolves each folder once."""
    real_folder = functools.cache(os.path.realpath)
    return lambda path: real_place(os.path.abspath(path), real_folder)


def _is_old_fault(reason: str) -> bool:
    """Whether an earlier hgrkit blamed a file for a failure of its own, as with a newer PyAV than it knew."""
    crashed = "the decoder crashed on this file (exit status 1"
    return reason.startswith((f"{crashed})", f"{crashed}:"))


def made_absolute(
    records: Iterable[VideoRecord], files: Iterable[VideoFile], roots: Iterable[str] = ()
) -> tuple[list[Rename], list[str]]:
    """Make paths absolute that earlier versions kept as they were typed.

    A relative path tells where its video is only in the folder in which it was typed. The current folder is that
    one if a file is there as the library knows it; then all relative paths below `roots` become absolute. A video
    that the library has under several spellings of one path continues as one of them.

    Args:
        records: the library's videos.
        files: the files of the run.
        roots: the paths that the run is about.

    Returns:
        What to rename, and the paths to remove.
    """
    records = tuple(records)
    old = [record for record in records if os.path.abspath(record.path) != record.path]
    if not old:  # as in every library that was made since
        return [], []
    place = _placer()
    found = {place(file.path): file for file in files}
    taken = {record.path for record in records}
    roots = list(roots)
    typed_here = are_typed_here(old, lambda path: found.get(place(path)))
    renames: dict[str, Rename] = {}
    surplus: list[str] = []
    for record in sorted(old, key=lambda record: (record.state == "failed", not record.metadata)):
        path = os.path.abspath(record.path)
        is_meant = place(path) in found
        if not os.path.isabs(record.path):
            is_meant = typed_here and (is_meant or is_below(path, roots))
        if not is_meant:
            continue
        if path in taken or path in renames:
            surplus.append(record.path)
        else:
            renames[path] = Rename(record.path, attrs.evolve(record, path=path))
    return list(renames.values()), surplus


def are_typed_here(records: Iterable[VideoRecord], find: Callable[[str], VideoFile | None]) -> bool:
    """Whether relative paths, as earlier versions kept them, lead to their videos from the current folder.

    Args:
        records: videos of the library.
        find: returns the file at a path, if there is one.
    """
    relative = (record for record in records if not os.path.isabs(record.path))
    return any(
        (file := find(record.path)) is not None and (file.size, file.mtime_ns) == (record.size, record.mtime_ns)
        for record in relative
    )


def is_below(path: str, roots: Iterable[str]) -> bool:
    """Whether a path is one of these or lies in one, component by component, however they are spelled.

    >>> is_below("videos/a.mp4", ["./videos/"]), is_below("videos2/a.mp4", ["videos"]), is_below("/a.mp4", ["/"])
    (True, False, True)
    """
    parts = _parts(path)
    return any(parts[: len(root)] == root for root in map(_parts, roots))


def has_moved_away(path: str, to: str) -> bool:
    """Whether a file is gone and not only out of reach, so that the one of the same bytes at `to` is it.

    An unmounted drive takes its files along, and copies of them elsewhere are copies. It leaves the empty folder
    that it was mounted on, or nothing in a folder where drives come and go. So what counts is the nearest folder
    above the file that still exists. With anything in it, its disk is there, and the file or the folders between
    were renamed, moved or deleted. An empty one may have been emptied by moving the file, which changes the folder
    when the file is in its new place or later; a mount point is older than any copy from the drive.
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
    """Return the paths of videos below `roots` whose files are gone, sorted.

    A root that no longer exists, or cannot be listed, tells nothing about what was in it, nor does a path that was
    `unreadable` in the walk. A relative path is never missing: nobody knows where it was typed.

    Args:
        records: the library's videos.
        roots: the paths that were walked.
        unreadable: paths that could not be looked at.
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
    """Return those of `roots` below which files are missing and none was found.

    Args:
        roots: the paths that were walked.
        found: paths of the files that were found.
        missing: paths of the videos whose files are gone.
    """
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
