from __future__ import annotations

import math

import pytest
import torch

from hgrkit.errors import ConfigError, ShapeError
from hgrkit.model.text.graph_attention import GraphAttention


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def randomised(module, seed=1):
    generator = seeded(seed)
    with torch.no_grad():
        for weight in module.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator) * 0.5)
    return module.double().eval()


def slow_layer(layer, nodes, adjacency, *, attention, start):
    """`g_i <- LayerNorm(g_i + W sum_j b_ij g_j)`, node by node; no LayerNorm for `identity`."""
    dim = nodes.shape[1]
    result = []
    for i, node in enumerate(nodes):
        neighbours = [j for j in range(len(nodes)) if adjacency[i, j]]
        message = torch.zeros_like(node)
        if neighbours and attention:
            query = layer.query.weight @ node + layer.query.bias
            logits = [
                (query @ (layer.key.weight @ nodes[j] + layer.key.bias)).item() / math.sqrt(dim // 2)
                for j in neighbours
            ]
            total = sum(math.exp(logit) for logit in logits)
            for j, logit in zip(neighbours, logits, strict=True):
                message = message + math.exp(logit) / total * nodes[j]
        elif neighbours:
            message = sum(nodes[j] for j in neighbours) / len(neighbours)
        summed = node + layer.context.weight @ message
        if start == "identity":
            result.append(summed)
            continue
        spread = ((summed - summed.mean()) ** 2).mean()
        result.append((summed - summed.mean()) / (spread + 1e-5).sqrt() * layer.norm.weight + layer.norm.bias)
    return torch.stack(result)


@pytest.mark.parametrize("attention", [True, False])
@pytest.mark.parametrize("num_layers", [0, 1, 3])
@pytest.mark.parametrize("start", ["random", "identity"])
def test_it_is_the_equation(attention, num_layers, start):
    graph = randomised(GraphAttention(embed_dim=8, num_layers=num_layers, attention=attention, start=start))
    nodes = torch.randn(2, 5, 8, generator=seeded(), dtype=torch.float64)
    adjacency = torch.rand(2, 5, 5, generator=seeded(2)) < 0.4
    adjacency[0, 1] = False
    found = graph(nodes, adjacency)
    for caption in range(2):
        expected = nodes[caption]
        for layer in graph.layers:
            expected = slow_layer(layer, expected, adjacency[caption], attention=attention, start=start)
        torch.testing.assert_close(found[caption], expected, atol=1e-10, rtol=0)


def test_what_an_unseen_node_holds_never_matters():
    graph = randomised(GraphAttention(embed_dim=8))
    nodes = torch.randn(1, 4, 8, generator=seeded(), dtype=torch.float64)
    adjacency = torch.ones(1, 4, 4, dtype=torch.bool)
    adjacency[:, :, 3] = False
    other = nodes.clone()
    other[:, 3] = 1e3
    torch.testing.assert_close(graph(nodes, adjacency)[:, :3], graph(other, adjacency)[:, :3], atol=0, rtol=0)


def test_half_precision_gives_finite_numbers():
    graph = GraphAttention(embed_dim=8).to(torch.bfloat16)
    nodes = torch.ones(1, 3, 8, dtype=torch.bfloat16)
    assert graph(nodes, torch.zeros(1, 3, 3, dtype=torch.bool)).isfinite().all()


@pytest.mark.parametrize("attention", [True, False])
def test_an_untrained_graph_that_starts_as_the_identity_returns_its_nodes_exactly(attention):
    graph = GraphAttention(embed_dim=8, num_layers=3, attention=attention, dropout=0.3, start="identity")
    nodes, adjacency = torch.randn(2, 5, 8, generator=seeded()), torch.rand(2, 5, 5, generator=seeded(2)) < 0.5
    for mode in (True, False):
        assert torch.equal(graph.train(mode)(nodes, adjacency), nodes)


def test_gradients_reach_a_graph_that_starts_as_the_identity_and_one_step_moves_it():
    graph = GraphAttention(embed_dim=8, num_layers=2, start="identity")
    nodes, adjacency = torch.randn(2, 5, 8, generator=seeded()), torch.ones(2, 5, 5, dtype=torch.bool)
    optimizer = torch.optim.SGD(graph.parameters(), lr=0.1)
    for _ in range(2):  # attention gets gradients once messages count
        optimizer.zero_grad()
        graph(nodes, adjacency).square().sum().backward()
        assert all(layer.context.weight.grad.any() for layer in graph.layers)
        optimizer.step()
    assert all(weight.grad.any() for name, weight in graph.named_parameters() if name.endswith("weight"))
    assert not torch.allclose(graph(nodes, adjacency), nodes)


@pytest.mark.parametrize("settings", [{"num_layers": -1}, {"dropout": 1.0}, {"start": "zero"}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ConfigError):
        GraphAttention(embed_dim=8, **settings)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError, match=r"\[1, 3, 8\] and \[1, 4, 4\]"):
        GraphAttention(embed_dim=8)(torch.zeros(1, 3, 8), torch.zeros(1, 4, 4, dtype=torch.bool))
