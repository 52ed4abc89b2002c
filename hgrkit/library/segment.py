"""Segments: immutable safetensors files of clip embeddings, checked block by block before they are believed."""

from __future__ import annotations

import hashlib
import json
import mmap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
from safetensors.numpy import save

from hgrkit.errors import DamagedLibraryError, ShapeError
from hgrkit.library.atomic_file import write_atomically
from hgrkit.library.records import ClipEmbeddings, Float32

__all__ = ["BLOCK_BYTES", "Segment", "SegmentRecord", "write_segment"]

BLOCK_BYTES = 1 << 20
"""Bytes under one SHA-256."""

_DIGEST_BYTES = 32
_MAPPED_FROM = 32 << 20


@attrs.frozen(kw_only=True)
class SegmentRecord:
    """What the database knows of a segment; the file has to agree.

    Attributes:
        file: its name in the folder `segments`.
        clips: V, the clips written to it, removed ones included.
        frames: the frames of all of them.
        num_bytes: the file's size.
        block_bytes: bytes under one digest; the last block may be shorter.
        digests: one SHA-256 a block, end to end.
    """

    file: str
    clips: int
    frames: int
    num_bytes: int
    block_bytes: int
    digests: bytes


def write_segment(path: Path, clips: Sequence[ClipEmbeddings]) -> SegmentRecord:
    """Write clips end to end as float16, durably.

    Raises:
        ShapeError: if a value is too large for float16.
        OSError: if the disk is full or fails.
    """
    content = save(
        {
            "event": _half(np.stack([clip.event for clip in clips])),
            "action": _half(np.concatenate([clip.action for clip in clips])),
            "entity": _half(np.concatenate([clip.entity for clip in clips])),
            "times_s": np.concatenate([clip.times_s for clip in clips]),
        },
        metadata={"format": "hgrkit-segment", "version": "1"},
    )
    write_atomically(path, content)
    return SegmentRecord(
        file=path.name,
        clips=len(clips),
        frames=sum(clip.num_frames for clip in clips),
        num_bytes=len(content),
        block_bytes=BLOCK_BYTES,
        digests=_block_digests(content, BLOCK_BYTES),
    )


class Segment:
    """A segment opened for reading: its four tensors, float16 as they are on disk.

    Small files are read, so that thousands of them hold no descriptors; large ones are mapped.

    Attributes:
        event: [V, D] float16.
        action: [sum of F, D] float16, the clips end to end.
        entity: [sum of F, D] float16.
        times_s: [sum of F] float64.
    """

    def __init__(self, path: Path, record: SegmentRecord, *, embed_dim: int) -> None:
        """Open, and check every block.

        Raises:
            DamagedLibraryError: if the file is missing or is not, byte for byte, what was written.
        """
        self._path = path
        data = self._read(record)
        self._check_blocks(data, record)
        try:
            self.event = _tensor(data, "event", (record.clips, embed_dim), "F16")
            self.action = _tensor(data, "action", (record.frames, embed_dim), "F16")
            self.entity = _tensor(data, "entity", (record.frames, embed_dim), "F16")
            self.times_s = _tensor(data, "times_s", (record.frames,), "F64")
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise self._damaged(str(error)) from error

    def clip(self, row: int, frames: slice, *, start_s: float, end_s: float) -> ClipEmbeddings:
        """One clip, as float32: its row in `event` and its frames in the other tensors."""
        return ClipEmbeddings(
            start_s=start_s,
            end_s=end_s,
            times_s=self.times_s[frames],
            event=self.event[row],
            action=self.action[frames],
            entity=self.entity[frames],
        )

    def _read(self, record: SegmentRecord) -> bytes | mmap.mmap:
        try:
            with self._path.open("rb") as file:
                size = file.seek(0, 2)
                if size != record.num_bytes:
                    raise self._damaged(f"it has {size} bytes instead of {record.num_bytes}")
                if size >= max(_MAPPED_FROM, 1):
                    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                file.seek(0)
                return file.read()
        except FileNotFoundError:
            raise self._damaged("it is missing") from None
        except OSError as error:
            raise self._damaged(f"it cannot be read ({error.strerror})") from error

    def _check_blocks(self, data: bytes | mmap.mmap, record: SegmentRecord) -> None:
        digests = _block_digests(data, record.block_bytes)
        for start in range(0, max(len(digests), len(record.digests)), _DIGEST_BYTES):
            part = slice(start, start + _DIGEST_BYTES)
            if digests[part] != record.digests[part]:
                number = start // _DIGEST_BYTES
                raise self._damaged(
                    f"block {number}, from byte {number * record.block_bytes}, is not what was written"
                )

    def _damaged(self, what: str) -> DamagedLibraryError:
        return DamagedLibraryError(
            f"{self._path} is damaged: {what}; restore it from a backup, or index its videos again."
        )


def _block_digests(data: bytes | mmap.mmap, block_bytes: int) -> bytes:
    view = memoryview(data)
    starts = range(0, len(view), block_bytes)
    return b"".join(hashlib.sha256(view[start : start + block_bytes]).digest() for start in starts)


def _tensor(data: bytes | mmap.mmap, name: str, shape: tuple[int, ...], kind: str) -> npt.NDArray[Any]:
    """One tensor of a safetensors file, without a copy."""
    length = int.from_bytes(data[:8], "little")
    entry = json.loads(data[8 : 8 + length])[name]
    if entry["dtype"] != kind or tuple(entry["shape"]) != shape:
        raise ValueError(f"its tensor {name} is {entry['dtype']} {entry['shape']} instead of {kind} {list(shape)}")
    dtype = np.dtype({"F16": "<f2", "F64": "<f8"}[kind])
    count = int(np.prod(shape))
    return np.frombuffer(data, dtype, count=count, offset=8 + length + entry["data_offsets"][0]).reshape(shape)


def _half(values: Float32) -> npt.NDArray[np.float16]:
    with np.errstate(over="ignore"):
        half = values.astype(np.float16)
    if not np.isfinite(half).all():
        raise ShapeError(
            f"embeddings are stored as float16 and must stay below 65504, got {np.abs(values).max():g}; "
            "scale the model's output down."
        )
    return half
