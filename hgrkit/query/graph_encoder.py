"""Role graphs to queries without torch: nodes, then messages along the graph, one sentence at a time."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.graph import RoleGraph
from hgrkit.library.records import QueryEmbeddings
from hgrkit.query.background import Background
from hgrkit.query.encoder import EmbeddedQuery
from hgrkit.query.graph_attention import GraphAttention
from hgrkit.query.node_reader import NodeReader
from hgrkit.query.weights import Float32
from hgrkit.text.edge_policy import edge_policy
from hgrkit.text.graph_selection import GraphLimits, Omitted, SelectedGraph, check_words, select_all

__all__ = ["GraphEncoder"]


@attrs.frozen(kw_only=True, eq=False)
class GraphEncoder:
    """A `QueryEncoder` that needs no torch; no sentence is padded, so that none can change another.

    Attributes:
        nodes: vectors of a sentence's nodes.
        graph: messages between them.
        limits: how much of a sentence is kept.
        edges: name of the edge policy.
        background: what the model takes off a sentence's scores, if anything.

    Raises:
        ConfigError: if the edge policy is unknown.
    """

    nodes: NodeReader
    graph: GraphAttention
    limits: GraphLimits
    edges: str
    background: Background | None = None

    def __attrs_post_init__(self) -> None:
        edge_policy(self.edges)

    def embed(self, graphs: Sequence[RoleGraph]) -> tuple[list[EmbeddedQuery], Omitted]:
        """Embed sentences, as `QueryEncoder` says."""
        selected = select_all(graphs, self.limits)
        check_words(selected)
        queries = [
            self._query(graph, kept, self.graph(nodes, self._adjacency(kept)))
            for graph, kept, nodes in zip(graphs, selected, self.nodes(selected), strict=True)
        ]
        return queries, sum((kept.omitted for kept in selected), Omitted())

    def _adjacency(self, graph: SelectedGraph) -> npt.NDArray[np.bool_]:
        """Whether node i sees node j, over event, actions and entities: bool [N, N]."""
        first = {"event": 0, "action": 1, "entity": 1 + len(graph.actions)}
        size = 1 + len(graph.actions) + len(graph.entities)
        adjacency = np.zeros((size, size), np.bool_)
        for (seer, i), (seen, j) in edge_policy(self.edges)(graph):
            adjacency[first[seer] + i, first[seen] + j] = True
        return adjacency

    def _query(self, graph: RoleGraph, kept: SelectedGraph, nodes: Float32) -> EmbeddedQuery:
        """A sentence's nodes [1 + A + E, D] as a query."""
        by_id = {node.id: node for node in graph.nodes}
        entities = 1 + len(kept.actions)
        return EmbeddedQuery(
            embeddings=QueryEmbeddings(
                event=nodes[0],
                action=nodes[1:entities],
                entity=nodes[entities:],
            ),
            actions=tuple(by_id[node.id] for node in kept.actions),
            entities=tuple(by_id[node.id] for node in kept.entities),
        )
