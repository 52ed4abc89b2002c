"""Cuts the moments of a search out of their videos, each into its own file; a worker process reads the videos."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path, PurePath
from typing import Any

import attrs

from hgrkit.checks.arguments import check_callable, check_flag, check_instance, check_path, check_sequence
from hgrkit.errors import ConfigError
from hgrkit.results import Hit
from hgrkit.storage.atomic_file import writing
from hgrkit.video.cutting.clip import SUFFIXES, ClipFile, CutClip
from hgrkit.video.limits import DecodeLimits
from hgrkit.video.worker.decoder import DecodeProcess

__all__ = ["MomentClip", "cut_hits"]

_RESERVED = '<>:"/\\|?*'
_LONGEST_BYTES = 120


def clip_name(hit: Hit) -> str:
    """Name a hit's clip, without a suffix, after its rank, video and moment.

    Characters with a special meaning for file systems or shells become underscores, and long names are shortened.

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
    """Whether it is special to a file system, or invisible: controls, marks of direction, gaps."""
    return character in _RESERVED or unicodedata.category(character) in ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp")


@attrs.frozen(kw_only=True)
class MomentClip:
    """The clip of one hit, or why there is none.

    Attributes:
        rank: the rank of the hit.
        video: the path of the video.
        path: the file; `None` if the moment could not be cut.
        start_s: where the clip begins, in seconds from the beginning of the video: at the moment, or before it if
            the clip is copied.
        end_s: where it ends.
        encoded: why the pictures were re-encoded, as a clause; empty if they were copied.
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

    Packets are copied without loss, with their sound, from the last key frame before the moment, into
    a file of the same format. If they cannot be copied, or with `exact`, the moment is re-encoded as
    MP4, exact to a frame and to a sample. Files have names such as `01 dog_park 12.0-15.5s.mp4`. An existing file
    is never overwritten; the new one gets a number. A file is written completely or not at all. A missing or
    broken video, or one beyond the limits, affects only its own clip.

    Args:
        hits: what a search found.
        folder: where the files go; created if it does not exist.
        exact: re-encode every moment.
        limits: limits for reading one video.
        on_progress: called before the first hit and after each, with how many are done and how many there are.

    Returns:
        one clip for each hit, in the same order.

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
    with DecodeProcess(limits or DecodeLimits()) as process:
        for hit in hits:
            tell(len(clips), len(hits))
            clips.append(_cut(hit, target, process, exact=exact))
    tell(len(clips), len(hits))
    return tuple(clips)


def _cut(hit: Hit, folder: Path, process: DecodeProcess, *, exact: bool) -> MomentClip:
    clip = MomentClip(rank=hit.rank, video=hit.video, path=None, start_s=hit.start_s, end_s=hit.end_s)
    with writing(folder), ClipFile(folder) as file:
        cut = process.cut(hit.video, hit.start_s, hit.end_s, exact=exact, take=file.take)
        if isinstance(cut, CutClip):
            path = file.place(clip_name(hit), SUFFIXES[cut.container])
            return attrs.evolve(clip, path=path, start_s=cut.start_s, end_s=cut.end_s, encoded=cut.encoded)
    # The limits' errors name options of `hgrkit index`, which a search does not have.
    problem = (cut.reason or "the video cannot be read").partition("; allow more")[0]
    return attrs.evolve(clip, problem=problem)
