"""A model folder is read without torch to the last setting and weight, or left to torch."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import safetensors.torch
import torch

from hgrkit.errors import CheckpointError, ModelNotFoundError, ShapeError
from hgrkit.matching.matcher import Matcher
from hgrkit.model.checkpoint import load_model
from hgrkit.model.hgr_model import HgrModel
from hgrkit.model.loaded import read_query_side
from hgrkit.model.scorer import settings_of
from hgrkit.model.text.sentence_encoder import SentenceTextEncoder
from hgrkit.model.text.text_encoder import TextEncoder
from hgrkit.model.text.vocabulary import Vocabulary
from hgrkit.model.video import VideoEncoder
from hgrkit.testing.model_contract import example_graphs


@pytest.fixture
def model(transformer):
    return HgrModel(
        text=SentenceTextEncoder(reader=transformer.reader(), embed_dim=6),
        video=VideoEncoder(feature_dim=5, embed_dim=6),
        matcher=Matcher(sharpness=7.0, fusion="sim", level_weights=(1, 2, 3)),
    ).eval()


@pytest.fixture
def folder(model, tmp_path):
    return model.save(tmp_path / "model")


def test_the_matchers_settings_are_the_models(model, folder):
    side = read_query_side(folder)
    assert side.settings == settings_of(model.matcher)
    assert side.embed_dim == model.embed_dim


def test_a_folder_that_is_none_is_named(tmp_path):
    with pytest.raises(ModelNotFoundError, match=r"config\.json"):
        read_query_side(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config.update(format=2),
        lambda config: config.update(wings=2),
        lambda config: config.pop("video"),
        lambda config: config["text"].update(type="bag"),
        lambda config: config["text"].update(residual="identity"),
        lambda config: config["text"].pop("embed_dim"),
        lambda config: config["text"].update(edges="none"),
        lambda config: config["text"].update(graph_layers=2),
        lambda config: config["text"].update(graph_layers=0),
        lambda config: config["text"].update(graph_attention=False),
        lambda config: config["text"].update(graph_start="identity"),
        lambda config: config["text"].update(graph_start="zero"),
        lambda config: config["text"].update(num_roles=0),
        lambda config: config["text"].update(num_roles=3),
        lambda config: config["text"].update(type="rnn"),
        lambda config: config["text"].update(embed_dim="six"),
        lambda config: config["text"].update(graph_layers="one"),
        lambda config: config["text"].update(max_actions=3.5),
        lambda config: config["video"].update(embed_dim=7),
        lambda config: config["matcher"].update(fusion="max"),
        lambda config: config["matcher"].update(level_weights="x"),
        lambda config: config["matcher"].update(chunk_elements=9),
    ],
)
def test_a_config_that_does_not_fit_is_left_to_torch(folder, change):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))
    assert read_query_side(folder) is None


def test_a_folder_says_how_its_graph_starts_only_if_it_is_not_as_published(model, folder):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    assert "graph_start" not in config["text"]
    expected = read_query_side(folder).encoder.embed(example_graphs())[0]
    config["text"]["graph_start"] = "random"
    path.write_text(json.dumps(config))
    for found, right in zip(read_query_side(folder).encoder.embed(example_graphs())[0], expected, strict=True):
        assert (found.embeddings.event == right.embeddings.event).all()
    assert load_model(folder).config == model.config


def test_a_start_of_the_graph_that_is_unknown_is_named(folder):
    path = folder / "config.json"
    path.write_text(path.read_text().replace('"graph_layers": 1', '"graph_layers": 1, "graph_start": "zero"'))
    with pytest.raises(CheckpointError, match=r"must be 'random' or 'identity', got 'zero'\.$"):
        load_model(folder)


@pytest.mark.parametrize("name", ["weights.safetensors", "sentence.onnx"])
@pytest.mark.parametrize("content", [None, b"nothing"])
def test_a_folder_that_is_damaged_is_left_to_torch_which_tells(folder, name, content):
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    assert read_query_side(folder) is None
    with pytest.raises(CheckpointError, match=name):
        load_model(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda weights: weights.pop("text.event.bias"),
        lambda weights: weights.update({"text.graph.layers.0.gate": torch.zeros(1)}),
        lambda weights: weights.update({"text.roles.weight": torch.zeros(15, 6)}),
    ],
    ids=["missing", "surplus", "another shape"],
)
def test_weights_that_do_not_fit_are_left_to_torch(folder, change):
    path = folder / "weights.safetensors"
    weights = safetensors.torch.load_file(path)
    change(weights)
    safetensors.torch.save_file(weights, path)
    assert read_query_side(folder) is None


def test_no_sentence_is_refused_as_torch_refuses_it(model, folder):
    for refuse in (model.text.batch, read_query_side(folder).encoder.embed):
        with pytest.raises(ShapeError, match="at least one sentence"):
            refuse([])


def test_a_setting_that_a_folder_does_not_say_has_its_default_on_both_sides(folder, model):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    del config["text"]["edges"], config["text"]["max_tokens"], config["matcher"]["fusion"]
    path.write_text(json.dumps(config))
    assert load_model(folder).text.settings == model.text.settings
    assert read_query_side(folder).encoder.config.max_tokens == 128
    assert read_query_side(folder).settings.fusion == "embed"


def test_a_kind_that_only_torch_has_is_left_to_torch(tmp_path):
    vocabulary = Vocabulary.from_sentences(graph.tokens for graph in example_graphs())
    text = TextEncoder(vocabulary=vocabulary, embed_dim=6, word_dim=4)
    assert (
        read_query_side(HgrModel(text=text, video=VideoEncoder(feature_dim=5, embed_dim=6)).save(tmp_path / "m"))
        is None
    )


def test_no_module_of_the_room_imports_torch():
    program = (
        "import importlib, pkgutil, sys, hgrkit.model.query\n"
        "for module in pkgutil.iter_modules(hgrkit.model.query.__path__):\n"
        "    importlib.import_module(f'hgrkit.model.query.{module.name}')\n"
        "print([name for name in sys.modules if name.split('.')[0] == 'torch'])\n"
    )
    printed = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert printed == "[]\n"
