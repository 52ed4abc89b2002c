"""Reads frame features that were computed elsewhere, from `.npz` or `.hdf5`, instead of decoding and encoding."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Self, final

import numpy as np
import numpy.typing as npt

from hgrkit.checks.arguments import check_path
from hgrkit.errors import FeatureFileError, MissingPathError

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

    In an HDF5 file a name's `/` may stand as `_`. Close it, or use it as a context manager.

    Raises:
        MissingPathError: if there is no such file.
        FeatureFileError: if it is no `.npz`, `.hdf5` or `.h5` file, or what is under a name is no
            `[F, feature_dim]` array of finite numbers.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = check_path("features", path)
        if not Path(self._path).is_file():
            raise MissingPathError(f"no feature file {self._path!r}.")
        self._file: Any = self._open()

    def _open(self) -> Any:
        suffix = Path(self._path).suffix.lower()
        try:
            if suffix == ".npz":
                archive = np.load(self._path, allow_pickle=False)
                if not isinstance(archive, np.lib.npyio.NpzFile):
                    raise FeatureFileError(
                        f"{self._path!r} holds a single array; save features by name with np.savez."
                    )
                return archive
            if suffix in (".hdf5", ".h5"):
                import h5py

                return h5py.File(self._path, "r")
        except FeatureFileError:
            raise
        except _UNREADABLE as error:
            raise FeatureFileError(f"{self._path!r} cannot be read as {suffix}: {_line(error)}") from error
        raise FeatureFileError(f"features are read from .npz, .hdf5 and .h5 files, got {self._path!r}.")

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
