"""Frame features as the released code reads them: several hdf5 files, put side by side in the config's order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import permutations
from pathlib import Path, PurePosixPath
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from hgrkit.errors import ReleaseError
from hgrkit.release.layout import ReleaseFolder, Split, read_json

__all__ = ["order_feature_files", "read_features"]


def read_features(
    paths: Sequence[Path], names: Sequence[str], dims: Sequence[int]
) -> Iterator[npt.NDArray[np.float32]]:
    """Each video's frame features, one after the other: [F, K] with K the sum of the sizes.

    Args:
        paths: one file for each size.
        names: the videos; their key in a file is the name with `/` as `_`.
        dims: numbers of a frame in each file.

    Raises:
        ReleaseError: if a file cannot be read, or a video is missing, empty or of another size.
    """
    with ExitStack() as stack:
        files = [stack.enter_context(_open(path)) for path in paths]
        for name in names:
            yield _joined(name, [_read(file, name, dim) for file, dim in zip(files, dims, strict=True)])


def order_feature_files(
    folder: ReleaseFolder, split: Split, dims: Sequence[int], *, config: Path | None = None
) -> tuple[list[Path], list[int]]:
    """Which feature files a model reads, and in which order.

    The released `path.json` beside `model.json` says so, or the name of the results folder
    (`vis.<features>-<features>.txt...`); otherwise the sizes must leave one order only. One file may hold all
    features side by side.

    Args:
        folder: the release.
        split: whose features.
        dims: the sizes that the model was configured with, `dim_fts`.
        config: the `model.json` that was found.

    Returns:
        The files, and the numbers of a frame in each.

    Raises:
        ReleaseError: if no choice or several choices of files fit the sizes.
    """
    files = folder.feature_files(split)
    widths = {name: _width(path) for name, path in files.items()}
    wanted = [tuple(dims)] if len(dims) == 1 else [tuple(dims), (sum(dims),)]
    fitting = [
        order
        for sizes in wanted
        for order in permutations(files, len(sizes))
        if tuple(widths[name] for name in order) == sizes
    ]
    named = [order for order in fitting if _is_named(order, split, config)]
    choices = named or fitting
    if len(choices) != 1:
        listed = ", ".join(f"{name} ({width})" for name, width in widths.items())
        problem = "several orders of them fit" if choices else "they do not fit"
        raise ReleaseError(
            f"the features of {folder.root} for {split} are {listed}; dim_fts is {list(dims)}: {problem}. "
            "Keep the files it means, or put the release's path.json beside model.json."
        )
    return [files[name] for name in choices[0]], [widths[name] for name in choices[0]]


def _is_named(order: tuple[str, ...], split: Split, config: Path | None) -> bool:
    """Whether `path.json` or the results folder names these features in this order."""
    if config is None:
        return False
    paths = config.with_name("path.json")
    if paths.is_file():
        return _listed_features(read_json(paths), split) == order
    return config.parent.name.startswith(f"vis.{'-'.join(order)}.")


def _listed_features(paths: Mapping[str, Any], split: Split) -> tuple[str, ...]:
    files = paths.get("attn_ft_files")
    listed = files.get(split) if isinstance(files, dict) else None
    return tuple(PurePosixPath(str(path)).parent.name for path in listed or ())


def _open(path: Path) -> h5py.File:
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise ReleaseError(f"{path} is no readable hdf5 file: {error}") from error


def _width(path: Path) -> int:
    """Numbers of a frame, by the first video of a file."""
    with _open(path) as file:
        first = next(iter(file.values()), None)
        if not isinstance(first, h5py.Dataset) or first.ndim != 2:
            raise ReleaseError(f"{path} must hold one [frames, numbers] data set for each video.")
        return int(first.shape[1])


def _read(file: h5py.File, name: str, dim: int) -> npt.NDArray[np.float32]:
    data = file.get(name.replace("/", "_"))
    if not isinstance(data, h5py.Dataset):
        raise ReleaseError(f"{file.filename} has no features of the video {name!r}.")
    if data.ndim != 2 or not data.shape[0] or data.shape[1] != dim:
        raise ReleaseError(
            f"{file.filename}: features of {name!r} must be [frames, {dim}] with at least one frame, "
            f"got {list(data.shape)}."
        )
    try:
        features = np.asarray(data[...], dtype=np.float32)
    except (OSError, TypeError, ValueError) as error:  # a damaged block, text instead of numbers
        raise ReleaseError(f"{file.filename}: features of {name!r} cannot be read: {error}") from error
    if not np.isfinite(features).all():
        raise ReleaseError(f"{file.filename}: features of {name!r} hold numbers that are not finite.")
    return features


def _joined(name: str, parts: Sequence[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    if len({len(part) for part in parts}) > 1:
        counts = [len(part) for part in parts]
        raise ReleaseError(f"the feature files disagree on the number of frames of {name!r}: {counts}.")
    return np.concatenate(parts, axis=1)
