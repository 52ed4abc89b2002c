"""Role graphs of several sentences as padded tensors: what a text encoder reads."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Unpack

import attrs
import torch
from torch import Tensor

from hgrkit.checks.arguments import check_instance
from hgrkit.errors import ShapeError
from hgrkit.graph import RoleGraph
from hgrkit.matching.embeddings import moved
from hgrkit.model.text.graph_selection import (
    GraphLimits,
    LimitSettings,
    Omitted,
    SelectedGraph,
    SelectedNode,
    check_words,
    node_links,
    released_role_id,
    select_all,
)
from hgrkit.model.text.vocabulary import Vocabulary

__all__ = ["GraphBatch", "check_batch"]


@attrs.frozen(kw_only=True, eq=False, repr=False)
class GraphBatch:
    """C sentences; T tokens, Pa actions and Pe entities are the largest numbers in the batch.

    Attributes:
        words: the kept tokens of each sentence.
        token_ids: words by the vocabulary, zeros without one, int64 [C, T].
        token_mask: True where a token is real, bool [C, T].
        action_mask: True where an action is real, bool [C, Pa].
        entity_mask: True where an entity is real, bool [C, Pe].
        action_spans: whether a token belongs to an action, bool [C, Pa, T].
        entity_spans: whether a token belongs to an entity, bool [C, Pe, T].
        action_roles: role ids of the released models, int64 [C, Pa].
        entity_roles: role ids of the released models, int64 [C, Pe].
        adjacency: whether node i sees node j, bool [C, N, N] over N = 1 + Pa + Pe nodes: event, actions, entities.
        action_ids: ids of the kept actions in each sentence's graph.
        entity_ids: ids of the kept entities in each sentence's graph.
        omitted: what the limits cut, over all sentences.
        phrases: the texts of each sentence, its actions and its entities, for encoders that read texts.
    """

    words: tuple[tuple[str, ...], ...]
    token_ids: Tensor
    token_mask: Tensor
    action_mask: Tensor
    entity_mask: Tensor
    action_spans: Tensor
    entity_spans: Tensor
    action_roles: Tensor
    entity_roles: Tensor
    adjacency: Tensor
    action_ids: tuple[tuple[int, ...], ...]
    entity_ids: tuple[tuple[int, ...], ...]
    omitted: Omitted
    phrases: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def from_graphs(
        cls,
        graphs: Sequence[RoleGraph],
        *,
        vocabulary: Vocabulary | None = None,
        edges: str = "released",
        **limits: Unpack[LimitSettings],
    ) -> GraphBatch:
        """Batch role graphs.

        Args:
            graphs: one for each sentence.
            vocabulary: turns words into ids; encoders that read `words` need none.
            edges: name of the edge policy: which nodes see which (`EDGE_POLICIES`).
            limits: `max_actions`, `max_entities` and `max_tokens`, as `GraphLimits` takes them.

        Raises:
            ShapeError: if there is no graph, or no token is kept.
            ConfigError: if a limit is out of its range or the edge policy is unknown.
        """
        return cls.from_selected(select_all(graphs, GraphLimits(**limits)), vocabulary=vocabulary, edges=edges)

    @classmethod
    def from_selected(
        cls, graphs: Sequence[SelectedGraph], *, vocabulary: Vocabulary | None = None, edges: str = "released"
    ) -> GraphBatch:
        """Batch graphs whose tokens and nodes were chosen already.

        Raises:
            ShapeError: if there is no graph, or a graph without tokens.
            ConfigError: if the edge policy is unknown.
        """
        check_words(graphs)
        if vocabulary is not None:
            check_instance("vocabulary", vocabulary, Vocabulary, hint="make one: Vocabulary.from_sentences(...)")
        num_tokens = max(len(graph.words) for graph in graphs)
        token_mask = _prefix_mask([len(graph.words) for graph in graphs])
        token_ids = torch.zeros(token_mask.shape, dtype=torch.int64)
        if vocabulary is not None:
            token_ids[token_mask] = torch.tensor([i for graph in graphs for i in vocabulary.encode(graph.words)])
        actions = [graph.actions for graph in graphs]
        entities = [graph.entities for graph in graphs]
        action_mask = _prefix_mask(list(map(len, actions)))
        entity_mask = _prefix_mask(list(map(len, entities)))
        return cls(
            words=tuple(graph.words for graph in graphs),
            token_ids=token_ids,
            token_mask=token_mask,
            action_mask=action_mask,
            entity_mask=entity_mask,
            action_spans=_spans(actions, action_mask, num_tokens),
            entity_spans=_spans(entities, entity_mask, num_tokens),
            action_roles=_roles(actions, action_mask),
            entity_roles=_roles(entities, entity_mask),
            adjacency=_adjacency(graphs, action_mask.shape[1], entity_mask.shape[1], edges),
            action_ids=tuple(tuple(node.id for node in nodes) for nodes in actions),
            entity_ids=tuple(tuple(node.id for node in nodes) for nodes in entities),
            omitted=reduce(add, (graph.omitted for graph in graphs)),
        )

    def to(self, device: torch.device | str) -> GraphBatch:
        """The same batch on a device."""
        return moved(self, device)

    def __len__(self) -> int:
        """Number of sentences."""
        return len(self.words)

    def __repr__(self) -> str:
        return (
            f"GraphBatch(sentences={len(self)}, tokens={self.token_mask.shape[1]}, "
            f"actions={self.action_mask.shape[1]}, entities={self.entity_mask.shape[1]})"
        )


def check_batch(batch: GraphBatch, device: torch.device) -> None:
    """Refuse what a text encoder on this device cannot read.

    Raises:
        ShapeError: if it is no graph batch, or on another device.
    """
    check_instance("batch", batch, GraphBatch, error=ShapeError, hint="text encoders take encoder.batch(graphs)")
    if batch.token_mask.device != device:
        raise ShapeError(
            f"the batch is on {batch.token_mask.device} and the text encoder on {device}; "
            f"move it: batch.to('{device}')."
        )


def _prefix_mask(sizes: Sequence[int]) -> Tensor:
    """The first `sizes[c]` entries of row c are True: bool [C, max(sizes)]."""
    return torch.arange(max(sizes)) < torch.tensor(sizes)[:, None]


def _spans(nodes: Sequence[Sequence[SelectedNode]], mask: Tensor, num_tokens: int) -> Tensor:
    """Token membership of each node: bool [C, P, T]."""
    spans = torch.zeros(*mask.shape, num_tokens, dtype=torch.bool)
    members = [(c, p, t) for c, row in enumerate(nodes) for p, node in enumerate(row) for t in node.tokens]
    if members:
        spans[tuple(torch.tensor(members).T)] = True
    return spans


def _roles(nodes: Sequence[Sequence[SelectedNode]], mask: Tensor) -> Tensor:
    """Role ids: int64 [C, P]; zeros where there is no node."""
    roles = torch.zeros(mask.shape, dtype=torch.int64)
    roles[mask] = torch.tensor([released_role_id(node.role) for row in nodes for node in row], dtype=torch.int64)
    return roles


def _adjacency(graphs: Sequence[SelectedGraph], num_actions: int, num_entities: int, edges: str) -> Tensor:
    """Who sees whom: bool [C, N, N]."""
    size = 1 + num_actions + num_entities
    adjacency = torch.zeros(len(graphs), size, size, dtype=torch.bool)
    cells = [
        (caption, seer, seen)
        for caption, graph in enumerate(graphs)
        for seer, seen in node_links(graph, edges, num_actions)
    ]
    if cells:
        adjacency[tuple(torch.tensor(cells).T)] = True
    return adjacency
