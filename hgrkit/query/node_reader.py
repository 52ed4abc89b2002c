"""What the text encoders without torch have in common: a sentence's nodes, and the vectors of their roles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from hgrkit.query.weights import Float32, Weights
from hgrkit.text.graph_selection import SelectedGraph, SelectedNode, check_num_roles, released_role_id

__all__ = ["NodeReader", "RoleVectors"]


class NodeReader(Protocol):
    """Vectors of a sentence's nodes before they exchange messages."""

    def __call__(self, graphs: Sequence[SelectedGraph], /) -> list[Float32]:
        """Event, actions and entities of each sentence: [1 + A + E, D]."""
        ...


class RoleVectors:
    """Multiplies a node's vector by that of its role, entry by entry.

    Args:
        weights: a table of `num_roles` rows, in the order of `RELEASED_ROLES`.
        num_roles: its rows; 0 for none, and nodes stay as they are.
        embed_dim: D.

    Raises:
        CheckpointError: if the weights are no such table.
        ConfigError: if the table lacks some of the released roles.
    """

    def __init__(self, weights: Weights, num_roles: int, embed_dim: int) -> None:
        check_num_roles(num_roles)
        self.table = weights.take("weight", num_roles, embed_dim) if num_roles else None

    def __call__(self, vectors: Float32, nodes: Sequence[SelectedNode]) -> Float32:
        """[P, D] -> [P, D]."""
        if self.table is None:
            return vectors
        scaled: Float32 = vectors * self.table[[released_role_id(node.role) for node in nodes]]
        return scaled
