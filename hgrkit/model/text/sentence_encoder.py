"""Role graphs to embeddings at three levels on top of a frozen transformer: the default model's text side.

`hgrkit.model.query.sentence_encoder` computes the same without torch; a change here is a change there.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from hgrkit.arguments import check_flag, check_number, check_whole, plain, shown
from hgrkit.errors import ConfigError
from hgrkit.graph import RoleGraph
from hgrkit.levels import PerLevel
from hgrkit.matching.embeddings import TextEmbeddings
from hgrkit.model.text.edge_policy import DEFAULT_GRAPH_START, GraphStart, edge_policy, without_default_start
from hgrkit.model.text.graph_attention import GraphAttention
from hgrkit.model.text.graph_batch import GraphBatch, check_batch
from hgrkit.model.text.graph_selection import RELEASED_ROLES, GraphLimits, check_num_roles, select_all
from hgrkit.model.text.sentence_reader import MODEL_FILE, STATE_SCALE, TOKENIZER_FILE, SentenceReader

__all__ = ["SentenceTextEncoder"]


class SentenceTextEncoder(nn.Module):
    """Linear views of a frozen transformer's states, then messages along the role graph.

    1. `SentenceReader`: states of words in context, and their mean, the sentence vector. It has no gradients.
    2. event: a linear map of the sentence vector. Action, entity: a linear map of the mean state of the node's
       words, one map for each level, times the vector of its role.
    3. `GraphAttention` over event, actions and entities (`graph_layers=0`: none).

    Args:
        reader: the frozen transformer.
        embed_dim: D.
        num_roles: rows of the role vectors, in the order of `RELEASED_ROLES`; 0 for none. They start as ones.
        graph_layers: rounds of messages along the graph.
        graph_attention: weigh neighbours by attention instead of evenly.
        graph_dropout: on messages.
        graph_start: `random` as published, or `identity`: untrained messages change nothing, and no LayerNorm.
        dropout: on the transformer's vectors.
        max_actions: actions that `batch` keeps of a sentence; `None` is no limit, as below.
        max_entities: entities that `batch` keeps of a sentence.
        max_tokens: tokens that `batch` keeps of a sentence.
        edges: name of the edge policy that `batch` uses.

    Raises:
        ConfigError: if a setting is out of its range.

    Source: HGR (arXiv 2003.00392), section 3.1, with another word encoder.
    """

    kind: ClassVar[str] = "sentence"

    def __init__(
        self,
        *,
        reader: SentenceReader,
        embed_dim: int,
        num_roles: int = len(RELEASED_ROLES),
        graph_layers: int = 1,
        graph_attention: bool = True,
        graph_dropout: float = 0.0,
        graph_start: GraphStart = DEFAULT_GRAPH_START,
        dropout: float = 0.0,
        max_actions: int | None = None,
        max_entities: int | None = None,
        max_tokens: int | None = 128,
        edges: str = "released",
    ) -> None:
        super().__init__()
        if not hasattr(reader, "read") or not hasattr(reader, "hidden_size"):
            raise ConfigError(f"reader must be a SentenceReader, got {shown(reader)}; read one from its folder.")
        embed_dim, dropout = check_whole("embed_dim", embed_dim), check_number("dropout", dropout, "[0, 1)")
        num_roles = check_num_roles(num_roles)
        graph_layers = check_whole("graph_layers", graph_layers, least=0)
        graph_dropout = check_number("graph_dropout", graph_dropout, "[0, 1)")
        graph_attention = check_flag("graph_attention", graph_attention)
        max_actions, max_entities, max_tokens = plain(max_actions), plain(max_entities), plain(max_tokens)
        self._settings: dict[str, Any] = {
            name: value
            for name, value in locals().items()
            if name not in ("self", "reader") and not name.startswith("_")
        }
        edge_policy(edges)
        self.reader = reader
        self.embed_dim = embed_dim
        self.limits = GraphLimits(max_actions=max_actions, max_entities=max_entities, max_tokens=max_tokens)
        self.edges = edges
        self.dropout = nn.Dropout(dropout)
        self.event, self.action, self.entity = (nn.Linear(reader.hidden_size, embed_dim) for _ in range(3))
        self.roles = nn.Embedding(num_roles, embed_dim) if num_roles else None
        if self.roles is not None:
            nn.init.ones_(self.roles.weight)
        self.graph = GraphAttention(
            embed_dim=embed_dim,
            num_layers=graph_layers,
            attention=graph_attention,
            dropout=graph_dropout,
            start=graph_start,
        )

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments, beside the reader, that make an encoder of the same shape."""
        return without_default_start(self._settings)

    @classmethod
    def from_folder(cls, settings: dict[str, Any], folder: Path) -> Self:
        """An encoder of these settings with the transformer of a model folder; its weights are not loaded."""
        return cls(reader=SentenceReader.from_folder(folder), **settings)

    def write_files(self, folder: Path) -> None:
        """Write what a model folder needs beside the weights: the transformer and its tokeniser."""
        for source, name in zip(self.reader.files, (MODEL_FILE, TOKENIZER_FILE), strict=True):
            if source != folder / name:
                shutil.copyfile(source, folder / name)

    def batch(self, graphs: Sequence[RoleGraph]) -> GraphBatch:
        """Batch role graphs under the encoder's own limits and edge policy."""
        return GraphBatch.from_selected(select_all(graphs, self.limits), edges=self.edges)

    def forward(self, batch: GraphBatch) -> TextEmbeddings:
        """Encode C sentences.

        Raises:
            ShapeError: if they are no `GraphBatch`, or on another device.
        """
        check_batch(batch, self.event.weight.device)
        return self.encode(self.read(batch), batch)

    def read(self, batch: GraphBatch) -> PerLevel[Tensor]:
        """What the transformer says of each node: event [C, H], action [C, Pa, H], entity [C, Pe, H].

        It has no gradients. Vectors have length one; absent nodes have zeros. Training reads each sentence once.
        """
        states = self.reader.read(batch.words)
        words = torch.from_numpy(states.words).to(batch.token_mask.device)
        return PerLevel(
            event=torch.from_numpy(states.sentence).to(words.device),
            action=_mean_states(words, batch.action_spans),
            entity=_mean_states(words, batch.entity_spans),
        )

    def encode(self, states: PerLevel[Tensor], batch: GraphBatch) -> TextEmbeddings:
        """Encode C sentences that `read` has read."""
        views = PerLevel(
            event=self._viewed(self.event, states.event),
            action=self._nodes(self.action, states.action, batch.action_roles, batch.action_mask),
            entity=self._nodes(self.entity, states.entity, batch.entity_roles, batch.entity_mask),
        )
        nodes = torch.cat([views.event[:, None], views.action, views.entity], dim=1)  # [C, N, D]
        nodes = self.graph(nodes, batch.adjacency)
        return TextEmbeddings.from_nodes(nodes, action_mask=batch.action_mask, entity_mask=batch.entity_mask)

    def _viewed(self, view: nn.Linear, states: Tensor) -> Tensor:
        viewed: Tensor = view(self.dropout(STATE_SCALE * states.to(view.weight.dtype)))
        return viewed

    def _nodes(self, view: nn.Linear, states: Tensor, roles: Tensor, mask: Tensor) -> Tensor:
        """One level's nodes [C, P, D]; only the real ones, a third of a usual batch, are worked out."""
        real = self._viewed(view, states[mask])
        if self.roles is not None:
            real = real * self.roles(roles[mask])
        nodes = real.new_zeros(*mask.shape, self.embed_dim)
        return nodes.masked_scatter(mask[:, :, None], real)


def _mean_states(words: Tensor, spans: Tensor) -> Tensor:
    """Mean state of each node's words, scaled to length one: [C, T, H], [C, P, T] -> [C, P, H]."""
    share = spans.to(words.dtype) / spans.sum(dim=2, keepdim=True).clamp(min=1)
    return nn.functional.normalize(share @ words, dim=2)
