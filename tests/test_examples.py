"""The programs that the public API is designed around run as they stand."""

from __future__ import annotations

import importlib.util
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from hgrkit.demo import write_zoom

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
NO_MODEL = "needs an installed default model: pip install ./plugins/hgrkit-model-mini"


def load(name):
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def videos(tmp_path):
    folder = tmp_path / "videos"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for name in ("one", "two"):
        picture = generator.integers(0, 255, (60, 80, 3), dtype=np.uint8)
        write_zoom(picture, folder / f"{name}.mp4", seconds=1.0)
    (folder / "broken.mp4").write_text("no video")
    return folder


@pytest.mark.skipif(not metadata.entry_points(group="hgrkit.models"), reason=NO_MODEL)
def test_the_application_indexes_and_answers(videos, tmp_path, capsys, caplog):
    application = load("application")
    library = tmp_path / "lib"
    assert application.index(videos, library) == 2
    assert "broken.mp4" in caplog.text
    result = application.ask(library, "a woman throws a ball to a dog")
    assert [hit.rank for hit in result.hits] == [1, 2]
    assert "a dog" in capsys.readouterr().out
    without = application.ask_without(library, result, "a dog")
    assert "dog" not in without.graph.tokens


def test_the_researcher_composes_the_parts(capsys):
    load("researcher").main()
    printed = capsys.readouterr().out
    assert "fused scores [V, C]: torch.Size([2, 3])" in printed
    assert "throws" in printed


def test_a_model_is_trained_saved_and_better_than_chance(tmp_path):
    rsum = load("train").train(tmp_path / "model", epochs=20)
    assert rsum >= 500  # by chance 450: of four clips, R@5 and R@10 are full
    assert (tmp_path / "model/config.json").is_file()
