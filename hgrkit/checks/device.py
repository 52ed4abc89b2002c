"""Devices: which one there is, full precision on it, and what running out of its memory means."""

from __future__ import annotations

import ctypes
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hgrkit.checks.arguments import check_instance
from hgrkit.errors import ConfigError, DeviceMemoryError

if TYPE_CHECKING:
    import torch

__all__ = ["device_memory", "full_precision", "resolve_device"]

_logger = logging.getLogger(__name__)


def resolve_device(device: str | torch.device) -> str:
    """Return a device that computes: `auto` becomes `cuda`, `mps` or `cpu`, other names are checked.

    A GPU is proved by a small computation, as a driver may list one that torch was not built for. `auto` passes
    over such a GPU with a warning in the log. `cpu:0` is `cpu`.

    Raises:
        ConfigError: if torch does not know the name, the machine has no such device, or it does not compute; the
            message lists the devices that exist.
    """
    if isinstance(device, str) and (device in ("cpu", "cpu:0") or (device == "auto" and not _may_have_gpu())):
        return "cpu"
    import torch

    if not isinstance(device, str):
        hint = "give 'auto', 'cpu', 'cuda' or 'mps'"
        device = str(check_instance("device", device, torch.device, hint=hint))
    cuda = [f"cuda:{number}" for number in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    gpus = [*(["cuda"] if cuda else []), *(["mps"] if torch.backends.mps.is_available() else [])]
    if device == "auto":
        faults = {gpu: _fault(gpu) for gpu in gpus}
        for gpu, fault in faults.items():
            if fault is not None:
                _logger.warning("the device %s is passed over, as it does not compute: %s", gpu, fault)
        return next((gpu for gpu, fault in faults.items() if fault is None), "cpu")
    fault = _fault(device)
    if fault is None:
        return "cpu" if torch.device(device).type == "cpu" else device
    there = ", ".join(map(repr, ["cpu", *gpus, *cuda]))
    if device in (*gpus, *cuda):
        raise ConfigError(f"the device {device!r} does not compute ({fault}); use 'cpu', or repair its driver.")
    without = device.startswith("cuda") and torch.version.cuda is None
    built = " (this torch is built without CUDA)" if without else ""
    raise ConfigError(f"there is no device {device!r} here{built}; use 'auto', or one of: {there}.")


def _fault(device: str) -> str | None:
    """Why a device does not compute."""
    import torch

    try:
        ones = torch.ones(2, device=device)
        computes = ones.device.type != "meta" and float((ones + ones).sum()) == 4
    except (RuntimeError, AssertionError, ImportError, TypeError, ValueError, NotImplementedError) as error:
        return str(error).partition("\n")[0] or type(error).__name__
    return None if computes else "it returns a wrong sum"


def _may_have_gpu() -> bool:
    """Whether torch, which takes a second to import, has to be asked for a GPU: not without the driver of one."""
    if sys.platform == "darwin":
        return True
    if Path("/dev/kfd").exists():  # AMD's; torch brings the rest of that driver itself
        return True
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")  # the one that torch loads
    except OSError:
        return False
    return True


@contextmanager
def full_precision(device: str | torch.device) -> Iterator[None]:
    """Run a block without TF32, which moves features by 1e-2 on recent GPUs; a host's settings come back after it.

    Convolutions and recurrences take TF32 unless told otherwise, products only if the host program asks for it.
    On other devices nothing is touched.
    """
    if not str(device).startswith("cuda"):
        yield
        return
    import torch

    cuda, cudnn = torch.backends.cuda, torch.backends.cudnn
    # The settings by operator (torch 2.9) cannot be read through the older switch once they differ.
    by_operator = hasattr(cudnn, "rnn")
    setting, off = ("fp32_precision", "ieee") if by_operator else ("allow_tf32", False)
    places = [getattr(cudnn, name) for name in ("conv", "rnn")] if by_operator else [cudnn]
    places.append(cuda.matmul)
    earlier = [getattr(place, setting) for place in places]
    try:
        for place in places:
            setattr(place, setting, off)
        yield
    finally:
        for place, value in zip(places, earlier, strict=True):
            setattr(place, setting, value)


@contextmanager
def device_memory(hint: str) -> Iterator[None]:
    """Turn "out of memory" on a device into an error that says what to do.

    Raises:
        DeviceMemoryError: instead of torch's own error.
    """
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        raise DeviceMemoryError(f"the device's memory is full; {hint}.") from error
