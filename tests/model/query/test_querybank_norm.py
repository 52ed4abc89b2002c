"""Querybank normalisation without torch is that with it, from the same folder; files call it the background."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pytest
import safetensors.torch
import torch

from hgrkit.errors import CheckpointError, ConfigError
from hgrkit.matching.querybank_norm import QuerybankNorm
from hgrkit.model.checkpoint import load_model
from hgrkit.model.hgr_model import HgrModel
from hgrkit.model.loaded import read_query_side
from hgrkit.model.scorer import ModelQueryEncoder
from hgrkit.model.text.sentence_encoder import SentenceTextEncoder
from hgrkit.model.video import VideoEncoder
from hgrkit.testing.model_contract import example_graphs


@pytest.fixture
def model_with(transformer):
    return partial(made, transformer.reader())


def made(reader, querybank_norm):
    return HgrModel(
        text=SentenceTextEncoder(reader=reader, embed_dim=6),
        video=VideoEncoder(feature_dim=5, embed_dim=6),
        querybank_norm=querybank_norm,
    ).eval()


@pytest.fixture
def model(model_with):
    torch.manual_seed(0)
    return model_with(QuerybankNorm.of(torch.randn(40, 6), temperature=0.1))


@pytest.fixture
def folder(model, tmp_path):
    return model.save(tmp_path / "model")


def norms_of(encoder):
    return encoder.querybank_norm(
        np.stack([query.embeddings.event for query in encoder.embed(example_graphs())[0]])
    )


def test_both_sides_have_the_same_querybank_norm(model, folder):
    right = norms_of(ModelQueryEncoder(model))
    assert np.abs(right).min() > 1e-3
    assert np.allclose(norms_of(read_query_side(folder).encoder), right, atol=1e-6)
    assert np.allclose(norms_of(ModelQueryEncoder(load_model(folder))), right, atol=1e-7)
    assert load_model(folder).config["background"] == {"size": 40, "temperature": 0.1}


def test_a_model_without_one_says_nothing_of_it(model_with, tmp_path):
    model = model_with(None)
    folder = model.save(tmp_path / "model")
    assert "background" not in json.loads((folder / "config.json").read_text())
    assert read_query_side(folder).encoder.querybank_norm is None
    assert ModelQueryEncoder(model).querybank_norm is None


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config["background"].update(size=39),
        lambda config: config["background"].update(temperature="warm"),
        lambda config: config["background"].update(colour=1),
        lambda config: config["background"].update(temperature=-1.0),
        lambda config: config.update(background=7),
        lambda config: config.pop("background"),
    ],
)
def test_a_config_that_does_not_fit_is_left_to_torch_which_tells(folder, change):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))
    assert read_query_side(folder) is None
    with pytest.raises(CheckpointError, match=r"background|config\.json"):
        load_model(folder)


def test_lost_events_are_told(folder):
    path = folder / "weights.safetensors"
    weights = safetensors.torch.load_file(path)
    del weights["background.events"]
    safetensors.torch.save_file(weights, path)
    assert read_query_side(folder) is None
    with pytest.raises(CheckpointError, match=r"background\.events"):
        load_model(folder)


def test_a_querybank_norm_of_another_size_is_refused(model_with):
    with pytest.raises(ConfigError, match="embed_dim=7"):
        model_with(QuerybankNorm(size=2, embed_dim=7))
