"""A run from its config: what is refused before training, and what is kept of it."""

from __future__ import annotations

import json
import os

import attrs
import numpy as np
import pytest
import torch

from hgrkit.errors import (
    BenchmarkError,
    CheckpointError,
    ConfigError,
    FrameEncoderNotFoundError,
    LibraryLockedError,
    ShapeError,
)
from hgrkit.matching.losses import HingeLoss, InfoNCE
from hgrkit.parsing import LarkParser
from hgrkit.research.training import run_config
from hgrkit.research.training.clips import CaptionedClips
from hgrkit.research.training.config import TrainConfig
from hgrkit.research.training.model_config import ModelConfig
from hgrkit.research.training.run_config import RunConfig
from hgrkit.research.training.trainer import Trainer
from hgrkit.storage.lock import WriterLock

NEEDED = '[data.train]\ncaptions = "c.json"\nfeatures = ["f.npz"]\n'
SMALL = TrainConfig(epochs=1, batch_size=12, learning_rate=0.01, device="cpu")


@pytest.fixture
def folder(data_folder):
    """The clips as files, with a config of one epoch."""
    text = (data_folder / "run.toml").read_text()
    (data_folder / "run.toml").write_text(text.replace("epochs = 6", "epochs = 1"))
    return data_folder


def fresh(clips):
    return ModelConfig(embed_dim=8, text={"word_dim": 4}).make(clips.graphs, feature_dim=10, seed=0)


def read(folder, text):
    (folder / "run.toml").write_text(text)
    return RunConfig.read(folder / "run.toml")


def test_a_run_that_is_over_leaves_its_model_as_it_is(folder):
    config, out = RunConfig.read(folder / "run.toml"), folder / "out"
    config.run(out)
    before = (out / "model").stat().st_ino
    (out / "model" / "MODEL_CARD.md").write_text("my own words")
    config.run(out)
    assert (out / "model").stat().st_ino == before
    assert (out / "model" / "MODEL_CARD.md").read_text() == "my own words"


def test_a_model_that_is_not_the_run_s_best_is_written_anew(folder):
    config, out = RunConfig.read(folder / "run.toml"), folder / "out"
    config.run(out)
    whole = (out / "model" / "weights.safetensors").read_bytes()
    (out / "model" / "weights.safetensors").write_bytes(whole[:100])
    config.run(out)
    assert (out / "model" / "weights.safetensors").read_bytes() == whole


def test_a_damaged_state_never_reaches_the_model(folder):
    config, out = RunConfig.read(folder / "run.toml"), folder / "out"
    config.run(out)
    whole = (out / "model" / "weights.safetensors").read_bytes()
    content = bytearray((out / "state.safetensors").read_bytes())
    content[-40:] = bytes(byte ^ 0x55 for byte in content[-40:])
    (out / "state.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match="not what was written"):
        config.run(out)
    assert (out / "model" / "weights.safetensors").read_bytes() == whole


def test_a_folder_that_is_not_the_run_s_is_refused_before_the_data_is_read(folder):
    (folder / "captions.json").unlink()
    config, out = RunConfig.read(folder / "run.toml"), folder / "out"
    (out / "model").mkdir(parents=True)
    (out / "model" / "thesis.doc").touch()
    with pytest.raises(CheckpointError, match="is not a model folder"):
        config.run(out)
    with pytest.raises(ConfigError, match="does not belong to a run"):
        config.run(folder)
    assert not (folder / "writer.lock").exists()


def test_the_model_is_written_while_the_folder_is_held_and_leftovers_are_swept(folder, monkeypatch):
    out = folder / "out"
    (out / ".model.killed" / "model").mkdir(parents=True)
    save = run_config.save_model

    def held(*arguments, **named):
        with pytest.raises(LibraryLockedError):
            WriterLock(out)
        return save(*arguments, **named)

    monkeypatch.setattr(run_config, "save_model", held)
    RunConfig.read(folder / "run.toml").run(out)
    assert (out / "model").is_dir()
    assert not list(out.glob(".model.*"))


def test_a_full_disk_while_the_model_is_written_is_made_good_by_the_same_command(folder, monkeypatch):
    config, out = RunConfig.read(folder / "run.toml"), folder / "out"

    def full(*_, **__):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(run_config, "save_model", full)
    with pytest.raises(OSError, match=r"cannot write .*model: the disk is full; free some space"):
        config.run(out)
    monkeypatch.undo()
    config.run(out)
    assert (out / "model" / "config.json").is_file()


def test_dev_features_of_another_size_are_named_before_training(folder):
    np.savez(folder / "dev.npz", **{f"clip{n}": np.ones((1, 7)) for n in range(24)})
    text = (folder / "run.toml").read_text()
    head, _, rest = text.partition("[data.dev]")
    config = read(folder, f"{head}[data.dev]{rest.replace('features.npz', 'dev.npz', 1)}")
    message = r"dev\.npz of \[data\.dev\] has 7 numbers a frame, but features\.npz of \[data\.train\] has 10"
    with pytest.raises(ShapeError, match=message):
        config.run(folder / "out")
    assert not (folder / "out").exists()


def test_captions_without_words_are_counted_in_the_log_and_in_the_run(folder):
    captions = json.loads((folder / "captions.json").read_text())
    captions["clip0.mp4"] += ["", " "]
    (folder / "captions.json").write_text(json.dumps(captions))
    run = RunConfig.read(folder / "run.toml").run(folder / "out")
    first = json.loads((folder / "out" / "log.jsonl").read_text().splitlines()[0])
    assert (first["train"]["blank"], first["dev"]["blank"], run.blank_captions) == (2, 2, 4)


def test_a_run_says_which_settings_of_its_config_changed(folder):
    text = (folder / "run.toml").read_text()
    read(folder, text).run(folder / "out")
    changed = text.replace("word_dim = 8", "word_dim = 4").replace("[loss]", "[loss]\ntemperature = 0.1")
    message = (
        r"other settings or data: \[model\.text\] word_dim was 8, is 4; \[loss\] temperature was 0\.05, is 0\.1;"
    )
    with pytest.raises(ConfigError, match=message) as caught:
        read(folder, changed).run(folder / "out")
    assert "sha256" not in str(caught.value)
    np.savez(folder / "features.npz", **{f"clip{n}": np.ones((1, 10)) for n in range(24)})
    message = r"\[data\.train\] has other captions or features than it had; \[data\.dev\] has other"
    with pytest.raises(ConfigError, match=message):
        read(folder, text).run(folder / "out")


# configs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[training]\nlearning_rate = 1e300\n", r"learning_rate must be a number in \(0, 1000\]"),
        ("[model]\nembed_dim = 1000000000000\n", r"embed_dim must be a whole number in \[1, 16384\]"),
        ("[model.text]\nword_dim = 1000000000000\n", r"word_dim must be a whole number in \[1, 16384\]"),
        ("[model.text]\nnum_layers = 1000000\n", r"num_layers must be a whole number in \[1, 16\]"),
        ("[model.text]\ngraph_layers = 1000000\n", r"graph_layers must be a whole number in \[0, 32\]"),
        ("[model.text]\nmax_tokens = 0\n", r"max_tokens must be .* in \[1, inf\) or none, got 0"),
        ("[model.matcher]\nsharpness = 1e300\n", r"sharpness must be a number in \[0, 1000000\]"),
        ("[loss]\ntemperature = 1e300\n", r"temperature must be a number in \(0, 1000000\]"),
        ("[training]\npatience = 3\n", r"patience does nothing without \[data\.dev\]"),
        ("[model]\nsampling = 'abc'\n", "abc"),
    ],
)
def test_a_setting_that_leads_nowhere_is_refused_when_it_is_read(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        read(tmp_path, NEEDED + text)


def test_a_frame_encoder_that_is_not_installed_is_refused_when_it_is_read(tmp_path):
    with pytest.raises(FrameEncoderNotFoundError, match="efficientnet-lite9"):
        read(tmp_path, f"{NEEDED}[model]\nframe_encoder = 'efficientnet-lite9'\n")


def test_a_config_that_is_not_utf_8_is_refused(tmp_path):
    (tmp_path / "run.toml").write_bytes(f"{NEEDED}# caf\xe9\n".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"run\.toml is not UTF-8 at byte \d+; save it as UTF-8"):
        RunConfig.read(tmp_path / "run.toml")


@pytest.mark.parametrize("error", [RuntimeError("can't allocate memory\nmore"), MemoryError()])
def test_a_model_that_does_not_fit_into_memory_is_one_line(clips, monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr("hgrkit.research.training.model_config.build_model", fail)
    with pytest.raises(ConfigError, match=r"cannot be built: .*; lower embed_dim \(512\)") as caught:
        ModelConfig().make(clips.graphs, feature_dim=10, seed=0)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "own", ["[model]\ntext_encoder = 'sentence'\n[model.text]\ngraph_layers = 1\n", "[model]\nstart = 'default'\n"]
)
def test_a_preset_leaves_out_what_does_not_apply_to_the_model(tmp_path, own):
    config = read(tmp_path, f"preset = 'paper'\n{NEEDED}{own}")
    assert (config.training.epochs, config.loss.kind) == (50, "hinge")
    assert "word_dim" not in config.model.text
    assert config.model.text.get("graph_layers") == (1 if "sentence" in own else None)


# divergence ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "message"), [(float("nan"), "no longer numbers after epoch 1"), (3e38, "grown so large that scores")]
)
@pytest.mark.parametrize("dev", [True, False])
def test_a_model_that_diverges_in_the_last_step_is_never_kept(clips, tmp_path, dev, value, message):
    model = fresh(clips)

    def ruin(progress):
        if progress.step == progress.total:
            with torch.no_grad():
                model.video.projections[0].weight.fill_(value)

    with pytest.raises(ConfigError, match=message + ".*; lower learning_rate, or set clip_norm"):
        Trainer(model, config=SMALL).fit(clips, clips if dev else None, folder=tmp_path, on_progress=ruin)
    assert not (tmp_path / "state.safetensors").exists()


def test_a_loss_that_is_no_number_at_first_does_not_blame_the_learning_rate(clips):
    class Broken(InfoNCE):
        def forward(self, scores, positives=None):
            return super().forward(scores, positives) * torch.nan

    with pytest.raises(
        ConfigError, match=r"at step 1, before a weight has changed; look at .*temperature"
    ) as caught:
        Trainer(fresh(clips), loss=Broken(), config=SMALL).fit(clips)
    assert "learning_rate" not in str(caught.value)


# what teaches nothing --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "captions",
    [
        {"a": ["a dog runs", "a cat"]},
        {"a": ["a dog runs"], "b": ["a dog runs"]},
        {"a": ["x", "y"], "b": ["y", "x"]},
    ],
)
def test_clips_that_no_caption_tells_apart_are_refused(captions):
    clips = CaptionedClips.of(captions, dict.fromkeys(captions, np.ones((1, 10))), parser=LarkParser())
    with pytest.raises(BenchmarkError, match="give at least two clips with different captions"):
        Trainer(fresh(clips), config=SMALL).fit(clips)


def test_patience_without_dev_clips_is_refused(clips):
    with pytest.raises(ConfigError, match="patience is 3, but there are no dev clips"):
        Trainer(fresh(clips), config=attrs.evolve(SMALL, patience=3)).fit(clips)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (HingeLoss, {"margin": float("nan")}),
        (HingeLoss, {"margin": -1.0}),
        (HingeLoss, {"level_weights": (0, 0, 0, 0)}),
        (InfoNCE, {"level_weights": (-1, 0, 0, 1)}),
        (InfoNCE, {"level_weights": (float("nan"), 0, 0, 1)}),
        (InfoNCE, {"temperature": float("inf")}),
    ],
)
def test_a_loss_that_means_nothing_is_never_made(kind, settings):
    (name,) = settings
    with pytest.raises(ConfigError, match=name):
        kind(**settings)
