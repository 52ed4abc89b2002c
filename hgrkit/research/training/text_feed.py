"""Embeds captions for training; what a frozen transformer says of each is read once and kept."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hgrkit.graph import RoleGraph
from hgrkit.levels import PerLevel
from hgrkit.matching.embeddings import TextEmbeddings
from hgrkit.model.hgr_model import HgrModel
from hgrkit.model.text.sentence_encoder import SentenceTextEncoder

__all__ = ["TextFeed"]

Indices = npt.NDArray[np.int64]

_READ_AT_ONCE = 256
"""Captions that the transformer reads in one batch."""


class TextFeed:
    """Embeds captions by their positions.

    Over a frozen transformer, its states of every caption are kept in memory in float32; any other text encoder
    runs whole every time.

    Args:
        model: its text encoder embeds.
        graphs: the captions.
    """

    def __init__(self, model: HgrModel, graphs: Sequence[RoleGraph]) -> None:
        self._model, self._graphs = model, graphs
        self._states = _read(model.text, graphs) if isinstance(model.text, SentenceTextEncoder) else None

    def embed(self, captions: Indices) -> TextEmbeddings:
        """Embed the captions at some positions, int64 [C]."""
        encoder, device = self._model.text, self._model.device
        batch = encoder.batch([self._graphs[number] for number in captions.tolist()])
        if self._states is None or not isinstance(encoder, SentenceTextEncoder):
            return encoder(batch.to(device))
        event, action, entity = zip(*(self._states[number] for number in captions.tolist()), strict=True)
        states = PerLevel(
            event=torch.stack(event).to(device),
            action=_padded(action, batch.action_mask).to(device),
            entity=_padded(entity, batch.entity_mask).to(device),
        )
        return encoder.encode(states, batch.to(device))


@torch.no_grad()
def _read(encoder: SentenceTextEncoder, graphs: Sequence[RoleGraph]) -> dict[int, tuple[Tensor, Tensor, Tensor]]:
    """Each caption's states: event [H], action [Pa, H] and entity [Pe, H]."""
    found: dict[int, tuple[Tensor, Tensor, Tensor]] = {}
    # captions of one length together: the transformer pads a batch to its longest
    by_length = np.argsort([len(graph.tokens) for graph in graphs], kind="stable")
    for start in range(0, len(graphs), _READ_AT_ONCE):
        part = by_length[start : start + _READ_AT_ONCE].tolist()
        batch = encoder.batch([graphs[number] for number in part])
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
