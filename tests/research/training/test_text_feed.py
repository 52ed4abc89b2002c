from __future__ import annotations

from importlib import metadata

import numpy as np
import pytest
import torch

from hgrkit.errors import ConfigError
from hgrkit.research.training.config import TrainConfig
from hgrkit.research.training.model_config import ModelConfig
from hgrkit.research.training.text_feed import TextFeed
from hgrkit.research.training.trainer import Trainer

pytestmark = pytest.mark.skipif(
    not metadata.entry_points(group="hgrkit.models"), reason="needs an installed default model"
)


@pytest.fixture
def model(clips):
    config = ModelConfig(text_encoder="sentence", embed_dim=16)
    return config.make(clips.graphs, feature_dim=10, seed=0, base=None)


def test_what_was_read_once_is_embedded_as_if_it_were_read_again(model, clips, monkeypatch):
    model.eval()
    feed = TextFeed(model, clips.graphs)
    captions = np.array([5, 0, 17, 40])
    read = model.text(model.text.batch([clips.graphs[caption] for caption in captions]))
    monkeypatch.setattr(model.text, "read", None)  # what was read is not read again
    kept = feed.embed(captions)
    for name in ("event", "action", "entity"):
        torch.testing.assert_close(getattr(kept, name), getattr(read, name), atol=1e-4, rtol=0)
    assert kept.action_mask.equal(read.action_mask)


@pytest.mark.parametrize("start", ["random", "identity"])
def test_a_model_over_a_frozen_transformer_learns(clips, foils, start):
    made = ModelConfig(text_encoder="sentence", embed_dim=16, text={"graph_start": start})
    model = made.make(clips.graphs, feature_dim=10, seed=0, base=None)
    config = TrainConfig(epochs=8, batch_size=12, learning_rate=0.01, foil_weight=0.2, device="cpu")
    run = Trainer(model, config=config).fit(clips, clips, foils=foils)
    assert run.log[-1].dev_rsum > run.log[0].dev_rsum
    assert run.log[-1].dev_rsum > 300


def test_a_run_starts_from_a_trained_model_as_it_is(clips, tmp_path):
    made = ModelConfig(embed_dim=8, matcher={"sharpness": 2.0}).make(
        clips.graphs, feature_dim=10, seed=0, base=None
    )
    made.save(tmp_path / "start")
    again = ModelConfig(start="start", name="more").make(clips.graphs, feature_dim=10, seed=1, base=tmp_path)
    assert again.origin.name == "more"
    assert again.matcher.sharpness == 2.0
    assert all(torch.equal(value, made.state_dict()[name]) for name, value in again.state_dict().items())
    with pytest.raises(ConfigError, match="no frozen transformer"):
        ModelConfig(text_encoder="sentence", reader="start").make(
            clips.graphs, feature_dim=10, seed=0, base=tmp_path
        )
