"""Layers in numpy against torch's, from torch's own weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from hgrkit.errors import CheckpointError
from hgrkit.model.query.layers import GraphAttention, LayerNorm, Linear, Weights, softmax
from hgrkit.model.text import graph_attention as torch_graph_attention
from hgrkit.model.text.config import GraphAttentionConfig

TOLERANCE = 1e-6


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def weights_of(module):
    return Weights({name: array.detach().numpy().copy() for name, array in module.state_dict().items()})


def randomised(module):
    with torch.no_grad():
        for weight in module.parameters():
            weight.normal_(std=0.5)
    return module.eval()


def assert_same(found, expected):
    np.testing.assert_allclose(found, expected.detach().numpy(), atol=TOLERANCE, rtol=TOLERANCE)


@pytest.mark.parametrize("bias", [True, False])
def test_linear_is_torchs(bias):
    theirs, vectors = randomised(nn.Linear(7, 3, bias=bias)), torch.randn(2, 4, 7)
    weights = weights_of(theirs)
    assert_same(Linear(weights, 7, 3, bias=bias)(vectors.numpy()), theirs(vectors))
    weights.require_all_taken()


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e3])
def test_layer_norm_is_torchs(scale):
    theirs, vectors = randomised(nn.LayerNorm(9)), scale * torch.randn(5, 9)
    assert_same(LayerNorm(weights_of(theirs), 9)(vectors.numpy()), theirs(vectors))


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_softmax_is_torchs(scale):
    values = scale * torch.randn(4, 6)
    assert_same(softmax(values.numpy()), values.softmax(dim=1))


@pytest.mark.parametrize("attention", [True, False])
@pytest.mark.parametrize("num_layers", [0, 1, 2])
@pytest.mark.parametrize("start", ["random", "identity"])
def test_graph_attention_is_its_twin_on_any_graph(attention, num_layers, start):
    settings = {"embed_dim": 7, "num_layers": num_layers, "attention": attention, "start": start}
    theirs = randomised(torch_graph_attention.GraphAttention(**settings))
    weights = weights_of(theirs)
    ours = GraphAttention(weights, GraphAttentionConfig(**settings))
    weights.require_all_taken()
    for density in (0.0, 0.3, 1.0):
        nodes, adjacency = torch.randn(8, 7), torch.rand(8, 8) < density
        assert_same(ours(nodes.numpy(), adjacency.numpy()), theirs(nodes[None], adjacency[None])[0])


def test_a_layer_with_weights_of_another_size_is_refused():
    with pytest.raises(CheckpointError, match=r"weight should be \[3, 8\] and are \[3, 7\]"):
        Linear(weights_of(nn.Linear(7, 3)), 8, 3)
