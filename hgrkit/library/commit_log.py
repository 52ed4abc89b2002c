"""The folder of segments as a log of commits: appended to, read where the database lags behind, cleared."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from hgrkit.errors import DamagedLibraryError
from hgrkit.library.commit_record import CommitRecord, LoggedSegment, read_logged_segment
from hgrkit.library.records import ClipEmbeddings
from hgrkit.library.segment import write_segment
from hgrkit.library.store import Version
from hgrkit.storage.atomic_file import TEMPORARY_SUFFIX, sync_folder

__all__ = ["SEGMENT_FOLDER", "SEGMENT_NAME", "CommitLog"]

SEGMENT_FOLDER = "segments"

SEGMENT_NAME = re.compile(r"[0-9a-f]{32}\.safetensors")


class CommitLog:
    """The segments of one library, as its one writer sees them."""

    def __init__(self, folder: Path) -> None:
        """Work on a library's folder; nothing is read or made yet."""
        self._library = folder
        self._folder = folder / SEGMENT_FOLDER

    def append(self, commits: Iterable[tuple[CommitRecord, Sequence[ClipEmbeddings]]]) -> list[LoggedSegment]:
        """Write the parts of one commit, durably.

        Raises:
            ShapeError: if a value is too large for float16.
            ConfigError: if a part's record is too long.
            OSError: if the disk is full or fails; `discard` removes what was written.
        """
        if not self._folder.is_dir():
            self._folder.mkdir()
            sync_folder(self._library)
        return [
            LoggedSegment(
                commit,
                write_segment(
                    self._path(commit.token, commit.part),
                    clips,
                    embed_dim=commit.manifest.embed_dim,
                    commit=commit.to_json(),
                ),
            )
            for commit, clips in commits
        ]

    def discard(self, token: str, parts: int) -> None:
        """Remove whatever there is of a commit that failed.

        Raises:
            OSError: if the disk does not let it be removed.
        """
        for part in range(parts):
            path = self._path(token, part)
            path.with_name(path.name + TEMPORARY_SUFFIX).unlink(missing_ok=True)
            path.unlink(missing_ok=True)
        if self._folder.is_dir():
            sync_folder(self._folder)

    def following(self, version: Version, named: set[str]) -> list[LoggedSegment]:
        """The segments of the commit that follows a version, if all of them are there and whole.

        A later commit that is the whole library follows too if segments that the database names are gone: a
        compaction deleted them, and the database is older than it.

        Raises:
            DamagedLibraryError: if there are segments of a later commit, or of another history, that do not
                follow, or some that are not named while others that are named are gone: the database was lost in
                part, or is another library's, and no writer may delete what it does not know.
        """
        unnamed = list(self._unnamed(named))
        whole = [segment for segment in unnamed if _supersedes(segment.commit, version)]
        gone = any(not (self._folder / name).exists() for name in named)
        for candidates in (
            [segment for segment in unnamed if _follows(segment.commit, version)],
            sorted(whole, key=lambda segment: -segment.commit.number) if gone else [],
        ):
            for token in dict.fromkeys(segment.commit.token for segment in candidates):
                parts = sorted(
                    (segment for segment in candidates if segment.commit.token == token),
                    key=lambda segment: segment.commit.part,
                )
                if len(parts) == parts[0].commit.parts:
                    return parts
        for segment in unnamed:
            if segment.commit.number > version.number and not _follows(segment.commit, version):
                raise DamagedLibraryError(
                    f"the segment {segment.segment.file} in {self._folder} belongs to version "
                    f"{segment.commit.number}, which does not follow version {version.number} of the database; "
                    "run `hgrkit repair`, or restore a backup."
                )
            if gone:  # it may be another library's database
                raise DamagedLibraryError(
                    f"segments that the database names are missing in {self._folder}, and it does not know the "
                    f"segment {segment.segment.file}, which is there; run `hgrkit repair`, or restore a backup."
                )
        return []

    def clear(self, named: set[str]) -> None:
        """Delete the files that no row names and that are, or were to become, segments.

        Raises:
            OSError: if the disk fails.
        """
        for path in self._files():
            if path.name not in named and SEGMENT_NAME.fullmatch(path.name.removesuffix(TEMPORARY_SUFFIX)):
                with suppress(PermissionError):  # Windows: a reader has it open; the next writer deletes it
                    path.unlink()

    def usage(self) -> list[int]:
        """The size of every file."""
        return [path.stat().st_size for path in self._files()]

    def _unnamed(self, named: set[str]) -> Iterator[LoggedSegment]:
        for path in sorted(self._files()):
            if path.name not in named and SEGMENT_NAME.fullmatch(path.name):
                with suppress(DamagedLibraryError):  # it stands for nothing
                    yield read_logged_segment(path)

    def _files(self) -> list[Path]:
        return list(self._folder.iterdir()) if self._folder.is_dir() else []

    def _path(self, token: str, part: int) -> Path:
        """The first part has the version's name, the others names that follow from it."""
        name = token if not part else hashlib.sha256(f"{token}/{part}".encode()).hexdigest()[:32]
        return self._folder / f"{name}.safetensors"


def _follows(commit: CommitRecord, version: Version) -> bool:
    return (commit.number, commit.parent) == (version.number + 1, version.token)


def _supersedes(commit: CommitRecord, version: Version) -> bool:
    return commit.whole and commit.number > version.number
