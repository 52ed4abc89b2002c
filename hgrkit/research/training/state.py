"""All that a run needs to resume as if it had never stopped, in one file: tensors and JSON, never a pickle."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor
from torch.optim import Optimizer

from hgrkit.errors import CheckpointError
from hgrkit.storage.atomic_file import write_atomically, writing

__all__ = [
    "STATE_FILE",
    "TrainingState",
    "load_optimizer",
    "misfit",
    "optimizer_tensors",
    "read_state",
    "require_fit",
    "restore_rng_state",
    "rng_state",
    "seeded",
    "write_state",
]

STATE_FILE = "state.safetensors"
FORMAT = 2
"""The version of the file; in it the state of the random generators is called `chance`."""

_ANEW = "start over with --no-resume (resume=False), or choose another folder"
_RECORD: dict[str, type | tuple[type, ...]] = {
    "settings": dict,
    "epoch": int,
    "done": int,
    "sums": dict,
    "seconds": (int, float),
    "best_epoch": int,
    "log": list,
    "chance": dict,
}
# What Adam and AdamW keep of every weight.
_MOMENTS = ("step", "exp_avg", "exp_avg_sq")
_TENSORS = ("model/", "best/", "chance/torch", "chance/numpy")


@attrs.frozen(kw_only=True, eq=False, repr=False)
class TrainingState:
    """A run at the end of a step.

    Attributes:
        tensors: by part: `model`, `loss`, `optimizer`, `average`, `best`, `chance`; then by name.
        record: everything else, as JSON.
    """

    tensors: Mapping[str, Mapping[str, Tensor]]
    record: Mapping[str, Any]

    def part(self, name: str) -> dict[str, Tensor]:
        """The tensors of a part, none if the run has no such part."""
        return dict(self.tensors.get(name, {}))


def write_state(state: TrainingState, folder: Path) -> None:
    """Write the state; the old one is there until the new one is, whatever happens in between.

    Raises:
        OSError: if the disk is full or fails.
    """
    flat = {
        f"{part}/{name}": tensor.detach().cpu().contiguous()
        for part, tensors in state.tensors.items()
        for name, tensor in tensors.items()
    }
    text = json.dumps({"format": FORMAT, **state.record})
    metadata = {"run": text, "sha256": _digest(text, flat)}
    with writing(folder / STATE_FILE):
        write_atomically(folder / STATE_FILE, safetensors.torch.save(_unshared(flat), metadata=metadata))


def read_state(folder: Path) -> TrainingState | None:
    """The state in a run folder; `None` if there is none.

    Raises:
        CheckpointError: if it cannot be read, is not what was written, lacks a part, or is of another version.
    """
    path = folder / STATE_FILE
    if not path.is_file():
        return None
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            text = metadata["run"]
            record = json.loads(text)
            flat = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - the file is no mapping
    except (safetensors.SafetensorError, OSError, ValueError, KeyError, RecursionError) as error:
        raise CheckpointError(f"the state {path} cannot be read: {error}; {_ANEW}.") from error
    if not isinstance(record, dict) or record.pop("format", None) != FORMAT:
        raise CheckpointError(f"the state {path} is of another version of hgrkit; {_ANEW}.")
    if metadata.get("sha256") != _digest(text, flat):
        raise CheckpointError(f"the state {path} is not what was written (its SHA-256 differs); {_ANEW}.")
    tensors: dict[str, dict[str, Tensor]] = {}
    for key, tensor in flat.items():
        part, _, name = key.partition("/")
        tensors.setdefault(part, {})[name] = tensor
    lacking = _lacking(record, tensors)
    if lacking:
        raise CheckpointError(f"the state {path} has no {', '.join(lacking)} of the right kind; {_ANEW}.")
    return TrainingState(tensors=tensors, record=record)


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """An optimiser's tensors, by the number of the weight and their name."""
    state = optimizer.state_dict()["state"]
    return {f"{number}.{name}": value for number, values in state.items() for name, value in values.items()}


def load_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `optimizer_tensors` took.

    Raises:
        CheckpointError: if it is of an optimiser of other weights, or not whole.
    """
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        number, _, name = key.partition(".")
        if not number.isdigit() or int(number) >= len(weights):
            raise misfit(f"its optimizer/{key} belongs to no weight")
        if name != "step" and tensor.shape != weights[int(number)].shape:
            raise misfit(f"its optimizer/{key} has the shape of another weight")
        state.setdefault(int(number), {})[name] = tensor
    for place, values in state.items():
        lacking = [name for name in _MOMENTS if name not in values]
        if lacking:
            raise misfit(f"it has no optimizer/{place}.{lacking[0]}")
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def require_fit(state: TrainingState, part: str, expected: Mapping[str, Tensor]) -> None:
    """Refuse a state whose tensors of a part are not those of what they are loaded into.

    Raises:
        CheckpointError: if one is missing, one too many, or of another shape.
    """
    found = state.part(part)
    for name in [*expected, *found]:
        if name not in found:
            raise misfit(f"it has no {part}/{name}")
        if name not in expected or found[name].shape != expected[name].shape:
            raise misfit(f"its {part}/{name} belongs to another model")


def misfit(reason: str) -> CheckpointError:
    """The error of a state that is intact but belongs to another run."""
    return CheckpointError(f"the state does not fit the run: {reason}; {_ANEW}.")


def _lacking(record: Mapping[str, Any], tensors: Mapping[str, Mapping[str, Tensor]]) -> list[str]:
    """What a run cannot resume without and is not there, or is something else."""
    lacking = [name for name, kind in _RECORD.items() if not isinstance(record.get(name), kind)]
    if "log" not in lacking and not all(isinstance(entry, dict) for entry in record["log"]):
        lacking.append("log")
    needed = [*_TENSORS, *(["optimizer/"] if record.get("epoch") or record.get("done") else [])]
    for name in needed:
        part, _, tensor = name.partition("/")
        if not tensors.get(part) or (tensor and tensor not in tensors[part]):
            lacking.append(name)
    return lacking


def _digest(text: str, tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of the record and of every tensor with its name, type and shape."""
    digest = hashlib.sha256(text.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"\0{name} {tensor.dtype} {list(tensor.shape)}\0".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _unshared(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors without shared memory, such as tied weights have, which the format refuses."""
    seen: set[int] = set()
    copied = {}
    for name, tensor in tensors.items():
        place = tensor.data_ptr()
        copied[name] = tensor.clone() if place in seen else tensor
        seen.add(place)
    return copied


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Run a block with the three generators seeded; afterwards they continue where they were."""
    tensors, record = rng_state()
    try:
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002 - a model may use numpy's own generator
        random.seed(seed)
        yield
    finally:
        restore_rng_state(tensors, record)


def rng_state() -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The state of the generators of torch, numpy and Python: tensors by name, and what is JSON."""
    name, keys, position, has_gauss, gauss = np.random.get_state()  # noqa: NPY002
    version, internal, following = random.getstate()
    # numpy's words are uint32, which few of torch's functions take.
    tensors = {"torch": torch.get_rng_state(), "numpy": torch.from_numpy(np.asarray(keys).astype(np.int64))}
    if torch.cuda.is_available():
        tensors |= {f"cuda.{number}": state for number, state in enumerate(torch.cuda.get_rng_state_all())}
    record = {"numpy": [name, position, has_gauss, gauss], "python": [version, list(internal), following]}
    return tensors, record


def restore_rng_state(tensors: Mapping[str, Tensor], record: Mapping[str, Any]) -> None:
    """Put the generators where `rng_state` found them."""
    torch.set_rng_state(tensors["torch"])
    on_gpus = [tensors[f"cuda.{number}"] for number in range(len(tensors)) if f"cuda.{number}" in tensors]
    if on_gpus and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(on_gpus[: torch.cuda.device_count()])
    name, position, has_gauss, gauss = record["numpy"]
    keys = tensors["numpy"].numpy().astype(np.uint32)
    np.random.set_state((name, keys, position, has_gauss, gauss))  # noqa: NPY002
    version, internal, following = record["python"]
    random.setstate((version, tuple(internal), following))
