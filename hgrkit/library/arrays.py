"""The arrays of a library: append-only files of clip and frame records, mapped, and checked before they are used.

A version owns the first `Head.clips` and `Head.frames` records of its generation; what lies behind them belongs to
nobody and is overwritten. Each clip record holds a checksum of the clip's frames; the clip records themselves are
checked in blocks, whose checksums are in the database.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt
import xxhash

from hgrkit.errors import DamagedLibraryError, ShapeError
from hgrkit.library.records import ClipEmbeddings
from hgrkit.storage.atomic_file import sync_folder

__all__ = [
    "ARRAY_FOLDER",
    "ARRAY_NAME",
    "Appended",
    "ClipArrays",
    "Rows",
    "append_clips",
    "array_path",
    "clip_type",
    "frame_type",
    "map_records",
    "shorten_arrays",
]

Rows = npt.NDArray[np.int64]

ARRAY_FOLDER: Final = "arrays"

ARRAY_NAME: Final = re.compile(r"(clips|frames)-([1-9][0-9]*)\.bin")

_BLOCK_CLIPS: Final = 64
"""Clip records under one checksum. Smaller blocks make 200,000 clips slower to check (22 ms), larger ones make
scattered reads check more than they need."""

_BUFFER_BYTES: Final = 8 << 20
"""Written at once: beyond a few MiB larger writes gain nothing."""


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


def array_path(folder: Path, name: str, generation: int) -> Path:
    """Return where an array of a library lies; `name` is `clips` or `frames`."""
    return folder / ARRAY_FOLDER / f"{name}-{generation}.bin"


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
        blocks = -(-len(clips) // _BLOCK_CLIPS)
        self._checksums = None if checksums is None else np.frombuffer(checksums, "<u8")
        if self._checksums is not None and len(self._checksums) != blocks:
            raise _damaged(f"{len(self._checksums)} of {blocks} checksums of clips are there")
        self._checked_blocks = np.full(blocks, checksums is None)
        self._checked_frames = np.full(len(clips), checksums is None)

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        generation: int,
        clips: int,
        frames: int,
        embed_dim: int,
        removed: Sequence[tuple[int, int]],
        checksums: bytes,
    ) -> ClipArrays:
        """Map the first records of a generation; nothing is read yet.

        Raises:
            DamagedLibraryError: if a file is missing or shorter than its records.
        """
        found = {
            name: map_records(folder, name, generation, count, kind)
            for name, count, kind in (
                ("clips", clips, clip_type(embed_dim)),
                ("frames", frames, frame_type(embed_dim)),
            )
        }
        for name, count in (("clips", clips), ("frames", frames)):
            if len(found[name]) < count:
                path = array_path(folder, name, generation)
                raise _damaged(f"{path.name} holds {len(found[name])} of {count} records")
        return cls(found["clips"], found["frames"], removed=removed, checksums=checksums)

    @classmethod
    def salvage(
        cls,
        clips: npt.NDArray[Any],
        frames: npt.NDArray[Any],
        *,
        num_clips: int,
        checksums: Mapping[int, bytes],
        tail: bytes,
        removed: Sequence[tuple[int, int]],
    ) -> ClipArrays:
        """Join what is left of arrays and of their checksums, of `num_clips` records; what is lost is not intact.

        Args:
            clips: the clip records that are there.
            frames: the frame records that are there.
            num_clips: clip records that there should be.
            checksums: by the first block of each run, eight bytes a block.
            tail: checksum of the records after the last full block.
            removed: as the constructor has it.
        """
        known = bytearray(8 * -(-len(clips) // _BLOCK_CLIPS))
        for first, part in [*checksums.items(), (num_clips // _BLOCK_CLIPS, tail)]:
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
                rows, record = _encoded(clip, number, key + ordinal, num_frames, embed_dim)
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
            blocks = np.unique(rows // _BLOCK_CLIPS)
            blocks = blocks[~self._checked_blocks[blocks]]
        for block in blocks.tolist():
            if not self.is_block_intact(block):
                raise _damaged(f"block {block} of its clips is not what was written")

    def check_frames(self, rows: Rows) -> None:
        """Check the frames of clips whose records were checked, once.

        Raises:
            DamagedLibraryError: if those of a clip are not what was written.
        """
        for row in rows[~self._checked_frames[rows]].tolist():
            if not self.is_clip_intact(row):
                raise _damaged(f"the frames of clip {row} are not what was written")

    def fingerprint(self, num_clips: int) -> str:
        """Name the first clip records: no others share it."""
        if self._checksums is None:
            return ""
        blocks = num_clips // _BLOCK_CLIPS
        digest = xxhash.xxh3_128(self._checksums[:blocks].tobytes())
        digest.update(self.clips[blocks * _BLOCK_CLIPS : num_clips].tobytes())
        return digest.hexdigest()

    def belongs(self, video: int, rows: range) -> bool:
        """Whether these are clip records of a video, none of them removed."""
        inside = not rows or (rows.start >= 0 and rows.stop <= len(self.clips))
        part = slice(rows.start, rows.stop)
        return inside and bool(self.living[part].all()) and bool((self.clips["video"][part] == video).all())

    def is_video_intact(self, video: int, rows: range) -> bool:
        """Whether a video's clip records and their frames are there and what was written."""
        blocks = range(rows.start // _BLOCK_CLIPS, (rows.stop - 1) // _BLOCK_CLIPS + 1) if rows else range(0)
        return (
            self.belongs(video, rows)
            and all(map(self.is_block_intact, blocks))
            and all(map(self.is_clip_intact, rows))
        )

    def is_block_intact(self, block: int) -> bool:
        """Whether a block of clip records is what was written."""
        if self._checksums is None or self._checked_blocks[block]:
            return True
        part = self.clips[block * _BLOCK_CLIPS : (block + 1) * _BLOCK_CLIPS]
        self._checked_blocks[block] = _checksum(part) == self._checksums[block]
        return bool(self._checked_blocks[block])

    def is_clip_intact(self, row: int) -> bool:
        """Whether a clip's frames are what was written; its record must be intact."""
        if not self._checked_frames[row]:
            record = self.clips[row]
            first, count = int(record["first_frame"]), int(record["num_frames"])
            inside = first >= 0 and 0 < count <= len(self.frames) - first
            part = self.frames[first : first + count]
            self._checked_frames[row] = inside and _checksum(part) == record["checksum"]
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
            raise _damaged(f"clip {row} is no clip: {error}") from error


@attrs.frozen(kw_only=True)
class Appended:
    """What an append made of the arrays.

    Attributes:
        clips: clip records that there are now.
        frames: frame records that there are now.
        first_block: the first block that was completed.
        checksums: of the blocks that were completed, eight bytes each.
        tail: of the records after them; empty if there are none.
    """

    clips: int
    frames: int
    first_block: int
    checksums: bytes
    tail: bytes


def append_clips(
    folder: Path,
    videos: Iterable[tuple[int, int, Sequence[ClipEmbeddings]]],
    *,
    generation: int,
    clips: int,
    frames: int,
    tail: bytes,
    embed_dim: int,
) -> Appended:
    """Write clips behind the records that there are, durably; the database has to say that they count.

    Args:
        folder: the library's folder.
        videos: of each video its number, the key of its first clip, and its clips.
        generation: which arrays.
        clips: clip records that there are.
        frames: frame records that there are.
        tail: checksum of the clip records after the last full block.
        embed_dim: D.

    Raises:
        ShapeError: if a value is too large for float16.
        DamagedLibraryError: if the last records are not what was written.
        OSError: if the disk is full or fails.
    """
    if not (folder / ARRAY_FOLDER).is_dir():
        (folder / ARRAY_FOLDER).mkdir()
        sync_folder(folder)
    first_block = clips // _BLOCK_CLIPS
    with ExitStack() as stack:
        clip_file, frame_file = (
            stack.enter_context(_AppendedFile(array_path(folder, name, generation), count * kind.itemsize))
            for name, count, kind in (
                ("clips", clips, clip_type(embed_dim)),
                ("frames", frames, frame_type(embed_dim)),
            )
        )
        pending = [_partial_block(clip_file, clips - first_block * _BLOCK_CLIPS, tail, clip_type(embed_dim))]
        checksums = b""
        for number, key, given in videos:
            for ordinal, clip in enumerate(given):
                rows, record = _encoded(clip, number, key + ordinal, frames, embed_dim)
                frame_file.write(rows)
                clip_file.write(record)
                pending.append(record)
                frames, clips = frames + len(rows), clips + 1
                if clips % _BLOCK_CLIPS == 0:
                    checksums += _checksum_bytes(np.concatenate(pending))
                    pending = []
        frame_file.sync()
        clip_file.sync()
    left = np.concatenate(pending) if pending else b""
    return Appended(
        clips=clips,
        frames=frames,
        first_block=first_block,
        checksums=checksums,
        tail=_checksum_bytes(left) if len(left) else b"",
    )


def shorten_arrays(folder: Path, *, generation: int, clips: int, frames: int, tail: bytes, embed_dim: int) -> None:
    """Cut off what lies behind the records, and delete other generations, as far as the disk lets it.

    Arguments as for `append_clips`.

    Raises:
        DamagedLibraryError: if the last records are not what was written, as with another library's database;
            nothing is then changed.
    """
    counts = (("clips", clips, clip_type(embed_dim)), ("frames", frames, frame_type(embed_dim)))
    sizes = {array_path(folder, name, generation): count * kind.itemsize for name, count, kind in counts}
    for (path, size), (name, _, kind) in zip(sizes.items(), counts, strict=True):
        if size:
            with _AppendedFile(path, size) as file:
                if name == "clips":
                    _partial_block(file, clips % _BLOCK_CLIPS, tail, kind)
    for path in (folder / ARRAY_FOLDER).glob("*.bin"):
        with suppress(OSError):  # Windows keeps files that a reader has mapped; the next writer deletes them
            if path in sizes and path.stat().st_size > sizes[path]:
                os.truncate(path, sizes[path])
            elif path not in sizes and ARRAY_NAME.fullmatch(path.name):
                path.unlink()


class _AppendedFile:
    """A file that grows from a place on, through a buffer."""

    def __init__(self, path: Path, size: int) -> None:
        self._path, self._place, self._buffer = path, size, bytearray()
        self._is_new = not path.exists()
        if size and (not path.is_file() or path.stat().st_size < size):
            raise _damaged(f"{path.name} is missing or shorter than {size} bytes")
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)

    def read_last(self, size: int) -> bytes:
        """Read the last bytes before the place."""
        os.lseek(self._descriptor, self._place - size, os.SEEK_SET)
        return os.read(self._descriptor, size)

    def write(self, records: npt.NDArray[Any]) -> None:
        self._buffer += records.data.cast("B")
        if len(self._buffer) >= _BUFFER_BYTES:
            self._flush()

    def sync(self) -> None:
        self._flush()
        os.fsync(self._descriptor)
        if self._is_new:
            sync_folder(self._path.parent)

    def _flush(self) -> None:
        os.lseek(self._descriptor, self._place, os.SEEK_SET)
        left = memoryview(self._buffer)
        while left:
            left = left[os.write(self._descriptor, left) :]
        self._place += len(self._buffer)
        self._buffer = bytearray()

    def __enter__(self) -> _AppendedFile:
        return self

    def __exit__(self, *raised: object) -> None:
        os.close(self._descriptor)


def _partial_block(file: _AppendedFile, count: int, tail: bytes, kind: np.dtype[Any]) -> npt.NDArray[Any]:
    """The records after the last full block, which go into the checksum of the block that they begin."""
    data = file.read_last(count * kind.itemsize)
    if len(data) != count * kind.itemsize or (count and _checksum_bytes(data) != tail):
        raise _damaged("its last clips are not what was written")
    return np.frombuffer(data, kind)


def _encoded(
    clip: ClipEmbeddings, video: int, key: int, first_frame: int, embed_dim: int
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """A clip's frame records, [F], and its own, [1]."""
    frames, record = np.empty(clip.num_frames, frame_type(embed_dim)), np.zeros(1, clip_type(embed_dim))
    with np.errstate(over="ignore"):
        frames["time_s"], frames["action"], frames["entity"] = clip.times_s, clip.action, clip.entity
        record["event"] = clip.event
    if not all(np.isfinite(part).all() for part in (frames["action"], frames["entity"], record["event"])):
        largest = max(float(np.abs(part).max()) for part in (clip.event, clip.action, clip.entity))
        raise ShapeError(
            f"embeddings are stored as float16 and must stay below 65504, got {largest:g}; "
            "scale the model's output down."
        )
    record["video"], record["key"] = video, key
    record["first_frame"], record["num_frames"] = first_frame, clip.num_frames
    record["start_s"], record["end_s"] = clip.start_s, clip.end_s
    record["checksum"] = _checksum(frames)
    return frames, record


def _checksum(records: npt.NDArray[Any] | bytes) -> int:
    return xxhash.xxh3_64_intdigest(records if isinstance(records, bytes) else records.view(np.uint8).data)


def _checksum_bytes(records: npt.NDArray[Any] | bytes) -> bytes:
    return _checksum(records).to_bytes(8, "little")


def map_records(folder: Path, name: str, generation: int, count: int, kind: np.dtype[Any]) -> npt.NDArray[Any]:
    """Map the first records of a file, or as many of them as there are.

    Raises:
        OSError: if the system does not let it be read.
    """
    path = array_path(folder, name, generation)
    try:
        size = path.stat().st_size if path.is_file() else 0  # a pipe would wait for ever
        count = min(count, size // kind.itemsize)
        if count:
            return np.memmap(path, kind, mode="r", shape=(count,)).view(np.ndarray)
    except FileNotFoundError:  # a compaction deletes it between the two
        pass
    return np.empty(0, kind)


def _damaged(what: str) -> DamagedLibraryError:
    return DamagedLibraryError(f"the library is damaged: {what}; run `hgrkit repair`, or restore a backup.")
