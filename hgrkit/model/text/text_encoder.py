"""Role graphs to embeddings at three levels with a recurrent network over words: the paper's text side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, Unpack

import attrs
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from hgrkit.checks.arguments import check_instance
from hgrkit.checks.device import full_precision
from hgrkit.checks.settings import setting, takes_settings, to_json
from hgrkit.graph import RoleGraph
from hgrkit.matching.embeddings import TextEmbeddings
from hgrkit.model.text.config import GraphTextConfig, GraphTextSettings
from hgrkit.model.text.graph_attention import GraphAttention
from hgrkit.model.text.graph_batch import GraphBatch, check_batch
from hgrkit.model.text.graph_selection import select_all
from hgrkit.model.text.sentence_reader import SentenceReader
from hgrkit.model.text.vocabulary import VOCABULARY_FILE, Vocabulary

__all__ = ["RnnTextConfig", "RnnTextSettings", "TextEmbeddings", "TextEncoder"]

Recurrence = Literal["gru", "lstm"]


class RnnTextSettings(GraphTextSettings, total=False):
    """What the constructor of a `TextEncoder` takes; `RnnTextConfig` says what it means."""

    word_dim: int
    recurrence: Recurrence
    bidirectional: bool
    num_layers: int
    train_words: bool


@attrs.frozen(kw_only=True)
class RnnTextConfig(GraphTextConfig):
    """The settings of a `TextEncoder`.

    Raises:
        ConfigError: if a setting is out of its range.
    """

    word_dim: int = setting(300, "numbers of a word vector", within="[1, 16384]")
    recurrence: Recurrence = setting("gru", "which recurrent network reads the words")
    bidirectional: bool = setting(True, "read in both directions")
    num_layers: int = setting(1, "layers of the recurrent network", within="[1, 16]")
    train_words: bool = setting(True, "whether training changes the word vectors")


@takes_settings(RnnTextConfig)
class TextEncoder(nn.Module):
    """Reads words with a GRU or LSTM, pools them to nodes, and passes messages along the role graph.

    1. word vectors -> dropout -> recurrent network with D states a direction; both directions averaged: `w_t`.
    2. event: `sum_t softmax_t(v . w_t + b) w_t`; action, entity: element-wise maximum of `w_t` over the node's
       tokens, times the vector of its role.
    3. `GraphAttention` over event, actions and entities.

    Args:
        vocabulary: the words that have vectors.
        settings: those of `RnnTextConfig` by name, `embed_dim` (D) at least. `dropout` is on word vectors, and
            between the layers of the recurrent network.

    Attributes:
        settings: the arguments, beside the vocabulary, that make an encoder of the same shape.

    Raises:
        ConfigError: if a setting is out of its range.

    Source: HGR (arXiv 2003.00392), section 3.1.
    """

    kind: ClassVar[str] = "rnn"
    config: ClassVar[type] = RnnTextConfig

    def __init__(self, *, vocabulary: Vocabulary, **settings: Unpack[RnnTextSettings]) -> None:
        super().__init__()
        check_instance("vocabulary", vocabulary, Vocabulary, hint="make one: Vocabulary.from_sentences(...)")
        config = RnnTextConfig(**settings)
        self.settings: dict[str, Any] = config.to_json()
        self.vocabulary = vocabulary
        self.embed_dim = config.embed_dim
        self.limits = config.limits
        self.edges = config.edges
        self.words = nn.Embedding(vocabulary.size, config.word_dim)
        self.words.weight.requires_grad_(config.train_words)
        self.dropout = nn.Dropout(config.dropout)
        network = nn.GRU if config.recurrence == "gru" else nn.LSTM
        self.rnn = network(
            config.word_dim,
            config.embed_dim,
            num_layers=config.num_layers,
            batch_first=True,
            # torch drops between layers only, and warns where there is nothing between them
            dropout=config.dropout if config.num_layers > 1 else 0.0,
            bidirectional=config.bidirectional,
        )
        self.pooling = nn.Linear(config.embed_dim, 1)
        self.roles = nn.Embedding(config.num_roles, config.embed_dim) if config.num_roles else None
        self.graph = GraphAttention(**to_json(config.graph))

    @classmethod
    def from_folder(cls, settings: dict[str, Any], folder: Path) -> Self:
        """An encoder of these settings with the vocabulary of a model folder; its weights are not loaded."""
        return cls(vocabulary=Vocabulary.load(folder / VOCABULARY_FILE), **settings)

    @classmethod
    def from_captions(
        cls,
        settings: dict[str, Any],
        graphs: Sequence[RoleGraph],
        *,
        min_count: int,
        reader: Callable[[], SentenceReader],
    ) -> Self:
        """An encoder of these settings that knows the captions' words, to be trained; it needs no transformer."""
        del reader
        vocabulary = Vocabulary.from_sentences((graph.tokens for graph in graphs), min_count=min_count)
        return cls(vocabulary=vocabulary, **settings)

    def write_files(self, folder: Path) -> None:
        """Write what a model folder needs beside the weights: the vocabulary."""
        self.vocabulary.save(folder / VOCABULARY_FILE)

    def knows(self, word: str) -> bool:
        """Whether a word has a vector of its own."""
        return word in self.vocabulary

    def batch(self, graphs: Sequence[RoleGraph]) -> GraphBatch:
        """Batch role graphs under the encoder's own vocabulary, limits and edge policy."""
        return GraphBatch.from_selected(
            select_all(graphs, self.limits), vocabulary=self.vocabulary, edges=self.edges
        )

    def forward(self, batch: GraphBatch) -> TextEmbeddings:
        """Encode C sentences.

        Raises:
            ShapeError: if they are no `GraphBatch`, or on another device.
        """
        check_batch(batch, self.pooling.weight.device)
        words = self._read(batch)  # [C, T, D]
        nodes = torch.cat(
            [
                self._event(words, batch.token_mask)[:, None],
                self._nodes(words, batch.action_spans, batch.action_roles),
                self._nodes(words, batch.entity_spans, batch.entity_roles),
            ],
            dim=1,
        )  # [C, N, D]
        nodes = self.graph(nodes, batch.adjacency)
        return TextEmbeddings.from_nodes(nodes, action_mask=batch.action_mask, entity_mask=batch.entity_mask)

    def _read(self, batch: GraphBatch) -> Tensor:
        """Words in context: [C, T, D]."""
        # Packed, so that the backward direction begins at a sentence's own end and not in its padding. Sentences
        # are sorted by lengths that the CPU knows: torch's own sorting would wait for the device twice.
        lengths, order = torch.sort(torch.tensor([len(words) for words in batch.words]), descending=True)
        device, num_tokens = batch.token_ids.device, batch.token_ids.shape[1]
        words = self.dropout(self.words(batch.token_ids)).index_select(0, order.to(device))
        packed = pack_padded_sequence(words, lengths, batch_first=True)
        with full_precision(device):
            states, _ = pad_packed_sequence(self.rnn(packed)[0], batch_first=True, total_length=num_tokens)
        states = states.index_select(0, order.argsort().to(device))
        directions = states.view(len(batch), num_tokens, -1, self.embed_dim)  # [C, T, 1 or 2, D]
        mean: Tensor = directions.mean(dim=2)
        return mean

    def _event(self, words: Tensor, token_mask: Tensor) -> Tensor:
        """Attention-weighted sum of the words: [C, T, D] -> [C, D]."""
        logits = self.pooling(words).squeeze(2).masked_fill(~token_mask, -torch.inf)
        return torch.einsum("ct,ctd->cd", logits.softmax(dim=1), words)

    def _nodes(self, words: Tensor, spans: Tensor, roles: Tensor) -> Tensor:
        """Maximum over each node's words, times its role: [C, T, D] -> [C, P, D]; zeros where there is no node."""
        # not -inf: an absent node is the maximum over nothing, and its gradient must not be NaN
        smallest = torch.finfo(words.dtype).min
        spread = words[:, None].masked_fill(~spans[:, :, :, None], smallest)  # [C, P, T, D]
        pooled = spread.max(dim=2).values.masked_fill(~spans.any(dim=2, keepdim=True), 0)
        return pooled if self.roles is None else pooled * self.roles(roles)
