"""Passes messages between the event, action and entity nodes of a sentence (HGR, section 3.1).

`hgrkit.model.query.layers` computes the same without torch; a change here is a change there.
"""

from __future__ import annotations

import math
from typing import Unpack

import torch
from torch import Tensor, nn

from hgrkit.checks.settings import takes_settings
from hgrkit.errors import ConfigError, ShapeError
from hgrkit.model.text.config import GraphAttentionConfig, GraphAttentionSettings

__all__ = ["GraphAttention"]


class _GraphLayer(nn.Module):
    """One round of messages: `g_i <- LayerNorm(g_i + dropout(W sum_j b_ij g_j))`; no LayerNorm if `identity`."""

    def __init__(self, embed_dim: int, *, attention: bool, dropout: float, identity: bool) -> None:
        super().__init__()
        self.context = nn.Linear(embed_dim, embed_dim, bias=False)
        if identity:
            nn.init.zeros_(self.context.weight)
        self.norm = nn.Identity() if identity else nn.LayerNorm(embed_dim)
        self.dropout = nn.Dropout(dropout)
        self.query = nn.Linear(embed_dim, embed_dim // 2) if attention else None
        self.key = nn.Linear(embed_dim, embed_dim // 2) if attention else None

    def forward(self, nodes: Tensor, adjacency: Tensor) -> Tensor:
        messages: Tensor = self.context(self._neighbour_weights(nodes, adjacency) @ nodes)
        result: Tensor = self.norm(nodes + self.dropout(messages))
        return result

    def _neighbour_weights(self, nodes: Tensor, adjacency: Tensor) -> Tensor:
        """`b`: rows over neighbours that sum to one, or to zero where a node has none, [C, N, N]."""
        if self.query is None or self.key is None:
            neighbours = adjacency.to(nodes.dtype)
            counts: Tensor = neighbours.sum(dim=2, keepdim=True)
            return neighbours / counts.clamp(min=1)
        query: Tensor = self.query(nodes)  # [C, N, D / 2]
        logits = query @ self.key(nodes).transpose(1, 2) / math.sqrt(query.shape[2])
        # not -inf: the softmax of a row without a neighbour must be numbers, which are zeroed after it
        smallest = torch.finfo(logits.dtype).min
        weights: Tensor = logits.masked_fill(~adjacency, smallest).softmax(dim=2)
        return weights.masked_fill(~adjacency, 0)


@takes_settings(GraphAttentionConfig)
class GraphAttention(nn.Module):
    """Updates each node with messages from its neighbours.

    `b_ij = softmax_j((W_q g_i + c_q) . (W_k g_j + c_k) / sqrt(D / 2))` over the neighbours j of i, or the
    row-normalised adjacency without attention; then `g_i <- LayerNorm(g_i + dropout(W sum_j b_ij g_j))`.

    With `start="identity"` the last step is `g_i <- g_i + dropout(W sum_j b_ij g_j)`, and W is zero at first: an
    untrained layer returns its nodes, and training departs from a model without a graph.

    Args:
        settings: `embed_dim` (D), `num_layers`, `attention`, `dropout` and `start`, by name; see
            `hgrkit.model.text.config.GraphAttentionConfig`. With 0 layers the nodes stay as they are.

    Raises:
        ConfigError: if a setting is out of its range.

    Source: HGR (arXiv 2003.00392), section 3.1; the identity: after ReZero (arXiv 2003.04887).
    """

    def __init__(self, **settings: Unpack[GraphAttentionSettings]) -> None:
        super().__init__()
        config = GraphAttentionConfig(**settings)
        if config.attention and config.embed_dim < 2:
            raise ConfigError(f"graph attention needs an embed_dim of at least 2, got {config.embed_dim}.")
        self.embed_dim = config.embed_dim
        self.layers = nn.ModuleList(
            _GraphLayer(
                config.embed_dim,
                attention=config.attention,
                dropout=config.dropout,
                identity=config.start == "identity",
            )
            for _ in range(config.num_layers)
        )

    def forward(self, nodes: Tensor, adjacency: Tensor) -> Tensor:
        """Pass messages along a graph.

        Args:
            nodes: node embeddings, [C, N, D]; absent nodes may hold any finite numbers.
            adjacency: whether node i sees node j, bool [C, N, N]; no node sees an absent one.

        Returns:
            [C, N, D].

        Raises:
            ShapeError: if the shapes do not fit.
        """
        if nodes.shape[2] != self.embed_dim or adjacency.shape != (*nodes.shape[:2], nodes.shape[1]):
            raise ShapeError(
                f"nodes [C, N, {self.embed_dim}] and adjacency [C, N, N] do not fit: "
                f"got {list(nodes.shape)} and {list(adjacency.shape)}."
            )
        for layer in self.layers:
            nodes = layer(nodes, adjacency)
        return nodes
