"""A snapshot as an `.npz` file: arrays end to end with offsets, so that nothing in it needs pickle."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.library.records import ClipEmbeddings
from hgrkit.library.store import Frames, Snapshot
from hgrkit.library.video_row import path_bytes

__all__ = ["write_npz"]

Array = npt.NDArray[Any]

_CLIPS_AT_ONCE = 64


def write_npz(path: Path, snapshot: Snapshot, on_progress: Callable[[int, int], None]) -> None:
    """Write every clip, V of N videos, T frames in all.

    `manifest` (JSON text); `path_bytes` uint8 and `path_offsets` [N+1]: the videos' paths as the file system's
    bytes; `clip_video` [V]: each clip's video; `start_s`, `end_s` [V]; `event` float16 [V, D]; `frame_offsets`
    [V+1]: clip v has the frames from `frame_offsets[v]` to `frame_offsets[v+1]` of `times_s` [T], `action` and
    `entity` float16 [T, D].

    Raises:
        DamagedLibraryError: if stored embeddings are not what was written.
        OSError: if the disk is full or fails.
    """
    source = _Clips(snapshot, on_progress)
    bounds = np.array([(clip.start_s, clip.end_s) for clip in source.clips()], np.float64).reshape(-1, 2)
    kept, clip_video = np.unique(snapshot.clip_videos, return_inverse=True)
    paths = [path_bytes(snapshot.videos[place].path) for place in kept.tolist()]
    offsets = _offsets(snapshot.clip_frames)
    frames = int(offsets[-1])
    with zipfile.ZipFile(path, "w", allowZip64=True) as archive:
        for name, value in (
            ("manifest", np.array(snapshot.manifest.to_json())),
            ("path_bytes", np.frombuffer(b"".join(paths), np.uint8)),
            ("path_offsets", _offsets([len(path) for path in paths])),
            ("clip_video", clip_video.astype(np.int64)),
            ("start_s", bounds[:, 0]),
            ("end_s", bounds[:, 1]),
            ("frame_offsets", offsets),
        ):
            _write_array(archive, name, value.shape, value.dtype, [value])
        half, size = np.dtype(np.float16), snapshot.manifest.embed_dim
        _write_array(archive, "event", (len(bounds), size), half, (clip.event[None] for clip in source.clips()))
        _write_array(
            archive, "times_s", (frames,), np.dtype(np.float64), (clip.times_s for clip in source.clips())
        )
        _write_array(archive, "action", (frames, size), half, source.frames(0))
        _write_array(archive, "entity", (frames, size), half, source.frames(1))


_PASSES = 5
"""Times first, and then one for each long array."""


@attrs.define
class _Clips:
    """A snapshot's clips, again and again, a portion at a time."""

    _snapshot: Snapshot
    _on_progress: Callable[[int, int], None]
    _done: int = 0

    def clips(self) -> Iterator[ClipEmbeddings]:
        """Every clip."""
        for rows in self._portions():
            yield from self._snapshot.clips(rows)

    def frames(self, level: int) -> Iterator[Frames]:
        """Every clip's action (0) or entity (1) frames."""
        for rows in self._portions():
            yield from self._snapshot.frames(rows)[level]

    def _portions(self) -> Iterator[Sequence[int]]:
        clips = len(self._snapshot.clip_keys)
        starts = range(0, clips, _CLIPS_AT_ONCE)
        for start in starts:
            yield range(start, min(start + _CLIPS_AT_ONCE, clips))
            self._done += 1
            self._on_progress(self._done, _PASSES * len(starts))


def _write_array(
    archive: zipfile.ZipFile,
    name: str,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    parts: Sequence[Array] | Iterator[Array],
) -> None:
    """One member, as `numpy.save` would write the parts put end to end."""
    dtype = dtype.newbyteorder("<")
    with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_2_0(member, header)
        for part in parts:
            member.write(np.ascontiguousarray(part, dtype).tobytes())


def _offsets(lengths: npt.ArrayLike) -> npt.NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(np.asarray(lengths, np.int64))]).astype(np.int64)
