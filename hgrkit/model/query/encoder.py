"""What turns role graphs into queries: the protocol, and what comes out of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import attrs

from hgrkit.graph import Node, RoleGraph
from hgrkit.library.records import Float32, QueryEmbeddings
from hgrkit.library.scoring import SearchSettings
from hgrkit.model.text.graph_selection import Omitted

__all__ = ["EmbeddedQuery", "QueryEncoder", "QuerySide"]


@attrs.frozen(kw_only=True, eq=False)
class EmbeddedQuery:
    """A sentence as the library is asked with it.

    Attributes:
        embeddings: its vectors.
        actions: the graph's nodes behind the action rows, in their order.
        entities: the graph's nodes behind the entity rows, in their order.
    """

    embeddings: QueryEmbeddings
    actions: tuple[Node, ...]
    entities: tuple[Node, ...]


class QueryEncoder(Protocol):
    """Role graphs to queries: `hgrkit.model.query` without torch, `hgrkit.model.scorer` with a model in torch."""

    @property
    def querybank_norm(self) -> Callable[[Float32], Float32] | None:
        """How well events of queries fit any clip, [Q, D] -> [Q], if the model knows that."""
        ...

    def embed(self, graphs: Sequence[RoleGraph]) -> tuple[list[EmbeddedQuery], Omitted]:
        """Embed sentences.

        Args:
            graphs: at least one.

        Returns:
            A query for each graph, and what the model's limits left out over all of them.

        Raises:
            ShapeError: if there is no graph, or the limits leave a graph no token.
        """
        ...


@attrs.frozen(kw_only=True, eq=False)
class QuerySide:
    """How a model's questions are put and compared.

    Attributes:
        encoder: role graphs to queries.
        settings: the matcher's, as the library takes them.
        embed_dim: D.
    """

    encoder: QueryEncoder
    settings: SearchSettings
    embed_dim: int
