"""A model made of two plugins: named in a folder, or by a plugin that describes it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hgrkit.errors import CheckpointError, ConfigError, ModelNotFoundError, PluginError, ShapeError
from hgrkit.graph import RoleGraph
from hgrkit.matching.frame_weights import unit_vectors
from hgrkit.model.loaded import LoadedModel
from hgrkit.model.query.phrase_encoder import PhraseQueryEncoder, action_phrase, embed_frames
from hgrkit.parsing import LarkParser
from hgrkit.testing.model_contract import example_graphs
from tests.letter_encoder import LetterTexts

TEXTS = """
from tests.letter_encoder import LetterTexts
def thing(device, size="16"):
    return LetterTexts(int(size))
"""
CONFIG = {
    "format": 1,
    "text": {"type": "plugin", "name": "letters"},
    "video": {"feature_dim": 16, "embed_dim": 16},
    "matcher": {"level_weights": [2, 1, 1]},
    "frame_encoder": "shades",
}


@pytest.fixture
def write(tmp_path, install_plugin):
    """Writes a model folder; `change` replaces parts of its config."""
    install_plugin("hgrkit.text_encoders", "letters", source=TEXTS, distribution="letters")

    def make(place="model", **change):
        folder = tmp_path / place
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps({**CONFIG, **change}))
        return folder

    return make


def test_a_folder_may_name_its_encoders(write):
    folder = write()
    model = LoadedModel.load(folder, device="cpu")
    assert model.name == str(folder)
    assert model.config.origin.frame_encoder == "shades"
    assert model.query_side.settings.level_weights == (2, 1, 1)
    assert model.query_side.embed_dim == 16
    assert model.calibration is None


def test_queries_are_the_texts_of_sentence_actions_and_entities(write):
    encoder = LoadedModel.load(write(), device="cpu").query_side.encoder
    (query,), omitted = encoder.embed(example_graphs()[:1])
    expected = LetterTexts().encode(
        [
            "a woman throws a ball while a dog sleeps",
            *("a woman throws a ball", "a dog sleeps"),
            *("a woman", "a ball", "a dog"),
        ]
    )
    found = np.concatenate([query.embeddings.event[None], query.embeddings.action, query.embeddings.entity])
    np.testing.assert_array_equal(found, expected)
    assert [node.id for node in query.actions + query.entities] == [1, 4, 2, 3, 5]
    assert not omitted


def test_a_sentence_is_encoded_as_it_was_typed(write):
    encoder = LoadedModel.load(write(), device="cpu").query_side.encoder
    (query,), _ = encoder.embed(example_graphs()[1:2], ["A dog RUNS!"])
    np.testing.assert_array_equal(query.embeddings.event, LetterTexts().encode(["A dog RUNS!"])[0])


def test_clips_are_unit_frames_and_their_mean(write):
    features = np.random.default_rng(0).normal(size=(5, 16)).astype(np.float32)
    clip = LoadedModel.load(write(), device="cpu").clip_encoder(features)
    np.testing.assert_allclose(np.linalg.norm(clip.action, axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(clip.action, clip.entity)
    np.testing.assert_allclose(clip.event, unit_vectors(features).mean(axis=0), atol=1e-7)
    with pytest.raises(ShapeError, match=r"must be \[F, 16\] for this model, got \[5, 15\]"):
        LoadedModel.load(write("again"), device="cpu").clip_encoder(features[:, :15])


def test_prompts_stand_before_every_text(write):
    plain, prompted = write(), write("prompted", text={**CONFIG["text"], "prompts": "video"})
    (query,), _ = LoadedModel.load(prompted, device="cpu").query_side.encoder.embed(example_graphs()[2:3])
    np.testing.assert_array_equal(query.embeddings.event, LetterTexts().encode(["a video of a red ball"])[0])
    names = {LoadedModel.load(folder, device="cpu").fingerprint for folder in (plain, prompted)}
    assert len(names) == 2, "prompts decide scores"


def test_the_fingerprint_follows_the_encoder_and_not_the_place(write, monkeypatch):
    one = LoadedModel.load(write(), device="cpu").fingerprint
    assert LoadedModel.load(write("other", name="renamed"), device="cpu").fingerprint == one
    monkeypatch.setattr(LetterTexts, "fingerprint", "letters@2")
    assert LoadedModel.load(write("third"), device="cpu").fingerprint != one


def test_a_plugin_describes_the_model_that_follows_its_colon(write, install_plugin):
    described = {**{key: value for key, value in CONFIG.items() if key != "format"}, "name": "pair:/there"}
    source = f"def thing(device='cpu', argument=''):\n    return {described!r}"
    install_plugin("hgrkit.models", "pair", source=source, distribution="pair")
    model = LoadedModel.load("pair:there", device="cpu")
    assert (model.name, model.query_side.embed_dim) == ("pair:/there", 16)


@pytest.mark.parametrize(
    "made", ["'folder'", "{'text': {'type': 'rnn'}, 'video': {'feature_dim': 1, 'embed_dim': 1}, 'matcher': {}}"]
)
def test_a_plugin_that_describes_no_dual_encoder_is_named(install_plugin, made):
    install_plugin("hgrkit.models", "pair", source=f"def thing(device, argument):\n    return {made}")
    with pytest.raises(PluginError, match="the model 'pair:there'"):
        LoadedModel.load("pair:there", device="cpu")


def test_an_unknown_prefix_is_no_model():
    with pytest.raises(ModelNotFoundError, match="no model named 'nothing:there'"):
        LoadedModel.load("nothing:there", device="cpu")


@pytest.mark.parametrize(
    ("change", "error", "reason"),
    [
        ({"video": {"feature_dim": 15, "embed_dim": 16}}, ShapeError, "texts of 16 numbers .*frames of 15 in 16"),
        ({"text": {"type": "plugin", "name": "letters:8"}}, ShapeError, "texts of 8 numbers .*frames of 16 in 16"),
        ({"text": {"type": "plugin"}}, CheckpointError, "name"),
        ({"text": {**CONFIG["text"], "prompts": "loud"}}, CheckpointError, "prompts"),
        ({"text": {**CONFIG["text"], "depth": 3}}, CheckpointError, "depth"),
    ],
)
def test_parts_that_do_not_fit_are_refused(write, change, error, reason):
    with pytest.raises(error, match=reason):
        LoadedModel.load(write(**change), device="cpu")


def test_what_needs_weights_is_refused(write):
    model = LoadedModel.load(write(), device="cpu")
    with pytest.raises(ConfigError, match="has no weights of its own: it can index, search and score a library"):
        _ = model.model


def test_texts_are_encoded_once_and_together():
    calls = []

    class Counting(LetterTexts):
        def encode(self, texts):
            calls.append(list(texts))
            return super().encode(texts)

    encoder = PhraseQueryEncoder(Counting())
    encoder.embed(LarkParser().parse_batch(["a dog chases a dog", "a dog"]))
    assert len(calls) == 1, "all texts of a call share a batch"
    assert len(calls[0]) == len(set(calls[0]))
    encoder.embed(LarkParser().parse_batch(["a dog"]))
    assert len(calls) == 1


def test_tokens_that_events_lack_are_counted():
    sentences = ["a dog runs " * 20, "a dog runs"]
    _, omitted = PhraseQueryEncoder(LetterTexts()).embed(LarkParser().parse_batch(sentences), sentences)
    assert omitted.event_tokens == 120
    assert omitted


@pytest.mark.parametrize(
    ("sentence", "phrases"),
    [
        ("a man throws a ball to his dog in the park", ["a man throws a ball to his dog in the park"]),
        ("a ball is thrown by a man", ["a ball thrown by a man"]),
        ("two dogs run and bark", ["two dogs run", "two dogs bark"]),
        ("in the park a man runs", ["a man runs in the park"]),
    ],
)
def test_an_action_is_a_phrase_with_its_arguments_in_role_order(sentence, phrases):
    (graph,) = LarkParser().parse_batch([sentence])
    assert [action_phrase(graph, action) for action in graph.actions] == phrases


def test_an_action_alone_is_its_verb():
    graph = RoleGraph.from_dict(
        {"tokens": ["run"], "nodes": [{"id": 1, "role": "V", "span": [0, 1]}], "edges": []}
    )
    assert action_phrase(graph, graph.actions[0]) == "run"


def test_a_clip_of_one_frame_is_that_frame():
    clip = embed_frames(np.array([[3.0, 4.0]], np.float32))
    np.testing.assert_allclose(clip.event, [0.6, 0.8], atol=1e-6)
