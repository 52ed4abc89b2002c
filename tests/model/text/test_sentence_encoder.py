"""The text encoder over a frozen transformer: its equations, its files, and what it never changes."""

from __future__ import annotations

import pytest
import torch

from hgrkit.errors import CheckpointError, ConfigError
from hgrkit.graph import Node, RoleGraph, Span
from hgrkit.matching.matcher import Matcher
from hgrkit.model.checkpoint import load_model, model_fingerprint, save_model
from hgrkit.model.hgr_model import HgrModel, ModelOrigin
from hgrkit.model.text.graph_selection import EDGE_POLICIES
from hgrkit.model.text.sentence_encoder import STATE_SCALE, SentenceTextEncoder
from hgrkit.model.text.sentence_reader import MAX_PIECES
from hgrkit.model.video import VideoEncoder, VideoFeatures
from hgrkit.testing.model_contract import TextEncoderContract, check_query_side, example_graphs


@pytest.fixture(scope="module")
def reader(transformer):
    return transformer.reader()


@pytest.fixture
def encoder_of(reader):
    def make(**settings):
        encoder = SentenceTextEncoder(reader=reader, embed_dim=6, **settings)
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for weight in encoder.parameters():
                weight.copy_(torch.randn(weight.shape, generator=generator) * 0.5)
        return encoder.eval()

    return make


class TestSentenceTextEncoder(TextEncoderContract):
    @pytest.fixture(
        params=[
            {},
            {"num_roles": 0, "graph_attention": False},
            {"graph_layers": 2, "edges": "two_way", "dropout": 0.4, "graph_dropout": 0.2},
            {"graph_layers": 0},
            {"graph_layers": 2, "graph_start": "identity"},
        ],
        ids=["default", "plain", "deep", "no graph", "identity"],
    )
    def encoder(self, request, encoder_of):
        return encoder_of(**request.param)

    @pytest.fixture
    def reopen(self):
        return SentenceTextEncoder.from_folder


def unit(vector):
    return vector / vector.norm()


def test_nodes_are_the_equations_before_the_graph(encoder_of, reader):
    encoder = encoder_of(graph_layers=0)
    graph = example_graphs()[0]
    text = encoder(encoder.batch([graph]))
    states = reader.read([graph.tokens])
    words = torch.from_numpy(states.words[0])
    torch.testing.assert_close(text.event[0], encoder.event(STATE_SCALE * torch.from_numpy(states.sentence[0])))
    for level, linear, nodes in (
        (text.action, encoder.action, graph.actions),
        (text.entity, encoder.entity, graph.entities),
    ):
        for position, node in enumerate(nodes):
            mean = unit(words[node.span.start : node.span.stop].mean(dim=0))
            role = encoder.roles.weight[{"V": 0, "ARG1": 1, "ARG0": 2}[node.role]]
            torch.testing.assert_close(level[0, position], linear(STATE_SCALE * mean) * role)


def test_reading_first_and_encoding_later_is_encoding(encoder_of):
    encoder = encoder_of()
    batch = encoder.batch(example_graphs())
    at_once, later = encoder(batch), encoder.encode(encoder.read(batch), batch)
    for name in ("event", "action", "entity"):
        torch.testing.assert_close(getattr(later, name), getattr(at_once, name), atol=0, rtol=0)


def test_what_is_read_has_length_one_and_no_gradient(encoder_of):
    encoder = encoder_of()
    batch = encoder.batch(example_graphs())
    for states, mask in zip(encoder.read(batch), (None, batch.action_mask, batch.entity_mask), strict=True):
        assert not states.requires_grad
        real = states if mask is None else states[mask]
        torch.testing.assert_close(real.norm(dim=1), torch.ones(len(real)))
        assert mask is None or not states[~mask].any()


def test_the_transformer_is_no_part_of_the_weights(encoder_of):
    names = {name.split(".")[0] for name in encoder_of().state_dict()}
    assert names == {"event", "action", "entity", "roles", "graph"}


def test_gradients_reach_every_weight_even_without_any_action(encoder_of):
    encoder = encoder_of()
    text = encoder(encoder.batch(example_graphs()[2:]))
    (text.event.sum() + text.action.sum() + text.entity.sum()).backward()
    assert all(weight.grad is not None for weight in encoder.parameters())


def test_roles_start_without_effect(reader):
    torch.manual_seed(0)
    encoder = SentenceTextEncoder(reader=reader, embed_dim=6)
    assert (encoder.roles.weight == 1).all()


@pytest.mark.parametrize(("dtype", "slack"), [(torch.float64, 2e-6), (torch.bfloat16, 0.2)])
def test_other_precisions_agree(encoder_of, dtype, slack):
    encoder = encoder_of()
    batch = encoder.batch(example_graphs())
    single, other = encoder(batch), encoder.to(dtype)(batch)
    assert other.event.dtype == dtype
    torch.testing.assert_close(other.event.double(), single.event.double(), atol=slack, rtol=slack)
    torch.testing.assert_close(other.entity.double(), single.entity.double(), atol=slack, rtol=slack)


def test_words_that_the_tokeniser_drops_leave_every_embedding_finite(encoder_of):
    encoder = encoder_of()
    graph = RoleGraph(
        tokens=["\u200b", "dog", "\ud83d"],
        nodes=[Node(1, "V", Span(0, 1)), Node(2, "ARG0", Span(1, 2)), Node(3, "ARG1", Span(2, 3))],
    )
    text = encoder(encoder.batch([graph]))
    assert all(level.isfinite().all() for level in (text.event, text.action, text.entity))


def test_words_past_what_the_transformer_reads_leave_every_embedding_finite(encoder_of):
    encoder = encoder_of(max_tokens=None)
    tokens = ["dog"] * (MAX_PIECES + 20)
    graph = RoleGraph(tokens=tokens, nodes=[Node(1, "NOUN", Span(len(tokens) - 3, len(tokens)))])
    text = encoder(encoder.batch([graph]))
    assert text.entity_mask.all()
    assert text.entity.isfinite().all()


def test_its_own_limits_cut_a_batch(encoder_of):
    batch = encoder_of(max_actions=1, max_entities=2, max_tokens=4).batch(example_graphs())
    assert (batch.action_mask.shape[1], batch.entity_mask.shape[1], batch.token_mask.shape[1]) == (1, 2, 4)
    assert batch.omitted.tokens == 5


@pytest.mark.parametrize(
    "settings",
    [
        {"embed_dim": 0},
        {"dropout": 1.0},
        {"dropout": -0.1},
        {"num_roles": 4},
        {"edges": "none"},
        {"graph_start": "zero"},
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused(reader, settings):
    with pytest.raises(ConfigError):
        SentenceTextEncoder(reader=reader, **{"embed_dim": 6, **settings})


@pytest.mark.parametrize("edges", EDGE_POLICIES)
@pytest.mark.parametrize("graph_attention", [True, False])
@pytest.mark.parametrize("limit", [None, 1, 3])
def test_without_torch_it_answers_the_same_with_every_edge_policy_and_limit(
    encoder_of, tmp_path, edges, graph_attention, limit
):
    limits = {"max_actions": limit, "max_entities": limit, "max_tokens": limit and 2 * limit}
    check_query_side(encoder_of(edges=edges, graph_attention=graph_attention, **limits), tmp_path / "model")


# in a model folder ---------------------------------------------------------------------------------------------


@pytest.fixture
def model(encoder_of):
    return HgrModel(
        text=encoder_of(max_actions=3, dropout=0.1, edges="two_way"),
        video=VideoEncoder(feature_dim=5, embed_dim=6),
        matcher=Matcher(sharpness=7.0),
        origin=ModelOrigin(name="small"),
    ).eval()


def scores_of(model):
    generator = torch.Generator().manual_seed(0)
    features = VideoFeatures.from_arrays([torch.randn(n, 5, generator=generator) for n in (3, 1)])
    with torch.inference_mode():
        return model(features, model.text.batch(example_graphs())).fused


def test_saved_and_loaded_it_answers_the_same(model, tmp_path):
    folder = save_model(model, tmp_path / "model")
    assert {path.name for path in folder.iterdir()} == {
        "config.json",
        "weights.safetensors",
        "sentence.onnx",
        "tokenizer.json",
        "MODEL_CARD.md",
    }
    loaded = load_model(folder)
    assert loaded.config == model.config
    torch.testing.assert_close(scores_of(loaded), scores_of(model), atol=0, rtol=0)


def test_a_model_can_be_saved_over_its_own_folder(model, tmp_path):
    folder = save_model(model, tmp_path / "model")
    before = model_fingerprint(folder)
    save_model(load_model(folder), folder)
    assert model_fingerprint(folder) == before


def test_the_transformer_counts_for_the_fingerprint(model, tmp_path):
    folder = save_model(model, tmp_path / "model")
    before = model_fingerprint(folder)
    (folder / "tokenizer.json").write_text((folder / "tokenizer.json").read_text() + "\n")
    assert model_fingerprint(folder) != before


@pytest.mark.parametrize("name", ["sentence.onnx", "tokenizer.json"])
def test_a_folder_without_the_transformer_is_refused(model, tmp_path, name):
    folder = save_model(model, tmp_path / "model")
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=f"{name}, which is missing"):
        load_model(folder)
