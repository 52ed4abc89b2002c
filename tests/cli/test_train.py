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
        ("{config} --out {dir}/run --epochs 3", "do not go with a config"),
        ("{config} --out {dir}/run --no-shuffle", "do not go with a config"),
        ("{config} --out {dir}/run --resume", "to resume from"),
        ("--release {dir} --model {dir} --resume", "go with a config"),
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
