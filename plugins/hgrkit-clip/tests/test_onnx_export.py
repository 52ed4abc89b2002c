"""`hgrkit export-onnx`: a folder that answers as its original does, without torch."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import hgrkit_clip
import numpy as np
import pytest

from hgrkit import Retriever
from hgrkit.cli.app import main
from hgrkit.errors import CheckpointError, ConfigError, LibraryMismatchError, MissingPackageError
from hgrkit.matching.frame_weights import unit_vectors
from hgrkit.model.loaded import LoadedModel
from hgrkit.model.onnx_export import export_onnx
from hgrkit.model.onnx_sides import frame_encoder, text_encoder
from hgrkit.testing import FrameEncoderContract, TextEncoderPluginContract

SENTENCES = ["a man throws a ball to a dog", "A Woman's dog runs, in the park!", "the red cat sleeps" * 9, "snow"]
WITHOUT_TORCH = """
import sys
sys.modules |= dict.fromkeys(["torch", "transformers", "huggingface_hub"])
from hgrkit.cli import main
sys.argv = ["hgrkit", *sys.argv[1:]]
main()
"""


@pytest.fixture(scope="session")
def export(folder, tmp_path_factory):
    """The export of a model of each kind."""
    return export_onnx(f"clip:{folder}", tmp_path_factory.mktemp("export") / "model").folder


@pytest.fixture(scope="session")
def clip_export(clip_folder, tmp_path_factory):
    return export_onnx(f"clip:{clip_folder}", tmp_path_factory.mktemp("clip_export") / "model").folder


@pytest.fixture
def copy(clip_export, tmp_path):
    return shutil.copytree(clip_export, tmp_path / "copy")


class TestTexts(TextEncoderPluginContract):
    @pytest.fixture
    def text_encoder(self, export):
        return text_encoder("cpu", str(export))


class TestFrames(FrameEncoderContract):
    @pytest.fixture
    def frame_encoder(self, export):
        return frame_encoder("cpu", str(export))


def test_both_sides_have_the_vectors_of_the_original(folder, export):
    original, exported = hgrkit_clip.text_encoder("cpu", str(folder)), text_encoder("cpu", str(export))
    np.testing.assert_allclose(exported.encode(SENTENCES), original.encode(SENTENCES), atol=1e-4)
    assert exported.omitted_tokens(SENTENCES) == original.omitted_tokens(SENTENCES)
    assert exported.omitted_tokens(SENTENCES)[2] > 0
    original, exported = hgrkit_clip.frame_encoder("cpu", str(folder)), frame_encoder("cpu", str(export))
    for size in [(32, 32), (48, 64), (90, 50), (20, 24)]:
        pictures = np.random.default_rng(0).integers(0, 256, (3, *size, 3), dtype=np.uint8)
        np.testing.assert_allclose(exported.encode(pictures), original.encode(pictures), atol=1e-4)


def run_without_torch(*arguments):
    command = [sys.executable, "-c", WITHOUT_TORCH, *map(str, arguments), "--json"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_index_and_search_need_no_torch(folder, export, videos, tmp_path):
    assert run_without_torch("index", videos, "--library", tmp_path / "lib", "--model", export)["indexed"] == 5
    found = run_without_torch("search", SENTENCES[0], "--library", tmp_path / "lib")["hits"]
    with Retriever.create(tmp_path / "torch", model=f"clip:{folder}", device="cpu") as original:
        original.index(videos)
        expected = {hit.video: hit for hit in original.search(SENTENCES[0]).hits}
    for hit in found:
        assert hit["score"] == pytest.approx(expected[hit["video"]].score, abs=1e-3)  # libraries keep float16
        assert len(hit["phrases"]) == len(expected[hit["video"]].phrases)


def test_prompts_and_level_weights_are_kept(clip_folder, tmp_path):
    config = {"format": 1, **hgrkit_clip.model_config("cpu", str(clip_folder))}
    config["text"]["prompts"] = "video"
    config["matcher"]["level_weights"] = [5, 2, 1]
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    made = LoadedModel.load(export_onnx(str(tmp_path / "model"), tmp_path / "out").folder, device="cpu")
    assert made.query_side.settings.level_weights == (5, 2, 1)
    texts = hgrkit_clip.text_encoder("cpu", str(clip_folder))
    with Retriever.create(tmp_path / "lib", model=tmp_path / "out", device="cpu") as retriever:
        (query,) = retriever.read(["a dog"]).queries
    np.testing.assert_allclose(query.event, texts.encode(["a video of a dog"])[0], atol=1e-4)


def test_an_export_searches_what_its_original_indexed_and_adds_nothing(clip_folder, clip_export, videos, tmp_path):
    with Retriever.create(tmp_path / "lib", model=f"clip:{clip_folder}", device="cpu") as original:
        original.index(videos)
        expected = original.scores(SENTENCES)
    with Retriever.open(tmp_path / "lib", model=clip_export, device="cpu") as exported:
        np.testing.assert_allclose(exported.scores(SENTENCES), expected, atol=1e-4)
        hits = exported.search(SENTENCES[0]).hits
    found = run_without_torch("search", SENTENCES[0], "--library", tmp_path / "lib", "--model", clip_export)[
        "hits"
    ]
    assert [hit["score"] for hit in found] == pytest.approx([hit.score for hit in hits], abs=1e-6)
    with pytest.raises(LibraryMismatchError, match="was made with model 'clip:"):
        Retriever.open(tmp_path / "lib", mode="w", model=clip_export, device="cpu")


def test_an_export_refuses_the_library_of_another_model(clip_export, videos, tmp_path, tiny_models):
    other = tiny_models.write_clip(tmp_path / "other", seed=1)
    with Retriever.create(tmp_path / "lib", model=f"clip:{other}", device="cpu") as retriever:
        retriever.index(videos / "0.mp4")
    with pytest.raises(LibraryMismatchError, match="was made with model 'clip:"):
        Retriever.open(tmp_path / "lib", model=clip_export, device="cpu")


def test_the_fingerprint_is_the_exports_own_and_follows_its_files(clip_folder, clip_export, copy, tmp_path):
    texts, frames = text_encoder("cpu", str(clip_export)), frame_encoder("cpu", str(clip_export))
    assert texts.fingerprint == frames.fingerprint == text_encoder("cpu", str(copy)).fingerprint
    assert texts.fingerprint != hgrkit_clip.text_encoder("cpu", str(clip_folder)).fingerprint
    other = export_onnx(f"clip:{clip_folder}", tmp_path / "int8", int8=True)
    assert frame_encoder("cpu", str(other.folder)).fingerprint != frames.fingerprint


def test_8_bit_weights_stay_near_and_move_pictures_alone(clip_folder, clip_export, tmp_path):
    made = export_onnx(f"clip:{clip_folder}", tmp_path / "int8", int8=True)
    pictures = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    exact, rounded = (
        unit_vectors(frame_encoder("cpu", str(folder)).encode(pictures)) for folder in (clip_export, made.folder)
    )
    assert 1e-4 < np.abs(rounded - exact).max() < 0.1
    assert (rounded * exact).sum(axis=1).min() > 0.99
    texts = [text_encoder("cpu", str(folder)).encode(SENTENCES) for folder in (clip_export, made.folder)]
    np.testing.assert_array_equal(*texts)


@pytest.fixture
def told(capsys, monkeypatch):
    """Runs the command line; returns the one line that it tells."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["hgrkit", "export-onnx", *map(str, arguments)])
        with pytest.raises(SystemExit, match="2"):
            main()
        (line,) = capsys.readouterr().err.strip().splitlines()
        return line

    return run


def test_what_cannot_be_exported_is_told_in_one_line(told, clip_folder, tmp_path, monkeypatch):
    out = tmp_path / "out"
    assert "there is no folder" in told(f"clip:{tmp_path}/none", out)
    assert "no model named 'nothing'" in told("nothing", out)
    assert "exists; name a folder" in told(f"clip:{clip_folder}", tmp_path)
    assert "is exported in float32; leave its" in told(f"clip:{clip_folder}?precision=bfloat16", out)
    monkeypatch.setattr("torch.onnx.export", lambda *_, **__: 1 / 0)
    line = told(f"clip:{clip_folder}", out)
    assert "torch cannot express 'clip' in ONNX (ZeroDivisionError" in line
    assert not [path.name for path in tmp_path.iterdir()]


def test_an_export_with_other_vectors_is_not_kept(told, clip_folder, tmp_path, monkeypatch):
    inputs = hgrkit_clip.encoders.DualModel.text_features
    monkeypatch.setattr(
        hgrkit_clip.encoders.DualModel, "text_features", lambda self, texts: inputs(self, texts) + 0.01
    )
    line = told(f"clip:{clip_folder}", tmp_path / "out")
    assert "computes other vectors of texts than the model" in line
    assert not [path.name for path in tmp_path.iterdir()]


@pytest.mark.parametrize(("module", "what"), [("onnx", "an export"), ("onnxruntime.quantization", "int8")])
def test_the_package_that_is_missing_is_named(clip_folder, tmp_path, monkeypatch, module, what):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingPackageError, match=f"{what} needs the package onnx: pip install onnx"):
        export_onnx(f"clip:{clip_folder}", tmp_path / "out", int8=True)
    assert not (tmp_path / "out").exists()


def test_an_export_that_changed_is_refused(copy):
    graph = copy / "texts" / "model.onnx"
    graph.write_bytes(graph.read_bytes()[:-1] + b"x")
    with pytest.raises(CheckpointError, match=r"texts/model.onnx is not what was exported; export it again"):
        text_encoder("cpu", str(copy))
    assert frame_encoder("cpu", str(copy)).feature_dim == 24
    graph.unlink()
    with pytest.raises(CheckpointError, match=r"lacks texts/model.onnx; export it again"):
        text_encoder("cpu", str(copy))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "sides.json"),
        ('{"format": 9}', "has format 9"),
        ('{"format": 1}', "is not understood: 'files'"),
    ],
)
def test_sides_that_cannot_be_read_are_told(copy, content, reason):
    (copy / "sides.json").write_text(content)
    with pytest.raises(CheckpointError, match=reason):
        frame_encoder("cpu", str(copy))


def test_a_folder_without_an_export_is_told(tmp_path):
    with pytest.raises(CheckpointError, match=r"has no sides.json; make it with hgrkit export-onnx"):
        text_encoder("cpu", str(tmp_path))
    with pytest.raises(ConfigError, match="name the folder that hgrkit export-onnx made"):
        text_encoder("cpu")
