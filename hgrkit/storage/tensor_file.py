"""Tensor files: safetensors as the library writes them, and a reader that checks everything that a file states."""

from __future__ import annotations

import json
import mmap
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import DamagedLibraryError, HgrkitError

__all__ = ["MAX_HEADER_BYTES", "Data", "TensorFile", "damaged", "read_file", "tensor_header"]

Data = bytes | mmap.mmap

MAX_HEADER_BYTES = 100_000_000
"""The longest header that safetensors' own readers accept."""

_KINDS = {"F16": "<f2", "F64": "<f8"}
_MAPPED_FROM = 32 << 20


def tensor_header(tensors: Mapping[str, npt.NDArray[Any]], metadata: Mapping[str, str]) -> bytes:
    """The header of a safetensors file; its tensors follow end to end in the mapping's order.

    The header is padded, so that tensors of eight-byte numbers are aligned if they come first.

    Raises:
        ValueError: if the header is longer than readers accept.
    """
    entries: dict[str, Any] = {"__metadata__": dict(metadata)}
    start = 0
    for name, tensor in tensors.items():
        kind = next(kind for kind, dtype in _KINDS.items() if tensor.dtype == np.dtype(dtype))
        entries[name] = {"dtype": kind, "shape": tensor.shape, "data_offsets": [start, start + tensor.nbytes]}
        start += tensor.nbytes
    header = json.dumps(entries, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    if len(header) > MAX_HEADER_BYTES:
        raise ValueError(f"the header has {len(header)} bytes, at most {MAX_HEADER_BYTES} can be read")
    return len(header).to_bytes(8, "little") + header


def read_file(path: Path, *, num_bytes: int | None = None) -> Data:
    """A file's bytes: small files are read, so that thousands of them hold no descriptors; large ones are mapped.

    Args:
        path: the file.
        num_bytes: how many bytes it must have, if that is known.

    Raises:
        DamagedLibraryError: if it is missing, no regular file, of another size, or cannot be read.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # reading a pipe would block
            raise damaged(path, "it is no file")
        with path.open("rb") as file:
            size = file.seek(0, 2)
            if size != (size if num_bytes is None else num_bytes):
                raise damaged(path, f"it has {size} bytes instead of {num_bytes}")
            if size >= max(_MAPPED_FROM, 1):
                return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            file.seek(0)
            return file.read()
    except HgrkitError:  # some are OSErrors too
        raise
    except FileNotFoundError:
        raise damaged(path, "it is missing") from None
    except OSError as error:
        raise damaged(path, f"it cannot be read ({error.strerror})") from error


def damaged(path: Path, what: str) -> DamagedLibraryError:
    """The error that names a file of the library and what is wrong with it."""
    return DamagedLibraryError(f"{path} is damaged: {what}; run `hgrkit repair`, or restore a backup.")


@attrs.frozen(eq=False)
class TensorFile:
    """The parsed bytes of a safetensors file.

    Attributes:
        data: all of them.
        body: where the tensors begin.
        header: what the file states of its tensors, not checked yet.
    """

    data: Data
    body: int
    header: Mapping[str, Any]

    @classmethod
    def parse(cls, data: Data) -> TensorFile:
        """Find header and tensors.

        Raises:
            ValueError: if there is no header that can be read.
        """
        length = int.from_bytes(data[:8], "little")
        if len(data) < 8 or length > min(len(data) - 8, MAX_HEADER_BYTES):
            raise ValueError(f"its header is said to have {length} bytes, the file has {len(data)}")
        try:
            header = json.loads(data[8 : 8 + length])
        except RecursionError:
            raise ValueError("its header is nested too deeply") from None
        if not isinstance(header, dict):
            raise ValueError("its header is no JSON object")
        return cls(data, 8 + length, header)

    @property
    def metadata(self) -> Mapping[str, str]:
        """The texts that were stored with the tensors.

        Raises:
            ValueError: if they are no texts.
        """
        metadata = self.header.get("__metadata__")
        if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
            raise ValueError("its metadata are no texts")
        return metadata

    def tensor(self, name: str, shape: Sequence[int], kind: str) -> npt.NDArray[Any]:
        """One tensor, without a copy, if it is of this shape and kind (`F16` or `F64`).

        Raises:
            ValueError: if it is missing, another one, or outside the file.
        """
        entry = self.header.get(name)
        if not isinstance(entry, dict):
            raise ValueError(f"its tensor {name} is missing")
        if entry.get("dtype") != kind or entry.get("shape") != list(shape):
            raise ValueError(
                f"its tensor {name} is {entry.get('dtype')} {entry.get('shape')} instead of {kind} {list(shape)}"
            )
        dtype = np.dtype(_KINDS[kind])
        count = 1
        for size in shape:
            count *= size
        start = self.body + self._offset(entry, count * dtype.itemsize, name)
        if not count:
            return np.empty(tuple(shape), dtype)
        return np.frombuffer(self.data, dtype, count=count, offset=start).reshape(tuple(shape))

    def _offset(self, entry: Mapping[str, Any], num_bytes: int, name: str) -> int:
        offsets = entry.get("data_offsets")
        size = len(self.data) - self.body
        if isinstance(offsets, list) and len(offsets) == 2 and all(type(offset) is int for offset in offsets):
            start, end = offsets
            if 0 <= start <= end <= size and end - start == num_bytes:
                return int(start)
        raise ValueError(f"its tensor {name} lies at {offsets} of {size} bytes")
