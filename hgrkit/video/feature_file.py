"""Reads frame features that were computed elsewhere instead of decoding and encoding.

From `.npz` and HDF5 files with an array a video, and from tables of ids and vectors: Parquet, Lance and `.npz`.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib import import_module
from itertools import accumulate
from pathlib import Path
from threading import Lock
from typing import Any, Self, final

import numpy as np
import numpy.typing as npt

from hgrkit.checks.arguments import check_path
from hgrkit.errors import FeatureFileError, MissingPackageError, MissingPathError

__all__ = ["HIDDEN", "FeatureFile", "open_features"]

HIDDEN = "."
"""What names in an HDF5 file begin with that are no videos', such as `hgrkit features` writes beside them."""

# What numpy, zipfile and h5py raise on damage.
_UNREADABLE = (
    *(OSError, EOFError, ValueError, TypeError, AttributeError, KeyError, RuntimeError, MemoryError),
    *(zipfile.BadZipFile, zlib.error),
)


@final
class FeatureFile(Mapping[str, npt.NDArray[np.float32]]):
    """Features by name, `{name: [F, feature_dim]}`, read when asked for; nothing in the file is ever unpickled.

    A `.parquet` file or a `.lance` folder is a table of a column of ids (`id`, `video`, `path` or `name`) and one
    of vectors (`vector`, `vectors`, `features` or `embedding`): lists of numbers, of which the rows of one id are
    the frames in their order, or lists of such lists, all frames of a video in one row. An `.npz` file of the two
    arrays `ids` [N] and `vectors` [N, feature_dim] is such a table, too; it is read whole, the others in pieces.

    In an HDF5 file a name's `/` may stand as `_`. Close it, or use it as a context manager.

    Raises:
        MissingPathError: if there is no such file.
        MissingPackageError: if Parquet or Lance is asked for and its package is not installed.
        FeatureFileError: if it is none of these, or what is under a name is no `[F, feature_dim]` array of finite
            numbers.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = check_path("features", path)
        if not Path(self._path).exists():
            raise MissingPathError(f"no feature file {self._path!r}.")
        self._file: Any = self._open()

    def _open(self) -> Any:
        suffix = Path(self._path).suffix.lower()
        if suffix not in _OPENERS:
            *first, last = _OPENERS
            raise FeatureFileError(f"features are read from {', '.join(first)} and {last}, got {self._path!r}.")
        with self._readable_as(suffix):
            return _OPENERS[suffix](self._path)

    @contextmanager
    def _readable_as(self, what: str) -> Iterator[None]:
        try:
            yield
        except (FeatureFileError, MissingPackageError):
            raise
        except _UNREADABLE as error:
            raise FeatureFileError(f"{self._path!r} cannot be read as {what}: {_line(error)}") from error

    def __getitem__(self, name: str) -> npt.NDArray[np.float32]:
        """Return the features of one video, `[F, feature_dim]`; raises `KeyError` if there are none."""
        key = self._key(name)
        if key is None:
            raise KeyError(name)
        try:
            array = np.asarray(self._file[key][...])
        except _UNREADABLE as error:
            raise FeatureFileError(f"{key!r} in {self._path!r} cannot be read: {_line(error)}") from error
        if array.ndim != 2 or array.dtype.kind not in "fiu" or 0 in array.shape:
            raise FeatureFileError(
                f"{key!r} in {self._path!r} must be numbers [F, feature_dim], "
                f"got {array.dtype} {list(array.shape)}."
            )
        with np.errstate(over="ignore"):
            features = array.astype(np.float32)
        if not np.isfinite(features).all():
            raise FeatureFileError(f"{key!r} in {self._path!r} holds numbers that are not finite.")
        return features

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._key(name) is not None

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._file if not name.startswith(HIDDEN))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"FeatureFile({self._path!r}, {len(self)} videos)"

    def _key(self, name: str) -> str | None:
        try:
            return next((key for key in (name, name.replace("/", "_")) if key in self._file), None)
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


def _line(error: Exception) -> str:
    line = (str(error).splitlines() or [type(error).__name__])[0]
    # numpy's own message advises to unpickle the file.
    return "it holds no plain arrays, such as np.savez writes" if "pickle" in line else line


def _open_npz(path: str) -> Any:
    archive = np.load(path, allow_pickle=False)
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise FeatureFileError(f"{path!r} holds a single array; save features by name with np.savez.")
    if set(archive.files) != _NPZ_TABLE:
        return archive
    with archive:
        ids, vectors = archive["ids"], archive["vectors"]
    if ids.ndim != 1 or ids.dtype.kind != "U" or vectors.ndim != 2 or len(ids) != len(vectors):
        raise FeatureFileError(
            f"{path!r} must have ids [N], strings, and vectors [N, feature_dim], "
            f"got {ids.dtype} {list(ids.shape)} and {vectors.dtype} {list(vectors.shape)}."
        )
    return _InMemory([ids.tolist()], vectors)


def _open_hdf5(path: str) -> Any:
    import h5py

    return h5py.File(path, "r")


# tables of ids and vectors -------------------------------------------------------------------------------------

_ID_COLUMNS = ("id", "video", "path", "name")
_VECTOR_COLUMNS = ("vector", "vectors", "features", "embedding")
_NPZ_TABLE = {"ids", "vectors"}
_LARGEST_ROW_GROUP = 1 << 30
"""Bytes of vectors in a row group of a Parquet file, which is read whole."""


class _Table:
    """Rows by id; where they stand is kept as runs, so that millions of rows take little memory.

    Args:
        ids: those of all rows, in pieces.
    """

    def __init__(self, ids: Iterable[Iterable[str | None]]) -> None:
        self._runs: dict[str, list[tuple[int, int]]] = {}
        self._lock = Lock()  # indexing reads in several threads
        for row, name in enumerate(name for piece in ids for name in piece):
            if not isinstance(name, str):
                raise FeatureFileError(f"row {row} has no id, or one that is no text; give every row one.")
            runs = self._runs.setdefault(name, [])
            if runs and runs[-1][1] == row:
                runs[-1] = (runs[-1][0], row + 1)
            else:
                runs.append((row, row + 1))

    def __contains__(self, name: object) -> bool:
        return name in self._runs

    def __iter__(self) -> Iterator[str]:
        return iter(self._runs)

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        with self._lock:
            return np.concatenate([self.rows(start, stop) for start, stop in self._runs[name]])

    def rows(self, start: int, stop: int) -> npt.NDArray[Any]:
        """Vectors of some rows, [F, feature_dim]."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the file."""


class _InMemory(_Table):
    def __init__(self, ids: Iterable[Iterable[str | None]], vectors: npt.NDArray[Any]) -> None:
        super().__init__(ids)
        self._vectors = vectors

    def rows(self, start: int, stop: int) -> npt.NDArray[Any]:
        return self._vectors[start:stop]


class _ParquetTable(_Table):
    """Reads a row group at a time and keeps the last one: videos are mostly asked for in their order."""

    def __init__(self, path: str) -> None:
        parquet = _package("pyarrow.parquet", "parquet", path)
        self._file = parquet.ParquetFile(path, memory_map=True)
        ids, self._vectors = _columns(path, self._file.schema_arrow.names)
        described = self._file.metadata
        groups = [described.row_group(number) for number in range(described.num_row_groups)]
        self._starts = [0, *accumulate(group.num_rows for group in groups)]
        largest = max(map(self._vector_bytes, groups), default=0)
        if largest > _LARGEST_ROW_GROUP:
            raise FeatureFileError(
                f"{path!r} has a row group of {largest >> 20} MiB of vectors; write it with smaller ones, "
                "such as row_group_size=10000."
            )
        self._kept: tuple[int, Any] | None = None
        super().__init__(batch.column(0).to_pylist() for batch in self._file.iter_batches(columns=[ids]))

    def _vector_bytes(self, group: Any) -> int:
        columns = [group.column(number) for number in range(group.num_columns)]
        own = [one for one in columns if one.path_in_schema.partition(".")[0] == self._vectors]
        return sum(one.total_uncompressed_size for one in own)

    def rows(self, start: int, stop: int) -> npt.NDArray[Any]:
        parts = []
        while start < stop:
            group = bisect_right(self._starts, start) - 1
            if self._kept is None or self._kept[0] != group:
                self._kept = group, self._file.read_row_group(group, columns=[self._vectors]).column(0)
            first, end = self._starts[group], min(stop, self._starts[group + 1])
            parts.append(_matrix(self._kept[1].slice(start - first, end - start)))
            start = end
        return np.concatenate(parts)

    def close(self) -> None:
        self._file.close()


class _LanceTable(_Table):
    def __init__(self, path: str) -> None:
        self._data = _package("lance", "lance", path).dataset(path)
        ids, self._vectors = _columns(path, self._data.schema.names)
        super().__init__(batch.column(0).to_pylist() for batch in self._data.to_batches(columns=[ids]))

    def rows(self, start: int, stop: int) -> npt.NDArray[Any]:
        return _matrix(self._data.take(list(range(start, stop)), columns=[self._vectors]).column(0))


def _package(module: str, extra: str, path: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        package = "pylance" if module == "lance" else "pyarrow"
        raise MissingPackageError(
            f"{path!r} needs the package {package!r}, which is not installed: pip install 'hgrkit[{extra}]'"
        ) from error


def _columns(path: str, names: list[str]) -> tuple[str, str]:
    """The columns of ids and of vectors."""
    found = [next((name for name in known if name in names), None) for known in (_ID_COLUMNS, _VECTOR_COLUMNS)]
    for column, what, known in zip(found, ("ids", "vectors"), (_ID_COLUMNS, _VECTOR_COLUMNS), strict=True):
        if column is None:
            raise FeatureFileError(
                f"{path!r} has no column of {what}, called {', '.join(known[:-1])} or {known[-1]}; "
                f"it has {', '.join(names) or 'none'}."
            )
    return str(found[0]), str(found[1])


def _matrix(column: Any) -> npt.NDArray[Any]:
    """Rows of a column of Arrow, lists of numbers or lists of such lists, to [F, feature_dim]."""
    import pyarrow as pa
    from pyarrow import compute

    values = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(values, pa.ChunkedArray):  # of no chunk, or of several that cannot be one
        values = pa.concat_arrays(values.chunks)
    while values.null_count == 0 and _is_list(values.type) and _is_list(values.type.value_type):
        values = values.flatten()
    if values.null_count or not _is_list(values.type):
        raise ValueError(f"vectors must be lists of numbers without gaps, got {column.type}")
    lengths = set(compute.list_value_length(values).to_pylist())
    flat = values.flatten()
    if len(lengths) > 1 or flat.null_count:
        raise ValueError(f"vectors of {sorted(lengths)} numbers, or gaps in one; all must be alike")
    numbers: npt.NDArray[Any] = flat.to_numpy(zero_copy_only=False)
    return numbers.reshape(len(values), -1)


def _is_list(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


_OPENERS: dict[str, Callable[[str], Any]] = {
    ".npz": _open_npz,
    ".hdf5": _open_hdf5,
    ".h5": _open_hdf5,
    ".parquet": _ParquetTable,
    ".lance": _LanceTable,
}
