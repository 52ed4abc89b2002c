"""Role graphs to embeddings on top of a frozen encoder of texts: the trained head of a dual encoder.

`hgrkit.model.query.phrase_encoder` computes the same without torch; a change here is a change there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self, Unpack

import attrs
import numpy as np
import torch
from torch import Tensor, nn

from hgrkit.checks.settings import read_settings, takes_settings, to_json
from hgrkit.errors import ShapeError
from hgrkit.graph import RoleGraph
from hgrkit.levels import LEVELS, Level, PerLevel
from hgrkit.matching.embeddings import TextEmbeddings
from hgrkit.matching.frame_weights import unit_vectors
from hgrkit.model.query.phrase_encoder import PhraseQueryEncoder, PhraseTextConfig, texts_of
from hgrkit.model.text.config import GraphTextSettings
from hgrkit.model.text.graph_attention import GraphAttention
from hgrkit.model.text.graph_batch import GraphBatch, check_batch
from hgrkit.model.text.graph_selection import Omitted, select_all
from hgrkit.model.text.sentence_reader import SentenceReader
from hgrkit.model.text.text_encoder_plugin import TextEncoderPlugin

__all__ = ["PhraseTextEncoder", "PhraseTextSettings"]


class PhraseTextSettings(GraphTextSettings, total=False):
    """What the constructor takes; `PhraseTextConfig` says what it means."""

    name: str
    prompts: str
    encoder: str


@takes_settings(PhraseTextConfig)
class PhraseTextEncoder(nn.Module):
    """Maps of the vectors of a sentence and its phrases, then messages along the graph; at first both do nothing.

    1. The frozen encoder: a vector of length one for the sentence, for each action with its arguments, and for
       each entity. They have no gradients.
    2. `g = x + dropout(W x + c)`, one W and c a level, both zero at first; action and entity times the vector of
       their role, ones at first.
    3. `GraphAttention` over event, actions and entities, whose messages are zero at first.

    So an untrained head scores as the dual encoder does without one.

    Args:
        texts: the frozen encoder.
        settings: those of `PhraseTextConfig` by name.

    Raises:
        ConfigError: if a setting is out of its range.
        ShapeError: if `embed_dim` is not that of the frozen encoder.

    Source: HGR (arXiv 2003.00392), section 3.1, with another word encoder.
    """

    kind: ClassVar[str] = "phrases"
    config: ClassVar[type] = PhraseTextConfig

    def __init__(self, *, texts: TextEncoderPlugin, **settings: Unpack[PhraseTextSettings]) -> None:
        super().__init__()
        config = read_settings(PhraseTextConfig, settings, "text")
        if config.embed_dim != texts.embed_dim:
            raise ShapeError(
                f"embed_dim is {config.embed_dim}, but the text encoder {config.name!r} makes {texts.embed_dim} "
                "numbers; they must be equal."
            )
        self.settings: dict[str, Any] = to_json(attrs.evolve(config, encoder=texts.fingerprint))
        self.embed_dim, self.limits, self.edges = config.embed_dim, config.limits, config.edges
        self.frozen = PhraseQueryEncoder(texts, config.prompts)
        self.event, self.action, self.entity = (nn.Linear(config.embed_dim, config.embed_dim) for _ in range(3))
        for level in (self.event, self.action, self.entity):
            nn.init.zeros_(level.weight)
            nn.init.zeros_(level.bias)
        self.dropout = nn.Dropout(config.dropout)
        self.roles = nn.Embedding(config.num_roles, config.embed_dim) if config.num_roles else None
        if self.roles is not None:
            nn.init.ones_(self.roles.weight)
        self.graph = GraphAttention(**to_json(config.graph))

    @classmethod
    def from_folder(cls, settings: dict[str, Any], folder: Path) -> Self:
        """An encoder of these settings; the frozen one is the installed one of that name.

        Raises:
            CheckpointError: if that is not the one that the head was trained on.
            TextEncoderNotFoundError, PluginError: as `load_text_encoder` does.
        """
        del folder
        return cls(texts=read_settings(PhraseTextConfig, settings, "text").load_encoder(), **settings)

    @classmethod
    def from_captions(
        cls,
        settings: dict[str, Any],
        graphs: Sequence[RoleGraph],
        *,
        min_count: int,
        reader: Callable[[], SentenceReader],
    ) -> Self:
        """An encoder of these settings, to be trained; the captions do not matter."""
        del graphs, min_count, reader
        return cls(texts=read_settings(PhraseTextConfig, settings, "text").load_encoder(), **settings)

    def write_files(self, folder: Path) -> None:
        """Write nothing: the frozen encoder stays where it is, and the config names it."""

    def batch(self, graphs: Sequence[RoleGraph], sentences: Sequence[str] | None = None) -> GraphBatch:
        """Batch role graphs under the encoder's own limits and edge policy.

        Args:
            graphs: at least one.
            sentences: the texts that they were read from; the graphs' tokens unless given.
        """
        made = GraphBatch.from_selected(select_all(graphs, self.limits), edges=self.edges)
        texts = sentences or [graph.text for graph in graphs]
        nodes = [
            [graph.node(one) for one in (*actions, *entities)]
            for graph, actions, entities in zip(graphs, made.action_ids, made.entity_ids, strict=True)
        ]
        phrases = (texts_of(*one) for one in zip(graphs, texts, nodes, strict=True))
        return attrs.evolve(made, phrases=tuple(map(tuple, phrases)))

    def forward(self, batch: GraphBatch) -> TextEmbeddings:
        """Encode C sentences.

        Raises:
            ShapeError: if they are no `GraphBatch` of this encoder, or on another device.
        """
        check_batch(batch, self.event.weight.device)
        return self.encode(self.read(batch), batch)

    def read(self, batch: GraphBatch) -> PerLevel[Tensor]:
        """What the frozen encoder says: event [C, D], action [C, Pa, D] and entity [C, Pe, D], zeros where absent.

        It has no gradients. Training reads each sentence once.
        """
        if len(batch.phrases) != len(batch):
            raise ShapeError("the batch has no phrases; text encoders take encoder.batch(graphs).")
        vectors = self.frozen.vectors([phrase for phrases in batch.phrases for phrase in phrases])
        states = {
            level: torch.zeros(*mask.shape, self.embed_dim, device=mask.device)
            for level, mask in (("action", batch.action_mask), ("entity", batch.entity_mask))
        }
        events = torch.zeros(len(batch), self.embed_dim, device=batch.token_mask.device)
        for row, phrases in enumerate(batch.phrases):
            units = unit_vectors(np.stack([vectors[phrase][0] for phrase in phrases]))
            known = torch.from_numpy(units).to(events.device)
            actions = 1 + len(batch.action_ids[row])
            events[row] = known[0]
            states["action"][row, : actions - 1] = known[1:actions]
            states["entity"][row, : len(phrases) - actions] = known[actions:]
        return PerLevel(event=events, **states)

    def omitted_by_encoder(self, batch: GraphBatch) -> Omitted:
        """What the frozen encoder did not read of the sentences of a batch."""
        sentences = [phrases[0] for phrases in batch.phrases]
        known = self.frozen.vectors(sentences)
        return Omitted(event_tokens=sum(known[sentence][1] for sentence in sentences))

    def encode(self, states: PerLevel[Tensor], batch: GraphBatch) -> TextEmbeddings:
        """Encode C sentences that `read` has read."""
        views = {level: self._viewed(level, getattr(states, level)) for level in LEVELS}
        if self.roles is not None:
            views["action"] = views["action"] * self.roles(batch.action_roles)
            views["entity"] = views["entity"] * self.roles(batch.entity_roles)
        nodes = torch.cat([views["event"][:, None], views["action"], views["entity"]], dim=1)  # [C, N, D]
        nodes = self.graph(nodes, batch.adjacency)
        return TextEmbeddings.from_nodes(nodes, action_mask=batch.action_mask, entity_mask=batch.entity_mask)

    def _viewed(self, level: Level, states: Tensor) -> Tensor:
        linear: nn.Linear = getattr(self, level)
        states = states.to(linear.weight.dtype)
        viewed: Tensor = states + self.dropout(linear(states))
        return viewed
