"""The first stage of a search: which clips' event embeddings are nearest, by a flat scan or an HNSW graph."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from hgrkit.library.records import Float32

__all__ = ["NEIGHBOURS", "CandidateIndex", "FlatScan", "HnswGraph"]

Rows = npt.NDArray[np.int64]

NEIGHBOURS = 16
"""hnswlib's M of every graph that is kept."""


class CandidateIndex(Protocol):
    """Finds the clips whose event embeddings point where a query's does."""

    def nearest(self, event: Float32, count: int) -> Rows:
        """At most `count` positions of clips, the nearest first, for a query event [D]."""
        ...


class FlatScan:
    """Compares every clip: exact, and the fastest up to some hundred thousand clips."""

    def __init__(self, events: Float32) -> None:
        """Scan unit event embeddings, [V, D]."""
        self._events = events

    def nearest(self, event: Float32, count: int) -> Rows:
        """The `count` largest cosines; of equal ones the first clips."""
        similarities = self._events @ event
        if count >= similarities.size:
            return np.argsort(-similarities, kind="stable")
        threshold = np.partition(similarities, -count)[-count]
        rows = np.flatnonzero(similarities >= threshold)
        return rows[np.argsort(-similarities[rows], kind="stable")][:count]


class HnswGraph:
    """An hnswlib graph over unit event embeddings; its labels are positions of clips."""

    def __init__(self, index: Any, events: Float32) -> None:
        """Search an hnswlib index of these event embeddings, [V, D]."""
        self._index = index
        self._events = events

    @classmethod
    def build(cls, events: Float32, *, neighbours: int = NEIGHBOURS, construction: int = 200) -> HnswGraph:
        """Link unit event embeddings [V, D], V at least 1.

        Args:
            events: the clips' unit event embeddings.
            neighbours: hnswlib's M.
            construction: hnswlib's ef_construction.

        Raises:
            ImportError: if hnswlib is not installed.
        """
        import hnswlib

        index = hnswlib.Index(space="ip", dim=events.shape[1])
        index.init_index(max_elements=len(events), M=neighbours, ef_construction=construction, random_seed=0)
        index.add_items(events, np.arange(len(events)))
        return cls(index, events)

    @classmethod
    def load(cls, path: str, events: Float32) -> HnswGraph:
        """Load the graph of these events from a file that was looked at before; hnswlib trusts every byte of it.

        Raises:
            ImportError: if hnswlib is not installed.
            RuntimeError: if hnswlib refuses the file.
        """
        import hnswlib

        index = hnswlib.Index(space="ip", dim=events.shape[1])
        index.load_index(path)
        return cls(index, events)

    def save(self, path: str) -> None:
        """Write the graph; neither atomic nor durable.

        Raises:
            OSError: if not all of it was written, of which hnswlib says nothing.
        """
        self._index.save_index(path)
        if Path(path).stat().st_size != self._index.index_file_size():
            raise OSError(errno.ENOSPC, "the graph was not written to its end", path)

    def nearest(self, event: Float32, count: int) -> Rows:
        """About the `count` nearest clips; hnswlib's search is as wide as the number asked for."""
        try:
            labels, _ = self._index.knn_query(event[None], k=min(count, len(self._events)), num_threads=1)
        except RuntimeError:  # fewer can be reached, as among many equal clips
            return FlatScan(self._events).nearest(event, count)
        return np.asarray(labels[0], np.int64)
