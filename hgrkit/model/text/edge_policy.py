"""How messages travel along a graph: who sees whom, and how a layer of messages starts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, get_args

from hgrkit.errors import ConfigError
from hgrkit.model.text.graph_selection import SelectedGraph

__all__ = [
    "DEFAULT_GRAPH_START",
    "EDGE_POLICIES",
    "GraphStart",
    "Link",
    "edge_policy",
    "starts_as_identity",
    "with_graph_start",
    "without_default_start",
]

Link = tuple[tuple[str, int], tuple[str, int]]
"""(who sees, who is seen), each as (level, position within the level)."""

_EVENT = ("event", 0)


def _released(graph: SelectedGraph) -> Iterator[Link]:
    """An action sees the event and its entities, an entity its actions, the event nobody."""
    for action in range(len(graph.actions)):
        yield ("action", action), _EVENT
    for action, entity in graph.edges:
        yield ("action", action), ("entity", entity)
        yield ("entity", entity), ("action", action)


def _two_way(graph: SelectedGraph) -> Iterator[Link]:
    """As `released`, and the event sees its actions."""
    yield from _released(graph)
    for action in range(len(graph.actions)):
        yield _EVENT, ("action", action)


EDGE_POLICIES: dict[str, Callable[[SelectedGraph], Iterator[Link]]] = {
    "released": _released,
    "two_way": _two_way,
}
"""The rules by name; `released` is that of the published models."""


def edge_policy(name: str) -> Callable[[SelectedGraph], Iterator[Link]]:
    """The rule of that name.

    Raises:
        ConfigError: if there is none.
    """
    try:
        return EDGE_POLICIES[name]
    except (KeyError, TypeError):
        raise ConfigError(
            f"no edge policy named {name!r}; there are: {', '.join(map(repr, EDGE_POLICIES))}."
        ) from None


GraphStart = Literal["random", "identity"]
DEFAULT_GRAPH_START: GraphStart = "random"

_KEY = "graph_start"
"""How the settings of a text encoder call it."""


def starts_as_identity(start: str) -> bool:
    """Whether untrained layers return their nodes.

    Raises:
        ConfigError: if the start is unknown.
    """
    known = get_args(GraphStart)
    if start not in known:
        raise ConfigError(f"the graph's start must be {' or '.join(map(repr, known))}, got {start!r}.")
    return start == "identity"


def without_default_start(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as they are written: the start stands there only if it is not the default.

    A folder of the published model is therefore what it was before there was a choice, to its fingerprint.
    """
    return {name: value for name, value in settings.items() if (name, value) != (_KEY, DEFAULT_GRAPH_START)}


def with_graph_start(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as they were written, with the start that they mean if they do not say one."""
    return {_KEY: DEFAULT_GRAPH_START, **settings}
