"""Brings a library to other parts: encoded anew beside the old one, which answers until one commit switches."""

# Paths are compared without following links, as `os.path` does it.
# ruff: noqa: PTH117

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import attrs

from hgrkit.errors import LibraryError, LibraryLockedError
from hgrkit.indexing.feature_cache import FeatureCache
from hgrkit.indexing.missing import is_gone
from hgrkit.indexing.report import IndexReport
from hgrkit.indexing.walk import VideoFile, found_file
from hgrkit.library.database import translated_errors
from hgrkit.library.library import Library
from hgrkit.library.manifest import Manifest
from hgrkit.library.records import VideoRecord
from hgrkit.library.store import Entry, Rename

__all__ = ["UPGRADE_FOLDER", "IndexInto", "drop_finished_upgrade", "upgrade_library"]

UPGRADE_FOLDER = "upgrade"
"""Where, in a library's folder, its next encoding is made; nothing reads it but the upgrade itself."""


class IndexInto(Protocol):
    """`index_videos` with the wanted parts."""

    def __call__(
        self,
        library: Library,
        files: Sequence[VideoFile],
        *,
        contents: Mapping[VideoFile, str],
        follow_moves: bool,
    ) -> IndexReport:
        """Index files; the content hashes of some are known already."""
        ...


_NAMED = 3


def upgrade_library(
    library: Library,
    folder: Path,
    wanted: Manifest,
    index: IndexInto,
    *,
    cache: FeatureCache | None = None,
    prune: bool = False,
) -> IndexReport:
    """Encode every video of a library with other parts and put the result in the library's place.

    Videos whose features are cached, or were encoded by an upgrade that was interrupted, are not decoded. If only
    names differ nothing is encoded. Failed videos and the user's metadata are carried over.

    Args:
        library: open for writing; it answers as before until the last moment.
        folder: its folder.
        wanted: the parts that it is to be made with.
        index: encodes with them.
        cache: features for the wanted parts.
        prune: drop videos that cannot be carried over because their files are gone.

    Returns:
        What was encoded now (`indexed`, `duplicates`), had been before an interruption (`unchanged`), failed, or
        was dropped (`missing`, `pruned`).

    Raises:
        LibraryError: if videos cannot be carried over; what was encoded is kept for the next attempt.
    """
    beside = folder / UPGRADE_FOLDER
    if library.manifest.fits(wanted):
        if library.manifest != attrs.evolve(wanted, format_version=library.manifest.format_version):
            library.relabel(wanted)
        _let_go_of(beside)
        return IndexReport()
    with _begun(beside, wanted) as target:
        report, left = _encode(library.videos(), target, index, cache)
        dropped = [record.path for record in left if prune and is_gone(record.path)]
        if not _are_typed_here(library.videos()):  # relative paths then say nothing of where the videos are
            dropped = [path for path in dropped if os.path.isabs(path)]
        if len(left) > len(dropped):
            raise _not_carried(folder, [record for record in left if record.path not in dropped], report)
        _match_records(library.videos(), target)
        library.replace_with(target)
    _let_go_of(beside)
    return attrs.evolve(report, missing=tuple(dropped), pruned=len(dropped))


def _are_typed_here(videos: Sequence[VideoRecord]) -> bool:
    """Whether relative paths, as earlier versions kept them, lead to their videos from the current folder."""
    relative = [record for record in videos if not os.path.isabs(record.path)]
    return any(
        found_file(record.path) == VideoFile(record.path, record.size, record.mtime_ns) for record in relative
    )


def drop_finished_upgrade(library: Library, folder: Path) -> None:
    """Delete what an upgrade left that was interrupted after it had switched; an unfinished one is kept.

    Args:
        library: open for writing.
        folder: its folder.
    """
    beside = folder / UPGRADE_FOLDER
    if not beside.exists():
        return
    try:
        with Library.open(beside) as target:
            finished = target.manifest.fits(library.manifest)
    except LibraryError:  # of no use to the next upgrade either, which makes it anew
        finished = False
    if finished:
        _let_go_of(beside)


def _encode(
    videos: Sequence[VideoRecord], target: Library, index: IndexInto, cache: FeatureCache | None
) -> tuple[IndexReport, list[VideoRecord]]:
    """Encode what is not there yet; what came of it, and the videos that could not be read."""
    there = {record.path: record for record in target.videos()}
    failed = [record for record in videos if record.state == "failed"]
    target.update(put=[Entry(record) for record in failed if there.get(record.path) != record])
    indexed = [record for record in videos if record.state == "indexed"]
    contents: dict[VideoFile, str] = {}
    files = [_file(record, contents, cache) for record in indexed]
    files.sort(key=lambda file: is_gone(file.path))  # of equal bytes, those that can be read are read
    report = index(target, files, contents=contents, follow_moves=False) if files else IndexReport()
    there = {record.path: record for record in target.videos()}
    unread = {failure.path for failure in report.failures}
    left = [
        record
        for record in indexed
        if record.path not in there or (record.path in unread and there[record.path].state == "indexed")
    ]
    return report, left


def _file(record: VideoRecord, contents: dict[VideoFile, str], cache: FeatureCache | None) -> VideoFile:
    """The file of a video, as it is if it has to be read, as the library knows it if its features are there."""
    known, found = VideoFile(record.path, record.size, record.mtime_ns), found_file(record.path)
    changed = found is not None and found != known
    if found is not None and changed and (cache is None or cache.load(record.content) is None):
        return found
    contents[known] = record.content
    return known


def _match_records(videos: Sequence[VideoRecord], target: Library) -> None:
    """Take out what is no longer in the library, and carry over what the user keeps with a video."""
    metadata = {record.path: record.metadata for record in videos}
    target.update(
        remove=[record.path for record in target.videos() if record.path not in metadata],
        rename=[
            Rename(record.path, attrs.evolve(record, metadata=metadata[record.path]))
            for record in target.videos()
            if record.path in metadata and record.metadata != metadata[record.path]
        ],
    )


def _begun(folder: Path, wanted: Manifest) -> Library:
    """The library that an interrupted upgrade to the same parts left, or a new one."""
    try:
        target = Library.open(folder, "w", candidates="flat")
    except LibraryLockedError:
        raise
    except LibraryError:  # there is none, or it is not whole
        return _made_anew(folder, wanted)
    try:
        target.snapshot().events()  # reads and checks every segment
        if target.manifest.fits(wanted):
            return target
    except LibraryError:
        pass
    except BaseException:
        target.close()
        raise
    target.close()
    return _made_anew(folder, wanted)


def _made_anew(folder: Path, wanted: Manifest) -> Library:
    _delete(folder)
    return Library.create(folder, wanted, candidates="flat")


def _delete(folder: Path) -> None:
    with translated_errors(folder):
        if folder.is_dir() and not folder.is_symlink():
            shutil.rmtree(folder)
        else:
            folder.unlink(missing_ok=True)


def _let_go_of(folder: Path) -> None:
    """Delete what is of no use any more; what cannot be deleted does no harm."""
    with suppress(LibraryError):
        _delete(folder)


def _not_carried(folder: Path, left: Sequence[VideoRecord], report: IndexReport) -> LibraryError:
    reasons = {failure.path: failure.reason for failure in report.failures}
    named = "; ".join(f"{record.path!r} ({reasons.get(record.path, 'unknown')})" for record in left[:_NAMED])
    more = f"; and {len(left) - _NAMED} more" if len(left) > _NAMED else ""
    return LibraryError(
        f"the library {folder} is not upgraded and answers as before, because {len(left)} of its videos cannot be "
        f"read again and their features are not cached: {named}{more}. Bring the files back and upgrade again, or "
        "drop those that are gone with --prune (prune=True)."
    )
