"""Reads frame features that were computed elsewhere instead of decoding and encoding.

From `.npz` and HDF5 files with an array a video, and from tables of ids and vectors: Parquet, Lance and `.npz`.
Such files come from strangers, too. Nothing in one leads to another file, nothing is unpickled, no code is loaded
for it, and what it says of its size is weighed against the bytes that it has before memory is taken.
"""

from __future__ import annotations

import io
import math
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Protocol, Self, final

import numpy as np
import numpy.typing as npt

from hgrkit.checks.arguments import check_path
from hgrkit.errors import FeatureFileError, MissingPackageError, MissingPathError
from hgrkit.storage.regular_file import open_regular
from hgrkit.video.feature_table import LanceTable, MemoryTable, ParquetTable, check_growth

__all__ = ["HIDDEN", "FeatureFile", "open_features"]

HIDDEN = "."
"""What names in an HDF5 file begin with that are no videos', such as `hgrkit features` writes beside them."""

# What numpy, zipfile and h5py raise on damage.
_UNREADABLE = (
    *(OSError, EOFError, ValueError, TypeError, AttributeError, KeyError, RuntimeError, MemoryError),
    *(zipfile.BadZipFile, zlib.error, OverflowError, SyntaxError, NotImplementedError, RecursionError),
)

_MOST_BYTES = 512 << 20  # of one video as float32: 18 hours of two frames a second, 1,024 numbers a frame
_MOST_CHUNK_BYTES = 64 << 20  # HDF5 unpacks a chunk whole; h5py makes them of up to 1 MB
_MOST_CHUNKS = 1 << 20  # each is looked for by itself
_PIECE_BYTES = 16 << 20  # that are read at once
_MOST_NAMES_BYTES = 32 << 20  # of an archive's table of names, which becomes some 13 times that; 300,000 names
_FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 4: "szip", 32000: "lzf"}
"""HDF5's filters that h5py has in it; for others HDF5 would look for a library to load."""


@final
class FeatureFile(Mapping[str, npt.NDArray[np.float32]]):
    """Features by name, `{name: [F, feature_dim]}`, read when asked for; nothing in the file is ever unpickled.

    A `.parquet` file or a `.lance` folder is a table of a column of ids (`id`, `video`, `path` or `name`) and one
    of vectors (`vector`, `vectors`, `features` or `embedding`): lists of numbers, of which the rows of one id are
    the frames in their order, or lists of such lists, all frames of a video in one row. An `.npz` file of the two
    arrays `ids` [N] and `vectors` [N, feature_dim] is such a table, too; it is read whole, the others in pieces.

    In an HDF5 file a name's `/` may stand as `_`. Close it, or use it as a context manager. One video has at most
    512 MB as float32, and at most 64 times the bytes that it takes in the file.

    Raises:
        MissingPathError: if there is no such file.
        MissingPackageError: if Parquet or Lance is asked for and its package is not installed.
        FeatureFileError: if it is none of these, or what is under a name is no `[F, feature_dim]` array of finite
            numbers, is too large, or lies in another file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = check_path("features", path)
        there = Path(self._path)
        if not (there.is_file() or (there.is_dir() and there.suffix.lower() == ".lance")):
            raise MissingPathError(f"no feature file {self._path!r}.")
        self._file = self._open(there.suffix.lower())

    def _open(self, suffix: str) -> _Stored:
        if suffix not in _OPENERS:
            *first, last = _OPENERS
            raise FeatureFileError(f"features are read from {', '.join(first)} and {last}, got {self._path!r}.")
        try:
            return _OPENERS[suffix](self._path)
        except (FeatureFileError, MissingPackageError):
            raise
        except _UNREADABLE as error:
            raise FeatureFileError(f"{self._path!r} cannot be read as {suffix}: {_line(error)}") from error

    def __getitem__(self, name: str) -> npt.NDArray[np.float32]:
        """Return the features of one video, `[F, feature_dim]`; raises `KeyError` if there are none."""
        key = self._key(name)
        if key is None:
            raise KeyError(name)
        what = f"{key!r} in {self._path!r}"
        try:
            array = self._file.array(key)
            _check_shape(what, array)
            features = np.empty(array.shape, np.float32)
            rows = max(1, _PIECE_BYTES // (array.shape[1] * array.dtype.itemsize))
            for start in range(0, len(features), rows):
                with np.errstate(over="ignore"):
                    features[start : start + rows] = array.rows(start, start + rows)
                if not np.isfinite(features[start : start + rows]).all():
                    raise FeatureFileError(f"{what} holds numbers that are not finite.")
        except FeatureFileError:
            raise
        except _UNREADABLE as error:
            raise FeatureFileError(f"{what} cannot be read: {_line(error)}") from error
        return features

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._key(name) is not None

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._file.names() if not name.startswith(HIDDEN))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"FeatureFile({self._path!r}, {len(self)} videos)"

    def _key(self, name: str) -> str | None:
        try:
            return next((key for key in (name, name.replace("/", "_")) if self._file.has(key)), None)
        except FeatureFileError:
            raise
        except _UNREADABLE as error:  # an hdf5 file reads its table of names piece by piece
            raise FeatureFileError(f"{self._path!r} is damaged: {_line(error)}") from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_features(path: str | os.PathLike[str] | None) -> AbstractContextManager[FeatureFile | None]:
    """A feature file while its context lasts; `None` where none is named.

    Raises:
        MissingPathError: if there is no such file.
        FeatureFileError: if it cannot be read.
    """
    return nullcontext() if path is None else FeatureFile(path)


class _Array(Protocol):
    """An array in a file: what it says of itself, and rows of it, read in their order."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def stored_bytes(self) -> int: ...
    def rows(self, start: int, stop: int) -> npt.NDArray[Any]: ...


class _Stored(Protocol):
    """A file of arrays by name."""

    def names(self) -> Iterator[str]: ...
    def has(self, name: str) -> bool: ...
    def array(self, name: str) -> _Array: ...
    def close(self) -> None: ...


def _check_shape(what: str, array: _Array) -> None:
    """Refuse what is no features, or more than its bytes can mean."""
    shape, dtype = array.shape, array.dtype
    if len(shape) != 2 or dtype.kind not in "fiu" or 0 in shape:
        raise FeatureFileError(f"{what} must be numbers [F, feature_dim], got {dtype} {list(shape[:8])}.")
    size = math.prod(shape) * max(dtype.itemsize, 4)
    if size > _MOST_BYTES:
        raise FeatureFileError(
            f"{what} has {size >> 20} MB, {list(shape)}; at most {_MOST_BYTES >> 20} are read for one video, "
            "so cut the video into several."
        )
    _check_growth(what, size, array)


def _check_growth(what: str, size: int, array: _Array) -> None:
    check_growth(what, f"is {list(array.shape)}, {size >> 20} MB", size, array.stored_bytes)


# npz: a zip archive of .npy files -----------------------------------------------------------------------------


@final
class _NpzFile:
    def __init__(self, path: str) -> None:
        self._file = _BoundedReads(io.FileIO(open_regular(path)))
        try:
            if self._file.peek(6)[:6] == b"\x93NUMPY":
                raise FeatureFileError(f"{path!r} holds a single array; save features by name with np.savez.")
            self._archive = zipfile.ZipFile(self._file)
        except BaseException:
            self._file.close()
            raise
        self._members = {info.filename.removesuffix(".npy"): info for info in self._archive.infolist()}

    def names(self) -> Iterator[str]:
        return iter(self._members)

    def has(self, name: str) -> bool:
        return name in self._members

    def array(self, name: str) -> _NpyArray:
        info = self._members[name]
        return _NpyArray(self._archive.open(info), info)

    def close(self) -> None:
        self._archive.close()
        self._file.close()


@final
class _BoundedReads(io.BufferedReader):
    """A file of which no more is read at once than an archive's table of names may have."""

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(
            _MOST_NAMES_BYTES + 1 if size is None or size < 0 else min(size, _MOST_NAMES_BYTES + 1)
        )
        if len(data) > _MOST_NAMES_BYTES:
            raise zipfile.BadZipFile(f"its table of names has more than {_MOST_NAMES_BYTES} bytes")
        return data


@final
class _NpyArray:
    """A member of an archive, unpacked as it is read."""

    def __init__(self, stream: Any, info: zipfile.ZipInfo) -> None:
        self._stream = stream
        self.stored_bytes = info.compress_size
        version = np.lib.format.read_magic(stream)
        reads = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        if version not in reads:
            raise ValueError(f"it is of the version {version} of .npy, not of {[*reads]}")
        self.shape, self._by_columns, self.dtype = reads[version](stream)
        if self.dtype.hasobject:
            raise ValueError("it holds no plain arrays, such as np.savez writes")
        self._columns: npt.NDArray[Any] | None = None

    def rows(self, start: int, stop: int) -> npt.NDArray[Any]:
        frames, dim = self.shape
        if self._by_columns:
            if self._columns is None:  # no row is whole before all has been read
                self._columns = self.flat(frames * dim).reshape(dim, frames).T
            return self._columns[start:stop]
        return self.flat((min(stop, frames) - start) * dim).reshape(-1, dim)

    def flat(self, count: int) -> npt.NDArray[Any]:
        """The next numbers, in the order of the file."""
        data = bytearray()
        while (missing := count * self.dtype.itemsize - len(data)) > 0:
            piece = self._stream.read(min(missing, _PIECE_BYTES))
            if not piece:
                raise EOFError(f"it ends {missing} bytes before its last number")
            data += piece
        return np.frombuffer(data, self.dtype)


def _open_npz(path: str) -> _Stored:
    file = _NpzFile(path)
    if set(file.names()) != {"ids", "vectors"}:
        return file
    try:
        ids, vectors = file.array("ids"), file.array("vectors")
        if ids.dtype.kind != "U" or len(vectors.shape) != 2 or ids.shape != vectors.shape[:1]:
            raise FeatureFileError(
                f"{path!r} must have ids [N], strings, and vectors [N, feature_dim], "
                f"got {ids.dtype} {list(ids.shape)} and {vectors.dtype} {list(vectors.shape)}."
            )
        _check_shape(f"vectors in {path!r}", vectors)
        _check_growth(f"ids in {path!r}", math.prod(ids.shape) * ids.dtype.itemsize, ids)
        return MemoryTable([ids.flat(ids.shape[0]).tolist()], vectors.rows(0, vectors.shape[0]))
    finally:
        file.close()


# HDF5 ---------------------------------------------------------------------------------------------------------


@final
class _Hdf5File:
    def __init__(self, path: str) -> None:
        import h5py

        self._h5, self._path, self._stream = h5py, path, os.fdopen(open_regular(path), "rb")
        try:
            # given as bytes, not by its name, beside which HDF5 would look for other files
            self._file = h5py.File(self._stream, "r")
        except BaseException:
            self._stream.close()
            raise

    def names(self) -> Iterator[str]:
        return iter(self._file.keys())

    def has(self, name: str) -> bool:
        """Whether a name is in the file itself: that of a group is followed, a link to elsewhere is not."""
        group = self._file.id
        *groups, last = [part.encode() for part in name.split("/") if part] or [b""]
        for part in groups:
            if not self._is_here(group, part):
                return False
            group = self._h5.h5o.open(group, part)
            if not isinstance(group, self._h5.h5g.GroupID):
                return False
        return bool(last) and self._is_here(group, last)

    def _is_here(self, group: Any, name: bytes) -> bool:
        if name == b"." or not group.links.exists(name):
            return False
        if group.links.get_info(name).type != self._h5.h5l.TYPE_HARD:
            raise FeatureFileError(
                f"{name.decode(errors='replace')!r} in {self._path!r} is a link, which is not followed; "
                "save the features themselves."
            )
        return True

    def array(self, name: str) -> _Hdf5Array:
        opened = self._h5.h5o.open(self._file.id, name.encode())
        if not isinstance(opened, self._h5.h5d.DatasetID):
            raise FeatureFileError(f"{name!r} in {self._path!r} is a group, and must be numbers.")
        return _Hdf5Array(self._h5, opened)

    def close(self) -> None:
        self._file.close()
        self._stream.close()


@final
class _Hdf5Array:
    """A data set of the file itself; how it is stored is looked at before anything else of it."""

    def __init__(self, h5py: Any, opened: Any) -> None:
        plan = opened.get_create_plist()
        layout = plan.get_layout()
        if layout == h5py.h5d.VIRTUAL or plan.get_external_count():
            raise ValueError("it lies in another file, which is not read; save the features themselves")
        unknown = {plan.get_filter(place)[0] for place in range(plan.get_nfilters())} - set(_FILTERS)
        if unknown:
            known = ", ".join(_FILTERS.values())
            raise ValueError(f"it is compressed by the filters {sorted(unknown)}; save it with one of {known}")
        self._data = h5py.Dataset(opened)
        self.shape: tuple[int, ...] = tuple(self._data.shape or ())
        self.dtype: np.dtype[Any] = self._data.dtype
        self.stored_bytes = int(opened.get_storage_size())
        if layout == h5py.h5d.CHUNKED:
            self._check_chunks(plan.get_chunk())

    def _check_chunks(self, chunk: tuple[int, ...]) -> None:
        size = math.prod(chunk) * self.dtype.itemsize
        count = math.prod(-(-length // max(1, part)) for length, part in zip(self.shape, chunk, strict=True))
        if size > _MOST_CHUNK_BYTES or count > _MOST_CHUNKS:
            raise ValueError(
                f"it is stored in {count} chunks of {size} bytes; at most {_MOST_CHUNKS} of {_MOST_CHUNK_BYTES} "
                "are read, so save it in others"
            )

    def rows(self, start: int, stop: int) -> npt.NDArray[Any]:
        array: npt.NDArray[Any] = self._data[start:stop]
        return array


def _line(error: Exception) -> str:
    line = (str(error).splitlines() or [type(error).__name__])[0]
    # numpy's own message advises to unpickle the file.
    return "it holds no plain arrays, such as np.savez writes" if "pickle" in line else line


_OPENERS: dict[str, Callable[[str], _Stored]] = {
    ".npz": _open_npz,
    ".hdf5": _Hdf5File,
    ".h5": _Hdf5File,
    ".parquet": ParquetTable,
    ".lance": LanceTable,
}
