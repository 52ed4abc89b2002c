"""What is left of a damaged segment: the clips of which every byte lies in blocks that are what was written."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hgrkit.errors import DamagedLibraryError, ShapeError
from hgrkit.library.records import ClipEmbeddings
from hgrkit.library.segment import SegmentRecord
from hgrkit.library.tensor_file import TensorFile, read_file

__all__ = ["SalvagedSegment"]

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
