"""The HNSW graph on disk: loaded only if checksum, numbers and the library's version fit, else made anew."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.library.candidates import NEIGHBOURS, HnswGraph
from hgrkit.library.database import translated_errors
from hgrkit.library.records import Float32
from hgrkit.library.store import Version
from hgrkit.storage.atomic_file import TEMPORARY_SUFFIX, sync_file, sync_folder, write_atomically

__all__ = ["GraphCache", "graphs_available", "is_sound_graph"]

_HEADER = struct.Struct("<6QiI3QdQ")
_COUNT = np.dtype("<u4")


def is_sound_graph(path: Path, events: Float32, *, neighbours: int = NEIGHBOURS) -> bool:
    """Whether a file is a graph over exactly these event embeddings that leads nowhere but to its own elements.

    Its answers may still be poor; no byte of it can make hnswlib read or write where it must not.

    Args:
        path: the file.
        events: [V, D] the vectors that it has to hold, in any order, each under its position.
        neighbours: hnswlib's M.

    Raises:
        OSError: if the file cannot be read.
    """
    content = np.memmap(path, np.uint8, mode="r") if path.stat().st_size else np.empty(0, np.uint8)
    elements = _element_type(events.shape[1], neighbours)
    end = _HEADER.size + len(events) * elements.itemsize
    if len(content) < end:
        return False
    *geometry, max_level, entry, max_links, max_links_0, links, _, construction = _HEADER.unpack(
        content[: _HEADER.size].tobytes()
    )
    vectors, labels = elements.fields["vector"][1], elements.fields["label"][1]  # type: ignore[index]
    if geometry != [0, len(events), len(events), elements.itemsize, labels, vectors]:
        return False
    if (max_links, max_links_0, links) != (neighbours, 2 * neighbours, neighbours) or construction > 1 << 20:
        return False
    level_0 = content[_HEADER.size : end].view(elements)
    levels = _levels(content[end:], neighbours, level_0)
    if levels is None or entry >= len(events) or levels[entry] != max_level or levels.max() != max_level:
        return False
    return _holds(level_0, events)


def _element_type(embed_dim: int, neighbours: int) -> np.dtype[Any]:
    """How an element lies in the lowest level: its links, its vector, its label."""
    return np.dtype(
        [
            ("count", "<u2"),
            ("deleted", "<u2"),
            ("links", _COUNT, (2 * neighbours,)),
            ("vector", "<f4", (embed_dim,)),
            ("label", "<u8"),
        ]
    )


def _holds(level_0: npt.NDArray[Any], events: Float32) -> bool:
    """Whether the lowest level has every vector once, and links to its own elements only."""
    labels = level_0["label"]
    if not np.array_equal(np.sort(labels), np.arange(len(events), dtype=np.uint64)):
        return False
    used = np.arange(level_0["links"].shape[1]) < level_0["count"][:, None]
    inside = (level_0["links"] < len(events)) | ~used
    fits = (level_0["count"] <= level_0["links"].shape[1]).all() and not level_0["deleted"].any() and inside.all()
    return bool(fits) and np.array_equal(level_0["vector"], events[labels])


def _levels(rest: npt.NDArray[Any], neighbours: int, level_0: npt.NDArray[Any]) -> npt.NDArray[np.int64] | None:
    """[V] the highest level of each element, or `None` if a list of links above the lowest leads astray."""
    size = 4 * (neighbours + 1)
    words = rest[: len(rest) // 4 * 4].view(_COUNT)
    levels = np.zeros(len(level_0), np.int64)
    lists: list[tuple[int, npt.NDArray[Any]]] = []
    place = 0
    for element in range(len(level_0)):
        if place >= len(words) or words[place] % size:
            return None
        levels[element] = words[place] // size
        place += 1
        for level in range(1, int(levels[element]) + 1):
            lists.append((level, words[place : place + neighbours + 1]))
            place += neighbours + 1
            if place > len(words):
                return None
    if place * 4 != len(rest):
        return None
    for level, links in lists:
        count = int(links[0])  # the count and, above it, the mark of deleted elements
        if count > neighbours or (links[1 : count + 1] >= len(levels)).any():
            return None
        if (levels[links[1 : count + 1]] < level).any():
            return None
    return levels


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
