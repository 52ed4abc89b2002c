from __future__ import annotations

import pytest
import torch

from hgrkit.errors import ConfigError
from hgrkit.model.text.text_encoder import TextEncoder
from hgrkit.model.text.vocabulary import Vocabulary
from hgrkit.testing.model_contract import TextEncoderContract, example_graphs

VOCABULARY = Vocabulary.from_sentences(graph.tokens for graph in example_graphs())


def encoder_of(seed=0, **settings):
    encoder = TextEncoder(vocabulary=VOCABULARY, embed_dim=6, word_dim=4, **settings)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in encoder.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator) * 0.5)
    return encoder.eval()


class TestTextEncoder(TextEncoderContract):
    @pytest.fixture(
        params=[
            {},
            {"recurrence": "lstm", "bidirectional": False, "num_roles": 0, "graph_attention": False},
            {"num_layers": 2, "graph_layers": 2, "edges": "two_way", "dropout": 0.4},
            {"graph_layers": 0},
            {"graph_layers": 2, "graph_start": "identity"},
        ],
        ids=["paper", "plain", "deep", "no graph", "identity"],
    )
    def encoder(self, request):
        return encoder_of(**request.param)

    @pytest.fixture
    def reopen(self):
        return TextEncoder.from_folder


def slow_gru(encoder, vectors, suffix):
    """One direction of a GRU, gate by gate, in the order reset, update, new."""
    weight = {name: getattr(encoder.rnn, f"{name}_l0{suffix}") for name in ("weight_ih", "weight_hh")}
    bias = {name: getattr(encoder.rnn, f"{name}_l0{suffix}") for name in ("bias_ih", "bias_hh")}
    state, states = torch.zeros(encoder.embed_dim, dtype=vectors.dtype), []
    for vector in vectors:
        reset_in, update_in, new_in = (weight["weight_ih"] @ vector + bias["bias_ih"]).chunk(3)
        reset_h, update_h, new_h = (weight["weight_hh"] @ state + bias["bias_hh"]).chunk(3)
        reset, update = torch.sigmoid(reset_in + reset_h), torch.sigmoid(update_in + update_h)
        new = torch.tanh(new_in + reset * new_h)
        state = (1 - update) * new + update * state
        states.append(state)
    return torch.stack(states)


def test_nodes_are_the_equations_before_the_graph():
    encoder = encoder_of(graph_layers=0).double()
    graph = example_graphs()[0]
    text = encoder(encoder.batch([graph]))
    vectors = encoder.words.weight[VOCABULARY.encode(graph.tokens)]
    forward, backward = slow_gru(encoder, vectors, ""), slow_gru(encoder, vectors.flip(0), "_reverse").flip(0)
    words = (forward + backward) / 2
    weights = torch.softmax(words @ encoder.pooling.weight[0] + encoder.pooling.bias, dim=0)
    torch.testing.assert_close(text.event[0], weights @ words)
    for level, nodes in ((text.action, graph.actions), (text.entity, graph.entities)):
        for position, node in enumerate(nodes):
            longest = words[node.span.start : node.span.stop].max(dim=0).values
            role = encoder.roles.weight[{"V": 0, "ARG1": 1, "ARG0": 2}[node.role]]
            torch.testing.assert_close(level[0, position], longest * role)


def test_float64_and_float32_agree():
    encoder = encoder_of()
    batch = encoder.batch(example_graphs())
    single, double = encoder(batch), encoder.double()(batch)
    torch.testing.assert_close(single.event.double(), double.event, atol=2e-6, rtol=0)


def test_gradients_reach_every_weight_even_without_any_action():
    encoder = encoder_of()
    text = encoder(encoder.batch(example_graphs()[2:]))
    (text.event.sum() + text.action.sum() + text.entity.sum()).backward()
    assert all(weight.grad is not None for weight in encoder.parameters())


def test_a_graph_that_starts_as_the_identity_begins_as_a_model_without_one():
    made = [
        TextEncoder(vocabulary=VOCABULARY, embed_dim=6, word_dim=4, **settings).eval()
        for settings in ({"graph_layers": 0}, {"graph_start": "identity", "graph_layers": 2})
    ]
    without, starting = made
    starting.load_state_dict(without.state_dict(), strict=False)
    batch = without.batch(example_graphs())
    found, expected = starting(batch), without(batch)
    for name in ("event", "action", "entity"):
        assert torch.equal(getattr(found, name), getattr(expected, name))


def test_word_vectors_can_be_kept_from_training():
    assert not encoder_of(train_words=False).words.weight.requires_grad


def test_making_an_encoder_leaves_the_random_state_usable():
    before = torch.random.initial_seed()
    encoder_of()
    assert torch.random.initial_seed() == before


@pytest.mark.parametrize(
    "settings",
    [
        {"recurrence": "rnn"},
        {"dropout": 1.5},
        {"num_roles": 4},
        {"num_layers": 0},
        {"edges": "none"},
        {"graph_start": "zero"},
    ],
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ConfigError):
        encoder_of(**settings)
