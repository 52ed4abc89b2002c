"""The script that makes the frame encoder's files: its graph is the torch module, for every variant."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from hgrkit.video.efficientnet_layout import VARIANTS, layout
from hgrkit.video.efficientnet_lite import EfficientNetLite


@pytest.fixture
def script(scripts):
    return scripts.build_frame_encoder


def random_weights(variant):
    """He-initialised, so that features of all variants are of ordinary size."""
    generator = torch.Generator().manual_seed(0)
    weights = {}
    for convolution in layout(variant).convolutions:
        inputs = convolution.in_channels // convolution.groups
        shape = (convolution.out_channels, inputs, convolution.kernel, convolution.kernel)
        fan = inputs * convolution.kernel**2
        weights[f"{convolution.name}.weight"] = torch.randn(shape, generator=generator) * (2 / fan) ** 0.5
        weights[f"{convolution.name}.bias"] = torch.randn(shape[0], generator=generator) * 0.1
    return weights


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS.keys())
def test_the_graph_computes_what_the_module_computes(script, variant, tmp_path):
    script.build(variant, random_weights(variant), tmp_path)
    pictures = script.check_pictures(variant.frame_size)
    graph, module = (
        EfficientNetLite(tmp_path, variant=variant.name, engine=engine).encode(pictures)
        for engine in ("onnxruntime", "torch")
    )
    assert module.std(axis=0).max() > 1e-2
    np.testing.assert_allclose(graph, module, atol=1e-4 * np.abs(module).max(), rtol=0)


def test_weights_of_our_own_become_an_encoder(script, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(script, "PUBLISHED", ())
    weights = random_weights(VARIANTS["efficientnet-lite1"])
    save_file(weights, tmp_path / "own.safetensors")
    arguments = ["--variant", "lite1", "--weights", str(tmp_path / "own.safetensors"), "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["build_frame_encoder.py", *arguments])
    script.main()
    assert "onnxruntime: differs from torch by at most" in capsys.readouterr().out
    written = load_file(tmp_path / "efficientnet-lite1.safetensors")
    assert written.keys() == weights.keys()
    assert all(torch.equal(written[name], tensor) for name, tensor in weights.items())


def test_weights_of_another_variant_are_refused(script, tmp_path):
    save_file(random_weights(VARIANTS["efficientnet-lite0"]), tmp_path / "own.safetensors")
    with pytest.raises(SystemExit, match="does not hold efficientnet-lite2"):
        script.own_weights(VARIANTS["efficientnet-lite2"], tmp_path / "own.safetensors")


def test_a_variant_without_published_weights_asks_for_some(script):
    with pytest.raises(SystemExit, match="--weights"):
        script.published_weights(VARIANTS["efficientnet-lite4"])
