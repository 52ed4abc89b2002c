"""The files of a library's arrays: clip and frame records that grow at their ends.

A version owns as many records as its head says; what lies behind them belongs to no version.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt
import xxhash

from hgrkit.errors import DamagedLibraryError
from hgrkit.library.arrays import BLOCK_CLIPS, Records, clip_type, frame_type
from hgrkit.library.tables import Head, damaged_library
from hgrkit.matching.kernel import MappedFile
from hgrkit.storage.open_folder import OpenFolder

__all__ = ["ARRAY_FOLDER", "ARRAY_NAME", "ArrayFile", "append_records", "array_files", "shorten_arrays"]

ARRAY_FOLDER: Final = "arrays"

ARRAY_NAME: Final = re.compile(r"(clips|frames)-([1-9][0-9]*)\.bin")


@attrs.frozen
class ArrayFile:
    """A file of records in a library's folder, of which the first `count` belong to a version."""

    folder: OpenFolder
    name: str
    count: int
    kind: np.dtype[Any]

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.folder.path / self.name

    @property
    def num_bytes(self) -> int:
        """How long the file has to be."""
        return self.count * self.kind.itemsize

    def map(self) -> tuple[npt.NDArray[Any], MappedFile | None]:
        """Map the records, or as many of them as there are."""
        try:
            descriptor = self.folder.open(self.name)
        except (FileNotFoundError, DamagedLibraryError):  # a compaction deletes it between the two; no file
            return np.empty(0, self.kind), None
        try:
            count = min(self.count, os.fstat(descriptor).st_size // self.kind.itemsize)
            if not count:
                return np.empty(0, self.kind), None
            mapped = MappedFile(descriptor, count * self.kind.itemsize)
        finally:
            os.close(descriptor)
        return np.asarray(mapped).view(self.kind), mapped


def array_files(folder: OpenFolder, head: Head, embed_dim: int) -> tuple[ArrayFile, ArrayFile]:
    """Return the file of clips and the file of frames of a version of the library in a folder."""
    names = [f"{ARRAY_FOLDER}/{kind}-{head.generation}.bin" for kind in ("clips", "frames")]
    return (
        ArrayFile(folder, names[0], head.clips, clip_type(embed_dim)),
        ArrayFile(folder, names[1], head.frames, frame_type(embed_dim)),
    )


def append_records(
    folder: OpenFolder, head: Head, embed_dim: int, portions: Iterable[Records]
) -> tuple[Head, bytes]:
    """Write clips behind the records that there are, durably; the database has to say that they count.

    Returns:
        A head that says how far the arrays go now, and the checksums of the blocks that were completed, eight
        bytes each: the first of them is block `head.clips // 64`. Portions may be written over.
    """
    folder.make(ARRAY_FOLDER)
    num_clips, num_frames, checksums = head.clips, head.frames, bytearray()
    with ExitStack() as stack:
        clip_file, frame_file = (
            stack.enter_context(closing(_GrowingFile(file))) for file in array_files(folder, head, embed_dim)
        )
        block = clip_file.last_block(head)
        block_bytes = BLOCK_CLIPS * clip_type(embed_dim).itemsize
        for records, frames in portions:
            records["first_frame"] += num_frames
            frame_file.write(frames)
            clip_file.write(records)
            num_clips, num_frames = num_clips + len(records), num_frames + len(frames)
            block += records.tobytes()
            while len(block) >= block_bytes:
                checksums += _sealed(block[:block_bytes])
                block = block[block_bytes:]
        frame_file.sync()
        clip_file.sync()
    return attrs.evolve(head, clips=num_clips, frames=num_frames, tail=_sealed(block)), bytes(checksums)


def shorten_arrays(folder: OpenFolder, head: Head, embed_dim: int) -> None:
    """Cut off what lies behind the records, and delete other generations, as far as the disk lets it.

    Those are the ones before, and the next one, which a rewriting may have begun; all else is nobody's and stays.
    With another library's database the last records do not fit: that is an error, and nothing is changed.
    """
    files = array_files(folder, head, embed_dim)
    for file in files:
        if file.count:
            with closing(_GrowingFile(file)) as opened:
                if file is files[0]:
                    opened.last_block(head)
    own = {file.name for file in files}
    for file in files:
        with suppress(OSError), closing(_GrowingFile(file, make=False)) as opened:
            opened.shorten()
    for name in folder.names(ARRAY_FOLDER):
        found, path = ARRAY_NAME.fullmatch(name), f"{ARRAY_FOLDER}/{name}"
        if found is not None and path not in own and int(found[2]) <= head.generation + 1:
            with suppress(OSError):  # Windows keeps files that a reader has mapped; the next writer deletes them
                folder.unlink(path)


class _GrowingFile:
    """A file that is written from the end of its records on."""

    def __init__(self, file: ArrayFile, *, make: bool = True) -> None:
        self._file = file
        flags = os.O_RDWR | (os.O_CREAT if make and not file.num_bytes else 0)
        self._is_new = not file.folder.is_file(file.name)
        try:
            self._descriptor = file.folder.open(file.name, flags)
        except (FileNotFoundError, DamagedLibraryError) as error:
            if not file.num_bytes:
                raise
            raise self._too_short() from error
        self._size = os.fstat(self._descriptor).st_size
        if self._size < file.num_bytes:
            self.close()
            raise self._too_short()
        os.lseek(self._descriptor, file.num_bytes, os.SEEK_SET)

    def _too_short(self) -> DamagedLibraryError:
        return damaged_library(f"{self._file.name} is missing or shorter than {self._file.num_bytes} bytes")

    def shorten(self) -> None:
        if self._size > self._file.num_bytes:
            os.ftruncate(self._descriptor, self._file.num_bytes)

    def last_block(self, head: Head) -> bytes:
        """Clip records after the last full block, which go into the checksum of the block that they begin."""
        size = head.clips % BLOCK_CLIPS * self._file.kind.itemsize
        os.lseek(self._descriptor, self._file.num_bytes - size, os.SEEK_SET)
        records = os.read(self._descriptor, size)
        if _sealed(records) != head.tail:
            raise damaged_library("its last clips are not what was written")
        return records

    def write(self, records: npt.NDArray[Any]) -> None:
        left = records.view(np.uint8).data.cast("B")
        while left:
            left = left[os.write(self._descriptor, left) :]

    def sync(self) -> None:
        os.fsync(self._descriptor)
        if self._is_new:
            self._file.folder.sync(ARRAY_FOLDER)

    def close(self) -> None:
        os.close(self._descriptor)


def _sealed(records: bytes) -> bytes:
    """The checksum of clip records as the database has it; of none there is none."""
    return xxhash.xxh3_64_intdigest(records).to_bytes(8, "little") if records else b""
