"""Segments: immutable safetensors files of clip embeddings, checked block by block before they are believed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import ConfigError, ShapeError
from hgrkit.library.records import ClipEmbeddings, Float32
from hgrkit.storage.atomic_file import write_atomically
from hgrkit.storage.tensor_file import Data, TensorFile, damaged, read_file, tensor_header

__all__ = [
    "BLOCK_BYTES",
    "Segment",
    "SegmentRecord",
    "describe_segment",
    "segment_metadata",
    "segment_tensors",
    "write_segment",
]

Chunk = Data | memoryview

BLOCK_BYTES = 1 << 20
"""Bytes under one SHA-256."""

_DIGEST_BYTES = 32


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


def write_segment(path: Path, clips: Sequence[ClipEmbeddings], *, embed_dim: int, commit: str) -> SegmentRecord:
    """Write clips end to end as float16, with the commit record of which they are a part, durably.

    Args:
        path: the file, which is not there yet.
        clips: V clips; without any the tensors are empty.
        embed_dim: D of the clips.
        commit: the commit record, a line of JSON.

    Raises:
        ShapeError: if a value is too large for float16.
        ConfigError: if the commit record is too long.
        OSError: if the disk is full or fails.
    """
    tensors = {
        "times_s": np.concatenate([np.empty(0), *(clip.times_s for clip in clips)]).astype("<f8"),
        "event": _half([clip.event[None] for clip in clips], embed_dim),
        "action": _half([clip.action for clip in clips], embed_dim),
        "entity": _half([clip.entity for clip in clips], embed_dim),
    }
    try:
        header = tensor_header(tensors, segment_metadata(tensors, commit))
    except ValueError as error:
        raise ConfigError(f"the commit is too large: {error}; commit fewer videos at once.") from error
    chunks: list[Chunk] = [header, *(tensor.data.cast("B") for tensor in tensors.values() if tensor.size)]
    write_atomically(path, *chunks)
    return describe_segment(path.name, chunks, clips=len(clips), frames=len(tensors["times_s"]))


def segment_metadata(tensors: Mapping[str, npt.NDArray[Any]], commit: str) -> dict[str, str]:
    """What a segment says of itself beside its tensors; the digest covers commit record and tensors, in order."""
    digest = hashlib.sha256(commit.encode())
    for tensor in tensors.values():
        if tensor.size:
            digest.update(tensor.data.cast("B"))
    return {"format": "hgrkit-segment", "version": "2", "commit": commit, "digest": digest.hexdigest()}


def segment_tensors(file: TensorFile, *, clips: int, frames: int, embed_dim: int) -> dict[str, npt.NDArray[Any]]:
    """The four tensors of a segment, in the order in which they are written.

    Raises:
        ValueError: if one is missing or of another shape or type.
    """
    return {
        "times_s": file.tensor("times_s", (frames,), "F64"),
        "event": file.tensor("event", (clips, embed_dim), "F16"),
        "action": file.tensor("action", (frames, embed_dim), "F16"),
        "entity": file.tensor("entity", (frames, embed_dim), "F16"),
    }


def describe_segment(file: str, chunks: Sequence[Chunk], *, clips: int, frames: int) -> SegmentRecord:
    """What the database is to say of a segment's content, which comes in chunks."""
    return SegmentRecord(
        file=file,
        clips=clips,
        frames=frames,
        num_bytes=sum(memoryview(chunk).nbytes for chunk in chunks),
        block_bytes=BLOCK_BYTES,
        digests=_block_digests(chunks, BLOCK_BYTES),
    )


class Segment:
    """A segment opened for reading: its four tensors, float16 as they are on disk.

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
            tensors = segment_tensors(
                TensorFile.parse(data), clips=record.clips, frames=record.frames, embed_dim=embed_dim
            )
        except ValueError as error:
            raise damaged(path, str(error)) from error
        self.event, self.action, self.entity = tensors["event"], tensors["action"], tensors["entity"]
        self.times_s = tensors["times_s"]

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

    def _read(self, record: SegmentRecord) -> Data:
        data = read_file(self._path, num_bytes=record.num_bytes)
        if record.block_bytes < 1:
            raise damaged(self._path, f"its blocks are said to have {record.block_bytes} bytes")
        return data

    def _check_blocks(self, data: Data, record: SegmentRecord) -> None:
        digests = _block_digests([data], record.block_bytes)
        for start in range(0, max(len(digests), len(record.digests)), _DIGEST_BYTES):
            part = slice(start, start + _DIGEST_BYTES)
            if digests[part] != record.digests[part]:
                number = start // _DIGEST_BYTES
                raise damaged(
                    self._path,
                    f"block {number}, from byte {number * record.block_bytes}, is not what was written",
                )


def _block_digests(chunks: Sequence[Chunk], block_bytes: int) -> bytes:
    """One SHA-256 for each `block_bytes` of the chunks end to end."""
    digests: list[bytes] = []
    digest, left = hashlib.sha256(), block_bytes
    for chunk in chunks:
        view = memoryview(chunk)
        while view.nbytes:
            digest.update(view[:left])
            left, view = left - len(view[:left]), view[left:]
            if not left:
                digests.append(digest.digest())
                digest, left = hashlib.sha256(), block_bytes
    return b"".join([*digests, *([digest.digest()] if left < block_bytes else [])])


def _half(parts: Sequence[Float32], embed_dim: int) -> npt.NDArray[np.float16]:
    values = np.concatenate([np.empty((0, embed_dim), np.float32), *parts])
    with np.errstate(over="ignore"):
        half = values.astype("<f2")
    if not np.isfinite(half).all():
        raise ShapeError(
            f"embeddings are stored as float16 and must stay below 65504, got {np.abs(values).max():g}; "
            "scale the model's output down."
        )
    return half
