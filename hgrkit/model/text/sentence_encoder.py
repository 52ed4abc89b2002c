"""Role graphs to embeddings at three levels on top of a frozen transformer: the default model's text side.

`hgrkit.model.query.sentence_encoder` computes the same without torch; a change here is a change there.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self, Unpack

import torch
from torch import Tensor, nn

from hgrkit.checks.arguments import shown
from hgrkit.checks.settings import takes_settings, to_json
from hgrkit.errors import ConfigError
from hgrkit.graph import RoleGraph
from hgrkit.levels import PerLevel
from hgrkit.matching.embeddings import TextEmbeddings
from hgrkit.matching.matcher import unit_vectors
from hgrkit.model.text.config import GraphTextSettings, SentenceTextConfig
from hgrkit.model.text.graph_attention import GraphAttention
from hgrkit.model.text.graph_batch import GraphBatch, check_batch
from hgrkit.model.text.graph_selection import select_all
from hgrkit.model.text.sentence_reader import MODEL_FILE, STATE_SCALE, TOKENIZER_FILE, SentenceReader

__all__ = ["SentenceTextEncoder"]


@takes_settings(SentenceTextConfig)
class SentenceTextEncoder(nn.Module):
    """Linear views of a frozen transformer's states, then messages along the role graph.

    1. `SentenceReader`: states of words in context, and their mean, the sentence vector. It has no gradients.
    2. event: a linear map of the sentence vector. Action, entity: a linear map of the mean state of the node's
       words, one map for each level, times the vector of its role.
    3. `GraphAttention` over event, actions and entities (`graph_layers=0`: none).

    Args:
        reader: the frozen transformer.
        settings: those of `hgrkit.model.text.config.SentenceTextConfig` by name, `embed_dim` (D) at least. Role
            vectors start as ones.

    Attributes:
        settings: the arguments, beside the reader, that make an encoder of the same shape.

    Raises:
        ConfigError: if a setting is out of its range.

    Source: HGR (arXiv 2003.00392), section 3.1, with another word encoder.
    """

    kind: ClassVar[str] = "sentence"
    config: ClassVar[type] = SentenceTextConfig

    def __init__(self, *, reader: SentenceReader, **settings: Unpack[GraphTextSettings]) -> None:
        super().__init__()
        if not hasattr(reader, "read") or not hasattr(reader, "hidden_size"):
            raise ConfigError(f"reader must be a SentenceReader, got {shown(reader)}; read one from its folder.")
        config = SentenceTextConfig(**settings)
        self.settings: dict[str, Any] = config.to_json()
        self.reader = reader
        self.embed_dim = config.embed_dim
        self.limits = config.limits
        self.edges = config.edges
        self.dropout = nn.Dropout(config.dropout)
        self.event, self.action, self.entity = (nn.Linear(reader.hidden_size, config.embed_dim) for _ in range(3))
        self.roles = nn.Embedding(config.num_roles, config.embed_dim) if config.num_roles else None
        if self.roles is not None:
            # an untrained role changes nothing, so that training starts from what the transformer knows
            nn.init.ones_(self.roles.weight)
        self.graph = GraphAttention(**to_json(config.graph))

    @classmethod
    def from_folder(cls, settings: dict[str, Any], folder: Path) -> Self:
        """An encoder of these settings with the transformer of a model folder; its weights are not loaded."""
        return cls(reader=SentenceReader.from_folder(folder), **settings)

    @classmethod
    def from_captions(
        cls,
        settings: dict[str, Any],
        graphs: Sequence[RoleGraph],
        *,
        min_count: int,
        reader: Callable[[], SentenceReader],
    ) -> Self:
        """An encoder of these settings on a transformer, to be trained; the captions do not matter."""
        del graphs, min_count
        return cls(reader=reader(), **settings)

    def write_files(self, folder: Path) -> None:
        """Write what a model folder needs beside the weights: the transformer and its tokeniser."""
        for source, name in zip(self.reader.files, (MODEL_FILE, TOKENIZER_FILE), strict=True):
            if source != folder / name:
                shutil.copyfile(source, folder / name)

    def knows(self, word: str) -> bool:
        """Whether a word is one that the transformer or hgrkit's lexicon has."""
        return self.reader.knows(word)

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
    return unit_vectors(share @ words)
