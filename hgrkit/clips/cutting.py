"""Cuts every hit's moment into a file that is there whole or not at all; a process with limits reads the video."""

from __future__ import annotations

import os
import tempfile
import threading
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path, PurePath
from types import TracebackType
from typing import Any, BinaryIO, Self, cast, final

import attrs

from hgrkit.arguments import check_callable, check_flag, check_instance, check_path, check_sequence
from hgrkit.errors import ConfigError, DecodeLimitError
from hgrkit.indexing.decode_process import DecodeProcess, watch
from hgrkit.results import Hit
from hgrkit.storage.atomic_file import writing
from hgrkit.video.clip_output import SUFFIXES, CutClip
from hgrkit.video.limits import DecodeLimits

__all__ = ["ClipFile", "MomentClip", "clip_name", "cut_hits"]

_RESERVED = '<>:"/\\|?*'
_LONGEST_BYTES = 120


def clip_name(hit: Hit) -> str:
    """The name of a hit's clip, without a suffix: rank, video and moment.

    What a file system or a shell may take amiss becomes an underscore, and a long name is cut.

    >>> from hgrkit.levels import PerLevel
    >>> levels = PerLevel(event=0.0, action=0.0, entity=0.0)
    >>> clip_name(Hit(rank=1, video="videos/dog_park.mp4", start_s=12.0, end_s=15.52, score=0.4, levels=levels,
    ...     phrases=()))
    '01 dog_park 12.0-15.5s'
    """
    stem = PurePath(hit.video).stem.encode("utf-8", "replace").decode("utf-8")
    safe = "".join("_" if _is_unsafe(character) else character for character in stem)
    safe = safe.encode()[:_LONGEST_BYTES].decode("utf-8", "ignore").strip(" .") or "video"
    return f"{hit.rank:02d} {safe} {hit.start_s:.1f}-{hit.end_s:.1f}s"


def _is_unsafe(character: str) -> bool:
    """Whether it means something to a file system, or nothing to a person: controls, marks of direction, gaps."""
    return character in _RESERVED or unicodedata.category(character) in ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp")


_MOST_BYTES = 16 << 30


@final
class ClipFile:
    """A file that is being written under a name of its own; a context manager that removes what was not placed.

    Args:
        folder: where it will be; it must exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        descriptor, name = tempfile.mkstemp(prefix=".hgrkit-", suffix=".part", dir=folder)
        self._file: BinaryIO = cast("BinaryIO", os.fdopen(descriptor, "wb"))
        self._path = Path(name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(OSError):  # a full disk says so again
            self._file.close()
        self._path.unlink(missing_ok=True)

    def take(self, at: int, data: bytes | None) -> None:
        """Write bytes where they belong; with none, begin anew.

        Raises:
            DecodeLimitError: if the file grows beyond 16 GiB, as no moment does.
            OSError: if the disk is full or fails.
        """
        if data is None:
            self._file.truncate(0)
            return
        if at + len(data) > _MOST_BYTES:
            raise DecodeLimitError(f"its clip would be larger than {_MOST_BYTES >> 30} GiB")
        self._file.seek(at)
        self._file.write(data)

    def place(self, stem: str, suffix: str) -> Path:
        """Give the file its name, or where that is taken the next one that is free: `stem (2)`, `stem (3)`, ...

        Raises:
            OSError: if the disk is full or fails.
        """
        self._file.flush()
        self._path.chmod(0o666 & ~_umask())
        self._file.close()
        number = 1
        while True:
            target = self._folder / f"{stem}{f' ({number})' if number > 1 else ''}{suffix}"
            if _moved(self._path, target):
                return target
            number += 1


def _moved(source: Path, target: Path) -> bool:
    """Rename a file unless something is in the way; in one step where the file system can."""
    try:
        os.link(source, target)
    except FileExistsError:
        return False
    except (AttributeError, OSError):  # no hard links here
        if os.path.lexists(target):
            return False
        source.rename(target)
        return True
    source.unlink()
    return True


def _umask() -> int:
    """What this process takes from the rights of new files; it can only be asked by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


@attrs.frozen(kw_only=True)
class MomentClip:
    """What became of one hit's moment.

    Attributes:
        rank: the hit's.
        video: the video's path.
        path: the clip; `None` if the moment could not be cut.
        start_s: where the clip begins, in seconds from the video's beginning: at the moment or, copied, before it.
        end_s: where it ends.
        encoded: why the pictures were encoded anew, as a clause; empty if they are the video's own.
        problem: why there is no clip, in one line; empty if there is one.
    """

    rank: int
    video: str
    path: Path | None
    start_s: float
    end_s: float
    encoded: str = ""
    problem: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The clip as plain JSON types."""
        return {**attrs.asdict(self), "path": None if self.path is None else str(self.path)}


def cut_hits(
    hits: Sequence[Hit],
    folder: str | PathLike[str],
    *,
    exact: bool = False,
    limits: DecodeLimits | None = None,
    on_progress: Callable[[int, int], object] | None = None,
) -> tuple[MomentClip, ...]:
    """Cut each hit's moment into a file of its own.

    Packets are copied, without any loss and with their sound, from the last key frame before the moment on, into
    a file of the video's own kind. Where they cannot be, and where `exact` asks for it, the moment is encoded anew
    as MP4, to a frame and to a sample. Files are called `01 dog_park 12.0-15.5s.mp4`; one that is there already
    stays, and the new one gets a number. A file is there whole or not at all. A video that is gone, broken or
    takes more than the limits allow costs its own clip and no other.

    Args:
        hits: what a search found.
        folder: where the files go; made if it does not exist.
        exact: encode every moment anew.
        limits: what one video may take.
        on_progress: called before the first hit and after each, with how many are done and how many there are.

    Returns:
        one a hit, in the same order.

    Raises:
        ConfigError: if the folder is a file.
        DecodeWorkerError: if no process can be started.
        OSError: if the folder cannot be written to.
    """
    hits = check_sequence("hits", hits, Hit, of="Hit objects, such as result.hits")
    check_flag("exact", exact)
    if limits is not None:
        check_instance("limits", limits, DecodeLimits)
    check_callable("on_progress", on_progress, takes="how many hits are done and how many there are")
    target = Path(check_path("folder", folder))
    if target.exists() and not target.is_dir():
        raise ConfigError(f"clips go into a folder, and {target.name!r} is a file; name another one.")
    target.mkdir(parents=True, exist_ok=True)
    tell = on_progress or (lambda done, total: None)  # noqa: ARG005
    clips: list[MomentClip] = []
    with _watched(DecodeProcess(limits or DecodeLimits())) as process:
        for hit in hits:
            tell(len(clips), len(hits))
            clips.append(_cut(hit, target, process, exact=exact))
    tell(len(clips), len(hits))
    return tuple(clips)


def _cut(hit: Hit, folder: Path, process: DecodeProcess, *, exact: bool) -> MomentClip:
    with writing(folder), ClipFile(folder) as file:
        cut = process.cut(hit.video, hit.start_s, hit.end_s, exact=exact, take=file.take)
        if isinstance(cut, CutClip):
            path = file.place(clip_name(hit), SUFFIXES[cut.container])
            return MomentClip(
                rank=hit.rank,
                video=hit.video,
                path=path,
                start_s=cut.start_s,
                end_s=cut.end_s,
                encoded=cut.encoded,
            )
    return MomentClip(
        rank=hit.rank,
        video=hit.video,
        path=None,
        start_s=hit.start_s,
        end_s=hit.end_s,
        problem=(cut.reason or "the video cannot be read").partition("; allow more")[0],
    )


@contextmanager
def _watched(process: DecodeProcess) -> Iterator[DecodeProcess]:
    """Keep the limits on time from another thread, and end the process at the end."""
    stop = threading.Event()
    watcher = threading.Thread(target=watch, args=([process], stop), name="hgrkit-clip-watch", daemon=True)
    watcher.start()
    try:
        yield process
    finally:
        stop.set()
        watcher.join()
        process.release()
