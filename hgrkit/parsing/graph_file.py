"""Files of role graphs: a line that says what made them, then one caption with its graph a line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import attrs

from hgrkit.errors import GraphError, MissingPathError
from hgrkit.graph import RoleGraph

__all__ = ["GraphFileHeader", "graph_record", "json_objects", "read_graph_file", "read_header", "read_record"]


def json_objects(lines: Iterable[str], path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Every line's number, from 1, and its object; blank lines are passed over.

    Args:
        lines: the file's lines.
        path: the file, for the message.

    Raises:
        GraphError: if a line is no JSON object.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise GraphError(f"{path}, line {number} is no JSON: {error}.") from error
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
        source: SHA-256 of the file of sentences, so that a run that goes on cannot mix two.
    """

    parser: str
    version: str
    source: str = ""

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps({"format": _FORMAT, "format_version": _FORMAT_VERSION, **attrs.asdict(self)})

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self | None:
        """The header in a line of JSON, or `None` if the line is none.

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
    """What a caption's line holds; one that cannot be read keeps its line, with the reason in place of nodes."""
    if isinstance(graph, GraphError):
        return {"caption": caption, "tokens": [], "nodes": [], "edges": [], "error": str(graph)}
    return {"caption": caption, **graph.to_dict()}


def read_record(record: Mapping[str, Any]) -> tuple[str, RoleGraph | GraphError]:
    """A line's caption, and its graph or the reason why it has none.

    Raises:
        GraphError: if it is no graph.
    """
    if record.get("error"):
        return str(record.get("caption", "")), GraphError(str(record["error"]))
    graph = RoleGraph.from_dict(record)
    return str(record.get("caption", graph.text)), graph


def read_header(path: Path) -> GraphFileHeader | None:
    """What a file says of its making; `None` if it says nothing.

    Raises:
        MissingPathError: if there is no such file.
        GraphError: if its first line is no JSON object.
    """
    for number, record in _lines(path):
        del number
        return GraphFileHeader.from_record(record)
    return None


def read_graph_file(path: Path) -> Iterator[tuple[str, RoleGraph | GraphError]]:
    """The captions of a file of graphs, in order, with or without a header.

    Raises:
        MissingPathError: if there is no such file.
        GraphError: if a line is no graph; the message names the line.
    """
    for number, record in _lines(path):
        if number == 1 and GraphFileHeader.from_record(record) is not None:
            continue
        try:
            yield read_record(record)
        except GraphError as error:
            raise GraphError(f"{path}, line {number}: {error}") from error


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    if not path.is_file():
        raise MissingPathError(f"there is no file {str(path)!r}; give a file of graphs, one JSON object a line.")
    with path.open(encoding="utf-8", errors="replace") as file:
        yield from json_objects(file, path)
