"""Role graphs as the released HGR code keeps them (`sent2rolegraph.augment.json`), read as role graphs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hgrkit.errors import GraphError, MissingPathError
from hgrkit.graph import Edge, Node, RoleGraph, Span

__all__ = ["read_released_graphs", "released_graph"]

_ROOT = "ROOT"


def read_released_graphs(path: Path) -> Iterator[tuple[str, RoleGraph | GraphError]]:
    """Every caption of the file with its graph, or with the reason why it is none.

    Raises:
        MissingPathError: if there is no such file.
        GraphError: if the file is no JSON object of captions.
    """
    if not path.is_file():
        raise MissingPathError(
            f"there is no file {str(path)!r}; the released code calls it sent2rolegraph.augment.json."
        )
    try:
        captions = json.loads(path.read_bytes())
    except ValueError as error:
        raise GraphError(f"{path} is no JSON: {error}.") from error
    if not isinstance(captions, dict):
        raise GraphError(f"{path} must map captions to graphs, got {type(captions).__name__}.")
    for caption, record in captions.items():
        try:
            yield caption, released_graph(caption, record)
        except GraphError as error:
            yield caption, error


def released_graph(caption: str, record: Any) -> RoleGraph:
    """One caption's graph over the tokens `caption.split()`.

    The root is left out; a node's span reaches from its first token to its last one.

    Args:
        caption: the sentence.
        record: `[{node: {"role", "spans"}}, [[action, entity, role]]]`; spans are lists of token indices.

    Raises:
        GraphError: if it is no such record or breaks a rule of role graphs.
    """
    try:
        nodes, edges = record
        kept = [(key, node) for key, node in nodes.items() if node["role"] != _ROOT]
        numbers = {key: number for number, (key, _) in enumerate(kept, 1)}
        return RoleGraph(
            tokens=caption.split(),
            nodes=[Node(numbers[key], str(node["role"]), _span(node["spans"])) for key, node in kept],
            edges=[
                Edge(numbers[str(action)], numbers[str(entity)], str(role))
                for action, entity, role in edges
                if str(action) in numbers and str(entity) in numbers
            ],
        )
    except GraphError as error:
        raise GraphError(f"the graph of {caption!r}: {error}") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise GraphError(
            f"the graph of {caption!r} is none: {type(error).__name__}: {error}; expected "
            "[{node: {role, spans}}, [[action, entity, role]]]."
        ) from error


def _span(tokens: Any) -> Span:
    listed = [int(token) for token in tokens]
    return Span(min(listed), max(listed) + 1)
