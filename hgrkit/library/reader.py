"""What a library's readers hold in memory: the version committed last, its search and its graph."""

from __future__ import annotations

from threading import Lock

from hgrkit.library.candidates import CandidateIndex, FlatScan, unit_vectors
from hgrkit.library.graph_cache import GraphCache, graphs_available
from hgrkit.library.records import Float32
from hgrkit.library.search import ClipSearch
from hgrkit.library.store import Snapshot, Store

__all__ = ["GRAPH_FROM", "Reader"]

GRAPH_FROM = 50_000
"""Clips from which candidates come from an HNSW graph instead of a flat scan."""


class Reader:
    """Follows a store: every call sees what is committed by then; safe for threads."""

    def __init__(self, store: Store, graphs: GraphCache, *, graph_from: int = GRAPH_FROM) -> None:
        self._store = store
        self._graphs = graphs
        self._graph_from = graph_from
        self._snapshot: Snapshot | None = None
        self._search: ClipSearch | None = None
        self._lock = Lock()

    def snapshot(self) -> Snapshot:
        """The version committed last.

        Raises:
            DamagedLibraryError: if it is not what was written.
        """
        return self._current()[0]

    def search(self) -> ClipSearch:
        """Searches the version committed last.

        Raises:
            DamagedLibraryError: if it is not what was written.
        """
        return self._current()[1]

    def refresh_graph(self) -> bool:
        """Build and save the graph of a large library where the saved one does not fit; whether there is one now.

        Raises:
            LibraryError: if it cannot be written.
        """
        snapshot = self.snapshot()
        if len(snapshot.clip_keys) < max(self._graph_from, 1) or not graphs_available():
            return False
        events = unit_vectors(snapshot.events())
        if not self._graphs.fits(snapshot.version, events):
            self._graphs.build(snapshot.version, events)
            with self._lock:
                self._search = self._make_search(snapshot)
        return True

    def _current(self) -> tuple[Snapshot, ClipSearch]:
        with self._lock:
            if self._snapshot is None or self._search is None or self._snapshot.version != self._store.version():
                self._snapshot = self._store.snapshot()
                self._search = self._make_search(self._snapshot)
            return self._snapshot, self._search

    def _make_search(self, snapshot: Snapshot) -> ClipSearch:
        def index(events: Float32) -> CandidateIndex:
            """The saved graph if it fits a large library, otherwise a scan, which needs nothing on disk."""
            large = len(events) >= self._graph_from
            return (self._graphs.load(snapshot.version, events) if large else None) or FlatScan(events)

        return ClipSearch(snapshot, index, embed_dim=self._store.manifest.embed_dim)
