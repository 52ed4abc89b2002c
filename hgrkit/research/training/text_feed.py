"""Embeds captions for training; what a frozen encoder says of each is read once and kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hgrkit.graph import RoleGraph
from hgrkit.levels import PerLevel
from hgrkit.matching.embeddings import TextEmbeddings
from hgrkit.model.hgr_model import HgrModel
from hgrkit.model.text.graph_batch import GraphBatch
from hgrkit.model.text.phrase_text_encoder import PhraseTextEncoder
from hgrkit.model.text.sentence_encoder import SentenceTextEncoder

__all__ = ["TextFeed"]

Indices = npt.NDArray[np.int64]

_READ_AT_ONCE = 256
"""Captions that the transformer reads in one batch."""


class TextFeed:
    """Embeds captions by their positions.

    Over a frozen transformer or a frozen encoder of texts, its states of every caption are kept in memory in
    float32; any other text encoder runs whole every time.

    Args:
        model: its text encoder embeds.
        graphs: the captions.
        texts: the captions as they were given, for encoders with a way of their own to read words.
    """

    def __init__(self, model: HgrModel, graphs: Sequence[RoleGraph], texts: Sequence[str] | None = None) -> None:
        self._model, self._graphs = model, graphs
        self._texts = [graph.text for graph in graphs] if texts is None else texts
        self._states = None
        if isinstance(model.text, PhraseTextEncoder):
            encoder = model.text
            self._states = _read(encoder, lambda part: encoder.batch(*self._part(part)), graphs)
        elif isinstance(model.text, SentenceTextEncoder):
            self._states = _read(model.text, lambda part: model.text.batch(self._part(part)[0]), graphs)

    def _part(self, positions: Sequence[int]) -> tuple[list[RoleGraph], list[str]]:
        return [self._graphs[number] for number in positions], [self._texts[number] for number in positions]

    def embed(self, captions: Indices) -> TextEmbeddings:
        """Embed the captions at some positions, int64 [C]."""
        encoder, device = self._model.text, self._model.device
        batch = encoder.batch([self._graphs[number] for number in captions.tolist()])
        if self._states is None or not isinstance(encoder, SentenceTextEncoder | PhraseTextEncoder):
            return encoder(batch.to(device))
        event, action, entity = zip(*(self._states[number] for number in captions.tolist()), strict=True)
        states = PerLevel(
            event=torch.stack(event).to(device),
            action=_padded(action, batch.action_mask).to(device),
            entity=_padded(entity, batch.entity_mask).to(device),
        )
        return encoder.encode(states, batch.to(device))


@torch.no_grad()
def _read(
    encoder: SentenceTextEncoder | PhraseTextEncoder,
    batch_of: Callable[[Sequence[int]], GraphBatch],
    graphs: Sequence[RoleGraph],
) -> dict[int, tuple[Tensor, Tensor, Tensor]]:
    """Each caption's states: event [H], action [Pa, H] and entity [Pe, H]."""
    found: dict[int, tuple[Tensor, Tensor, Tensor]] = {}
    # captions of one length together: the transformer pads a batch to its longest
    by_length = np.argsort([len(graph.tokens) for graph in graphs], kind="stable")
    for start in range(0, len(graphs), _READ_AT_ONCE):
        part = by_length[start : start + _READ_AT_ONCE].tolist()
        batch = batch_of(part)
        states = encoder.read(batch)
        for row, number in enumerate(part):
            found[number] = (
                states.event[row].clone(),  # a view would keep the whole batch in memory
                states.action[row][batch.action_mask[row]],
                states.entity[row][batch.entity_mask[row]],
            )
    return found


def _padded(states: Sequence[Tensor], mask: Tensor) -> Tensor:
    """Each caption's nodes, [P, H], to [C, P, H]."""
    padded = torch.zeros(*mask.shape, states[0].shape[1])
    padded[mask] = torch.cat(list(states))
    return padded
