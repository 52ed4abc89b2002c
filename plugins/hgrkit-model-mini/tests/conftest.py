"""The scripts as modules, the installed model, and a small data set."""

from __future__ import annotations

import importlib
import io
import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import hgrkit
from hgrkit.model.registry import model_folder
from hgrkit.video.efficientnet_layout import VARIANTS, layout
from hgrkit.video.efficientnet_torch import EfficientNetLiteModule

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"

SENTENCES = (
    "A man in a {} shirt rides a brown horse on the beach .",
    "Two {} dogs run after a ball on the grass .",
    "A woman throws a {} ball to a boy .",
    "A {} child climbs the stairs .",
    "A {} cat sits on a table .",
)
COLOURS = (
    "red",
    "green",
    "blue",
    "black",
    "white",
    "grey",
    "pink",
    "brown",
    "yellow",
    "orange",
    "purple",
    "golden",
)
_LICENCE = "  1 a licence stands before the data  \n"
SPLIT = {"train": range(8), "dev": range(8, 10), "test": range(10, 12)}


class Scripts:
    """The scripts, each a module that finds the others as it does when it is run."""

    def __getattr__(self, name):
        sys.path.insert(0, str(SCRIPTS))
        try:
            return importlib.import_module(name)
        finally:
            sys.path.remove(str(SCRIPTS))


@pytest.fixture(scope="session")
def scripts():
    pytest.importorskip("onnx", reason="the scripts that train the model need onnx")
    return Scripts()


@pytest.fixture(scope="session")
def model():
    return hgrkit.load_model(model_folder("default"))


@pytest.fixture(scope="session")
def captions():
    return ["a man rides a brown horse", "two dogs run after a ball on the grass", "a beach at sunset", "waving"]


@pytest.fixture
def data(tmp_path):
    """Twelve small photographs and captions of two clips, in the layout of the real data."""
    folder = tmp_path / "data"
    (folder / "msvd").mkdir(parents=True)
    clips = {f"{name}.avi": [f"a {name} runs", f"the {name} is running"] for name in ("dog", "cat")}
    (folder / "msvd/captions_all_1877.json").write_text(json.dumps({**clips, "asked.avi": ["a horse", "a foal"]}))
    (folder / "msvd/captions.json").write_text(json.dumps({"asked.mp4": ["a horse"]}))
    _write_photographs(folder / "flickr8k", shades=range(len(COLOURS)))
    return folder


@pytest.fixture
def write_photographs():
    """Writes the photographs anew, those of other shades."""
    return _write_photographs


@pytest.fixture(scope="session")
def random_network():
    generator = torch.Generator().manual_seed(0)
    module = EfficientNetLiteModule(layout(VARIANTS["efficientnet-lite2"]))
    for parameter in module.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) / max(1, parameter[0].numel()) ** 0.5
    return module.eval()


@pytest.fixture
def wordnet(tmp_path):
    """Tabbies are cats, and cats and mice animals; `mouse` is a device before it is an animal."""
    entries = {
        "animal": (["animal", "beast"], []),
        "cat": (["cat", "true_cat"], ["animal"]),
        "tabby": (["tabby", "Felis_catus"], ["cat"]),
        "mouse": (["mouse"], ["animal"]),
        "device": (["mouse", "pointing_device"], []),
    }
    length = max(len(_synset(0, words, range(len(kinds)))) for words, kinds in entries.values())
    at = {name: len(_LICENCE) + row * length for row, name in enumerate(entries)}
    data = _LICENCE + "".join(
        _synset(at[name], words, [at[kind] for kind in kinds]).rstrip("\n").ljust(length - 1) + "\n"
        for name, (words, kinds) in entries.items()
    )
    (tmp_path / "data.noun").write_text(data)
    first = {"animal": "animal", "beast": "animal", "cat": "cat", "true_cat": "cat", "tabby": "tabby"}
    index = [f"{word} n 1 0 1 0 {at[name]:08d}" for word, name in first.items()]
    index += [f"felis_catus n 1 0 1 0 {at['tabby']:08d}", f"mouse n 2 0 2 0 {at['device']:08d} {at['mouse']:08d}"]
    (tmp_path / "index.noun").write_text(_LICENCE + "\n".join(index) + "\n")
    return tmp_path, at


def _synset(position, words, kinds):
    counted = "".join(f" {word} 0" for word in words)
    pointers = "".join(f" @ {kind:08d} n 0000" for kind in kinds)
    return f"{position:08d} 05 n {len(words):02x}{counted} {len(kinds):03d}{pointers} | a gloss  \n"


def _write_photographs(folder, *, shades):
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{colour}.jpg" for colour in COLOURS]
    with zipfile.ZipFile(folder / "images_224.zip", "w") as archive:
        for name, shade in zip(names, shades, strict=True):
            noise = np.random.default_rng(shade).integers(0, 256, (7, 7, 3), dtype=np.uint8)
            file = io.BytesIO()
            Image.fromarray(noise).resize((64, 64)).save(file, "JPEG")
            archive.writestr(name, file.getvalue())
    lines = [
        f"{name}#{number}\t{sentence.format(Path(name).stem)}\n"
        for name in names
        for number, sentence in enumerate(SENTENCES)
    ]
    (folder / "Flickr8k.token.txt").write_text("".join(lines))
    for part, rows in SPLIT.items():
        (folder / f"Flickr_8k.{part}Images.txt").write_text("".join(f"{names[row]}\n" for row in rows))
