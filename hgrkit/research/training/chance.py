"""The generators of torch, numpy and Python: seeded for a run, kept in its state, given back after."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["chance_state", "restore_chance", "seeded"]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Run a block with the three generators seeded; afterwards they go on where they were."""
    tensors, record = chance_state()
    try:
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002 - a model may use numpy's own generator
        random.seed(seed)
        yield
    finally:
        restore_chance(tensors, record)


def chance_state() -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Where the generators are: tensors by name, and what is JSON."""
    name, keys, position, has_gauss, gauss = np.random.get_state()  # noqa: NPY002
    version, internal, following = random.getstate()
    tensors = {"torch": torch.get_rng_state(), "numpy": torch.from_numpy(np.asarray(keys).astype(np.int64))}
    if torch.cuda.is_available():
        tensors |= {f"cuda.{number}": state for number, state in enumerate(torch.cuda.get_rng_state_all())}
    record = {"numpy": [name, position, has_gauss, gauss], "python": [version, list(internal), following]}
    return tensors, record


def restore_chance(tensors: Mapping[str, Tensor], record: Mapping[str, Any]) -> None:
    """Put the generators where `chance_state` found them."""
    torch.set_rng_state(tensors["torch"])
    on_gpus = [tensors[name] for name in sorted(tensors) if name.startswith("cuda.")]
    if on_gpus and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(on_gpus[: torch.cuda.device_count()])
    name, position, has_gauss, gauss = record["numpy"]
    keys = tensors["numpy"].numpy().astype(np.uint32)
    np.random.set_state((name, keys, position, has_gauss, gauss))  # noqa: NPY002
    version, internal, following = record["python"]
    random.setstate((version, tuple(internal), following))
