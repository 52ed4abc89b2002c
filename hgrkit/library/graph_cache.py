"""The graph on disk: a cache, loaded only if its checksum and the library's version fit, else made anew."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
from pathlib import Path
from typing import Any

import attrs

from hgrkit.library.atomic_file import TEMPORARY_SUFFIX, sync_folder, write_atomically
from hgrkit.library.candidates import HnswGraph
from hgrkit.library.database import translated_errors
from hgrkit.library.records import Float32
from hgrkit.library.store import Version

__all__ = ["GraphCache", "graphs_available"]

_FORMAT = 1


@attrs.frozen
class GraphCache:
    """`cache/graph.hnsw` and, beside it, `cache/graph.json`: its checksum and what it was built from.

    Both may be deleted at will. hnswlib crashes on damaged files, so that no byte of one reaches it unchecked.

    Attributes:
        folder: the library's folder.
    """

    folder: Path

    def fits(self, version: Version, *, clips: int, embed_dim: int) -> bool:
        """Whether the files hold, byte for byte, a graph that was built from exactly this version."""
        try:
            described = json.loads(self._description.read_bytes())
            return bool(described == _description(version, clips, embed_dim, _file_digest(self._graph)))
        except (OSError, ValueError):
            return False

    def load(self, version: Version, *, clips: int, embed_dim: int) -> HnswGraph | None:
        """The graph of this version, or `None` if there is none that fits, or hnswlib is not installed."""
        if not graphs_available() or not self.fits(version, clips=clips, embed_dim=embed_dim):
            return None
        try:
            graph = HnswGraph.load(str(self._graph), embed_dim=embed_dim)
        except RuntimeError:
            return None
        return graph if len(graph) == clips else None

    def build(self, version: Version, events: Float32) -> None:
        """Build the graph of a version's unit event embeddings [V, D] and save it.

        Raises:
            ImportError: if hnswlib is not installed.
            LibraryError: if it cannot be written.
        """
        graph = HnswGraph.build(events)
        with translated_errors(self._graph):
            self._graph.parent.mkdir(exist_ok=True)
            temporary = self._graph.with_name(self._graph.name + TEMPORARY_SUFFIX)
            graph.save(str(temporary))
            _sync_file(temporary)
            description = _description(version, len(events), events.shape[1], _file_digest(temporary))
            temporary.replace(self._graph)
            sync_folder(self._graph.parent)
            write_atomically(self._description, json.dumps(description).encode())

    @property
    def _graph(self) -> Path:
        return self.folder / "cache" / "graph.hnsw"

    @property
    def _description(self) -> Path:
        return self.folder / "cache" / "graph.json"


def _description(version: Version, clips: int, embed_dim: int, digest: str) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "version": version.number,
        "token": version.token,
        "clips": clips,
        "embed_dim": embed_dim,
        "sha256": digest,
    }


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def graphs_available() -> bool:
    """Whether hnswlib is installed; it is not imported."""
    return importlib.util.find_spec("hnswlib") is not None
