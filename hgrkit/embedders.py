"""Runs a model outside training: frame features to clip embeddings, role graphs to query embeddings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import attrs
import numpy as np
import torch

from hgrkit.errors import GraphError
from hgrkit.graph import Node, RoleGraph
from hgrkit.levels import PerLevel
from hgrkit.library.records import Float32, QueryEmbeddings
from hgrkit.model import HgrModel
from hgrkit.parsing.protocol import GraphParser
from hgrkit.parsing.registry import parse_each
from hgrkit.text.graph_selection import Omitted
from hgrkit.video.features import VideoFeatures

__all__ = ["EmbeddedCaptions", "EmbeddedQuery", "embed_captions", "embed_features", "embed_graphs"]

UNREADABLE_SCORE = -1.0
"""What a sentence that cannot be read scores with every video: the lowest score."""

_CAPTIONS_AT_ONCE = 512


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


@attrs.frozen(kw_only=True, eq=False, repr=False)
class EmbeddedCaptions:
    """C sentences, those that could be read as queries.

    Attributes:
        queries: the embeddings of those that could be read, in their order.
        positions: where each of them stands among the C sentences.
        failures: position and reason of every sentence that could not be read.
        omitted: what the model's limits left out, over all sentences.
    """

    queries: Sequence[QueryEmbeddings]
    positions: Sequence[int]
    failures: Mapping[int, str]
    omitted: Omitted

    def spread(self, scores: Float32) -> Float32:
        """Scores of the queries, [V, Q], to scores of all sentences, [V, C]: -1 for those without a graph."""
        if not self.failures:
            return scores
        spread = np.full((len(scores), len(self.positions) + len(self.failures)), UNREADABLE_SCORE, np.float32)
        spread[:, self.positions] = scores
        return spread

    def __repr__(self) -> str:
        return f"EmbeddedCaptions(queries={len(self.queries)}, failures={len(self.failures)})"


def embed_captions(
    model: HgrModel,
    parser: GraphParser,
    captions: Sequence[str],
    *,
    on_progress: Callable[[int], object] | None = None,
) -> EmbeddedCaptions:
    """Parse and embed sentences, some at a time; one that cannot be read never stops the others.

    Args:
        model: the model, in evaluation mode.
        parser: reads the sentences.
        captions: C sentences.
        on_progress: called with the number of sentences that are done.

    Raises:
        PluginError: if the parser breaks its contract.
    """
    queries: list[QueryEmbeddings] = []
    positions: list[int] = []
    failures: dict[int, str] = {}
    omitted = Omitted()
    for start in range(0, len(captions), _CAPTIONS_AT_ONCE):
        graphs = []
        for position, read in enumerate(parse_each(parser, captions[start : start + _CAPTIONS_AT_ONCE]), start):
            if isinstance(read, GraphError):
                failures[position] = str(read)
            else:
                graphs.append(read)
                positions.append(position)
        if graphs:
            embedded, cut = _embed(model, graphs)
            queries += [query.embeddings for query in embedded]
            omitted += cut
        if on_progress is not None:
            on_progress(len(positions) + len(failures))
    return EmbeddedCaptions(queries=queries, positions=positions, failures=failures, omitted=omitted)


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
    return _embed(model, graphs)[0] if graphs else []


def _embed(model: HgrModel, graphs: Sequence[RoleGraph]) -> tuple[list[EmbeddedQuery], Omitted]:
    batch = model.text.batch(graphs)
    with torch.inference_mode():
        text = model.text(batch.to(model.device))
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


def _array(tensor: torch.Tensor) -> Float32:
    return tensor.float().cpu().numpy().astype(np.float32, copy=False)
