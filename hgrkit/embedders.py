"""Runs a model outside training: frame features to clip embeddings, role graphs to query embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
import torch

from hgrkit.graph import Node, RoleGraph
from hgrkit.levels import PerLevel
from hgrkit.library.records import Float32, QueryEmbeddings
from hgrkit.model import HgrModel
from hgrkit.video.features import VideoFeatures

__all__ = ["EmbeddedQuery", "embed_features", "embed_graphs"]


@attrs.frozen(kw_only=True, eq=False)
class EmbeddedQuery:
    """A sentence as the library is asked with it.

    Attributes:
        embeddings: its vectors.
        actions: the graph's nodes behind the action rows, in their order.
        entities: the graph's nodes behind the entity rows, in their order.
    """

    embeddings: QueryEmbeddings
    actions: tuple[Node, ...]
    entities: tuple[Node, ...]


def embed_features(model: HgrModel, features: Float32) -> PerLevel[Float32]:
    """Embed one clip.

    Args:
        model: the model, in evaluation mode.
        features: frame features, [F, K].

    Returns:
        Event [D], and action and entity of each frame, [F, D].

    Raises:
        ShapeError: if K is not the model's `feature_dim`.
    """
    with torch.inference_mode():
        video = model.video(VideoFeatures.from_arrays([features]).to(model.device))
    return PerLevel(event=_array(video.event[0]), action=_array(video.action[0]), entity=_array(video.entity[0]))


def embed_graphs(model: HgrModel, graphs: Sequence[RoleGraph]) -> list[EmbeddedQuery]:
    """Embed sentences; nodes beyond the model's limits are left out."""
    if not graphs:
        return []
    batch = model.text.batch(graphs)
    with torch.inference_mode():
        text = model.text(batch.to(model.device))
    queries = []
    for row, graph in enumerate(graphs):
        nodes = {node.id: node for node in graph.nodes}
        queries.append(
            EmbeddedQuery(
                embeddings=QueryEmbeddings(
                    event=_array(text.event[row]),
                    action=_array(text.action[row][text.action_mask[row]]),
                    entity=_array(text.entity[row][text.entity_mask[row]]),
                ),
                actions=tuple(nodes[node_id] for node_id in batch.action_ids[row]),
                entities=tuple(nodes[node_id] for node_id in batch.entity_ids[row]),
            )
        )
    return queries


def _array(tensor: torch.Tensor) -> Float32:
    return tensor.float().cpu().numpy().astype(np.float32, copy=False)
