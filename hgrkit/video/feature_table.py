"""Tables of ids and vectors, Parquet and Lance, as they come from a cluster: frame features by video name."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from importlib import import_module
from itertools import accumulate
from pathlib import Path
from threading import Lock
from typing import Any, final

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import FeatureFileError, MissingPackageError

__all__ = ["FeatureTable", "LanceTable", "MemoryTable", "ParquetTable", "WholeArray", "check_growth"]

_ID_COLUMNS = ("id", "video", "path", "name")
_VECTOR_COLUMNS = ("vector", "vectors", "features", "embedding")
_MOST_GROWTH = 64  # times what is stored; features of networks shrink to a half, those with many zeros to a tenth
_FREE_BYTES = 1 << 20  # that may grow from nothing, such as a short video of zeros
_LARGEST_ROW_GROUP = 1 << 30
"""Bytes of vectors in a row group of a Parquet file, which is read whole."""


@attrs.frozen(eq=False)
class WholeArray:
    """An array that has been read; rows of it are slices."""

    values: npt.NDArray[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""
        return self.values.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Its type."""
        dtype: np.dtype[Any] = self.values.dtype
        return dtype

    @property
    def stored_bytes(self) -> int:
        """Bytes that it takes; how it grew was checked when its file was opened."""
        return self.values.nbytes

    def rows(self, start: int, stop: int) -> npt.NDArray[Any]:
        """Some of its rows."""
        return self.values[start:stop]


class FeatureTable:
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

    def names(self) -> Iterator[str]:
        """The ids, in the order of their first rows."""
        return iter(self._runs)

    def has(self, name: str) -> bool:
        """Whether a row has this id."""
        return name in self._runs

    def array(self, name: str) -> WholeArray:
        """The vectors of all rows of an id."""
        with self._lock:
            return WholeArray(np.concatenate([self.rows(start, stop) for start, stop in self._runs[name]]))

    def rows(self, start: int, stop: int) -> npt.NDArray[Any]:
        """Vectors of some rows, [F, feature_dim]."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the file."""


@final
class MemoryTable(FeatureTable):
    """A table that has been read."""

    def __init__(self, ids: Iterable[Iterable[str | None]], vectors: npt.NDArray[Any]) -> None:
        super().__init__(ids)
        self._vectors = vectors

    def rows(self, start: int, stop: int) -> npt.NDArray[Any]:
        """A slice of the vectors."""
        return self._vectors[start:stop]


@final
class ParquetTable(FeatureTable):
    """Reads a row group at a time and keeps the last one: videos are mostly asked for in their order."""

    def __init__(self, path: str) -> None:
        parquet = _package("pyarrow.parquet", "parquet", path)
        self._file = parquet.ParquetFile(path, memory_map=True)
        ids, self._vectors = _columns(path, self._file.schema_arrow.names)
        described = self._file.metadata
        groups = [described.row_group(number) for number in range(described.num_row_groups)]
        self._starts = [0, *accumulate(group.num_rows for group in groups)]
        _check_table(path, sum(map(self._num_values, groups)))
        largest = max(map(self._vector_bytes, groups), default=0)
        if largest > _LARGEST_ROW_GROUP:
            raise FeatureFileError(
                f"{path!r} has a row group of {largest >> 20} MiB of vectors; write it with smaller ones, "
                "such as row_group_size=10000."
            )
        self._kept: tuple[int, Any] | None = None
        super().__init__(batch.column(0).to_pylist() for batch in self._file.iter_batches(columns=[ids]))

    def _parts(self, group: Any) -> list[Any]:
        columns = [group.column(number) for number in range(group.num_columns)]
        return [one for one in columns if one.path_in_schema.partition(".")[0] == self._vectors]

    def _num_values(self, group: Any) -> int:
        return max(int(group.num_rows), sum(int(one.num_values) for one in self._parts(group)))

    def _vector_bytes(self, group: Any) -> int:
        return sum(max(4 * one.num_values, one.total_uncompressed_size) for one in self._parts(group))

    def rows(self, start: int, stop: int) -> npt.NDArray[Any]:
        """Vectors of some rows, [F, feature_dim]."""
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
        """Close the file."""
        self._file.close()


@final
class LanceTable(FeatureTable):
    """Takes the rows that are asked for."""

    def __init__(self, path: str) -> None:
        self._data = _package("lance", "lance", path).dataset(path)
        _check_table(path, self._data.count_rows())
        ids, self._vectors = _columns(path, self._data.schema.names)
        super().__init__(batch.column(0).to_pylist() for batch in self._data.to_batches(columns=[ids]))

    def rows(self, start: int, stop: int) -> npt.NDArray[Any]:
        """Vectors of some rows, [F, feature_dim]."""
        return _matrix(self._data.take(list(range(start, stop)), columns=[self._vectors]).column(0))


def check_growth(what: str, said: str, size: int, stored: int) -> None:
    """Refuse what says that it has more bytes than those that are stored can mean.

    Raises:
        FeatureFileError: if `size` is too much for `stored` bytes; `said` tells what is said of it.
    """
    if size > _MOST_GROWTH * stored + _FREE_BYTES:
        raise FeatureFileError(
            f"{what} says that it {said}, but takes {stored} bytes; more than {_MOST_GROWTH} times what is stored "
            "is not read. Save it without compression."
        )


def _check_table(path: str, count: int) -> None:
    there = Path(path)
    files = [there] if there.is_file() else [one for one in there.rglob("*") if one.is_file()]
    stored = sum(one.stat().st_size for one in files)
    check_growth(repr(path), f"has {count} numbers", 4 * count, stored)


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
