"""Devices: one that does not compute is not used, precision is kept, and a full memory says what to do."""

from __future__ import annotations

import logging
from unittest import mock

import pytest
import torch

from hgrkit.checks.device import device_memory, full_precision, resolve_device
from hgrkit.errors import ConfigError, DeviceMemoryError
from tests.fake_device import NAME, fake_device


def out_of_memory(*_, **__):
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


def test_the_first_cpu_is_the_cpu():
    assert resolve_device("cpu:0") == resolve_device(torch.device("cpu", 0)) == "cpu"


def test_a_gpu_that_computes_is_used():
    with fake_device(), mock.patch("hgrkit.checks.device._may_have_gpu", return_value=True):
        assert resolve_device("auto") == resolve_device(NAME) == NAME


def test_a_gpu_that_does_not_compute_is_passed_over_or_refused(caplog):
    broken = mock.patch.object(torch.backends.mps, "is_available", return_value=True)
    with broken, mock.patch("hgrkit.checks.device._may_have_gpu", return_value=True):
        with caplog.at_level(logging.WARNING):
            assert resolve_device("auto") == "cpu"
        assert "the device mps is passed over" in caplog.text
        with pytest.raises(ConfigError, match=r"'mps' does not compute .*; use 'cpu'"):
            resolve_device("mps")


def settings():
    cuda, cudnn = torch.backends.cuda, torch.backends.cudnn
    return cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision, cuda.matmul.fp32_precision


@pytest.mark.skipif(not hasattr(torch.backends.cudnn, "rnn"), reason="this torch has one setting for all")
def test_precision_is_full_in_a_block_and_then_what_the_host_program_chose():
    earlier = settings()
    torch.backends.cudnn.conv.fp32_precision = "ieee"
    torch.backends.cuda.matmul.fp32_precision = "tf32"
    try:
        chosen = settings()
        with pytest.raises(KeyError, match="'ieee', 'ieee', 'ieee'"), full_precision("cuda:1"):
            raise KeyError(*settings())
        assert settings() == chosen
        with full_precision("cpu"):
            assert settings() == chosen
    finally:
        torch.backends.cudnn.conv.fp32_precision, torch.backends.cudnn.rnn.fp32_precision = earlier[:2]
        torch.backends.cuda.matmul.fp32_precision = earlier[2]


def test_a_full_memory_says_what_to_do():
    with (
        pytest.raises(DeviceMemoryError, match=r"^the device's memory is full; lower batch_size\.$"),
        device_memory("lower batch_size"),
    ):
        out_of_memory()
