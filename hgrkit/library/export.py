"""Ways out of a library: all of its clips in one file of a common format, written whole or not at all."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, get_args

import attrs

from hgrkit.arguments import check_callable, check_flag, check_instance, check_path
from hgrkit.errors import ConfigError, DamagedLibraryError, LibraryExistsError, MissingPathError
from hgrkit.library.atomic_file import TEMPORARY_SUFFIX, sync_file, sync_folder
from hgrkit.library.library import Library
from hgrkit.library.npz_file import write_npz
from hgrkit.library.parquet_file import require_pyarrow, write_parquet
from hgrkit.library.store import Snapshot
from hgrkit.writing import writing

__all__ = ["ExportFormat", "ExportReport", "export_library"]

ExportFormat = Literal["parquet", "npz"]

_Progress = Callable[[int, int], None]


@attrs.frozen(kw_only=True)
class ExportReport:
    """What was exported.

    Attributes:
        file: where to.
        videos: how many of the library's videos are in it; failed ones have no clips and are not.
        clips: how many clips.
        num_bytes: the file's size.
    """

    file: str
    videos: int
    clips: int
    num_bytes: int


def export_library(
    library: Library,
    path: str | os.PathLike[str],
    *,
    to: ExportFormat,
    overwrite: bool = False,
    on_progress: _Progress | None = None,
) -> ExportReport:
    """Write every clip of the version committed last: video, times, the vectors of all levels, and the manifest.

    The page "The library" of the documentation describes both formats. Vectors are read and written in portions.
    A writer may go on meanwhile.

    Args:
        library: open in either mode.
        path: the file; it has its name only once it is complete.
        to: `npz` (numpy alone reads it, without pickle) or `parquet` (needs pyarrow).
        overwrite: replace a file that is there.
        on_progress: is told the portions that are done, and how many there are.

    Raises:
        ConfigError: if the format is unknown, or the path is a folder or a device.
        LibraryExistsError: if the file exists and is not to be overwritten.
        MissingPathError: if its folder does not exist.
        MissingPackageError: if pyarrow is not installed.
        DamagedLibraryError: if stored embeddings are not what was written.
        OSError: if the disk is full or fails; nothing is left then.
    """
    check_instance("library", library, Library, hint="open one: Library.open(path)")
    check_flag("overwrite", overwrite)
    check_callable("on_progress", on_progress, takes="how many portions are done and how many there are")
    target = Path(check_path("path", path))
    _require_target(target, to, overwrite=overwrite)
    report = on_progress or _unheard
    snapshot = library.snapshot()
    while True:
        try:
            with writing(target), _whole_file(target, overwrite=overwrite) as temporary:
                _write(to, temporary, snapshot, report)
                num_bytes = temporary.stat().st_size
        except DamagedLibraryError:
            newer = library.snapshot()
            if newer.version == snapshot.version:
                raise
            snapshot = newer  # a compaction took the old one's segments away
        else:
            break
    return ExportReport(
        file=str(target),
        videos=sum(video.state == "indexed" for video in snapshot.videos),
        clips=len(snapshot.clip_keys),
        num_bytes=num_bytes,
    )


def _write(to: ExportFormat, path: Path, snapshot: Snapshot, report: _Progress) -> None:
    (write_npz if to == "npz" else write_parquet)(path, snapshot, report)


def _unheard(done: int, total: int) -> None:
    """Nobody follows the export."""


def _require_target(path: Path, to: str, *, overwrite: bool) -> None:
    if to not in get_args(ExportFormat):
        raise ConfigError(f"the format must be 'parquet' or 'npz', got {to!r}.")
    if path.is_dir():
        raise ConfigError(f"{path} is a folder; name the file to write.")
    if path.exists() and not path.is_file():  # renaming would put a file in its place
        raise ConfigError(f"{path} is a device or a pipe; name a file to write.")
    if not path.parent.is_dir():
        raise MissingPathError(f"there is no folder {str(path.parent)!r} for {path.name!r}; make it first.")
    _require_vacant(path, overwrite=overwrite)
    if to == "parquet":
        require_pyarrow()


def _require_vacant(path: Path, *, overwrite: bool) -> None:
    if os.path.lexists(path) and not overwrite:
        raise LibraryExistsError(
            f"{path} exists already; choose another name, or say that it is to be overwritten (--force)."
        )


@contextmanager
def _whole_file(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """A temporary name beside the file's, which becomes the file's own once it is complete and durable."""
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}{TEMPORARY_SUFFIX}")
    try:
        yield temporary
        sync_file(temporary)
        _require_vacant(path, overwrite=overwrite)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
