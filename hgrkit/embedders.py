"""Runs a model outside training: frame features to clip embeddings, role graphs to query embeddings."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
import numpy as np
import torch

from hgrkit.graph import RoleGraph
from hgrkit.levels import PerLevel
from hgrkit.library.records import Float32, QueryEmbeddings
from hgrkit.model import HgrModel
from hgrkit.parsing.protocol import GraphParser
from hgrkit.query.captions import EmbeddedCaptions, read_captions
from hgrkit.query.encoder import EmbeddedQuery
from hgrkit.text.graph_selection import Omitted
from hgrkit.video.features import VideoFeatures

__all__ = ["ModelQueryEncoder", "embed_captions", "embed_features", "embed_graphs"]


@attrs.frozen(eq=False)
class ModelQueryEncoder:
    """A `QueryEncoder` on the model's device; `hgrkit.query` has those that need no torch.

    Attributes:
        model: the model, in evaluation mode.
    """

    model: HgrModel

    @property
    def background(self) -> Callable[[Float32], Float32] | None:
        """The model's background of events of queries, if it has one."""
        own = self.model.background
        if own is None:
            return None

        def background(events: Float32) -> Float32:
            with torch.inference_mode():
                return _array(own(torch.from_numpy(events).to(self.model.device)))

        return background

    def embed(self, graphs: Sequence[RoleGraph]) -> tuple[list[EmbeddedQuery], Omitted]:
        """Embed sentences, as `QueryEncoder` says."""
        batch = self.model.text.batch(graphs)
        with torch.inference_mode():
            text = self.model.text(batch.to(self.model.device))
        queries = []
        for row, graph in enumerate(graphs):
            nodes = {node.id: node for node in graph.nodes}
            queries.append(
                EmbeddedQuery(
                    embeddings=QueryEmbeddings(
                        event=_array(text.event[row].clone()),  # a view would keep the whole batch
                        action=_array(text.action[row][text.action_mask[row]]),
                        entity=_array(text.entity[row][text.entity_mask[row]]),
                    ),
                    actions=tuple(nodes[node_id] for node_id in batch.action_ids[row]),
                    entities=tuple(nodes[node_id] for node_id in batch.entity_ids[row]),
                )
            )
        return queries, batch.omitted


def embed_captions(
    model: HgrModel,
    parser: GraphParser,
    captions: Sequence[str],
    *,
    on_progress: Callable[[int], object] | None = None,
) -> EmbeddedCaptions:
    """Parse and embed sentences with a model in evaluation mode, as `read_captions` does with any encoder."""
    return read_captions(ModelQueryEncoder(model), parser, captions, on_progress=on_progress)


def embed_graphs(model: HgrModel, graphs: Sequence[RoleGraph]) -> list[EmbeddedQuery]:
    """Embed sentences; nodes beyond the model's limits are left out."""
    return ModelQueryEncoder(model).embed(graphs)[0] if graphs else []


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


def _array(tensor: torch.Tensor) -> Float32:
    return tensor.float().cpu().numpy().astype(np.float32, copy=False)
