"""The graph on disk: a cache, loaded only if its checksum and the library's version fit, else made anew."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs

from hgrkit.library.atomic_file import TEMPORARY_SUFFIX, sync_file, sync_folder, write_atomically
from hgrkit.library.candidates import HnswGraph
from hgrkit.library.database import translated_errors
from hgrkit.library.graph_file import is_sound_graph
from hgrkit.library.records import Float32
from hgrkit.library.store import Version

__all__ = ["GraphCache", "graphs_available"]

_FORMAT = 1


@attrs.frozen
class GraphCache:
    """`cache/graph-TOKEN.hnsw` of one version and, beside it, `.json`: its checksum and what it was built from.

    All of it may be deleted at will. hnswlib crashes on damaged files: no byte of one reaches it unchecked.

    Attributes:
        folder: the library's folder.
    """

    folder: Path

    def fits(self, version: Version, events: Float32) -> bool:
        """Whether the files hold, byte for byte, a sound graph that was built from exactly this version."""
        graph = self._graph(version)
        try:
            described = json.loads(graph.with_suffix(".json").read_bytes())
            written = described == _description(version, events, _file_digest(graph))
            return bool(written) and is_sound_graph(graph, events)
        except (OSError, ValueError, RecursionError):
            return False

    def load(self, version: Version, events: Float32) -> HnswGraph | None:
        """The graph of this version, or `None` if there is none that fits, or hnswlib is not installed."""
        if not graphs_available() or not self.fits(version, events):
            return None
        try:
            return HnswGraph.load(str(self._graph(version)), events)
        except RuntimeError:  # it was deleted just now
            return None

    def build(self, version: Version, events: Float32) -> None:
        """Build the graph of a version's unit event embeddings [V, D], save it and delete all others.

        Raises:
            ImportError: if hnswlib is not installed.
            LibraryError: if it cannot be written.
        """
        built, graph = HnswGraph.build(events), self._graph(version)
        with translated_errors(graph):
            graph.parent.mkdir(exist_ok=True)
            temporary = graph.with_name(graph.name + TEMPORARY_SUFFIX)
            try:
                built.save(str(temporary))
                sync_file(temporary)
                description = _description(version, events, _file_digest(temporary))
                temporary.replace(graph)
            except (OSError, RuntimeError):
                with suppress(OSError):
                    temporary.unlink(missing_ok=True)
                raise
            sync_folder(graph.parent)
            write_atomically(graph.with_suffix(".json"), json.dumps(description).encode())
            for other in graph.parent.glob("graph-*"):
                if other.name.split(".")[0] != graph.stem:
                    other.unlink()

    def _graph(self, version: Version) -> Path:
        return self.folder / "cache" / f"graph-{version.token}.hnsw"


def graphs_available() -> bool:
    """Whether hnswlib is installed; it is not imported."""
    return importlib.util.find_spec("hnswlib") is not None


def _description(version: Version, events: Float32, digest: str) -> dict[str, Any]:
    clips, embed_dim = events.shape
    return {
        "format": _FORMAT,
        "version": version.number,
        "token": version.token,
        "clips": clips,
        "embed_dim": embed_dim,
        "sha256": digest,
    }


def _file_digest(path: Path) -> str:
    if not path.is_file():  # a pipe would wait for ever
        raise FileNotFoundError(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
