"""Keeps a library up to date with folders: looks at them again and again, and has indexed what has settled."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from typing import Any, NoReturn, final

import attrs

from hgrkit.checks.arguments import check_number
from hgrkit.errors import HgrkitError
from hgrkit.indexing.report import IndexReport
from hgrkit.indexing.walk import VideoFile, Walk, walk_videos

__all__ = ["FolderWatch", "watch_folders"]

_POLL_S = 1.0
_LOOKS_SHARE = 20
"""Looking takes at most one part in so many of the time, however slow a network folder is."""
_RETRY_S = 10.0
"""After what went wrong: a library that another process writes to, a drive that is away, a full disk."""


@final
class FolderWatch:
    """Knows which files of some folders have settled, and which of them were indexed.

    A file has settled when its size and modification time have not changed for some time; one that is gone, when
    it has been gone for as long, so that a move is seen as one.

    Args:
        paths: folders of videos, or videos.
        settle_s: how long a file must not change, in seconds, from 0.
        clock: in seconds; the files' own times need not agree with it, they may come from other machines.

    Raises:
        ConfigError: if the time is no number from 0.
    """

    def __init__(
        self,
        paths: Iterable[str | os.PathLike[str]],
        *,
        settle_s: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._paths, self._clock = tuple(paths), clock
        self._settle_s = check_number("settle_s", settle_s, "[0, inf)")
        self._since: dict[str, tuple[VideoFile | None, float]] = {}
        self._settled: dict[str, VideoFile | None] = {}
        self._indexed: dict[str, VideoFile] = {}

    def look(self) -> Walk | None:
        """Look at every file; return all that have settled if there is news among them, else `None`.

        Raises:
            MissingPathError: if a path does not exist.
        """
        walk, now = walk_videos(self._paths), self._clock()
        there = {file.path: file for file in walk.files}
        since: dict[str, tuple[VideoFile | None, float]] = {}
        for path in there.keys() | self._indexed.keys():
            file, before = there.get(path), self._since.get(path)
            since[path] = before if before is not None and before[0] == file else (file, now)
        self._since = since
        self._settled = {path: file for path, (file, first) in since.items() if now - first >= self._settle_s}
        if all(self._indexed.get(path) == file for path, file in self._settled.items()):
            return None
        files = tuple(sorted(filter(None, self._settled.values()), key=lambda file: file.path))
        if _holding(walk.roots, files) != _holding(walk.roots, walk.files):
            return None  # a folder would be taken for an empty one while its first files arrive
        return attrs.evolve(walk, files=files)

    def indexed(self) -> None:
        """Remember that what the last look returned was indexed."""
        for path, file in self._settled.items():
            if file is None:
                self._indexed.pop(path, None)
            else:
                self._indexed[path] = file


def _holding(roots: Iterable[str], files: Iterable[VideoFile]) -> list[str]:
    """Those of the roots that have any of the files."""
    paths = [file.path for file in files]
    return [
        root
        for root in roots
        if any(path == root or path.startswith(os.path.join(root, "")) for path in paths)  # noqa: PTH118
    ]


def watch_folders(
    folders: FolderWatch,
    index: Callable[[Walk, bool], IndexReport],
    *,
    on_report: Callable[[IndexReport], object],
    on_problem: Callable[[HgrkitError | OSError], object],
    sleep: Callable[[float], object] = time.sleep,
) -> NoReturn:
    """Index what settles, until interrupted; what goes wrong is told once and tried again.

    Folders are polled: a file has to be looked at until it has settled anyway, and the notices of an operating
    system do not tell what other machines do in a network folder.

    Args:
        folders: what to look at.
        index: indexes files; the flag says whether videos whose files are gone may be removed, which is not so
            while a folder has no videos at all, as one whose drive is away.
        on_report: told of each run, without the failures and missing files that were told of before.
        on_problem: told what went wrong.
        sleep: waits.

    Raises:
        KeyboardInterrupt: when it is interrupted.
    """
    news, problem = _News(), ""
    while True:
        pause, began = _POLL_S, time.monotonic()
        try:
            walk = folders.look()
            pause = max(pause, _LOOKS_SHARE * (time.monotonic() - began))
            if walk is not None:
                report = index(walk, len(_holding(walk.roots, walk.files)) == len(walk.roots))
                folders.indexed()
                on_report(news.of(report))
            problem = ""
        except (HgrkitError, OSError) as error:
            if isinstance(error.__cause__, KeyboardInterrupt):  # it came while a library was being loaded
                raise KeyboardInterrupt from error
            if str(error) != problem:
                on_problem(error)
            problem, pause = str(error), _RETRY_S
        sleep(pause)


@final
class _News:
    """Leaves out of a report what the last one said, too."""

    def __init__(self) -> None:
        self._last = IndexReport()

    def of(self, report: IndexReport) -> IndexReport:
        last, self._last = self._last, report
        old = {
            name: set(getattr(last, name)) for name in ("failures", "unreadable", "in_trash", "missing", "emptied")
        }
        new: dict[str, Any] = {
            name: tuple(one for one in getattr(report, name) if one not in old[name]) for name in old
        }
        return attrs.evolve(report, **new, skipped={} if report.skipped == last.skipped else report.skipped)
