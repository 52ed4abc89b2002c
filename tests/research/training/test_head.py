"""Training a head on a dual encoder: it begins at the dual encoder's own scores and never ends below them."""

from __future__ import annotations

import json

import attrs
import numpy as np
import pytest
import torch

from hgrkit.errors import ConfigError
from hgrkit.library.records import ClipEmbeddings
from hgrkit.library.scoring import ClipSet
from hgrkit.model.checkpoint import load_model
from hgrkit.model.loaded import LoadedModel
from hgrkit.model.scorer import embed_videos
from hgrkit.parsing import LarkParser
from hgrkit.research.evaluation.measures import measure
from hgrkit.research.evaluation.ranking import Relevance
from hgrkit.research.training.run_config import RunConfig

TEXTS = """
from tests.letter_encoder import LetterTexts
def thing(device):
    return LetterTexts(16)
"""
CONFIG = {
    "format": 1,
    "text": {"type": "plugin", "name": "letters"},
    "video": {"feature_dim": 16, "embed_dim": 16},
    "matcher": {"level_weights": [6, 3, 1]},
    "frame_encoder": "shades",
    "sampling": "fps:2",
}
VERBS, THINGS = ("throws", "eats", "washes", "paints", "kicks", "reads"), ("a ball", "a Dog", "an egg", "a car")
SENTENCES = [f"A man {verb} {thing}." for verb in VERBS for thing in THINGS]
RUN = """
[data.train]
captions = "train.json"
features = ["train.npz"]
[data.dev]
captions = "dev.json"
features = ["dev.npz"]
[model]
start = "dual"
[training]
epochs = {epochs}
batch_size = 8
learning_rate = {rate}
device = "cpu"
"""


@pytest.fixture
def folder(tmp_path, install_plugin):
    """A dual encoder, and clips that a fixed map of their sentence's vector makes, with some noise."""
    install_plugin("hgrkit.text_encoders", "letters", source=TEXTS, distribution="letters")
    (tmp_path / "dual").mkdir()
    (tmp_path / "dual" / "config.json").write_text(json.dumps(CONFIG))
    texts = LoadedModel.load(tmp_path / "dual", device="cpu").dual_encoder.text
    rng = np.random.default_rng(0)
    turn = np.eye(16) + 0.5 * rng.normal(size=(16, 16))
    for part, sentences in (("train", SENTENCES), ("dev", SENTENCES[::2])):
        vectors = texts.encode(sentences) @ turn
        clips = {
            f"{number}": (vector + 0.1 * rng.normal(size=(3, 16))).astype(np.float32)
            for number, vector in enumerate(vectors)
        }
        np.savez(tmp_path / f"{part}.npz", **clips)
        captions = {name: [sentence] for name, sentence in zip(clips, sentences, strict=True)}
        (tmp_path / f"{part}.json").write_text(json.dumps(captions))
    return tmp_path


def run(folder, *, rate=1e-2, epochs=6, out="run", **how):
    config = folder / "run.toml"
    config.write_text(RUN.format(rate=rate, epochs=epochs))
    return RunConfig.read(config).run(folder / out, **how)


def test_the_first_score_is_that_of_the_dual_encoder_itself(folder):
    trained = run(folder, epochs=1)
    captions = json.loads((folder / "dev.json").read_text())
    with np.load(folder / "dev.npz") as features:
        scores = scores_of(LoadedModel.load(folder / "dual", device="cpu"), [features[name] for name in captions])
    right = Relevance.from_pairs(range(len(captions)), range(len(captions)), (len(captions), len(captions)))
    assert trained.start == measure(scores, right).to_dict()


def scores_of(model, clips):
    made = [model.clip_encoder(clip) for clip in clips]
    clip_set = ClipSet.of(
        [
            ClipEmbeddings(
                start_s=0, end_s=9, times_s=np.arange(len(one.action)), **attrs.asdict(one, recurse=False)
            )
            for one in made
        ]
    )
    sentences = SENTENCES[::2]
    graphs = [LarkParser().parse(sentence) for sentence in sentences]
    queries, _ = model.query_side.encoder.embed(graphs, sentences)
    settings = model.query_side.settings
    return np.concatenate(list(clip_set.scores([query.embeddings for query in queries], settings)), axis=1)


def test_training_improves_on_the_start(folder):
    trained = run(folder)
    assert trained.best_epoch > 0
    assert trained.best_dev["Rsum"] > trained.start["Rsum"]
    model = load_model(folder / "run" / "model")
    assert all(torch.equal(tensor, model.state_dict()[name]) for name, tensor in trained.best.state_dict().items())
    lines = [json.loads(line) for line in (folder / "run" / "log.jsonl").read_text().splitlines()]
    assert [line["kind"] for line in lines][:3] == ["run", "start", "epoch"]
    assert lines[1]["dev"] == trained.start


def test_a_run_that_only_harms_keeps_the_start(folder):
    trained = run(folder, rate=500.0, epochs=2)
    assert trained.best_epoch == 0
    assert trained.best_dev == trained.start
    assert not any(record.best for record in trained.log)
    with np.load(folder / "dev.npz") as features:
        clips = list(features.values())
    kept = load_model(folder / "run" / "model")
    untouched = run(folder, rate=1e-9, epochs=1, out="other").best
    assert embed_videos(kept, clips).clips.event == pytest.approx(
        embed_videos(untouched, clips).clips.event, abs=1e-5
    )


def test_an_interrupted_run_resumes_with_its_start(folder):
    whole = run(folder, epochs=3)

    class StopError(Exception):
        pass

    def stop(progress):
        if progress.epoch == 2:
            raise StopError

    with pytest.raises(StopError):
        run(folder, epochs=3, out="again", on_progress=stop)
    again = run(folder, epochs=3, out="again")
    assert again.start == whole.start
    assert [record.dev for record in again.log] == [record.dev for record in whole.log]


def test_a_start_that_is_kept_needs_dev_clips(folder):
    (folder / "run.toml").write_text(
        RUN.format(rate=1e-3, epochs=1).replace('[data.dev]\ncaptions = "dev.json"\nfeatures = ["dev.npz"]\n', "")
        + "keep_start = true\n"
    )
    with pytest.raises(ConfigError, match="keep_start is true, but there are no dev clips"):
        RunConfig.read(folder / "run.toml").run(folder / "out")
