"""A parser that looks graphs up in a file, made before by another parser or converted from other programs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from hgrkit.arguments import check_path, check_sequence
from hgrkit.errors import ConfigError, GraphError
from hgrkit.graph import RoleGraph
from hgrkit.parsing.graph_file import read_graph_file, read_header
from hgrkit.parsing.tokenize import tokenize

__all__ = ["PrecomputedParser"]


class PrecomputedParser:
    """Serves the graphs of a file to searches and evaluations; a sentence is found by its words.

    On the command line it is `--parser precomputed:graphs.jsonl`, and with another parser for what the file lacks
    `--parser precomputed:graphs.jsonl,lark`.

    Args:
        path: a file of graphs as `hgrkit parse --output` writes it.

    Raises:
        ConfigError: if no file is given.
        MissingPathError: if it does not exist.
        GraphError: if a line is no graph.
    """

    name = "precomputed"

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        if path is None:
            raise ConfigError("the parser 'precomputed' needs a file of graphs: precomputed:graphs.jsonl.")
        self._path = Path(check_path("path", path))
        header = read_header(self._path)
        self._made_by = f"{header.parser} {header.version}" if header is not None else "unknown"
        self._digest = hashlib.sha256(self._path.read_bytes()).hexdigest()[:12]
        self._graphs: dict[tuple[str, ...], RoleGraph | GraphError] = {}
        for caption, graph in read_graph_file(self._path):
            self._graphs.setdefault(_key(caption), graph)

    @property
    def version(self) -> str:
        """What made the graphs, and a digest of the file."""
        return f"{self._made_by} {self._digest}"

    def parse_batch(self, texts: Sequence[str]) -> list[RoleGraph]:
        """The graphs of the texts, in order.

        Raises:
            GraphError: if the file has no graph of a text, or says why there is none.
        """
        texts = check_sequence("texts", texts, str, of="sentences", error=GraphError)
        return [self._graph(text) for text in texts]

    def __len__(self) -> int:
        """Number of different sentences."""
        return len(self._graphs)

    def _graph(self, text: str) -> RoleGraph:
        found = self._graphs.get(tuple(tokenize(text)))
        if found is None:
            shown = text if len(text) <= 60 else text[:60] + "..."
            raise GraphError(
                f"{self._path} has no graph of {shown!r}; parse it into the file, or add a parser for the rest: "
                f"precomputed:{self._path},lark."
            )
        if isinstance(found, GraphError):
            raise found
        return found


def _key(caption: str) -> tuple[str, ...]:
    try:
        return tuple(tokenize(caption))
    except GraphError:
        return ()
