"""Cuts every hit's moment into a file: videos are read by a process with limits, which can write none itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

import attrs

from hgrkit.arguments import check_callable, check_flag, check_instance, check_path, check_sequence
from hgrkit.clips.clip_file import ClipFile
from hgrkit.clips.file_name import clip_name
from hgrkit.errors import ConfigError
from hgrkit.indexing.decode_process import DecodeProcess, watch
from hgrkit.results import Hit
from hgrkit.video.clip_output import SUFFIXES, CutClip
from hgrkit.video.limits import DecodeLimits
from hgrkit.writing import writing

__all__ = ["MomentClip", "cut_hits"]


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
