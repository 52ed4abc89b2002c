"""The first stage of a search: which clips' events are nearest, by a flat scan or an HNSW index (hnswlib)."""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any, Final, Literal, Protocol, get_args

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.checks.arguments import check_choice
from hgrkit.library.arrays import ClipArrays, Rows
from hgrkit.library.database import translated_errors
from hgrkit.library.records import Float32
from hgrkit.library.tables import damaged_library
from hgrkit.matching.clip_similarities import event_similarities
from hgrkit.matching.frame_weights import unit_vectors
from hgrkit.storage.atomic_file import TEMPORARY_SUFFIX, sync_file
from hgrkit.storage.open_folder import OpenFolder
from hgrkit.storage.user_folder import user_key

__all__ = [
    "ANN_FILE",
    "NOT_FINITE",
    "AnnCache",
    "AnnIndex",
    "CandidateIndex",
    "CandidateSource",
    "FlatScan",
    "ann_available",
]

_LINKS = 16
"""hnswlib's M."""

_CONSTRUCTION = 200
"""hnswlib's ef_construction."""

_FLAT_SHARE = 0.1
"""Clips that came since the index was saved are scanned flat until they are so many of all."""

_FORMAT = 3
_MOST_LINK_BYTES = 2048
"""Of a clip's links in the index, on all of its levels; some 160 are usual."""

_CACHE_FOLDER: Final = "cache"
ANN_FILE: Final = f"{_CACHE_FOLDER}/ann.hnsw"
_ANN_JSON: Final = f"{_CACHE_FOLDER}/ann.json"
_MOST_DESCRIBED = 4096

NOT_FINITE: Final = "the vectors of some clips are no finite numbers"

_READ_BYTES = 1 << 20
_ROWS_AT_ONCE = 1 << 14


CandidateSource = Literal["auto", "flat", "hnsw"]

_WANTED_FROM: Mapping[CandidateSource, int] = {"auto": 300_000, "flat": sys.maxsize, "hnsw": 1}
"""Clips from which candidates come from an HNSW index instead of a flat scan.

At 50,000 clips it saves nothing. At 200,000 it saves 6.6 ms a question, takes 0.33 s to load in every process, so
that it pays from the fiftieth question on, and 72 s to build (benchmarks/results/search_200k.json)."""


class CandidateIndex(Protocol):
    """Finds the clips whose event embeddings point where a query's does."""

    def nearest(self, event: Float32, count: int) -> Rows:
        """Return at most `count` clip records for a query's event [D], in any order."""
        ...


@attrs.frozen(eq=False)
class FlatScan:
    """Compares every clip as it lies on disk: exact, and the fastest up to some hundred thousand clips.

    Attributes:
        arrays: the clips.
        first: the record from which on they are compared.
        chosen: [C] which of them are compared; those that are in the library unless given.
    """

    arrays: ClipArrays
    first: int = 0
    chosen: npt.NDArray[np.bool_] | None = None

    def nearest(self, event: Float32, count: int) -> Rows:
        """Return the `count` clips with the largest cosines; of equal ones the first."""
        self.arrays.check_clips(np.arange(self.first, len(self.arrays.clips)) if self.first else None)
        similarities = event_similarities(self.arrays.clips["event"][self.first :], event)
        if np.isnan(similarities).any():  # so is every one of a vector that is not finite, and no other
            raise damaged_library(NOT_FINITE)
        # Clips that are not chosen are compared too: leaving them out would copy the others, which takes longer.
        living = (self.arrays.living if self.chosen is None else self.chosen)[self.first :]
        similarities[~living] = -np.inf
        count = min(count, int(living.sum()))
        if not count:
            return np.empty(0, np.int64)
        threshold = np.partition(similarities, -count)[-count]
        rows = np.flatnonzero(similarities >= threshold)
        return self.first + rows[np.argsort(-similarities[rows], kind="stable")][:count]


@attrs.frozen(eq=False)
class AnnIndex:
    """An HNSW index of the first clips of a library; those that came since are scanned flat.

    Attributes:
        index: hnswlib's, whose labels are clip records.
        size: clip records that it holds, removed ones included.
        arrays: the clips.
    """

    index: Any
    size: int
    arrays: ClipArrays

    def nearest(self, event: Float32, count: int) -> Rows:
        """Return about the `count` nearest clips; hnswlib's search is as wide as the number asked for."""
        newest = FlatScan(self.arrays, self.size).nearest(event, count)
        removed = self.size - int(self.arrays.living[: self.size].sum())
        try:
            labels, _ = self.index.knn_query(
                unit_vectors(event)[None], k=min(count + removed, self.size), num_threads=1
            )
        except RuntimeError:  # fewer can be reached, as among many equal clips
            return FlatScan(self.arrays).nearest(event, count)
        rows = np.asarray(labels[0], np.int64)
        rows = np.concatenate([rows[self.arrays.living[rows]], newest])
        self.arrays.check_clips(rows)
        similarities = event_similarities(self.arrays.clips["event"][rows], event)
        return rows[np.argsort(-similarities, kind="stable")][:count]


class AnnCache:
    """`cache/ann.hnsw` of a library and, beside it, `ann.json`: its seal and what it was built from.

    Both may be deleted at will. A damaged file crashes hnswlib, and a crafted one can do more: none is loaded but
    what is sealed with the user's own key, so that another user's index is none.
    """

    def __init__(self, folder: Path, candidates: CandidateSource = "auto") -> None:
        """Look in a library's folder; `candidates` says from how many clips on an index is wanted.

        Raises:
            ConfigError: if `candidates` is none of the three.
        """
        check_choice("candidates", candidates, get_args(CandidateSource))
        self._folder = folder
        self._wanted_from = _WANTED_FROM[candidates]
        self._loaded: tuple[ClipArrays, AnnIndex | None] | None = None
        self._lock = Lock()

    def index(self, arrays: ClipArrays) -> CandidateIndex:
        """Return what finds candidates among clips: the saved index if one is wanted and fits, else a scan."""
        if len(arrays.clips) < self._wanted_from:
            return FlatScan(arrays)
        with self._lock:
            if self._loaded is None or self._loaded[0] is not arrays:
                self._loaded = (arrays, self.load(arrays))
            return self._loaded[1] or FlatScan(arrays)

    def refresh(self, arrays: ClipArrays) -> bool:
        """Bring the saved index up to date if one is wanted; whether there is one now.

        Raises:
            LibraryError: if it cannot be written.
            DamagedLibraryError: if events are not what was written.
        """
        if len(arrays.clips) < self._wanted_from or not ann_available() or user_key() is None:
            return False
        self._loaded = (arrays, self.update(arrays))
        return True

    @property
    def path(self) -> Path:
        """Where the index is."""
        return self._folder / ANN_FILE

    def load(self, arrays: ClipArrays) -> AnnIndex | None:
        """Load the index of these arrays, or `None` if none fits or hnswlib is not installed."""
        if not ann_available():
            return None
        try:
            with OpenFolder(self._folder) as folder:
                described = json.loads(folder.read(_ANN_JSON, _MOST_DESCRIBED) or b"")
                size = int(described["clips"])
                if not 0 < size <= len(arrays.clips) or described != _described(arrays, size, folder, ANN_FILE):
                    return None
            import hnswlib

            index = hnswlib.Index(space="ip", dim=_embed_dim(arrays))
            index.load_index(str(self.path), max_elements=len(arrays.clips))
        except (OSError, ValueError, LookupError, TypeError, RecursionError, RuntimeError):
            return None
        return AnnIndex(index, size, arrays)

    def update(self, arrays: ClipArrays) -> AnnIndex:
        """Bring the saved index up to date: add the clips that came since, or build it anew.

        Raises:
            ImportError: if hnswlib is not installed.
            LibraryError: if it cannot be written.
            DamagedLibraryError: if events are not what was written.
        """
        import hnswlib

        found = self.load(arrays)
        if found is not None and len(arrays.clips) - found.size <= _FLAT_SHARE * len(arrays.clips):
            return found
        if found is None:
            index = hnswlib.Index(space="ip", dim=_embed_dim(arrays))
            index.init_index(
                max_elements=len(arrays.clips), M=_LINKS, ef_construction=_CONSTRUCTION, random_seed=0
            )
            found = AnnIndex(index, 0, arrays)
        arrays.check_clips()
        if not np.isfinite(arrays.clips["event"]).all():
            raise damaged_library(NOT_FINITE)
        for first in range(found.size, len(arrays.clips), _ROWS_AT_ONCE):
            rows = np.arange(first, min(first + _ROWS_AT_ONCE, len(arrays.clips)))
            found.index.add_items(unit_vectors(arrays.clips["event"][rows].astype(np.float32)), rows)
        self._save(found.index, arrays)
        return AnnIndex(found.index, len(arrays.clips), arrays)

    def _save(self, index: Any, arrays: ClipArrays) -> None:
        """Write the index; an interruption leaves one whose seal does not fit."""
        with translated_errors(self.path), OpenFolder(self._folder) as folder:
            folder.make(_CACHE_FOLDER)
            temporary = ANN_FILE + TEMPORARY_SUFFIX
            place = folder.path / temporary
            try:
                folder.unlink(temporary)
                index.save_index(str(place))
                saved = folder.status(temporary)
                if (
                    saved is None or saved.st_size != index.index_file_size()
                ):  # hnswlib says nothing of a full disk
                    raise OSError(errno.ENOSPC, "the index was not written to its end", str(self.path))
                sync_file(place)
                described = _described(arrays, len(arrays.clips), folder, temporary)
                folder.replace(temporary, ANN_FILE)
            except (OSError, RuntimeError):
                with suppress(OSError):
                    folder.unlink(temporary)
                raise
            folder.sync(_CACHE_FOLDER)
            folder.write(_ANN_JSON, json.dumps(described).encode())


def ann_available() -> bool:
    """Whether hnswlib is installed; it is not imported."""
    return importlib.util.find_spec("hnswlib") is not None


def _described(arrays: ClipArrays, size: int, folder: OpenFolder, name: str) -> dict[str, Any]:
    """What must be said of an index beside it.

    Raises:
        LookupError: if there is no key to seal it with.
        ValueError: if it is larger than that of so many clips can be.
    """
    key = user_key()
    if key is None:
        raise LookupError("there is no key")
    seal = hashlib.blake2b(key=key)
    with os.fdopen(folder.open(name), "rb") as file:
        if os.fstat(file.fileno()).st_size > _MOST_LINK_BYTES + size * (4 * _embed_dim(arrays) + _MOST_LINK_BYTES):
            raise ValueError("it is too large")
        while part := file.read(_READ_BYTES):
            seal.update(part)
    return {
        "format": _FORMAT,
        "clips": size,
        "embed_dim": _embed_dim(arrays),
        "built_from": arrays.fingerprint(size),
        "seal": seal.hexdigest(),
    }


def _embed_dim(arrays: ClipArrays) -> int:
    return int(arrays.clips["event"].shape[1])
