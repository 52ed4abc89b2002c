"""The rules that every text encoder keeps, as tests for a plugin's own suite to inherit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import attrs
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hgrkit.graph import Edge, Node, RoleGraph, Span
from hgrkit.matching.embeddings import TextEmbeddings
from hgrkit.model.hgr_model import HgrModel
from hgrkit.model.loaded import read_query_side
from hgrkit.model.scorer import ModelQueryEncoder
from hgrkit.model.text.graph_selection import RELEASED_ROLES
from hgrkit.model.text.registry import TEXT_ENCODERS, TextModel
from hgrkit.model.video import VideoEncoder

__all__ = ["TextEncoderContract", "check_query_side", "example_graphs", "random_graphs"]


def example_graphs() -> list[RoleGraph]:
    """Sentences with two verbs, one verb, no verb and a single word."""
    return [
        RoleGraph.from_dict(record)
        for record in (
            {
                "tokens": ["a", "woman", "throws", "a", "ball", "while", "a", "dog", "sleeps"],
                "nodes": [
                    {"id": 1, "role": "V", "span": [2, 3]},
                    {"id": 2, "role": "ARG0", "span": [0, 2]},
                    {"id": 3, "role": "ARG1", "span": [3, 5]},
                    {"id": 4, "role": "V", "span": [8, 9]},
                    {"id": 5, "role": "ARG0", "span": [6, 8]},
                ],
                "edges": [[1, 2, "ARG0"], [1, 3, "ARG1"], [4, 5, "ARG0"]],
            },
            {
                "tokens": ["a", "dog", "runs"],
                "nodes": [{"id": 7, "role": "V", "span": [2, 3]}, {"id": 8, "role": "ARG0", "span": [0, 2]}],
                "edges": [[7, 8, "ARG0"]],
            },
            {"tokens": ["a", "red", "ball"], "nodes": [{"id": 1, "role": "NOUN", "span": [0, 3]}], "edges": []},
            {"tokens": ["snow"], "nodes": [], "edges": []},
        )
    ]


def random_graphs(count: int, *, seed: int) -> list[RoleGraph]:
    """Sentences of the examples' words and unknown ones, with any nodes, roles and edges that a graph may have."""
    random = Random(seed)  # noqa: S311 - for tests
    words = [*dict.fromkeys(word for graph in example_graphs() for word in graph.tokens), "zebra", "\u200b", "42"]
    roles = [*RELEASED_ROLES, "V", "V", "C-ARG1", "R-ARG0", "ARGM-CAU"]
    graphs = []
    for _ in range(count):
        tokens = random.choices(words, k=random.randint(1, 14))
        nodes = []
        for number in range(random.randint(0, 12)):
            start = random.randrange(len(tokens))
            nodes.append(
                Node(number, random.choice(roles), Span(start, random.randint(start, len(tokens) - 1) + 1))
            )
        edges = [
            Edge(action.id, entity.id, random.choice(roles))
            for action in nodes
            for entity in nodes
            if action.is_action and not entity.is_action and random.random() < 0.3
        ]
        graphs.append(RoleGraph(tokens=tokens, nodes=nodes, edges=edges))
    return graphs


class TextEncoderContract:
    """Inherit, and give the encoder as a fixture; `reopen` makes an equal one from the folder it was written to.

    Attributes:
        tolerance: how far rounding may move a number of an embedding.
    """

    tolerance: float = 1e-5

    @pytest.fixture
    def reopen(self) -> Callable[[dict[str, Any], Path], TextModel]:
        """A function of settings and folder that makes an encoder, weights not loaded."""
        raise NotImplementedError("give the fixture `reopen`: encoder from settings and folder")

    def test_embeddings_have_the_declared_size(self, encoder: TextModel) -> None:
        """Event [C, D], actions [C, Pa, D], entities [C, Pe, D]; masks say which nodes are real."""
        graphs = example_graphs()
        text = _embed(encoder, graphs)
        assert tuple(text.event.shape) == (len(graphs), encoder.embed_dim)
        assert text.action_mask.sum(dim=1).tolist() == [len(graph.actions) for graph in graphs]
        assert text.entity_mask.sum(dim=1).tolist() == [len(graph.entities) for graph in graphs]

    def test_neighbours_in_a_batch_never_change_an_embedding(self, encoder: TextModel) -> None:
        """A sentence alone has the embeddings that it has among longer ones."""
        graphs = example_graphs()
        together = _rows(_embed(encoder, graphs))
        for graph, expected in zip(graphs, together, strict=True):
            _assert_close(_rows(_embed(encoder, [graph]))[0], expected, self.tolerance)

    def test_the_order_of_nodes_never_changes_an_embedding(self, encoder: TextModel) -> None:
        """Nodes listed the other way round come out the other way round."""
        graph = example_graphs()[0]
        turned = attrs.evolve(graph, nodes=graph.nodes[::-1], edges=graph.edges[::-1])
        event, action, entity = _rows(_embed(encoder, [turned]))[0]
        expected = _rows(_embed(encoder, [graph]))[0]
        _assert_close((event, action.flip(0), entity.flip(0)), expected, self.tolerance)

    def test_saved_and_reopened_it_answers_the_same(
        self, encoder: TextModel, reopen: Callable[[dict[str, Any], Path], TextModel], tmp_path: Path
    ) -> None:
        """Settings, files and weights are all there is to an encoder."""
        encoder.write_files(tmp_path)
        twin = reopen(encoder.settings, tmp_path)
        assert isinstance(encoder, nn.Module)
        assert isinstance(twin, nn.Module)
        twin.load_state_dict(encoder.state_dict())
        graphs = example_graphs()
        for found, expected in zip(_rows(_embed(twin, graphs)), _rows(_embed(encoder, graphs)), strict=True):
            _assert_close(found, expected, 0.0)

    def test_without_torch_it_answers_the_same(self, encoder: TextModel, tmp_path: Path) -> None:
        """Where `hgrkit.model.query` has a twin of the encoder, its queries are the encoder's own."""
        if encoder.kind not in TEXT_ENCODERS or TEXT_ENCODERS[encoder.kind].query is None:
            pytest.skip(f"questions to a model with {encoder.kind!r} are put with torch")
        check_query_side(encoder, tmp_path / "model", tolerance=self.tolerance)


def check_query_side(encoder: TextModel, folder: Path, *, tolerance: float = 1e-5) -> None:
    """Compare what `hgrkit.model.query` makes of an encoder's model folder with the encoder, alone and in a batch.

    Args:
        encoder: of a kind with a `query` in `TEXT_ENCODERS`.
        folder: where a model with it is written to.
        tolerance: how far a number may differ, absolutely and in proportion.

    Raises:
        AssertionError: if the folder is left to torch, or a query differs.
    """
    model = HgrModel(text=encoder, video=VideoEncoder(feature_dim=2, embed_dim=encoder.embed_dim)).eval()
    side = read_query_side(model.save(folder))
    assert side is not None, (
        "the folder was left to torch: is a setting or a weight unknown to hgrkit.model.query?"
    )
    graphs = [*example_graphs(), *random_graphs(60, seed=0)]
    expected, omitted = ModelQueryEncoder(model).embed(graphs)
    together, cut = side.encoder.embed(graphs)
    alone = [side.encoder.embed([graph])[0][0] for graph in graphs]
    assert cut == omitted
    for right, *found in zip(expected, together, alone, strict=True):
        for query in found:
            assert (query.actions, query.entities) == (right.actions, right.entities)
            for level in ("event", "action", "entity"):
                ours, theirs = getattr(query.embeddings, level), getattr(right.embeddings, level)
                np.testing.assert_allclose(ours, theirs, atol=tolerance, rtol=tolerance)


def _embed(encoder: TextModel, graphs: Sequence[RoleGraph]) -> TextEmbeddings:
    if isinstance(encoder, nn.Module):
        encoder.eval()
    with torch.inference_mode():
        return encoder(encoder.batch(graphs))


def _rows(text: TextEmbeddings) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Each sentence's event, real actions and real entities."""
    return [
        (text.event[row], text.action[row][text.action_mask[row]], text.entity[row][text.entity_mask[row]])
        for row in range(len(text))
    ]


def _assert_close(found: Sequence[Tensor], expected: Sequence[Tensor], tolerance: float) -> None:
    for left, right in zip(found, expected, strict=True):
        torch.testing.assert_close(left, right, atol=tolerance, rtol=0)
