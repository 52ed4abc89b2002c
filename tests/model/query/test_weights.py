"""Weights as arrays: the right ones, all of them, and nothing that is no number."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from hgrkit.errors import CheckpointError
from hgrkit.model.query.layers import Weights


@pytest.fixture
def save(tmp_path):
    def saved(**tensors):
        path = tmp_path / "weights.safetensors"
        save_file({name.replace("__", "."): tensor for name, tensor in tensors.items()}, path)
        return path

    return saved


def test_only_what_begins_with_the_name_is_read(save):
    weights = Weights.read(save(text__a=torch.ones(2), texture__a=torch.ones(3), video__a=torch.ones(4)), "text")
    np.testing.assert_array_equal(weights.take("a", 2), [1, 1])
    weights.require_all_taken()


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_every_precision_becomes_float32(save, dtype):
    weights = Weights.read(save(text__a=torch.tensor([0.5, -2.0], dtype=dtype)), "text")
    array = weights.take("a", 2)
    assert array.dtype == np.float32
    assert array.tolist() == [0.5, -2.0]


@pytest.mark.parametrize(
    "tensor",
    [
        torch.tensor([float("nan")]),
        torch.tensor([float("inf")]),
        torch.tensor([1]),
        torch.tensor([1.0], dtype=torch.bfloat16),
    ],
    ids=["nan", "infinity", "integers", "bfloat16"],
)
def test_what_numpy_cannot_compute_with_is_refused(save, tensor):
    with pytest.raises(CheckpointError):
        Weights.read(save(text__a=tensor), "text")


@pytest.mark.parametrize("content", [None, b"", b"nothing", b"\xff" * 64])
def test_a_file_that_is_none_is_refused(tmp_path, content):
    path = tmp_path / "weights.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match="cannot be read"):
        Weights.read(path, "text")


def test_weights_that_nothing_asked_for_are_named():
    weights = Weights({"graph.a": np.zeros(1, np.float32), "graph.b": np.zeros(1, np.float32)})
    weights.below("graph").take("a", 1)
    with pytest.raises(CheckpointError, match=r"surplus weights \['graph.b'\]"):
        weights.require_all_taken()


def test_weights_that_are_missing_are_named():
    with pytest.raises(CheckpointError, match=r"graph\.a should be \[2\] and are missing"):
        Weights({}).below("graph").take("a", 2)
