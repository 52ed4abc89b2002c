"""Hands a text encoder its captions; what a frozen transformer says of them is read once and kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, cast, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hgrkit.graph import RoleGraph
from hgrkit.levels import PerLevel
from hgrkit.matching.embeddings import TextEmbeddings
from hgrkit.model.hgr_model import HgrModel
from hgrkit.model.text.graph_batch import GraphBatch

__all__ = ["CachedFeed", "PlainFeed", "TextFeed", "text_feed"]

Indices = npt.NDArray[np.int64]

_READ_AT_ONCE = 256


@runtime_checkable
class FrozenReading(Protocol):
    """A text encoder in two steps, the first without weights that training changes."""

    def read(self, batch: GraphBatch) -> PerLevel[Tensor]:
        """Event [C, H], action [C, Pa, H] and entity [C, Pe, H]."""
        ...

    def encode(self, states: PerLevel[Tensor], batch: GraphBatch) -> TextEmbeddings:
        """Encode what was read."""
        ...


class TextFeed(Protocol):
    """Embeds captions by their positions."""

    def embed(self, model: HgrModel, captions: Indices) -> TextEmbeddings:
        """Embed some captions with the model's text encoder."""
        ...


def text_feed(model: HgrModel, graphs: Sequence[RoleGraph]) -> TextFeed:
    """The feed that fits a model's text encoder."""
    return CachedFeed(model, graphs) if isinstance(model.text, FrozenReading) else PlainFeed(graphs)


class PlainFeed:
    """Runs the whole text encoder every time.

    Args:
        graphs: the captions.
    """

    def __init__(self, graphs: Sequence[RoleGraph]) -> None:
        self.graphs = graphs

    def embed(self, model: HgrModel, captions: Indices) -> TextEmbeddings:
        """Embed some captions."""
        batch = model.text.batch([self.graphs[number] for number in captions.tolist()])
        return model.text(batch.to(model.device))


class CachedFeed:
    """Keeps a frozen transformer's states of every caption in memory, in float32.

    Args:
        model: its text encoder reads.
        graphs: the captions.
    """

    def __init__(self, model: HgrModel, graphs: Sequence[RoleGraph]) -> None:
        self.graphs = graphs
        self._states: list[tuple[Tensor, Tensor, Tensor]] = [
            (torch.empty(0), torch.empty(0), torch.empty(0))
        ] * len(graphs)
        by_length = np.argsort([len(graph.tokens) for graph in graphs], kind="stable")
        encoder = cast("FrozenReading", model.text)
        with torch.no_grad():
            for start in range(0, len(graphs), _READ_AT_ONCE):
                part = by_length[start : start + _READ_AT_ONCE].tolist()
                batch = model.text.batch([graphs[number] for number in part])
                states = encoder.read(batch)
                for row, number in enumerate(part):
                    self._states[number] = (
                        states.event[row].clone(),
                        states.action[row][batch.action_mask[row]],
                        states.entity[row][batch.entity_mask[row]],
                    )

    def embed(self, model: HgrModel, captions: Indices) -> TextEmbeddings:
        """Embed some captions."""
        batch = model.text.batch([self.graphs[number] for number in captions.tolist()])
        event, action, entity = zip(*(self._states[number] for number in captions.tolist()), strict=True)
        states = PerLevel(
            event=torch.stack(event).to(model.device),
            action=_padded(action, batch.action_mask).to(model.device),
            entity=_padded(entity, batch.entity_mask).to(model.device),
        )
        return cast("FrozenReading", model.text).encode(states, batch.to(model.device))


def _padded(states: Sequence[Tensor], mask: Tensor) -> Tensor:
    """Each caption's nodes, [P, H], to [C, P, H]."""
    padded = torch.zeros(*mask.shape, states[0].shape[1])
    padded[mask] = torch.cat(list(states))
    return padded
