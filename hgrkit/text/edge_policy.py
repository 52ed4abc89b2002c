"""Who sees whom in the graph attention: named rules that turn a graph's edges into neighbours."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hgrkit.errors import ConfigError
from hgrkit.text.graph_selection import SelectedGraph

__all__ = ["EDGE_POLICIES", "Link", "edge_policy"]

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
