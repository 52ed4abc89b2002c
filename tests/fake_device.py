"""A second device without hardware: its tensors say that they lie on `mps`, and refuse to meet those of the CPU.

They are computed on the CPU. A step that forgets to move a tensor, or takes an array of one that was not moved
back, fails as it would on a GPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map

__all__ = ["NAME", "OnDevice", "fake_device"]

NAME = "mps"
_DEVICE = torch.device(NAME, 0)
_CPU = torch.device("cpu")
_PACKING = ("aten::_pack_padded_sequence", "aten::_pad_packed_sequence")
"""Operators whose counts lie on the CPU on a GPU, too."""

_FREE = ("aten::copy_", "aten::index", "aten::_index_put", "aten::index_put", *_PACKING)
"""Operators that take tensors of both kinds on a GPU, too: indices may lie on the CPU."""


class OnDevice(torch.Tensor):
    """A tensor of the device; `inner` has its values."""

    inner: torch.Tensor

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> OnDevice:
        return torch.Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            layout=inner.layout,
            requires_grad=inner.requires_grad,
        )

    def __init__(self, inner: torch.Tensor) -> None:
        self.inner = inner

    def __repr__(self) -> str:
        return f"OnDevice({self.inner!r})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name
        tensors = [leaf for leaf in tree_flatten((args, kwargs or {}))[0] if isinstance(leaf, torch.Tensor)]
        strays = [tensor for tensor in tensors if not isinstance(tensor, OnDevice) and tensor.ndim]
        if strays and not name.startswith(_FREE):
            raise RuntimeError(f"{name} meets tensors of the CPU: {[tuple(tensor.shape) for tensor in strays]}")
        if name == "aten::copy_" and not isinstance(args[0], OnDevice):
            args[0].copy_(args[1].inner)
            return args[0]
        if name == "aten::_local_scalar_dense":
            fake_device.syncs += 1
        inner_args, inner_kwargs = tree_map(_inner, (args, kwargs or {}))
        if name.startswith(_PACKING):
            results = func(*inner_args, **inner_kwargs)
            return tree_map(lambda leaf: _on_device(leaf) if leaf.is_floating_point() else leaf, results)
        result = tree_map(_on_device, func(*inner_args, **inner_kwargs))
        return return_and_correct_aliasing(func, args, kwargs or {}, result)


def _inner(leaf: Any) -> Any:
    return leaf.inner if isinstance(leaf, OnDevice) else leaf


def _on_device(leaf: Any) -> Any:
    return OnDevice(leaf) if isinstance(leaf, torch.Tensor) and not isinstance(leaf, OnDevice) else leaf


class _Move(torch.autograd.Function):
    """What `Tensor.to` does between the devices, with a gradient."""

    @staticmethod
    def forward(context: Any, tensor: torch.Tensor, there: bool, dtype: torch.dtype) -> torch.Tensor:
        context.back, context.dtype = not there, tensor.dtype
        return _moved(tensor, there, dtype)

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> Any:  # type: ignore[override]
        return _moved(gradient, not context.back and not isinstance(gradient, OnDevice), context.dtype), None, None


def _moved(tensor: torch.Tensor, there: bool, dtype: torch.dtype) -> torch.Tensor:
    inner = _inner(tensor).to(dtype, copy=True)
    fake_device.syncs += isinstance(tensor, OnDevice) and not there
    return OnDevice(inner) if there else inner


_GET_DEVICE = torch.Tensor.device.__get__
_MOVES = (torch.Tensor.to, torch.Tensor.cpu)


class _Mode(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func == _GET_DEVICE:  # a new object each time
            return _DEVICE if isinstance(args[0], OnDevice) else func(*args, **kwargs)
        if func in _MOVES:
            return self._move(func, args, kwargs)
        if func is torch.Tensor.numpy and isinstance(args[0], OnDevice):
            raise TypeError("a tensor of the device has no array; move it to the CPU first")
        if func is torch.Tensor.tolist and isinstance(args[0], OnDevice):
            return self._move(torch.Tensor.cpu, args, {}).tolist()
        device = kwargs.get("device")
        if device is not None and torch.device(device).type == NAME:
            return tree_map(_on_device, func(*args, **{**kwargs, "device": _CPU}))
        return func(*args, **kwargs)

    def _move(self, func: Any, args: Any, kwargs: Any) -> torch.Tensor:
        tensor, device, dtype = args[0], kwargs.get("device"), kwargs.get("dtype")
        for argument in args[1:]:
            if isinstance(argument, torch.dtype):
                dtype = argument
            elif isinstance(argument, str | torch.device):
                device = torch.device(argument)
            elif isinstance(argument, torch.Tensor):
                device, dtype = argument.device, argument.dtype
        there = isinstance(tensor, OnDevice) if device is None else torch.device(device).type == NAME
        there = there and func is not torch.Tensor.cpu
        dtype = dtype or tensor.dtype
        if there == isinstance(tensor, OnDevice) and dtype == tensor.dtype and not kwargs.get("copy"):
            return tensor
        return _Move.apply(tensor, there, dtype)


@contextmanager
def fake_device() -> Iterator[None]:
    """A block in which `mps` is there."""
    fake_device.syncs = 0
    torch.__future__.set_overwrite_module_params_on_conversion(True)  # data cannot be set across kinds of tensors
    try:
        with mock.patch.object(torch.backends.mps, "is_available", return_value=True), _Mode():
            yield
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(False)


def copies_to_cpu() -> int:
    """How many values the CPU has waited for since the block began."""
    return int(fake_device.syncs)
