from __future__ import annotations

import json

import numpy as np
import pytest

from hgrkit.research.training.run_config import example_config

CONFIG = """
[data.train]
captions = "captions.json"
features = ["features.npz"]
[model]
embed_dim = 8
[training]
epochs = 2
batch_size = 2
device = "cpu"
"""


@pytest.fixture
def config(tmp_path):
    captions = {f"{n}.mp4": [f"a {who} runs"] for n, who in enumerate(("dog", "cat", "man", "girl"))}
    (tmp_path / "captions.json").write_text(json.dumps(captions))
    np.savez(tmp_path / "features.npz", **{str(n): np.eye(4)[[n]] for n in range(4)})
    (tmp_path / "run.toml").write_text(CONFIG)
    return tmp_path / "run.toml"


def test_a_config_makes_a_run_folder_with_its_model(hgrkit, config, tmp_path):
    out = tmp_path / "run"
    report = hgrkit("train", config, "--out", out, "--json").json
    assert report["epochs"] == report["best_epoch"] == 2
    assert report["model"] == str(out / "model")
    assert {path.name for path in out.iterdir()} == {
        *("log.jsonl", "curve.svg", "state.safetensors", "model", "writer.lock")
    }
    shown = hgrkit("train", config, "--out", out)
    assert shown.status == 0
    assert shown.out.startswith("2 epochs; best is 2, loss ")


def test_the_defaults_are_printed_as_a_config(hgrkit):
    assert hgrkit("train", "--show-defaults").out == example_config()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "give a config"),
        ("--release {dir}", "has no model.json"),
        ("{config}", "--out FOLDER"),
        ("{config} --out {dir}/run --epochs 3", "used with a config"),
        ("{config} --out {dir}/run --no-shuffle", "used with a config"),
        ("{config} --out {dir}/run --no-dropout", "used with a config"),
        ("{config} --out {dir}/run --seed 0", "used with a config"),
        ("{config} --out {dir}/run --word-vectors {dir}/x", "used with a config"),
        ("--release {dir} --model {dir} --seed -1", "--seed must be a whole number"),
        ("--release {dir} --model {dir} --seed 4294967296", "--seed must be a whole number"),
        ("{config} --out {dir}/run --resume", "to resume from"),
        ("--release {dir} --model {dir} --resume", "need a config"),
        ("{dir}/nothing.toml --out {dir}/run", "--show-defaults prints one"),
    ],
)
def test_what_does_not_go_together_is_one_line(hgrkit, config, arguments, message):
    words = arguments.format(dir=config.parent, config=config).split()
    assert message in hgrkit("train", *words).error


def test_a_run_goes_on_with_the_same_config_and_refuses_another(hgrkit, config, tmp_path):
    assert hgrkit("train", config, "--out", tmp_path / "run").status == 0
    assert hgrkit("train", config, "--out", tmp_path / "run", "--resume").status == 0
    config.write_text(CONFIG.replace("epochs = 2", "epochs = 3"))
    refused = hgrkit("train", config, "--out", tmp_path / "run").error
    assert "[training] epochs was 2, is 3" in refused
    assert hgrkit("train", config, "--out", tmp_path / "run", "--no-resume", "--json").json["epochs"] == 3


@pytest.fixture
def problem(shared, tmp_path):
    """The problem `released` of the released code, and a model folder of its weights."""
    folder = shared / "parity" / "released"
    return folder, tmp_path / "model"


@pytest.mark.shared
def test_training_on_a_release_tells_losses_epochs_and_which_is_kept(hgrkit, problem, tmp_path):
    folder, model = problem
    imported = hgrkit("import-release", folder, "--out", model)
    assert "epoch.0.th (the highest epoch; no log tells its validation Rsum) is now" in imported.out
    options = ["--release", folder, "--model", model, "--no-shuffle", "--no-dropout", "--out", tmp_path / "out"]
    report = hgrkit("train", *options, "--json").json
    with np.load(folder / "expected.npz") as expected:
        np.testing.assert_allclose(report["losses"], expected["train_losses"], atol=5e-6)
    assert (report["best_epoch"], report["words"], len(report["epochs"])) == (1, None, 1)
    assert report["epochs"][0]["validation"] is None
    assert (tmp_path / "out" / "config.json").is_file()


@pytest.mark.shared
def test_training_on_a_release_starts_from_scratch_and_from_word_vectors(hgrkit, problem, tmp_path):
    folder, _ = problem
    word = next(word for word in json.loads((folder / "word2int.json").read_text()) if word.isalpha())
    (tmp_path / "glove.txt").write_text(f"{word} {' '.join(['0.5'] * 32)}\n")
    options = ["--release", folder, "--word-vectors", tmp_path / "glove.txt", "--seed", "1"]
    report = hgrkit("train", *options, "--json").json
    assert report["words"] == {"file": "glove.txt", "found": 1, "missing": report["words"]["missing"]}
    assert report["words"]["missing"] > 10
    assert "1 words have vectors" in hgrkit("train", *options).out
    assert hgrkit("train", *options[:-1], "2", "--json").json["losses"] != report["losses"]
