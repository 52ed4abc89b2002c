"""`repair_library`: a library made whole again from what of it is intact; what is replaced is kept beside it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection
from contextlib import closing
from pathlib import Path

import attrs

from hgrkit.arguments import check_callable, check_flag, check_path
from hgrkit.library.change import apply_commit
from hgrkit.library.commit_log import SEGMENT_FOLDER, CommitLog
from hgrkit.library.contents import read_contents
from hgrkit.library.database import DATABASE_FILE, checkpoint, open_for_writing, transaction, translated_errors
from hgrkit.library.examination import Examination, examine_library, require_library
from hgrkit.library.findings import RepairReport
from hgrkit.library.head import read_head
from hgrkit.library.history import History, paths_in_header, segment_names
from hgrkit.library.intact_snapshot import IntactSnapshot
from hgrkit.library.leftovers import DAMAGED_FOLDER, unfit_graphs
from hgrkit.library.rebuild import rebuild_database, replay_history
from hgrkit.library.rewrite import Rewrite
from hgrkit.storage.atomic_file import TEMPORARY_SUFFIX, sync_folder
from hgrkit.storage.lock import WriterLock

__all__ = ["repair_library"]


class Keepsakes:
    """The folder of one repair, made when the first file comes."""

    def __init__(self, library: Path) -> None:
        self._library = library
        self._folder: Path | None = None

    @property
    def folder(self) -> str | None:
        """The folder, relative to the library's; `None` if nothing was kept."""
        return None if self._folder is None else self._folder.relative_to(self._library).as_posix()

    def copy(self, path: Path) -> None:
        """Keep a file that stays where it is for now: another name for it, or a copy where there are no links.

        What is no file moves; what is not there is no matter.

        Raises:
            OSError: if the disk is full or fails.
        """
        if not path.is_file() or path.is_symlink():
            self.move(path)
            return
        place = self._place(path)
        try:
            os.link(path, place)
        except OSError:
            shutil.copy2(path, place)
        sync_folder(place.parent)

    def move(self, path: Path) -> None:
        """Keep a file, or whatever stands in its place, and take it away; what is not there is no matter.

        Raises:
            OSError: if the disk fails.
        """
        if not os.path.lexists(path):
            return
        place = self._place(path)
        path.rename(place)
        sync_folder(place.parent)
        sync_folder(path.parent)

    def _place(self, path: Path) -> Path:
        if self._folder is None:
            above = self._library / DAMAGED_FOLDER
            above.mkdir(exist_ok=True)
            number = 1 + max((int(other.name) for other in above.iterdir() if other.name.isdecimal()), default=0)
            self._folder = above / str(number)
            self._folder.mkdir()
            sync_folder(above)
            sync_folder(self._library)
        return self._folder / path.name


_Progress = Callable[[int, int], None]


def repair_library(
    folder: str | os.PathLike[str], *, dry_run: bool = False, on_progress: _Progress | None = None
) -> RepairReport:
    """Make a library whole again; every video whose bytes are intact answers as before.

    A database that is damaged, missing or not the segments' own is rebuilt from their commit records. Where
    segments are damaged, the clips in intact blocks are written anew, and videos that lost one are removed and
    named. What is damaged or replaced moves to `damaged/1`, `damaged/2` and so on in the library's folder.

    Args:
        folder: the library's folder.
        dry_run: change nothing, and say what would be done.
        on_progress: is told how many segments were read, and how many there are.

    Raises:
        LibraryNotFoundError: if there is no library, and nothing of one.
        LibraryLockedError: if another process writes to it.
        LibraryMismatchError: if it is of a later format.
        LibraryError: if it cannot be read or written; repairing it again goes on from there.
    """
    path = Path(check_path("folder", folder))
    check_callable("on_progress", on_progress, takes="how many segments were read and how many there are")
    check_flag("dry_run", dry_run)
    with translated_errors(path):
        if dry_run:
            examination = examine_library(path, on_progress)
            return _report(examination, steps=_steps(examination), dry_run=True)
        require_library(path)
        with WriterLock(path):
            examination, keepsakes = examine_library(path, on_progress), Keepsakes(path)
            report = _report(examination, steps=_steps(examination))
            _mend(examination, keepsakes)
            whole = not examine_library(path).damages
        return attrs.evolve(report, whole=whole, kept_in=keepsakes.folder)


# what there is to do -------------------------------------------------------------------------------------------


def _steps(examination: Examination) -> tuple[str, ...]:
    """What `_mend` does, in words that follow `would`."""
    history, steps = examination.history, []
    if _rebuilds(examination):
        if history is None:
            return ("do nothing: no commit record is left to rebuild the database from",)
        steps.append(f"rebuild the database from the commit records of {len(history.files)} segments")
    if _rewrites(examination):
        steps.append("write every intact video anew, and let the damaged segments go")
    steps += [f"delete {path.relative_to(examination.folder).as_posix()}" for path in _useless(examination)]
    return tuple(steps)


def _rebuilds(examination: Examination) -> bool:
    return any(damage.remedy == "rebuild" for damage in examination.damages)


def _rewrites(examination: Examination) -> bool:
    if _rebuilds(examination):
        return examination.history is not None and bool(examination.history.lost)
    return bool(examination.damages)


def _useless(examination: Examination) -> list[Path]:
    """Databases that were never finished, and graphs of another version or damaged."""
    unfinished = sorted(examination.folder.glob(DATABASE_FILE + TEMPORARY_SUFFIX + "*"))
    contents = examination.contents
    return unfinished + (unfit_graphs(examination.folder, contents.snapshot) if contents else [])


def _report(examination: Examination, *, steps: tuple[str, ...], dry_run: bool = False) -> RepairReport:
    history, contents = examination.history, examination.contents
    report = RepairReport(
        library=str(examination.folder),
        dry_run=dry_run,
        whole=not _rebuilds(examination) or history is not None,
        steps=steps,
    )
    if _rebuilds(examination) and history is not None and (history.lost or examination.log.damaged):
        unread, trace = tuple(examination.log.damaged), _Trace.of(history)
        return attrs.evolve(
            report,
            dropped=_named_in_damaged(examination, trace),
            doubtful=trace.left if unread else trace.put_before(history.lost[-1][-1]),
            unread=unread,
            lost_versions=tuple((lost[0], lost[-1]) for lost in history.lost),
        )
    if _rewrites(examination) and contents is not None:
        return attrs.evolve(
            report, dropped=IntactSnapshot.of(examination.folder, contents, examination.broken).lost
        )
    return report


def _named_in_damaged(examination: Examination, trace: _Trace) -> tuple[str, ...]:
    """Videos that damaged segments still name, under their last paths, and that are not among those left."""
    folder = examination.folder / SEGMENT_FOLDER
    named = {path for file in examination.log.damaged for path in paths_in_header(folder / file)}
    last = {trace.moved.get(path, path) for path in named} | set(trace.moved.values())
    return tuple(sorted(last.difference(trace.left)))


@attrs.frozen
class _Trace:
    """What became of videos in a history that lost something.

    Attributes:
        put_in: of each video, the version that put it.
        moved: videos that were renamed and of which nobody knows where they were put, to their last paths.
        left: the videos that are there at the end.
    """

    put_in: dict[str, int]
    moved: dict[str, str]
    left: tuple[str, ...]

    @classmethod
    def of(cls, history: History) -> _Trace:
        put_in: dict[str, int] = {}
        moved: dict[str, str] = {}
        for commit in history.commits:
            for record in (segment.commit for segment in commit.segments):
                for path in record.remove:
                    put_in.pop(path, None)
                for rename in record.rename:
                    if rename.path not in put_in:
                        moved[rename.path] = rename.record.path
                renamed = {rename.record.path: put_in.pop(rename.path, 0) for rename in record.rename}
                put_in |= renamed | {put.record.path: commit.number for put in record.put}
        return cls(put_in, moved, replay_history(history).paths)

    def put_before(self, number: int) -> tuple[str, ...]:
        """The videos that are left and were put before a version."""
        return tuple(path for path in self.left if self.put_in.get(path, 0) < number)


# doing it ------------------------------------------------------------------------------------------------------


def _mend(examination: Examination, keepsakes: Keepsakes) -> None:
    folder, history = examination.folder, examination.history
    if _rebuilds(examination):
        if history is None:
            return
        _rebuild(folder, history, keepsakes)
        if history.lost:
            _rewrite(folder, IntactSnapshot.of(folder, read_contents(folder), ()), (), keepsakes)
    elif _rewrites(examination) and examination.contents is not None:
        snapshot = IntactSnapshot.of(folder, examination.contents, examination.broken)
        _rewrite(folder, snapshot, examination.broken, keepsakes)
    left = read_contents(folder).snapshot  # rewritten, it is another version, which no graph fits
    for path in {*_useless(examination), *unfit_graphs(folder, left)}:
        path.unlink(missing_ok=True)


def _rebuild(folder: Path, history: History, keepsakes: Keepsakes) -> None:
    """Replace the database; at no moment is there none, unless there was none."""
    database = folder / DATABASE_FILE
    for suffix in ("-wal", "-shm", "-journal"):  # they would be taken for the new database's own
        keepsakes.move(folder / (DATABASE_FILE + suffix))
    keepsakes.copy(database)
    rebuild_database(database, history)
    for file in segment_names(folder):
        if file not in history.files:
            keepsakes.move(folder / SEGMENT_FOLDER / file)


def _rewrite(folder: Path, snapshot: IntactSnapshot, broken: Collection[str], keepsakes: Keepsakes) -> None:
    """Make a snapshot the whole library, in one commit that follows the version there is."""
    segments, database = folder / SEGMENT_FOLDER, folder / DATABASE_FILE
    if not segments.is_dir():
        keepsakes.move(segments)
    for file in segment_names(folder):
        if file in broken:
            keepsakes.copy(segments / file)
        elif file not in snapshot.files:
            keepsakes.move(segments / file)
    log = CommitLog(folder)
    with closing(open_for_writing(database)) as connection:
        rewrite = Rewrite(snapshot, None, head=read_head(connection))
        try:
            parts = log.append(rewrite.parts())
            with transaction(connection):
                apply_commit(connection, parts)
        except BaseException:
            log.discard(rewrite.token, rewrite.num_parts)
            raise
        checkpoint(connection)
    log.clear({part.segment.file for part in parts})
