"""The clips of a library as arrays of clip and frame records, checked before they are read.

Each clip record holds a checksum of the clip's frames; clip records are checked in blocks, whose checksums are in
the database. Whoever meets records that are not what was written, or that no writer writes, raises
`DamagedLibraryError`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache, cached_property
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import xxhash

from hgrkit.errors import ShapeError
from hgrkit.library.records import ClipEmbeddings
from hgrkit.library.tables import damaged_library
from hgrkit.matching.kernel import MappedFile, chosen_kernel, store_halves

__all__ = [
    "BLOCK_CLIPS",
    "LONGEST_S",
    "ClipArrays",
    "Records",
    "Rows",
    "checksum",
    "clip_type",
    "encode_clips",
    "frame_type",
    "portions_of",
]

Rows = npt.NDArray[np.int64]
Records = tuple[npt.NDArray[Any], npt.NDArray[Any]]
"""Clip records, and the records of their frames, end to end; `first_frame` counts from the first of these."""

BLOCK_CLIPS: Final = 64
"""Clip records under one checksum. Smaller blocks make 200,000 clips slower to check (22 ms), larger ones make
scattered reads check more than they need."""

_BLOCKS_AT_ONCE: Final = 1024
_CLIP_FIELDS: Final = ("first_frame", "num_frames", "start_s", "end_s")
_LEVELS: Final = ("action", "entity")

LONGEST_S: Final = 1e9
"""No time is further from 0 than this, in seconds: 31 years."""

_KEPT_BYTES, _PASS_BYTES = 128 << 20, 32 << 20
"""Frames that stay mapped after a pass over them, and those that a longer pass reads before it lets them go."""

_FRAMES_AT_ONCE: Final = 1280
"""Encoded or copied, and written at once: 64 clips of 20 frames, 2.6 MB. More gain nothing and leave the cache."""

_TOO_LARGE: Final = 65520.0
"""The least number that float16 rounds to infinity."""


@cache
def clip_type(embed_dim: int) -> np.dtype[Any]:
    """Return the type of a clip's record: 64 bytes, so that events stay aligned, and its event embedding [D]."""
    return np.dtype(
        [
            ("video", "<i8"),
            ("key", "<i8"),
            ("first_frame", "<i8"),
            ("num_frames", "<i8"),
            ("start_s", "<f8"),
            ("end_s", "<f8"),
            ("checksum", "<u8"),
            ("reserved", "<u8"),
            ("event", "<f2", (embed_dim,)),
        ]
    )


@cache
def frame_type(embed_dim: int) -> np.dtype[Any]:
    """Return the type of a frame's record: its time in seconds and its embeddings [D] at the two lower levels."""
    return np.dtype([("time_s", "<f8"), ("action", "<f2", (embed_dim,)), ("entity", "<f2", (embed_dim,))])


class ClipArrays:
    """The clips of one version as numpy sees them; safe for threads.

    Whoever reads records calls `check_clips` and `check_frames` before: both remember what they checked.

    Attributes:
        clips: [C] records of `clip_type`, removed ones included.
        frames: [T] records of `frame_type`; a clip's frames lie together.
        removed: the records that are not in the library, as half-open ranges.
    """

    def __init__(
        self,
        clips: npt.NDArray[Any],
        frames: npt.NDArray[Any],
        *,
        removed: Sequence[tuple[int, int]] = (),
        checksums: npt.NDArray[np.uint64] | None = None,
        mapped: Sequence[MappedFile] = (),
        num_frames: int | None = None,
    ) -> None:
        """Join arrays, which may be `mapped`; without `checksums` of all blocks they are believed as they are.

        `num_frames` is how many frames there should be, if some may be missing.
        """
        self.clips, self.frames, self.removed, self._mapped = clips, frames, tuple(removed), tuple(mapped)
        self._num_frames = len(frames) if num_frames is None else num_frames
        blocks = -(-len(clips) // BLOCK_CLIPS)
        self._checksums = None if checksums is None else checksums[:blocks]
        fresh = np.zeros if checksums is not None else np.ones  # memory that nothing is written to takes none
        self._checked_blocks, self._checked_frames = fresh(blocks, np.bool_), fresh(len(clips), np.bool_)

    @property
    def is_lost(self) -> bool:
        """Whether a file was cut short, or could not be read, while it was mapped."""
        return any(mapped.is_lost for mapped in self._mapped)

    def require_there(self) -> None:
        """Refuse what was read if some of it was not there; called after reading, as files may shrink meanwhile.

        Raises:
            DamagedLibraryError: if a file was cut short, or could not be read.
        """
        if self.is_lost:
            raise damaged_library("a file of its arrays was cut short, or cannot be read, while it is in use")

    def passes(self, rows: Rows) -> Iterator[Rows]:
        """Divide clips that are read once, in order, so that a long reading takes no more memory than a short one.

        What was read stays in the system's cache; that of a pass over less than 128 MB stays mapped as well.
        """
        self.check_clips(rows)
        size = self.frames.dtype.itemsize
        counts = self.clips["num_frames"][rows]
        if not self._mapped or int(counts.sum()) * size <= _KEPT_BYTES:
            yield rows
            return
        portions = np.cumsum(counts * size) // _PASS_BYTES
        for part in np.split(rows, np.flatnonzero(np.diff(portions)) + 1):
            yield part
            first, last = (self.clips[["first_frame", "num_frames"]][row].tolist() for row in (part[0], part[-1]))
            self._mapped[-1].release(first[0] * size, max(0, sum(last) - first[0]) * size)

    @cached_property
    def living(self) -> npt.NDArray[np.bool_]:
        """[C] which records are in the library."""
        living = np.ones(len(self.clips), np.bool_)
        for first, stop in self.removed:
            living[first:stop] = False
        return living

    @cached_property
    def num_living(self) -> int:
        """How many clips are in the library."""
        return len(self.clips) - sum(stop - first for first, stop in self.removed)

    @cached_property
    def rows(self) -> Rows:
        """Positions of the records that are in the library, ascending."""
        return np.flatnonzero(self.living)

    def check_clips(self, rows: Rows | None = None) -> None:
        """Check the blocks that hold these clip records, by default all, once."""
        blocks = np.arange(len(self._checked_blocks)) if rows is None else np.unique(rows // BLOCK_CLIPS)
        blocks = blocks[~self._checked_blocks[blocks]]
        for first in range(0, len(blocks), _BLOCKS_AT_ONCE):
            some = blocks[first : first + _BLOCKS_AT_ONCE]
            for block in some.tolist():
                if not self._is_as_written(block):
                    raise damaged_library(f"block {block} of its clips is not what was written")
            if not self._are_clips(some):
                raise damaged_library(f"blocks {some[0]} to {some[-1]} of its clips are no clips")
            self._checked_blocks[some] = True

    def check_frames(self, rows: Rows) -> None:
        """Check the frames of clips whose records were checked, once."""
        fresh = rows[~self._checked_frames[rows]]
        for row in fresh.tolist():
            if not self._has_frames(row):
                raise damaged_library(f"the frames of clip {row} are not what was written")
        if fresh.size and not self._are_in_time(fresh):
            raise damaged_library(f"the times of clips {fresh.min()} to {fresh.max()} are no times")
        self._checked_frames[fresh] = True

    def fingerprint(self, num_clips: int) -> str:
        """Name the first clip records: no others share it."""
        if self._checksums is None:
            return ""
        blocks = num_clips // BLOCK_CLIPS
        digest = xxhash.xxh3_128(self._checksums[:blocks].tobytes())
        digest.update(self.clips[blocks * BLOCK_CLIPS : num_clips].tobytes())
        return digest.hexdigest()

    def belongs(self, video: int, rows: range) -> bool:
        """Whether these are clip records of a video, none of them removed."""
        inside = not rows or (rows.start >= 0 and rows.stop <= len(self.clips))
        part = slice(rows.start, rows.stop)
        return inside and bool(self.living[part].all()) and bool((self.clips["video"][part] == video).all())

    def is_video_intact(self, video: int, rows: range) -> bool:
        """Whether a video's clip records and frames are there and what a writer writes, to the last number."""
        blocks = range(rows.start // BLOCK_CLIPS, (rows.stop - 1) // BLOCK_CLIPS + 1) if rows else range(0)
        return (
            self.belongs(video, rows)
            and all(map(self.is_block_intact, blocks))
            and all(map(self._is_clip_intact, rows))
            and not self.is_lost
        )

    def is_block_intact(self, block: int) -> bool:
        """Whether a block of clip records is what was written."""
        if not self._checked_blocks[block]:
            self._checked_blocks[block] = self._is_as_written(block) and self._are_clips(np.array([block]))
        return bool(self._checked_blocks[block])

    def _is_clip_intact(self, row: int) -> bool:
        """Whether a clip's frames are what was written and all its numbers finite; its record must be intact."""
        if not (self._checked_frames[row] or (self._has_frames(row) and self._are_in_time(np.array([row])))):
            return False
        self._checked_frames[row] = True
        first, count = self.clips[["first_frame", "num_frames"]][row].tolist()
        parts = (self.clips["event"][row], *(self.frames[name][first : first + count] for name in _LEVELS))
        return all(bool(np.isfinite(part).all()) for part in parts)

    def _is_as_written(self, block: int) -> bool:
        part = self.clips[block * BLOCK_CLIPS : (block + 1) * BLOCK_CLIPS]
        return self._checksums is None or checksum(part) == self._checksums[block]

    def _are_clips(self, blocks: Rows) -> bool:
        """Whether records are such as a writer makes: frames lie end to end, in order, and times are times.

        Clips that shared frames could be many more than a file has room for.
        """
        rows = (blocks[:, None] * BLOCK_CLIPS + np.arange(BLOCK_CLIPS)).ravel()
        rows = rows[rows < len(self.clips)]
        first, count, start_s, end_s = (self.clips[name][rows] for name in _CLIP_FIELDS)
        total = self._num_frames
        if ((count < 1) | (count > total) | (first < 0)).any() or (first > total - count).any():
            return False
        before = np.maximum(rows - 1, 0)
        ends = self.clips["first_frame"][before] + self.clips["num_frames"][before]
        ends[rows == 0] = 0
        ordered = (np.abs(start_s) <= LONGEST_S) & (np.abs(end_s) <= LONGEST_S) & (start_s <= end_s)
        return bool((first == ends).all() and ordered.all())

    def _has_frames(self, row: int) -> bool:
        first, count = self.clips[["first_frame", "num_frames"]][row].tolist()
        inside = first >= 0 and 0 < count <= len(self.frames) - first
        return inside and bool(checksum(self.frames[first : first + count]) == self.clips["checksum"][row])

    def _are_in_time(self, rows: Rows) -> bool:
        """Whether the times of clips' frames never decrease, and are times."""
        places, ends = self._places(rows)
        times_s = self.frames["time_s"][places]
        if not (np.abs(times_s) <= LONGEST_S).all():
            return False
        back = np.diff(times_s) < 0
        back[ends[:-1] - 1] = False
        return not bool(back.any())

    def _places(self, rows: Rows) -> tuple[Rows, Rows]:
        """Where the frames of clips are, one clip after the other, and where each clip's end among them."""
        counts = self.clips["num_frames"][rows]
        ends = np.cumsum(counts)
        return np.repeat(self.clips["first_frame"][rows] - ends + counts, counts) + np.arange(
            ends[-1] if len(ends) else 0
        ), ends

    def clip(self, row: int) -> ClipEmbeddings:
        """Return one checked clip, its embeddings as float32."""
        record = self.clips[row]
        first = int(record["first_frame"])
        frames = self.frames[first : first + int(record["num_frames"])]
        try:
            return ClipEmbeddings(
                start_s=float(record["start_s"]),
                end_s=float(record["end_s"]),
                times_s=frames["time_s"].astype(np.float64),
                event=record["event"],
                action=frames["action"],
                entity=frames["entity"],
            )
        except ShapeError as error:
            raise damaged_library(f"clip {row} is no clip: {error}") from error

    def records(self, rows: Rows) -> Records:
        """Copy clips, whose records were checked, with their frames, which are checked now."""
        self.check_frames(rows)
        clips = self.clips[rows]
        places, ends = self._places(rows)
        clips["first_frame"] = ends - clips["num_frames"]
        found = clips, self.frames[places]
        self.require_there()
        return found


def portions_of(num_frames: npt.ArrayLike) -> list[range]:
    """Divide clips into those that are handled at once: some, or a long one."""
    portions = (np.cumsum(np.asarray(num_frames, np.int64)) - 1) // _FRAMES_AT_ONCE
    edges = [0, *(np.flatnonzero(np.diff(portions)) + 1).tolist(), len(portions)]
    return [range(first, stop) for first, stop in pairwise(edges) if first < stop]


def encode_clips(videos: Iterable[tuple[int, int, Sequence[ClipEmbeddings]]], embed_dim: int) -> Iterator[Records]:
    """Make the records of clips, some at a time; a video has its number, the key of its first clip, and clips.

    Raises:
        ShapeError: if a value is too large for float16.
    """
    named = [(number, key + place, clip) for number, key, clips in videos for place, clip in enumerate(clips)]
    kernel = chosen_kernel()
    for some in portions_of([clip.num_frames for _, _, clip in named]):
        numbers, keys, clips = zip(*named[some.start : some.stop], strict=True)
        counts = [clip.num_frames for clip in clips]
        ends = np.cumsum(counts)
        records, frames = np.zeros(len(clips), clip_type(embed_dim)), np.empty(ends[-1], frame_type(embed_dim))
        records["video"], records["key"], records["num_frames"] = numbers, keys, counts
        records["first_frame"] = ends - counts
        records["start_s"], records["end_s"] = [clip.start_s for clip in clips], [clip.end_s for clip in clips]
        frames["time_s"] = np.concatenate([clip.times_s for clip in clips])
        largest = [store_halves(kernel, np.stack([clip.event for clip in clips]), records["event"])]
        actions, entities, sums = frames["action"], frames["entity"], []
        for clip, start, stop in zip(clips, records["first_frame"].tolist(), ends.tolist(), strict=True):
            largest.append(store_halves(kernel, clip.action, actions[start:stop]))
            largest.append(store_halves(kernel, clip.entity, entities[start:stop]))
            sums.append(checksum(frames[start:stop]))
        if max(largest) >= _TOO_LARGE:
            raise ShapeError(
                f"embeddings are stored as float16 and must stay below 65504, got {max(largest):g}; "
                "scale the model's output down."
            )
        records["checksum"] = sums
        yield records, frames


def checksum(records: npt.NDArray[Any]) -> int:
    """Return the XXH3 of records, end to end."""
    return xxhash.xxh3_64_intdigest(records.view(np.uint8).data)
