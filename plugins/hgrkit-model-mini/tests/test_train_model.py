"""The default model's training from photographs to a model folder, on a few small pictures."""

from __future__ import annotations

import json
import shutil
import sys

import attrs
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import hgrkit
from hgrkit.model.folder import NOTES_FOLDER
from hgrkit.model.registry import model_folder
from hgrkit.model.scorer import embed_features, embed_graphs
from hgrkit.parsing.lark.parser import LarkParser
from hgrkit.video.efficientnet_lite import EfficientNetLite


@pytest.fixture
def train_model(scripts, monkeypatch, wordnet):
    """The script, with the installed encoders and two classes in the place of what the package index has."""
    installed = model_folder("default")

    def build_text_encoder(out):
        for name in ("sentence.onnx", "tokenizer.json"):
            shutil.copy(installed / name, out / name)

    weights = load_file(installed.parent / "frames/efficientnet-lite2.safetensors")
    monkeypatch.setattr(scripts.train_model, "build_text_encoder", build_text_encoder)
    monkeypatch.setattr(scripts.train_model, "published_weights", lambda variant: weights)
    monkeypatch.setattr(scripts.build_frame_encoder, "PUBLISHED", ())
    nouns, at = wordnet
    classes = [scripts.class_names.ImageNetClass(name, at[name]) for name in ("tabby", "mouse")]
    classifier = torch.randn(2, 1280, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(scripts.class_pictures, "WordNetNouns", lambda: scripts.class_names.WordNetNouns(nouns))
    monkeypatch.setattr(scripts.class_pictures, "imagenet_classes", lambda: classes)
    monkeypatch.setattr(scripts.class_pictures, "zipf_frequency", lambda name: 4.0)
    monkeypatch.setattr(scripts.class_pictures, "published_classifier", lambda variant: classifier)
    return scripts.train_model


@pytest.fixture
def short(scripts):
    return attrs.evolve(
        scripts.recipe.Recipe(),
        embed_dim=32,
        text_dropout=0.0,
        paraphrase_weight=0.1,
        class_weight=0.1,
        class_batch_size=4,
        warm_up=0.3,
        epochs=2,
        batch_size=8,
        learning_rate=5e-3,
        feature_dropout=0.0,
        augmented_views=0,
        tuning_epochs=4,
        tuning_batch_size=4,
        tuning_captions=5,
        tuning_rate=1e-4,
        tuning_maps_rate=3e-3,
        tuning_anchor=1.0,
        tuning_feature_dropout=0.0,
        tuning_average=0.5,
        background=5,
    )


def test_both_stages_lower_the_loss_and_the_written_folder_scores(train_model, short, data, tmp_path):
    cache, out = tmp_path / "cache", tmp_path / "out"
    train_model.run(data, out, cache, short)
    log = (out / "model" / NOTES_FOLDER / "log.jsonl").read_text()
    losses = [json.loads(line)["loss"] for line in log.splitlines()]
    assert len(losses) == short.epochs + short.tuning_epochs
    assert losses[1] < losses[0]
    assert losses[-1] < losses[2]

    model = hgrkit.load_model(out / "model")
    assert model.querybank_norm.events.shape == (5, 32)
    frames = EfficientNetLite(out / "frames", variant="efficientnet-lite2")
    published = EfficientNetLite(cache, variant="efficientnet-lite2")
    assert frames.fingerprint != published.fingerprint
    picture = np.random.default_rng(0).integers(0, 256, (1, *frames.frame_size, 3), dtype=np.uint8)
    clip = embed_features(model, frames.encode(picture))
    (query,) = embed_graphs(model, LarkParser().parse_batch(["a man rides a horse"]))
    assert np.isfinite(clip.event @ query.embeddings.event)
    assert "embed_dim = 32\n" in (out / "model" / NOTES_FOLDER / "recipe.txt").read_text()
    assert "| test | text to video |" in (out / "model/MODEL_CARD.md").read_text()


def test_the_cache_is_filled_without_training(train_model, short, data, tmp_path, monkeypatch):
    monkeypatch.setattr(train_model, "Recipe", lambda: short)
    monkeypatch.setattr(train_model, "run", None)
    monkeypatch.setattr(
        sys, "argv", ["train_model.py", "--data", str(data), "--cache", str(tmp_path / "cache"), "--cache-only"]
    )
    train_model.main()
    kinds = {path.name.split("-")[0] for path in (tmp_path / "cache").iterdir()}
    assert {"sentence.onnx", "tokenizer.json", "efficientnet", "sentences", "mirrored"} <= kinds


def test_without_an_output_folder_nothing_is_trained(train_model, data, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["train_model.py", "--data", str(data)])
    with pytest.raises(SystemExit):
        train_model.main()
    assert "--cache-only" in capsys.readouterr().err
