"""A version of a library of which segments are damaged: what is left of them, without the videos that are lost."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import DamagedLibraryError, ShapeError
from hgrkit.library.commit_log import SEGMENT_FOLDER
from hgrkit.library.contents import DatabaseContents
from hgrkit.library.manifest import Manifest
from hgrkit.library.records import ClipEmbeddings, Float32, VideoRecord
from hgrkit.library.segment import SegmentRecord
from hgrkit.library.store import Frames, Version
from hgrkit.storage.tensor_file import TensorFile, read_file

__all__ = ["IntactSnapshot"]

_DIGEST_BYTES = 32


class SalvagedSegment:
    """A segment that `Segment` refuses, read with the digests that the database has of its blocks.

    Without an intact header nothing can be found in it, and it gives no clip at all.
    """

    def __init__(self, path: Path, record: SegmentRecord, *, embed_dim: int) -> None:
        """Read what is there of the file; it may be missing."""
        self._embed_dim = embed_dim
        self._block_bytes = max(record.block_bytes, 1)
        try:
            self._data = read_file(path)
        except DamagedLibraryError:
            self._data = b""
        self._size = min(len(self._data), max(record.num_bytes, 0))
        self._intact = self._check_blocks(record)
        self._starts = self._tensor_starts()

    def clip(self, row: int, frames: slice, *, start_s: float, end_s: float) -> ClipEmbeddings | None:
        """One clip, as float32, or `None` if a byte of it is lost."""
        event = self._part("event", row, 1)
        times_s, action, entity = (
            self._part(name, frames.start, frames.stop - frames.start) for name in ("times_s", "action", "entity")
        )
        if event is None or times_s is None or action is None or entity is None:
            return None
        try:
            return ClipEmbeddings(
                start_s=start_s, end_s=end_s, times_s=times_s[:, 0], event=event[0], action=action, entity=entity
            )
        except ShapeError:
            return None

    def _check_blocks(self, record: SegmentRecord) -> list[bool]:
        view = memoryview(self._data)[: self._size]
        starts = range(0, self._size, self._block_bytes)
        found = [hashlib.sha256(view[start : start + self._block_bytes]).digest() for start in starts]
        return [
            digest == record.digests[number * _DIGEST_BYTES : (number + 1) * _DIGEST_BYTES]
            for number, digest in enumerate(found)
        ]

    def _tensor_starts(self) -> dict[str, int]:
        """Where each tensor begins in the file, if its header can be believed."""
        try:
            file = TensorFile.parse(self._data)
            if not self._holds(0, file.body):
                return {}
            return {
                name: file.body + int(file.header[name]["data_offsets"][0])
                for name in ("times_s", "event", "action", "entity")
            }
        except (ValueError, LookupError, TypeError):
            return {}

    def _part(self, name: str, row: int, rows: int) -> npt.NDArray[Any] | None:
        """Rows of a tensor, [rows, D]; of `times_s` [rows, 1]."""
        dtype, columns = ("<f8", 1) if name == "times_s" else ("<f2", self._embed_dim)
        width = columns * np.dtype(dtype).itemsize
        start = self._starts.get(name, -1) + row * width
        if name not in self._starts or not self._holds(start, start + rows * width):
            return None
        return np.frombuffer(self._data, dtype, count=rows * columns, offset=start).reshape(rows, columns)

    def _holds(self, start: int, end: int) -> bool:
        """Whether all of these bytes are there and what was written."""
        if not 0 <= start < end <= self._size:
            return False
        return all(self._intact[start // self._block_bytes : (end - 1) // self._block_bytes + 1])


Rows = npt.NDArray[np.int64]


@attrs.frozen(kw_only=True, eq=False)
class IntactSnapshot:
    """The videos of which every clip can be read; implements `hgrkit.library.store.Snapshot`.

    Attributes:
        videos: those that are left.
        lost: paths of the others.
    """

    videos: tuple[VideoRecord, ...]
    lost: tuple[str, ...]
    _contents: DatabaseContents
    _rows: Rows
    _clip_videos: Rows
    _salvaged: dict[str, SalvagedSegment]

    @classmethod
    def of(cls, folder: Path, contents: DatabaseContents, damaged: Collection[str]) -> IntactSnapshot:
        """Sort out which videos are left.

        Args:
            folder: the library's folder.
            contents: its database.
            damaged: the segment files that are not what the database says.
        """
        salvaged = {
            file: SalvagedSegment(
                folder / SEGMENT_FOLDER / file,
                contents.segments[file],
                embed_dim=contents.snapshot.manifest.embed_dim,
            )
            for file in sorted(damaged)
        }
        snapshot = contents.snapshot
        lost = {
            video
            for row, video in enumerate(snapshot.clip_videos.tolist())
            if contents.places[row].segment.file in salvaged and _salvage(contents, salvaged, row) is None
        }
        left = [place for place in range(len(snapshot.videos)) if place not in lost]
        rows = np.flatnonzero(~np.isin(snapshot.clip_videos, sorted(lost)))
        return cls(
            videos=tuple(snapshot.videos[place] for place in left),
            lost=tuple(snapshot.videos[place].path for place in sorted(lost)),
            contents=contents,
            rows=rows,
            clip_videos=np.searchsorted(np.array(left, np.int64), snapshot.clip_videos[rows]),
            salvaged=salvaged,
        )

    @property
    def version(self) -> Version:
        """The version that was damaged."""
        return self._contents.snapshot.version

    @property
    def manifest(self) -> Manifest:
        """What made it."""
        return self._contents.snapshot.manifest

    @property
    def files(self) -> frozenset[str]:
        """The segment files that the damaged version names."""
        return frozenset(self._contents.segments)

    @property
    def clip_keys(self) -> Rows:
        """[V] the clips' numbers."""
        return self._contents.snapshot.clip_keys[self._rows]

    @property
    def clip_videos(self) -> Rows:
        """[V] positions in `videos`."""
        return self._clip_videos

    @property
    def clip_frames(self) -> Rows:
        """[V] how many frames each clip has."""
        return self._contents.snapshot.clip_frames[self._rows]

    def events(self) -> Float32:
        """[V, D] the event embeddings."""
        size = self._contents.snapshot.manifest.embed_dim
        clips = self.clips(range(len(self._rows)))
        return np.stack([clip.event for clip in clips]) if clips else np.empty((0, size), np.float32)

    def frames(self, rows: Sequence[int]) -> tuple[list[Frames], list[Frames]]:
        """The clips' action and entity frames."""
        clips = self.clips(rows)
        return [clip.action for clip in clips], [clip.entity for clip in clips]

    def clips(self, rows: Sequence[int]) -> list[ClipEmbeddings]:
        """The clips at these positions.

        Raises:
            DamagedLibraryError: if a segment that was intact is so no longer.
        """
        return [
            _salvage(self._contents, self._salvaged, row) or self._contents.snapshot.clips([row])[0]
            for row in self._rows[list(rows)].tolist()
        ]


def _salvage(contents: DatabaseContents, salvaged: dict[str, SalvagedSegment], row: int) -> ClipEmbeddings | None:
    """A clip of a damaged segment; `None` if it is lost, or its segment is not damaged."""
    place = contents.places[row]
    segment = salvaged.get(place.segment.file)
    if segment is None:
        return None
    return segment.clip(place.row, place.frames, start_s=place.start_s, end_s=place.end_s)
