"""From videos to a model that indexes them, by the commands and the program of docs/training.md."""

from __future__ import annotations

import json
import re
from pathlib import Path

import av
import numpy as np
import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "training.md"
SCENES = {"0.mp4": "a dog runs", "1.mp4": "a cat sleeps", "2.mp4": "a man sings", "3.mp4": "a woman eats"}


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture
def videos(tmp_path):
    """Four videos of a second, one shade each."""
    folder = tmp_path / "videos"
    folder.mkdir()
    for shade, name in enumerate(SCENES):
        with av.open(str(folder / name), "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=4)
            stream.width = stream.height = 64
            stream.pix_fmt = "yuv420p"
            picture = np.full((64, 64, 3), 60 * shade + 20, np.uint8)
            for _ in range(4):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
            container.mux(stream.encode(None))
    return folder


def test_the_first_config_makes_a_model_of_own_videos_that_indexes_them(hgrkit, videos, tmp_path):
    assert hgrkit("index", videos, "--library", tmp_path / "lib").status == 0
    (program,) = (body for body in blocks("python") if "write_features" in body)
    made = {}
    exec(compile(program, str(PAGE), "exec"), made)
    made["write_features"](tmp_path / "lib", tmp_path / "train.npz")
    (tmp_path / "train.json").write_text(json.dumps({name: [text] for name, text in SCENES.items()}))
    config = blocks("toml")[0].replace("dev.json", "train.json").replace("dev.hdf5", "train.npz")
    (tmp_path / "run.toml").write_text(config.replace("epochs = 12", "epochs = 1").replace("= 512", "= 16"))
    assert hgrkit("train", tmp_path / "run.toml", "--out", tmp_path / "run").status == 0
    indexed = hgrkit("index", videos, "--library", tmp_path / "other", "--model", tmp_path / "run" / "model")
    assert indexed.status == 0, indexed.err
