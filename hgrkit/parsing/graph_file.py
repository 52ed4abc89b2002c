"""Files of role graphs, a header and then one caption with its graph a line, and the parser that serves them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import attrs

from hgrkit.checks.arguments import check_path, check_sequence, shown
from hgrkit.errors import ConfigError, GraphError, MissingPathError
from hgrkit.graph import RoleGraph
from hgrkit.parsing.tokenize import tokenize

__all__ = [
    "GraphFileHeader",
    "PrecomputedParser",
    "graph_record",
    "json_objects",
    "read_graph_file",
    "read_header",
]


def json_objects(lines: Iterable[str], path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the number, from 1, and the JSON object of every line; skip blank lines.

    Args:
        lines: the file's lines.
        path: the file, for the message.

    Raises:
        GraphError: if a line is not a JSON object.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise GraphError(f"{path}, line {number} is not JSON: {error}.") from error
        if not isinstance(record, dict):
            raise GraphError(f"{path}, line {number} must be a JSON object, got {type(record).__name__}.")
        yield number, record


_FORMAT, _FORMAT_VERSION = "hgrkit graphs", 1


@attrs.frozen(kw_only=True)
class GraphFileHeader:
    """The first line of a file of graphs.

    Attributes:
        parser: name of the parser that made them, or of the format that they were converted from.
        version: its version.
        source: SHA-256 of the file of sentences, so that a resumed run cannot mix two.
    """

    parser: str
    version: str
    source: str = ""

    @property
    def made_by(self) -> str:
        """Name and version of the parser."""
        return f"{self.parser} {self.version}"

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps({"format": _FORMAT, "format_version": _FORMAT_VERSION, **attrs.asdict(self)})

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self | None:
        """Read the header from a line of JSON; `None` if the line is not one.

        Raises:
            GraphError: if a later hgrkit wrote it, or its fields are no text.
        """
        if record.get("format") != _FORMAT:
            return None
        if record.get("format_version") != _FORMAT_VERSION:
            raise GraphError(
                f"a file of graphs has the format {record.get('format_version')!r}, this hgrkit reads "
                f"{_FORMAT_VERSION}; use the hgrkit that wrote it."
            )
        fields = {name: record.get(name, "") for name in ("parser", "version", "source")}
        if not all(isinstance(value, str) for value in fields.values()):
            raise GraphError(f"the header of a file of graphs must hold text, got {fields}.")
        return cls(**fields)


def graph_record(caption: str, graph: RoleGraph | GraphError) -> dict[str, Any]:
    """Make a caption's line; a caption without a graph keeps its line, with the reason in place of nodes."""
    if isinstance(graph, GraphError):
        return {"caption": caption, "tokens": [], "nodes": [], "edges": [], "excluded": [], "error": str(graph)}
    return {"caption": caption, **graph.to_dict()}


def read_header(path: Path) -> GraphFileHeader | None:
    """Read the header of a file; `None` if it has none.

    Raises:
        MissingPathError: if there is no such file.
        GraphError: if its first line is not a JSON object.
    """
    first = next(_lines(path), None)
    return None if first is None else GraphFileHeader.from_record(first[1])


def read_graph_file(path: Path) -> Iterator[tuple[str, RoleGraph | GraphError]]:
    """Yield the captions of a file of graphs, in order, with or without a header.

    Raises:
        MissingPathError: if there is no such file.
        GraphError: if a line is no graph; the message names the line.
    """
    for number, record in _lines(path):
        if number == 1 and GraphFileHeader.from_record(record) is not None:
            continue
        if record.get("error"):
            yield str(record.get("caption", "")), GraphError(str(record["error"]))
            continue
        try:
            graph = RoleGraph.from_dict(record)
            yield str(record.get("caption", graph.text)), graph
        except GraphError as error:
            raise GraphError(f"{path}, line {number}: {error}") from error


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    if not path.is_file():
        raise MissingPathError(f"there is no file {str(path)!r}; give a file of graphs, one JSON object a line.")
    with path.open(encoding="utf-8", errors="replace") as file:
        yield from json_objects(file, path)


class PrecomputedParser:
    """Looks graphs up in a file for searches and evaluations; a sentence is found by its words.

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
        self._made_by = header.made_by if header is not None else "unknown"
        self._digest = hashlib.sha256(self._path.read_bytes()).hexdigest()[:12]
        self._graphs: dict[tuple[str, ...], RoleGraph | GraphError] = {}
        for caption, graph in read_graph_file(self._path):
            with suppress(GraphError):  # a caption without words, which no query matches
                self._graphs.setdefault(tuple(tokenize(caption)), graph)

    @property
    def version(self) -> str:
        """The parser that made the graphs, and a digest of the file."""
        return f"{self._made_by} {self._digest}"

    def parse_batch(self, texts: Sequence[str]) -> list[RoleGraph]:
        """Look up the graph of each text, in order.

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
            raise GraphError(
                f"{self._path} has no graph of {shown(text)}; parse it into the file, or add another parser: "
                f"precomputed:{self._path},lark."
            )
        if isinstance(found, GraphError):
            raise found
        return found
