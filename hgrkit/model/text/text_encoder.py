"""Role graphs to embeddings at three levels with a recurrent network over words: the paper's text side.

`hgrkit.model.query.text_encoder` computes the same without torch; a change here is a change there.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, get_args

import attrs
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from hgrkit.arguments import check_choice, check_flag, check_instance, check_number, check_whole
from hgrkit.graph import RoleGraph
from hgrkit.matching.embeddings import TextEmbeddings
from hgrkit.model.text.edge_policy import DEFAULT_GRAPH_START, GraphStart, edge_policy, without_default_start
from hgrkit.model.text.graph_attention import GraphAttention
from hgrkit.model.text.graph_batch import GraphBatch, check_batch
from hgrkit.model.text.graph_selection import RELEASED_ROLES, GraphLimits, check_num_roles, select_all
from hgrkit.model.text.vocabulary import VOCABULARY_FILE, Vocabulary

__all__ = ["TextEmbeddings", "TextEncoder"]

Recurrence = Literal["gru", "lstm"]


class TextEncoder(nn.Module):
    """Reads words with a GRU or LSTM, pools them to nodes, and passes messages along the role graph.

    1. word vectors -> dropout -> recurrent network with D states a direction; both directions averaged: `w_t`.
    2. event: `sum_t softmax_t(v . w_t + b) w_t`; action, entity: element-wise maximum of `w_t` over the node's
       tokens, times the vector of its role.
    3. `GraphAttention` over event, actions and entities.

    Args:
        vocabulary: the words that have vectors.
        embed_dim: D.
        word_dim: numbers of a word vector.
        recurrence: `gru` or `lstm`.
        bidirectional: read in both directions.
        num_layers: layers of the recurrent network.
        dropout: on word vectors, and between the layers of the recurrent network.
        num_roles: rows of the role vectors, in the order of `RELEASED_ROLES`; 0 for none.
        graph_layers: rounds of messages along the graph.
        graph_attention: weigh neighbours by attention instead of evenly.
        graph_dropout: on messages.
        graph_start: `random` as published, or `identity`: untrained messages change nothing, and no LayerNorm.
        train_words: whether training changes the word vectors.
        max_actions: actions that `batch` keeps of a sentence; `None` is no limit, as below.
        max_entities: entities that `batch` keeps of a sentence.
        max_tokens: tokens that `batch` keeps of a sentence.
        edges: name of the edge policy that `batch` uses.

    Raises:
        ConfigError: if a setting is out of its range.

    Source: HGR (arXiv 2003.00392), section 3.1.
    """

    kind: ClassVar[str] = "rnn"

    def __init__(
        self,
        *,
        vocabulary: Vocabulary,
        embed_dim: int,
        word_dim: int = 300,
        recurrence: Recurrence = "gru",
        bidirectional: bool = True,
        num_layers: int = 1,
        dropout: float = 0.0,
        num_roles: int = len(RELEASED_ROLES),
        graph_layers: int = 1,
        graph_attention: bool = True,
        graph_dropout: float = 0.0,
        graph_start: GraphStart = DEFAULT_GRAPH_START,
        train_words: bool = True,
        max_actions: int | None = 4,
        max_entities: int | None = 6,
        max_tokens: int | None = 30,
        edges: str = "released",
    ) -> None:
        super().__init__()
        check_instance("vocabulary", vocabulary, Vocabulary, hint="make one: Vocabulary.from_sentences(...)")
        embed_dim, word_dim = check_whole("embed_dim", embed_dim), check_whole("word_dim", word_dim)
        check_choice("recurrence", recurrence, get_args(Recurrence))
        bidirectional, train_words = (
            check_flag("bidirectional", bidirectional),
            check_flag("train_words", train_words),
        )
        num_layers, dropout = check_whole("num_layers", num_layers), check_number("dropout", dropout, "[0, 1)")
        num_roles = check_num_roles(num_roles)
        graph_layers = check_whole("graph_layers", graph_layers, least=0)
        graph_dropout = check_number("graph_dropout", graph_dropout, "[0, 1)")
        graph_attention = check_flag("graph_attention", graph_attention)
        limits = GraphLimits(max_actions=max_actions, max_entities=max_entities, max_tokens=max_tokens)
        edge_policy(edges)
        self._settings: dict[str, Any] = {
            "embed_dim": embed_dim,
            "word_dim": word_dim,
            "recurrence": recurrence,
            "bidirectional": bidirectional,
            "num_layers": num_layers,
            "dropout": dropout,
            "num_roles": num_roles,
            "graph_layers": graph_layers,
            "graph_attention": graph_attention,
            "graph_dropout": graph_dropout,
            "graph_start": graph_start,
            "train_words": train_words,
            **attrs.asdict(limits),
            "edges": edges,
        }
        self.vocabulary = vocabulary
        self.embed_dim = embed_dim
        self.limits = limits
        self.edges = edges
        self.words = nn.Embedding(vocabulary.size, word_dim)
        self.words.weight.requires_grad_(train_words)
        self.dropout = nn.Dropout(dropout)
        network = nn.GRU if recurrence == "gru" else nn.LSTM
        self.rnn = network(
            word_dim,
            embed_dim,
            num_layers=num_layers,
            batch_first=True,
            dropout=dropout if num_layers > 1 else 0.0,
            bidirectional=bidirectional,
        )
        self.pooling = nn.Linear(embed_dim, 1)
        self.roles = nn.Embedding(num_roles, embed_dim) if num_roles else None
        self.graph = GraphAttention(
            embed_dim=embed_dim,
            num_layers=graph_layers,
            attention=graph_attention,
            dropout=graph_dropout,
            start=graph_start,
        )

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments, beside the vocabulary, that make an encoder of the same shape."""
        return without_default_start(self._settings)

    @classmethod
    def from_folder(cls, settings: dict[str, Any], folder: Path) -> Self:
        """An encoder of these settings with the vocabulary of a model folder; its weights are not loaded."""
        return cls(vocabulary=Vocabulary.load(folder / VOCABULARY_FILE), **settings)

    def write_files(self, folder: Path) -> None:
        """Write what a model folder needs beside the weights: the vocabulary."""
        self.vocabulary.save(folder / VOCABULARY_FILE)

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
        words = self._read(batch.token_ids, batch.token_mask)  # [C, T, D]
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

    def _read(self, token_ids: Tensor, token_mask: Tensor) -> Tensor:
        """Words in context: [C, T] -> [C, T, D]."""
        packed = pack_padded_sequence(
            self.dropout(self.words(token_ids)),
            token_mask.sum(dim=1).cpu(),
            batch_first=True,
            enforce_sorted=False,
        )
        states, _ = pad_packed_sequence(self.rnn(packed)[0], batch_first=True, total_length=token_mask.shape[1])
        directions = states.view(*token_mask.shape, -1, self.embed_dim)  # [C, T, 1 or 2, D]
        mean: Tensor = directions.mean(dim=2)
        return mean

    def _event(self, words: Tensor, token_mask: Tensor) -> Tensor:
        """Attention-weighted sum of the words: [C, T, D] -> [C, D]."""
        logits = self.pooling(words).squeeze(2).masked_fill(~token_mask, -torch.inf)
        return torch.einsum("ct,ctd->cd", logits.softmax(dim=1), words)

    def _nodes(self, words: Tensor, spans: Tensor, roles: Tensor) -> Tensor:
        """Maximum over each node's words, times its role: [C, T, D] -> [C, P, D]; zeros where there is no node."""
        smallest = torch.finfo(words.dtype).min
        spread = words[:, None].masked_fill(~spans[:, :, :, None], smallest)  # [C, P, T, D]
        pooled = spread.max(dim=2).values.masked_fill(~spans.any(dim=2, keepdim=True), 0)
        return pooled if self.roles is None else pooled * self.roles(roles)
