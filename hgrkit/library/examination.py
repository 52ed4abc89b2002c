"""A library's files examined, without changing a byte: what is damaged, and what could be made of the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import attrs

from hgrkit.arguments import url_remark
from hgrkit.errors import DamagedLibraryError, LibraryMismatchError, LibraryNotFoundError
from hgrkit.library.commit_log import SEGMENT_FOLDER, SEGMENT_NAME
from hgrkit.library.commit_record import LoggedSegment
from hgrkit.library.contents import ClipPlace, DatabaseContents, read_contents
from hgrkit.library.database import DATABASE_FILE
from hgrkit.library.findings import Damage, Note
from hgrkit.library.history import History, SegmentLog, newest_history, read_log, segment_names
from hgrkit.library.intact_snapshot import IntactSnapshot
from hgrkit.library.leftovers import leftover_notes
from hgrkit.library.rebuild import replay_history
from hgrkit.library.segment_check import problem_of, segment_problem

__all__ = ["Examination", "examine_library", "require_library"]


@attrs.frozen(kw_only=True, eq=False)
class Examination:
    """What was found.

    Attributes:
        folder: the library's folder.
        contents: its database, if that can be read.
        log: its segments, read without the database.
        history: what the database can be rebuilt from, if from anything.
        broken: the segments that the database names and that are not what it says, and what is wrong with each.
        damages: what is not whole.
        notes: what is no damage.
    """

    folder: Path
    contents: DatabaseContents | None
    log: SegmentLog
    history: History | None
    broken: Mapping[str, str]
    damages: tuple[Damage, ...]
    notes: tuple[Note, ...]


def examine_library(folder: Path, on_progress: Callable[[int, int], None] | None = None) -> Examination:
    """Examine every byte of the version that is committed now.

    Raises:
        LibraryNotFoundError: if there is no library, and nothing of one.
        LibraryMismatchError: if it is of a later format.
        LibraryError: if it cannot be read.
    """
    require_library(folder)
    log = read_log(folder, on_progress)
    try:
        contents = read_contents(folder)
    except DamagedLibraryError as error:
        return _without_database(folder, log, problem_of(error))
    except LibraryMismatchError:
        if not log.segments:
            raise
        return _without_database(folder, log, "it says that it is of a later format, and its segments are not")
    added = [file for file in contents.segments if SEGMENT_NAME.fullmatch(file) and file not in log.segments]
    return _with_database(folder, log.joined(read_log(folder, names=added)), contents)  # a writer may have gone on


def require_library(folder: Path) -> None:
    """Raise unless there is a library, or something of one.

    Raises:
        LibraryNotFoundError: if there is nothing.
    """
    if not (folder / DATABASE_FILE).is_file() and not segment_names(folder):
        raise LibraryNotFoundError(
            url_remark(folder)
            or f"there is no library at {folder}; make one with `hgrkit index PATH --library {folder}`."
        )


# the database can be read --------------------------------------------------------------------------------------


def _with_database(folder: Path, log: SegmentLog, contents: DatabaseContents) -> Examination:
    broken = dict(_broken_segments(folder, log, contents))
    history = newest_history(log.segments.values(), head=contents.head.version.token)
    damages = (
        list(_stale_database(contents, log, broken))
        or list(_segment_damages(folder, contents, broken))
        or list(_disagreement(contents, log))
    )
    return Examination(
        folder=folder,
        contents=contents,
        log=log,
        history=history,
        broken=broken,
        damages=tuple(damages),
        notes=(*_unnamed_notes(contents, log), *leftover_notes(folder, contents.snapshot)),
    )


def _broken_segments(folder: Path, log: SegmentLog, contents: DatabaseContents) -> Iterator[tuple[str, str]]:
    places: dict[str, list[ClipPlace]] = {file: [] for file in contents.segments}
    for place in contents.places:
        places[place.segment.file].append(place)
    for file, record in contents.segments.items():
        logged = log.segments.get(file)
        problem = segment_problem(
            folder,
            record,
            places[file],
            embed_dim=contents.snapshot.manifest.embed_dim,
            format_version=contents.format_version,
            found=logged.segment if logged else None,
        )
        if problem is not None:
            yield file, problem


def _stale_database(contents: DatabaseContents, log: SegmentLog, broken: Mapping[str, str]) -> Iterator[Damage]:
    """The database is not the one of these segments: an older one of this library, or another library's."""
    unnamed = [segment for file, segment in log.segments.items() if file not in contents.segments]
    later = [segment for segment in unnamed if _is_later(segment, contents)]
    strange = bool(unnamed) and bool(contents.segments) and len(broken) == len(contents.segments)
    if later or strange:
        number = contents.head.version.number
        unknown = [segment for segment in unnamed if strange or segment.commit.number > number]
        yield Damage(
            file=DATABASE_FILE,
            problem=f"it is of version {number} and does not know segments of version "
            f"{max(segment.commit.number for segment in unknown)}: it is older, or another library's",
            videos=_paths_put(unknown),
            remedy="rebuild",
            repair="rebuild it from the segments",
        )


def _is_later(segment: LoggedSegment, contents: DatabaseContents) -> bool:
    """Whether a segment is of a version that the database must know; the very next one it need not."""
    head, commit = contents.head.version, segment.commit
    return commit.number > head.number and (commit.number, commit.parent) != (head.number + 1, head.token)


def _segment_damages(folder: Path, contents: DatabaseContents, broken: Mapping[str, str]) -> Iterator[Damage]:
    if not broken:
        return
    lost = set(IntactSnapshot.of(folder, contents, broken).lost)
    videos = contents.videos_by_segment()
    for file, problem in broken.items():
        gone = [video for video in videos[file] if video in lost]
        yield Damage(
            file=f"{SEGMENT_FOLDER}/{file}",
            problem=problem,
            videos=videos[file],
            remedy="rewrite",
            repair=f"write the intact videos anew; videos of it to index again: {len(gone)}"
            if gone
            else "write the library anew; no video is lost",
        )


def _disagreement(contents: DatabaseContents, log: SegmentLog) -> Iterator[Damage]:
    """Commit records that would not give this database again."""
    if contents.format_version == 1 or not contents.head.version.number:
        return
    history = newest_history(
        attrs.evolve(log.segments[file], segment=record)
        for file, record in contents.segments.items()
        if file in log.segments
    )
    try:
        if history is not None and not history.lost and replay_history(history).head == contents.head:
            return
        problem = "its commit records do not lead to what the database says"
    except DamagedLibraryError as error:
        problem = problem_of(error)
    yield Damage(file=SEGMENT_FOLDER, problem=problem, remedy="rewrite", repair="write the library anew, as it is")


def _unnamed_notes(contents: DatabaseContents, log: SegmentLog) -> Iterator[Note]:
    version = contents.head.version
    for file in sorted({*log.segments, *log.damaged} - contents.segments.keys()):
        segment = log.segments.get(file)
        if segment is None:
            remark = "no row names it and it is not whole: a commit that failed; the next writer deletes it"
        elif (segment.commit.number, segment.commit.parent) == (version.number + 1, version.token):
            remark = "of a commit that is being made, or that a crash interrupted; the next writer finishes it"
        else:
            remark = f"of version {segment.commit.number}, which is superseded; the next writer deletes it"
        yield Note(file=f"{SEGMENT_FOLDER}/{file}", remark=remark)


# the database cannot be read -----------------------------------------------------------------------------------


def _without_database(folder: Path, log: SegmentLog, problem: str) -> Examination:
    history = newest_history(log.segments.values())
    paths: tuple[str, ...] = ()
    damages: list[Damage] = []
    if history is not None:
        try:
            paths = replay_history(history).paths
        except DamagedLibraryError as error:
            damages.append(_lost(SEGMENT_FOLDER, problem_of(error)))
            history = None
    repair = (
        f"rebuild it from the commit records of {len(history.files)} segments"
        if history
        else "nothing: no segment has a commit record to rebuild it from; restore the library from a backup"
    )
    damages.insert(0, Damage(file=DATABASE_FILE, problem=problem, videos=paths, remedy="rebuild", repair=repair))
    damages += [_lost(f"{SEGMENT_FOLDER}/{file}", problem) for file, problem in log.damaged.items()]
    gaps = history.lost if history else ()
    damages += [_lost(SEGMENT_FOLDER, f"{_span(lost)} is not there") for lost in gaps]
    others = sorted(log.segments.keys() - (history.files if history else log.segments.keys()))
    remark = "of a commit that failed or is superseded"
    notes = [Note(file=f"{SEGMENT_FOLDER}/{file}", remark=remark) for file in others]
    return Examination(
        folder=folder,
        contents=None,
        log=log,
        history=history,
        broken={},
        damages=tuple(damages),
        notes=(*notes, *leftover_notes(folder, None)),
    )


def _lost(file: str, problem: str) -> Damage:
    return Damage(file=file, problem=problem, remedy="rewrite", repair="go on without it, and say what is lost")


def _span(lost: range) -> str:
    return f"version {lost[0]}" if len(lost) == 1 else f"everything from version {lost[0]} to {lost[-1]}"


def _paths_put(segments: Iterable[LoggedSegment]) -> tuple[str, ...]:
    return tuple(sorted({put.record.path for segment in segments for put in segment.commit.put}))
