"""Which annotation a labelled tree follows: that of captions, or plain PropBank."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args

from hgrkit.errors import ConfigError
from hgrkit.graph import ACTION_ROLE

__all__ = ["Conventions", "check_conventions", "gold_conventions"]

Conventions = Literal["captions", "propbank"]
"""`captions`: copulas are actions, verbs with their roles as annotators of captions fixed them, no light verbs.
`propbank`: copulas are no actions, a light verb has no argument but its noun, roles as in PropBank EWT."""


def check_conventions(conventions: str) -> None:
    """Refuse what is none.

    Raises:
        ConfigError: if the name is unknown.
    """
    if conventions not in get_args(Conventions):
        raise ConfigError(f"conventions must be 'captions' or 'propbank', got {conventions!r}.")


def gold_conventions(records: Iterable[Mapping[str, Any]]) -> Conventions:
    """The conventions of gold graphs with trees: plain PropBank's if they have copulas but none is an action.

    Args:
        records: gold graphs with a `tree`; those without one say nothing.
    """
    copulas = 0
    for record in records:
        tree = record.get("tree")
        if tree is None:
            continue
        actions = {node.get("head") for node in record["nodes"] if node["role"] == ACTION_ROLE}
        found = {token for token, relation in enumerate(tree.get("deprel", ())) if relation == "cop"}
        if found & actions:
            return "captions"
        copulas += len(found)
    return "propbank" if copulas else "captions"
