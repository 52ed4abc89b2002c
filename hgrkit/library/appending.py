"""How the arrays of a library grow: records are appended durably, and what a crash left behind is cut off."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hgrkit.library.arrays import (
    ARRAY_FOLDER,
    ARRAY_NAME,
    BLOCK_CLIPS,
    ArrayFile,
    Extent,
    checksum,
    damaged_arrays,
    encoded_clip,
)
from hgrkit.library.records import ClipEmbeddings
from hgrkit.storage.atomic_file import sync_folder

__all__ = ["append_clips", "shorten_arrays"]

_BUFFER_BYTES: Final = 8 << 20
"""Written at once: beyond a few MiB larger writes gain nothing."""


def append_clips(
    folder: Path, videos: Iterable[tuple[int, int, Sequence[ClipEmbeddings]]], extent: Extent, embed_dim: int
) -> tuple[Extent, bytes]:
    """Write clips behind the records that there are, durably; the database has to say that they count.

    Args:
        folder: the library's folder.
        videos: of each video its number, the key of its first clip, and its clips.
        extent: the records that there are.
        embed_dim: D.

    Returns:
        How far the arrays go now, and the checksums of the blocks that were completed, eight bytes each: the first
        of them is block `extent.clips // 64`.

    Raises:
        ShapeError: if a value is too large for float16.
        DamagedLibraryError: if the last records are not what was written.
        OSError: if the disk is full or fails.
    """
    if not (folder / ARRAY_FOLDER).is_dir():
        (folder / ARRAY_FOLDER).mkdir()
        sync_folder(folder)
    clips, frames, checksums = extent.clips, extent.frames, b""
    with ExitStack() as stack:
        clip_file, frame_file = (
            stack.enter_context(_AppendedFile(file)) for file in extent.files(folder, embed_dim)
        )
        pending = [_partial_block(clip_file, extent)]
        for number, key, given in videos:
            for ordinal, clip in enumerate(given):
                rows, record = encoded_clip(clip, number, key + ordinal, frames, embed_dim)
                frame_file.write(rows)
                clip_file.write(record)
                pending.append(record)
                frames, clips = frames + len(rows), clips + 1
                if clips % BLOCK_CLIPS == 0:
                    checksums += _checksum_bytes(np.concatenate(pending))
                    pending = []
        frame_file.sync()
        clip_file.sync()
    tail = _checksum_bytes(np.concatenate(pending)) if clips % BLOCK_CLIPS else b""
    return Extent(generation=extent.generation, clips=clips, frames=frames, tail=tail), checksums


def shorten_arrays(folder: Path, extent: Extent, embed_dim: int) -> None:
    """Cut off what lies behind the records, and delete other generations, as far as the disk lets it.

    Raises:
        DamagedLibraryError: if the last records are not what was written, as with another library's database;
            nothing is then changed.
    """
    files = extent.files(folder, embed_dim)
    for file in files:
        if file.count:
            with _AppendedFile(file) as opened:
                if file is files[0]:
                    _partial_block(opened, extent)
    sizes = {file.path: file.num_bytes for file in files}
    for path in (folder / ARRAY_FOLDER).glob("*.bin"):
        with suppress(OSError):  # Windows keeps files that a reader has mapped; the next writer deletes them
            if path in sizes and path.stat().st_size > sizes[path]:
                os.truncate(path, sizes[path])
            elif path not in sizes and ARRAY_NAME.fullmatch(path.name):
                path.unlink()


class _AppendedFile:
    """A file that grows from the end of its records on, through a buffer."""

    def __init__(self, file: ArrayFile) -> None:
        path, size = file.path, file.num_bytes
        self._path, self._kind, self._place, self._buffer = path, file.kind, size, bytearray()
        self._is_new = not path.exists()
        if size and (not path.is_file() or path.stat().st_size < size):
            raise damaged_arrays(f"{path.name} is missing or shorter than {size} bytes")
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)

    def last_records(self, count: int) -> npt.NDArray[Any]:
        """Read the last records that are there."""
        size = count * self._kind.itemsize
        os.lseek(self._descriptor, self._place - size, os.SEEK_SET)
        return np.frombuffer(os.read(self._descriptor, size), self._kind)

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


def _partial_block(file: _AppendedFile, extent: Extent) -> npt.NDArray[Any]:
    """The clip records after the last full block, which go into the checksum of the block that they begin."""
    records = file.last_records(extent.clips % BLOCK_CLIPS)
    if len(records) and _checksum_bytes(records) != extent.tail:
        raise damaged_arrays("its last clips are not what was written")
    return records


def _checksum_bytes(records: npt.NDArray[Any]) -> bytes:
    return checksum(records).to_bytes(8, "little")
