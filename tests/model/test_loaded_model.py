"""A model as it was asked for: what is loaded when, what needs torch, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import safetensors.torch
import torch

from hgrkit.errors import CheckpointError, ConfigError, ModelNotFoundError
from hgrkit.model.folder import model_fingerprint
from hgrkit.model.hgr_model import HgrModel
from hgrkit.model.loaded import LoadedModel
from hgrkit.model.query.clip_encoder import ClipEncoder
from hgrkit.model.query.sentence_encoder import SentenceQueryEncoder
from hgrkit.model.scorer import ModelQueryEncoder, embed_features
from hgrkit.model.text.sentence_encoder import SentenceTextEncoder
from hgrkit.model.text.text_encoder import TextEncoder
from hgrkit.model.text.vocabulary import Vocabulary
from hgrkit.model.video import VideoEncoder
from hgrkit.testing.model_contract import example_graphs
from tests.fake_device import NAME, fake_device


def save(folder, text):
    return HgrModel(text=text, video=VideoEncoder(feature_dim=1, embed_dim=4)).save(folder)


@pytest.fixture
def folder(transformer, tmp_path):
    return save(tmp_path / "model", SentenceTextEncoder(reader=transformer.reader(), embed_dim=4))


def test_a_folder_is_called_by_its_absolute_path(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    model = LoadedModel.load("model")
    assert (model.name, model.fingerprint) == (str(folder), model_fingerprint(folder))
    monkeypatch.chdir("/")
    assert model.model.embed_dim == model.query_side.embed_dim == 4


@pytest.mark.parametrize("device", ["auto", "cpu", "cpu:0"])
def test_questions_are_put_without_torch(folder, device):
    assert isinstance(LoadedModel.load(folder, device=device).query_side.encoder, SentenceQueryEncoder)


def test_questions_are_put_with_torch_on_a_device_that_is_named(folder):
    with fake_device():
        assert isinstance(LoadedModel.load(folder, device=NAME).query_side.encoder, ModelQueryEncoder)


def test_questions_are_put_with_torch_where_only_torch_can_read_the_model(tmp_path):
    vocabulary = Vocabulary.from_sentences(graph.tokens for graph in example_graphs())
    folder = save(tmp_path / "model", TextEncoder(vocabulary=vocabulary, embed_dim=4, word_dim=3))
    model = LoadedModel.load(folder)
    assert model.query_side.encoder.model is model.model
    assert model.query_side.embed_dim == 4


def test_questions_are_put_with_torch_once_the_model_is_there(folder):
    model = LoadedModel.load(folder)
    assert model.model is model.model
    assert model.query_side is model.query_side
    assert model.query_side.encoder.model is model.model


@pytest.mark.parametrize("device", ["auto", "cpu", "cpu:0"])
def test_clips_are_embedded_without_torch_on_a_cpu(folder, device, monkeypatch):
    monkeypatch.setattr("hgrkit.checks.device._may_have_gpu", lambda: False)
    assert isinstance(LoadedModel.load(folder, device=device).clip_encoder, ClipEncoder)


def test_clips_are_embedded_with_torch_on_a_device_that_is_named(folder):
    with fake_device():
        model = LoadedModel.load(folder, device=NAME)
        assert model.clip_encoder.func is embed_features
        assert model.clip_encoder.args == (model.model,)


def test_clips_are_embedded_with_torch_where_numpy_cannot_read_the_weights(folder):
    path = folder / "weights.safetensors"
    weights = safetensors.torch.load_file(path)
    name = "video.pooling.bias"
    safetensors.torch.save_file({**weights, name: weights[name].to(torch.bfloat16)}, path)
    model = LoadedModel.load(folder, device="cpu")
    features = np.ones((2, 1), np.float32)
    assert model.clip_encoder.func is embed_features
    np.testing.assert_array_equal(model.clip_encoder(features).event, embed_features(model.model, features).event)


@pytest.mark.parametrize("side", ["model", "query_side", "clip_encoder"])
def test_a_damaged_folder_is_told_by_either_side(folder, side):
    model = LoadedModel.load(folder)
    (folder / "weights.safetensors").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="cannot be read"):
        getattr(model, side)


@pytest.mark.parametrize("side", ["model", "clip_encoder"])
def test_a_model_that_changed_since_it_was_found_is_refused(transformer, folder, side):
    model = LoadedModel.load(folder, device="cpu")
    save(folder, SentenceTextEncoder(reader=transformer.reader(), embed_dim=4, max_tokens=9))
    with pytest.raises(CheckpointError, match="has changed"):
        getattr(model, side)


def test_a_device_that_is_none_is_refused_by_either_side(folder):
    for side in ("model", "query_side", "clip_encoder"):
        with pytest.raises(ConfigError, match="abacus"):
            getattr(LoadedModel.load(folder, device="abacus"), side)


def test_a_model_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ModelNotFoundError):
        LoadedModel.load(tmp_path / "gone")
