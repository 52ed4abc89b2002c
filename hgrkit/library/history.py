"""The library's log: the segments' commit records, put in the order in which they were made."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

import attrs

from hgrkit.errors import DamagedLibraryError
from hgrkit.library.commit_log import SEGMENT_FOLDER, SEGMENT_NAME
from hgrkit.library.commit_record import CommitRecord, LoggedSegment, read_logged_segment
from hgrkit.library.segment_check import problem_of
from hgrkit.storage.tensor_file import TensorFile, read_file

__all__ = ["Commit", "History", "SegmentLog", "newest_history", "paths_in_header", "read_log", "segment_names"]


@attrs.frozen(eq=False)
class Commit:
    """One commit of the log, with the segments of it that are intact, in their order."""

    segments: tuple[LoggedSegment, ...]

    @property
    def number(self) -> int:
        """The version that it made."""
        return self.segments[0].commit.number

    @property
    def token(self) -> str:
        """That version's token."""
        return self.segments[0].commit.token

    @property
    def parent(self) -> str:
        """The token of the version before."""
        return self.segments[0].commit.parent

    @property
    def whole(self) -> bool:
        """Whether it supersedes everything before it."""
        return self.segments[0].commit.whole

    @property
    def complete(self) -> bool:
        """Whether none of its segments is lost."""
        described = {
            (commit.number, commit.parent, commit.whole, commit.parts)
            for commit in (segment.commit for segment in self.segments)
        }
        return len(described) == 1 and len(self.segments) == self.segments[0].commit.parts


@attrs.frozen(kw_only=True, eq=False)
class SegmentLog:
    """The segment files of a folder.

    Attributes:
        segments: those that are whole, by file name.
        damaged: those that are not, and what is wrong with each.
    """

    segments: Mapping[str, LoggedSegment]
    damaged: Mapping[str, str]

    def joined(self, other: SegmentLog) -> SegmentLog:
        """This one and another, which was read later."""
        return SegmentLog(segments={**self.segments, **other.segments}, damaged={**self.damaged, **other.damaged})


@attrs.frozen(kw_only=True, eq=False)
class History:
    """Commits that follow one another, the first of them complete in itself or the library's first.

    Attributes:
        commits: in order.
        lost: numbers of versions among them of which nothing, or not everything, is known.
    """

    commits: tuple[Commit, ...]
    lost: tuple[range, ...] = ()

    @property
    def files(self) -> frozenset[str]:
        """The segment files that it is read from."""
        return frozenset(segment.segment.file for commit in self.commits for segment in commit.segments)


def read_log(
    folder: Path,
    on_progress: Callable[[int, int], None] | None = None,
    *,
    names: Collection[str] | None = None,
) -> SegmentLog:
    """Read and check every byte of a library's segments, without its database.

    Args:
        folder: the library's folder.
        on_progress: is told how many were read, and how many there are.
        names: the files to read; all that look like segments unless given.
    """
    names = segment_names(folder) if names is None else names
    segments: dict[str, LoggedSegment] = {}
    damaged: dict[str, str] = {}
    for done, name in enumerate(names, 1):
        try:
            segments[name] = read_logged_segment(folder / SEGMENT_FOLDER / name)
        except DamagedLibraryError as error:
            damaged[name] = problem_of(error)
        if on_progress is not None:
            on_progress(done, len(names))
    return SegmentLog(segments=segments, damaged=damaged)


def segment_names(folder: Path) -> list[str]:
    """Names of the files in a library that look like segments."""
    return sorted(path.name for path in (folder / SEGMENT_FOLDER).glob("*") if SEGMENT_NAME.fullmatch(path.name))


def paths_in_header(path: Path) -> tuple[str, ...]:
    """The videos that a damaged segment says were put; nobody knows whether that is right."""
    try:
        commit = CommitRecord.from_json(TensorFile.parse(read_file(path)).metadata["commit"])
    except (DamagedLibraryError, ValueError, LookupError):
        return ()
    return tuple(put.record.path for put in commit.put)


def newest_history(segments: Iterable[LoggedSegment], *, head: str | None = None) -> History | None:
    """The history that got furthest; of several that got equally far, the one that lost least.

    A last commit that lacks segments was cut short by a crash if everything before it is there; otherwise it was
    committed, and lost them later.

    Args:
        segments: whole segments, of one history or of several.
        head: the token of the version that was committed last, if it is known; it decides between equals.
    """
    commits = _commits(segments)
    built_on = {commit.parent for commit in commits.values()}
    tips = [commit for commit in commits.values() if commit.token not in built_on]
    return max((_finished(tip, commits) for tip in tips), key=lambda history: _merit(history, head), default=None)


def _merit(history: History, head: str | None) -> tuple[int, int, bool, int]:
    last = history.commits[-1]
    return last.number, -sum(map(len, history.lost)), last.token == head, len(history.commits)


def _finished(tip: Commit, commits: Mapping[str, Commit]) -> History:
    if not tip.complete and tip.parent in commits:
        before = _history(commits[tip.parent], commits)
        if not before.lost:
            return before
    return _history(tip, commits)


def _commits(segments: Iterable[LoggedSegment]) -> dict[str, Commit]:
    parts: dict[str, dict[int, LoggedSegment]] = {}
    for segment in segments:
        parts.setdefault(segment.commit.token, {})[segment.commit.part] = segment
    return {token: Commit(tuple(found[part] for part in sorted(found))) for token, found in parts.items()}


def _history(tip: Commit, commits: Mapping[str, Commit]) -> History:
    """Walk back from a commit to one that is the whole library, over commits that are lost."""
    chain, lost = [tip], [] if tip.complete else [_span(tip.number)]
    while not chain[-1].whole and chain[-1].number > 1:
        last = chain[-1]
        before = commits.get(last.parent)
        if before is None or before.number != last.number - 1:
            before = _below(last, commits.values())
            lost.append(range(before.number + 1 if before else 1, last.number))
        if before is None:
            break
        lost += [] if before.complete else [_span(before.number)]
        chain.append(before)
    return History(commits=tuple(reversed(chain)), lost=tuple(span for span in reversed(lost) if span))


def _span(number: int) -> range:
    return range(number, number + 1)


def _below(commit: Commit, commits: Iterable[Commit]) -> Commit | None:
    """The last commit before one whose parent is lost, made with the same parts."""
    manifest = commit.segments[0].commit.manifest
    older = [
        other
        for other in commits
        if other.number < commit.number and other.segments[0].commit.manifest == manifest
    ]
    return max(older, key=lambda other: (other.number, other.token), default=None)
