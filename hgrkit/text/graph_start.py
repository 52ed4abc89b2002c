"""How a layer of messages along the graph starts, known with and without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from hgrkit.errors import ConfigError

__all__ = ["DEFAULT_GRAPH_START", "GraphStart", "starts_as_identity", "with_graph_start", "without_default_start"]

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
