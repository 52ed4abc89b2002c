"""What a library's readers hold in memory: the version committed last, its search and its graph."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import TypeVar

from hgrkit.errors import DamagedLibraryError
from hgrkit.library.candidates import CandidateIndex, FlatScan
from hgrkit.library.graph_cache import GraphCache, graphs_available
from hgrkit.library.records import Float32
from hgrkit.library.search import ClipSearch
from hgrkit.library.store import Snapshot, Store
from hgrkit.matching.frame_weights import unit_vectors

__all__ = ["GRAPH_FROM", "Reader"]

T = TypeVar("T")

GRAPH_FROM = 50_000
"""Clips from which candidates come from an HNSW graph instead of a flat scan."""

_ATTEMPTS = 10


class Reader:
    """Follows a store: every call sees what is committed by then; safe for threads."""

    def __init__(self, store: Store, graphs: GraphCache, *, graph_from: int = GRAPH_FROM) -> None:
        self._store = store
        self._manifest = store.manifest
        self._graphs = graphs
        self._graph_from = graph_from
        self._snapshot: Snapshot | None = None
        self._search: ClipSearch | None = None
        self._lock = Lock()

    def snapshot(self) -> Snapshot:
        """The version committed last.

        Raises:
            DamagedLibraryError: if it is not what was written.
            LibraryMismatchError: if other parts make the library since it was opened.
        """
        return self._current()[0]

    def ask(self, question: Callable[[Snapshot, ClipSearch], T]) -> T:
        """The answer to a question about the version committed last.

        A compaction deletes the files of older versions: a question that meets one is put again to the newest.

        Raises:
            DamagedLibraryError: if that version is not what was written.
            LibraryMismatchError: if other parts make the library since it was opened.
        """
        for _ in range(_ATTEMPTS - 1):
            snapshot, search = self._current()
            try:
                return question(snapshot, search)
            except DamagedLibraryError:
                if self._store.version() == snapshot.version:
                    raise
        return question(*self._current())

    def follow(self) -> None:
        """Accept the parts that make the library now: its writer has just replaced them."""
        with self._lock:
            self._manifest = self._store.manifest

    def refresh_graph(self) -> bool:
        """Build and save the graph of a large library where the saved one does not fit; whether there is one now.

        Raises:
            LibraryError: if it cannot be written.
        """
        snapshot, events = self.ask(lambda snapshot, _: (snapshot, self._events_of_graph(snapshot)))
        if events is None:
            return False
        if not self._graphs.fits(snapshot.version, events):
            self._graphs.build(snapshot.version, events)
            with self._lock:
                self._search = self._make_search(snapshot)
        return True

    def _events_of_graph(self, snapshot: Snapshot) -> Float32 | None:
        """Unit event embeddings, [V, D], if there are enough for a graph."""
        if len(snapshot.clip_keys) < max(self._graph_from, 1) or not graphs_available():
            return None
        return unit_vectors(snapshot.events())

    def _current(self) -> tuple[Snapshot, ClipSearch]:
        with self._lock:
            if self._snapshot is None or self._search is None or self._snapshot.version != self._store.version():
                snapshot = self._store.snapshot()
                snapshot.manifest.require(self._manifest, library="that was opened")
                self._snapshot = snapshot
                self._search = self._make_search(self._snapshot)
            return self._snapshot, self._search

    def _make_search(self, snapshot: Snapshot) -> ClipSearch:
        def index(events: Float32) -> CandidateIndex:
            """The saved graph if it fits a large library, otherwise a scan, which needs nothing on disk."""
            large = len(events) >= self._graph_from
            return (self._graphs.load(snapshot.version, events) if large else None) or FlatScan(events)

        return ClipSearch(snapshot, index, embed_dim=self._store.manifest.embed_dim)
