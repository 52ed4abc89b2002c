"""The rules that every text encoder keeps, as tests for a plugin's own suite to inherit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest
import torch
from torch import Tensor, nn

from hgrkit.embeddings import TextEmbeddings
from hgrkit.graph import RoleGraph
from hgrkit.model import TextModel

__all__ = ["TextEncoderContract", "example_graphs"]


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
