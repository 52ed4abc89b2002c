from __future__ import annotations

import json

import numpy as np
import pytest

from hgrkit.parsing import LarkParser
from hgrkit.research.evaluation.foil_choice import FoilPair
from hgrkit.research.training.clips import CaptionedClips
from hgrkit.research.training.foils import CaptionFoils

WHO = ("man", "woman", "dog", "cat", "girl", "boy")
DOES = ("runs", "jumps", "sleeps", "eats")


def told(number):
    """Two captions of each of 24 clips; what they say decides what the clip shows."""
    who, does = WHO[number % 6], DOES[number // 6]
    return [f"a {who} {does}", f"the {who} {does} in the garden"]


def shown(number):
    generator = np.random.default_rng(number)
    signal = np.concatenate([np.eye(6)[number % 6], np.eye(4)[number // 6]])
    return (signal + 0.1 * generator.normal(size=(1 + number % 3, 10))).astype(np.float32)


def foiled(number):
    """Wrong sentences about a clip, `(caption, foil)`: two of the first caption, one of every other second one."""
    first, second = told(number)
    who, does = WHO[number % 6], DOES[number // 6]
    others = [verb for verb in DOES if verb != does][:2]
    pairs = [(first, f"a {who} {verb}") for verb in others]
    return pairs + [(second, second.replace(who, WHO[(number + 1) % 6]))] * (number % 2)


@pytest.fixture(scope="session")
def foils(clips):
    """The foils of `foiled`, 60 of 36 captions."""
    pairs = [
        FoilPair(video=f"clip{number}.mp4", caption=caption, foil=foil, type="any")
        for number in range(24)
        for caption, foil in foiled(number)
    ]
    return CaptionFoils.of(pairs, clips, parser=LarkParser())


@pytest.fixture(scope="session")
def clips():
    """24 clips of up to 3 frames."""
    names = [f"clip{number}" for number in range(24)]
    return CaptionedClips.of(
        {name: told(number) for number, name in enumerate(names)},
        {name: shown(number) for number, name in enumerate(names)},
        parser=LarkParser(),
    )


@pytest.fixture
def data_folder(tmp_path):
    """The clips as files, train and dev the same, with a small config, and one that has foils as well."""
    names = [f"clip{number}" for number in range(24)]
    captions = {f"{name}.mp4": told(number) for number, name in enumerate(names)}
    (tmp_path / "captions.json").write_text(json.dumps(captions))
    np.savez(tmp_path / "features.npz", **{name: shown(number) for number, name in enumerate(names)})
    lines = [
        json.dumps({"video": f"clip{number}", "caption": caption, "foil": foil, "type": "any"}) + "\n"
        for number in range(24)
        for caption, foil in foiled(number)
    ]
    (tmp_path / "foils.jsonl").write_text("".join(lines))
    (tmp_path / "run.toml").write_text(CONFIG)
    (tmp_path / "foiled.toml").write_text(
        CONFIG.replace("[model]", '[data.foils]\nfile = "foils.jsonl"\n\n[model]', 1).replace(
            "[training]", "[training]\nfoil_weight = 0.5", 1
        )
    )
    return tmp_path


CONFIG = """
[data.train]
captions = "captions.json"
features = ["features.npz"]

[data.dev]
captions = "captions.json"
features = ["features.npz"]

[model]
embed_dim = 16

[model.text]
word_dim = 8
dropout = 0.1

[training]
device = "cpu"
epochs = 6
batch_size = 8
learning_rate = 0.01
ema = 0.9
clip_norm = 5.0
feature_dropout = 0.1
save_every = 2
bucket = 2

[loss]
level_weights = [1.0, 0.5, 0.5, 0.5]
learned_temperature = true
"""
