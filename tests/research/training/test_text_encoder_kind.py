"""A kind of text encoder that hgrkit does not know: one entry in the registry trains, saves, loads and asks it."""

from __future__ import annotations

import json

import attrs
import numpy as np
import pytest
import torch
from torch import nn

from hgrkit.checks.settings import setting, to_json
from hgrkit.errors import ConfigError
from hgrkit.graph import RoleGraph
from hgrkit.matching.embeddings import TextEmbeddings
from hgrkit.model.checkpoint import load_model
from hgrkit.model.loaded import LoadedModel
from hgrkit.model.text.graph_batch import GraphBatch
from hgrkit.model.text.registry import TEXT_ENCODERS, TextEncoderKind
from hgrkit.research.training.model_config import ModelConfig
from hgrkit.research.training.run_config import RunConfig, example_config


@attrs.frozen(kw_only=True)
class LettersConfig:
    """The settings of `Letters`."""

    embed_dim: int = setting(meaning="D", within="[1, 100]")
    letters: str = setting("aeiou", "the letters that count")


class Letters(nn.Module):
    """Counts letters: the event is a linear map of how often each stands in the sentence; there are no nodes."""

    kind = "letters"
    config = LettersConfig

    def __init__(self, **settings):
        super().__init__()
        config = LettersConfig(**settings)
        self.settings = to_json(config)
        self.embed_dim, self.letters = config.embed_dim, config.letters
        self.linear = nn.Linear(len(config.letters), config.embed_dim)

    @classmethod
    def from_folder(cls, settings, folder):
        return cls(**{**settings, "letters": (folder / "letters.txt").read_text()})

    @classmethod
    def from_captions(cls, settings, graphs, *, min_count, reader):
        return cls(**settings)

    def write_files(self, folder):
        (folder / "letters.txt").write_text(self.letters)

    def batch(self, graphs):
        return GraphBatch.from_graphs(graphs, max_actions=0, max_entities=0)

    def forward(self, batch):
        text = [" ".join(words) for words in batch.words]
        counts = torch.tensor([[float(one.count(letter)) for letter in self.letters] for one in text])
        nothing = torch.zeros(len(text), 0, self.embed_dim)
        event, mask = (
            self.linear(counts.to(self.linear.weight.device)),
            torch.zeros(len(text), 0, dtype=torch.bool),
        )
        return TextEmbeddings(event=event, action=nothing, entity=nothing, action_mask=mask, entity_mask=mask)


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(TEXT_ENCODERS, "letters", TextEncoderKind(load=lambda: Letters))


def config_file(folder, model=""):
    captions = {f"{n}.mp4": [f"{'a' * (n + 1)} {'e' * (5 - n)}"] for n in range(4)}
    (folder / "train.json").write_text(json.dumps(captions))
    rng = np.random.default_rng(0)
    np.savez(folder / "train.npz", **{name: rng.normal(size=(2, 5)).astype(np.float32) for name in captions})
    path = folder / "run.toml"
    path.write_text(
        f'[data.train]\ncaptions = "train.json"\nfeatures = ["train.npz"]\n'
        f'[model]\ntext_encoder = "letters"\nembed_dim = 6\n[model.text]\n{model}\n[training]\nepochs = 2\n'
    )
    return path


def test_a_registered_kind_trains_and_is_asked_from_its_folder(tmp_path):
    run = RunConfig.read(config_file(tmp_path, 'letters = "ae"')).run(tmp_path / "run")
    folder = tmp_path / "run" / "model"
    written = json.loads((folder / "config.json").read_text())
    assert written["text"] == {"type": "letters", "embed_dim": 6, "letters": "ae"}
    loaded = load_model(folder)
    assert torch.equal(loaded.text.linear.weight, run.best.text.linear.weight)
    queries, _ = LoadedModel.load(folder).query_side.encoder.embed(
        [RoleGraph(tokens=["a", "e"], nodes=[], edges=[])]
    )
    expected = loaded.text.linear(torch.ones(2)).detach().numpy()
    np.testing.assert_allclose(queries[0].embeddings.event, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lettres = 'a'", r"\[model.text\] has no setting 'lettres'; known: letters"),
        ("letters = 3", "must be text"),
    ],
)
def test_its_settings_are_checked_as_those_of_any_other(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        RunConfig.read(config_file(tmp_path, text))


def test_it_is_among_the_kinds_that_messages_and_the_example_name():
    assert "# [model.text]  # if text_encoder is letters\n## the letters that count (text)\n" in example_config()
    with pytest.raises(
        ConfigError, match="text_encoder must be 'rnn', 'sentence', 'phrases' or 'letters', got 'bert'"
    ):
        ModelConfig(text_encoder="bert")
