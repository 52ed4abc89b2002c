"""The arrays of a library: files of clip and frame records, mapped, and checked before they are used.

A version owns the records of its `Extent`; what lies behind them belongs to no version. Each clip record holds a
checksum of the clip's frames; clip records are checked in blocks, whose checksums are in the database.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt
import xxhash

from hgrkit.errors import DamagedLibraryError, ShapeError
from hgrkit.library.records import ClipEmbeddings

__all__ = [
    "ARRAY_FOLDER",
    "ARRAY_NAME",
    "BLOCK_CLIPS",
    "ArrayFile",
    "ClipArrays",
    "Extent",
    "Rows",
    "checksum",
    "clip_type",
    "damaged_arrays",
    "encoded_clip",
    "frame_type",
    "lacking_records",
]

Rows = npt.NDArray[np.int64]

ARRAY_FOLDER: Final = "arrays"

ARRAY_NAME: Final = re.compile(r"(clips|frames)-([1-9][0-9]*)\.bin")

BLOCK_CLIPS: Final = 64
"""Clip records under one checksum. Smaller blocks make 200,000 clips slower to check (22 ms), larger ones make
scattered reads check more than they need."""


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


def frame_type(embed_dim: int) -> np.dtype[Any]:
    """Return the type of a frame's record: its time in seconds and its embeddings [D] at the two lower levels."""
    return np.dtype([("time_s", "<f8"), ("action", "<f2", (embed_dim,)), ("entity", "<f2", (embed_dim,))])


@attrs.frozen
class ArrayFile:
    """A file of records, of which the first `count` belong to a version."""

    path: Path
    count: int
    kind: np.dtype[Any]

    @property
    def num_bytes(self) -> int:
        """How long the file has to be."""
        return self.count * self.kind.itemsize

    def map(self) -> npt.NDArray[Any]:
        """Map the records, or as many of them as there are.

        Raises:
            OSError: if the system does not let it be read.
        """
        try:
            size = self.path.stat().st_size if self.path.is_file() else 0  # reading a pipe would block
            count = min(self.count, size // self.kind.itemsize)
            if count:
                return np.memmap(self.path, self.kind, mode="r", shape=(count,)).view(np.ndarray)
        except FileNotFoundError:  # a compaction deletes it between the two
            pass
        return np.empty(0, self.kind)


@attrs.frozen(kw_only=True)
class Extent:
    """How far the arrays of a version go.

    Attributes:
        generation: which arrays; every rewriting makes new ones.
        clips: clip records, removed ones included.
        frames: frame records.
        tail: checksum of the clip records after the last full block; empty if there are none.
    """

    generation: int = 1
    clips: int = 0
    frames: int = 0
    tail: bytes = b""

    def files(self, folder: Path, embed_dim: int) -> tuple[ArrayFile, ArrayFile]:
        """Return the file of clips and the file of frames of a library in a folder."""
        return (
            ArrayFile(folder / ARRAY_FOLDER / f"clips-{self.generation}.bin", self.clips, clip_type(embed_dim)),
            ArrayFile(folder / ARRAY_FOLDER / f"frames-{self.generation}.bin", self.frames, frame_type(embed_dim)),
        )


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
        checksums: bytes | None = None,
    ) -> None:
        """Join arrays; without `checksums` of all blocks, eight bytes each, they are believed as they are."""
        self.clips, self.frames, self.removed = clips, frames, tuple(removed)
        blocks = -(-len(clips) // BLOCK_CLIPS)
        self._checksums = None if checksums is None else np.frombuffer(checksums, "<u8")
        if self._checksums is not None and len(self._checksums) != blocks:
            raise damaged_arrays(f"{len(self._checksums)} of {blocks} checksums of clips exist")
        self._checked_blocks = np.full(blocks, checksums is None)
        self._checked_frames = np.full(len(clips), checksums is None)

    @classmethod
    def open(
        cls,
        files: tuple[ArrayFile, ArrayFile],
        *,
        checksums: bytes,
        removed: Sequence[tuple[int, int]],
    ) -> ClipArrays:
        """Map the files of a version; nothing is read yet.

        Raises:
            DamagedLibraryError: if a file is missing or shorter than its records.
        """
        clips, frames = (file.map() for file in files)
        if lacking := lacking_records(files, (clips, frames)):
            raise damaged_arrays("; ".join(lacking))
        return cls(clips, frames, removed=removed, checksums=checksums)

    @classmethod
    def salvage(
        cls,
        files: tuple[ArrayFile, ArrayFile],
        *,
        checksums: Mapping[int, bytes],
        tail: bytes,
        removed: Sequence[tuple[int, int]],
    ) -> ClipArrays:
        """Map what is there of files; blocks whose checksum is not among those that are left are not intact."""
        clips, frames = (file.map() for file in files)
        known = bytearray(8 * -(-len(clips) // BLOCK_CLIPS))
        for first, part in [*checksums.items(), (files[0].count // BLOCK_CLIPS, tail)]:
            known[8 * first : 8 * first + len(part)] = part[: max(0, len(known) - 8 * first)]
        return cls(clips, frames, removed=removed, checksums=bytes(known))

    @classmethod
    def of_clips(cls, videos: Iterable[tuple[int, int, Sequence[ClipEmbeddings]]], embed_dim: int) -> ClipArrays:
        """Lay clips out in memory, rounded as they are when stored.

        Args:
            videos: of each video its number, the key of its first clip, and its clips.
            embed_dim: D.
        """
        clips, frames, num_frames = [np.empty(0, clip_type(embed_dim))], [np.empty(0, frame_type(embed_dim))], 0
        for number, key, given in videos:
            for ordinal, clip in enumerate(given):
                rows, record = encoded_clip(clip, number, key + ordinal, num_frames, embed_dim)
                frames.append(rows)
                clips.append(record)
                num_frames += len(rows)
        return cls(np.concatenate(clips), np.concatenate(frames))

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
        """Check the blocks that hold these clip records, by default all, once.

        Raises:
            DamagedLibraryError: if one is not what was written.
        """
        if self._checksums is None:
            return
        if rows is None:
            blocks = np.flatnonzero(~self._checked_blocks)
        else:
            blocks = np.unique(rows // BLOCK_CLIPS)
            blocks = blocks[~self._checked_blocks[blocks]]
        for block in blocks.tolist():
            if not self.is_block_intact(block):
                raise damaged_arrays(f"block {block} of its clips is not what was written")

    def check_frames(self, rows: Rows) -> None:
        """Check the frames of clips whose records were checked, once.

        Raises:
            DamagedLibraryError: if those of a clip are not what was written.
        """
        for row in rows[~self._checked_frames[rows]].tolist():
            if not self.is_clip_intact(row):
                raise damaged_arrays(f"the frames of clip {row} are not what was written")

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
        """Whether a video's clip records and their frames are there and what was written."""
        blocks = range(rows.start // BLOCK_CLIPS, (rows.stop - 1) // BLOCK_CLIPS + 1) if rows else range(0)
        return (
            self.belongs(video, rows)
            and all(map(self.is_block_intact, blocks))
            and all(map(self.is_clip_intact, rows))
        )

    def is_block_intact(self, block: int) -> bool:
        """Whether a block of clip records is what was written."""
        if self._checksums is None or self._checked_blocks[block]:
            return True
        part = self.clips[block * BLOCK_CLIPS : (block + 1) * BLOCK_CLIPS]
        self._checked_blocks[block] = checksum(part) == self._checksums[block]
        return bool(self._checked_blocks[block])

    def is_clip_intact(self, row: int) -> bool:
        """Whether a clip's frames are what was written; its record must be intact."""
        if not self._checked_frames[row]:
            record = self.clips[row]
            first, count = int(record["first_frame"]), int(record["num_frames"])
            inside = first >= 0 and 0 < count <= len(self.frames) - first
            part = self.frames[first : first + count]
            self._checked_frames[row] = inside and checksum(part) == record["checksum"]
        return bool(self._checked_frames[row])

    def clip(self, row: int) -> ClipEmbeddings:
        """Return one checked clip, its embeddings as float32.

        Raises:
            DamagedLibraryError: if it holds what no clip does; whoever wrote it sealed it all the same.
        """
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
            raise damaged_arrays(f"clip {row} is no clip: {error}") from error


def lacking_records(files: Sequence[ArrayFile], found: Sequence[npt.NDArray[Any]]) -> list[str]:
    """Say which files have fewer records than they should."""
    return [
        f"{file.path.name} holds {len(there)} of {file.count} records"
        for file, there in zip(files, found, strict=True)
        if len(there) < file.count
    ]


_TOO_LARGE: Final = 65520.0
"""The least number that float16 rounds to infinity."""


def encoded_clip(
    clip: ClipEmbeddings, video: int, key: int, first_frame: int, embed_dim: int
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """A clip's frame records, [F], and its own, [1]."""
    frames, record = np.empty(clip.num_frames, frame_type(embed_dim)), np.zeros(1, clip_type(embed_dim))
    with np.errstate(over="ignore"):
        frames["time_s"], frames["action"], frames["entity"] = clip.times_s, clip.action, clip.entity
        record["event"] = clip.event
    # Asked of float32: numpy goes through float16 number by number.
    largest = max(max(float(part.max()), -float(part.min())) for part in (clip.event, clip.action, clip.entity))
    if largest >= _TOO_LARGE:
        raise ShapeError(
            f"embeddings are stored as float16 and must stay below 65504, got {largest:g}; "
            "scale the model's output down."
        )
    record["video"], record["key"] = video, key
    record["first_frame"], record["num_frames"] = first_frame, clip.num_frames
    record["start_s"], record["end_s"] = clip.start_s, clip.end_s
    record["checksum"] = checksum(frames)
    return frames, record


def checksum(records: npt.NDArray[Any]) -> int:
    """Return the XXH3 of records, end to end."""
    return xxhash.xxh3_64_intdigest(records.view(np.uint8).data)


def damaged_arrays(what: str) -> DamagedLibraryError:
    """Make the error that says what is wrong and what to do."""
    return DamagedLibraryError(f"the library is damaged: {what}; run `hgrkit repair`, or restore a backup.")
