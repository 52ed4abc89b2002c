"""The presets, each beside its source: what a run of it does, and a step of it beside the released code's."""

from __future__ import annotations

import re
from importlib.resources import files

import numpy as np
import pytest
import torch

from hgrkit.checks.settings import read_settings
from hgrkit.matching.matcher import Scores
from hgrkit.model.checkpoint import load_model
from hgrkit.research.release.config import read_config
from hgrkit.research.release.dataset import open_split
from hgrkit.research.release.experiment import released_loss, training_step
from hgrkit.research.release.importing import import_release
from hgrkit.research.release.layout import ReleaseFolder
from hgrkit.research.training.clips import RightPairs, epoch_batches
from hgrkit.research.training.config import LossConfig, TrainConfig
from hgrkit.research.training.loop import TrainingLoop, make_optimizer
from hgrkit.research.training.model_config import ModelConfig
from hgrkit.research.training.records import TrainingInputs
from hgrkit.research.training.run_config import with_preset

FOLDER = files("hgrkit.research.training") / "presets"


def settings(name):
    tables = with_preset({}, name)
    return (
        read_settings(ModelConfig, tables["model"], "[model]"),
        read_settings(TrainConfig, tables["training"], "[training]"),
        read_settings(LossConfig, tables["loss"], "[loss]"),
    )


@pytest.mark.parametrize("name", ["paper.toml", "released.toml"])
def test_every_value_of_a_preset_names_its_source(name):
    section = re.compile(r"section \d\.\d|not printed")
    line = re.compile(r"^\d+(-\d+)?(, \d+)*\b|\w+/\w+.*\.py(:\d+(-\d+)?)?|torch's own")
    source = section if name == "paper.toml" else line
    values = [row for row in (FOLDER / name).read_text().splitlines() if re.match(r"\w+ = ", row)]
    values = [row for row in values if not row.startswith("max_frames") or "#" in row]  # of variants, told above
    assert len(values) > 20
    without = [row for row in values if not source.search(row.partition("# ")[2])]
    assert not without


def test_paper_and_released_differ_where_paper_and_code_do():
    (paper, paper_training, paper_loss), (code, training, loss) = settings("paper"), settings("released")
    assert (paper.text["graph_layers"], code.text["graph_layers"]) == (2, 1)
    assert (paper.text["graph_dropout"], code.text["graph_dropout"]) == (0.0, 0.5)
    assert (paper_training.batch_size, training.batch_size) == (128, 64)
    assert (paper_training.drop_last, training.drop_last) == (True, False)
    assert (paper_training.same_clip_negatives, training.same_clip_negatives) == (False, True)
    assert (paper.initialisation, code.initialisation) == (None, "released")
    assert paper_loss == loss


def test_released_is_what_the_released_code_is_configured_with(tmp_path):
    """Beside the reader of its model.json, whose defaults are the released classes'."""
    model, training, _ = settings("released")
    made = model._parts(feature_dim=2048)
    assert (made.text["max_tokens"], made.text["max_actions"], made.text["max_entities"]) == (30, 4, 6)
    assert (training.learning_rate, training.betas, training.epochs) == (1e-4, (0.9, 0.999), 50)
    frames = [with_preset({}, name)["model"]["video"]["max_frames"] for name in VARIANTS]
    assert frames == [20, 6, 10]
    others = [with_preset({}, name) for name in VARIANTS]
    for tables in others:
        del tables["model"]["video"]
    assert others[0] == others[1] == others[2]


VARIANTS = ("released", "released/tgif", "released/vatex")


def test_a_config_s_own_settings_go_before_those_of_a_variant():
    tables = with_preset({"model": {"video": {"max_frames": 3}}}, "released/tgif")
    assert tables["model"]["video"]["max_frames"] == 3


def test_the_last_short_batch_is_kept_as_released():
    owners = np.repeat(np.arange(50), 2)
    sizes = {
        name: [len(batch) for batch in epoch_batches(settings(name)[1], 0, owners, np.ones(100, np.int64))]
        for name in ("released", "paper")
    }
    assert sizes == {"released": [64, 36], "paper": [100]}


def test_captions_of_the_same_clip_are_negatives_where_the_setting_says_so(clips):
    """The loss of a batch against the slow sum of the equation, over all negatives or those of other clips."""
    model = ModelConfig(embed_dim=8, text={"word_dim": 4}).make(clips.graphs, feature_dim=10, seed=0).eval()
    batch = np.array([0, 1, 2, 3, 10, 11])  # pairs of captions of one clip
    with torch.no_grad():
        text = model.text(model.text.batch([clips.graphs[number] for number in batch]))
        scores = model.matcher(model.video(clips.features(clips.owners[batch], max_frames=None)), text).fused
    right = RightPairs(clips).table(clips.owners[batch], batch)
    assert right.sum() == 12
    for same_clip in (True, False):
        config = TrainConfig(same_clip_negatives=same_clip, batch_size=6, device="cpu")
        loss = LossConfig(kind="hinge").make()
        inputs = TrainingInputs(model=model, loss=loss, config=config, train=clips)
        found = TrainingLoop(inputs)._losses(batch, np.random.default_rng(0))["loss"].item()
        negative = ~np.eye(6, dtype=bool) if same_clip else ~right
        costs = (0.2 + scores.numpy() - np.diag(scores)[:, None]).clip(0) * negative
        other_costs = (0.2 + scores.numpy() - np.diag(scores)[None, :]).clip(0) * negative
        assert found == pytest.approx(costs.max(axis=1).mean() + other_costs.max(axis=0).mean(), abs=1e-5)


# steps beside those of the released code -------------------------------------------------------------------------


@pytest.mark.shared
@pytest.mark.parametrize(("preset", "problem"), [("released", "released"), ("paper", "deep_shared_noroles")])
def test_steps_of_a_preset_are_those_of_the_released_code(shared, tmp_path, preset, problem):
    """Its loss and optimiser, on batches in the released code's order; the presets differ in what a batch is."""
    folder = shared / "parity" / problem
    import_release(folder, tmp_path / "model")
    model = load_model(tmp_path / "model").train()
    dataset = open_split(ReleaseFolder(folder), "trn", model, tmp_path / "model")
    _, training, loss_config = settings(preset)
    loss = loss_config.make()
    optimizer = make_optimizer(model, loss, training)
    assert model.text.settings["graph_layers"] == settings(preset)[0].text["graph_layers"]
    pairs, losses = dataset.pairs(), []
    with np.load(folder / "expected.npz") as stored:
        expected = stored["train_losses"]
    for start in range(0, 8 * len(expected), 8):
        videos, captions = zip(*pairs[start : start + 8], strict=True)
        features, graphs = dataset.videos(videos), dataset.graphs(captions)
        losses.append(training_step(model, loss, optimizer, features=features, graphs=graphs))
    np.testing.assert_allclose(losses, expected, atol=5e-6)


@pytest.mark.shared
def test_what_a_preset_does_not_take_for_negatives_the_released_code_does(shared, tmp_path):
    folder = shared / "parity" / "released"
    import_release(folder, tmp_path / "model")
    model = load_model(tmp_path / "model").eval()
    dataset = open_split(ReleaseFolder(folder), "trn", model, tmp_path / "model")
    videos, captions = zip(*dataset.pairs(), strict=True)
    assert len(set(videos)) < len(videos)
    with torch.no_grad():
        scores: Scores = model(dataset.videos(videos), dataset.graphs(captions))
    same = torch.tensor(videos)[:, None] == torch.tensor(videos)[None, :]
    paper, code = (settings(name)[2].make() for name in ("paper", "released"))
    assert float(code(scores, None)) == float(released_loss(read_config(folder / "model.json"))(scores, None))
    assert float(paper(scores, same)) < float(code(scores, None))
