"""All that a run needs to go on as if it had never stopped, in one file: tensors and JSON, never a pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import safetensors
import safetensors.torch
from torch import Tensor
from torch.optim import Optimizer

from hgrkit.errors import CheckpointError
from hgrkit.library.atomic_file import write_atomically

__all__ = ["STATE_FILE", "TrainingState", "load_optimizer", "optimizer_tensors", "read_state", "write_state"]

STATE_FILE = "state.safetensors"
FORMAT = 1


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
    """Write the state; the old one is there until the new one is, whatever happens in between."""
    flat = {
        f"{part}/{name}": tensor.detach().cpu().contiguous()
        for part, tensors in state.tensors.items()
        for name, tensor in tensors.items()
    }
    text = json.dumps({"format": FORMAT, **state.record})
    write_atomically(folder / STATE_FILE, safetensors.torch.save(_apart(flat), metadata={"run": text}))


def read_state(folder: Path) -> TrainingState | None:
    """The state in a run folder; `None` if there is none.

    Raises:
        CheckpointError: if it cannot be read, or another version wrote it.
    """
    path = folder / STATE_FILE
    if not path.is_file():
        return None
    tensors: dict[str, dict[str, Tensor]] = {}
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            record = json.loads((file.metadata() or {})["run"])
            for key in file.keys():  # noqa: SIM118 - the file is no mapping
                part, _, name = key.partition("/")
                tensors.setdefault(part, {})[name] = file.get_tensor(key)
    except (safetensors.SafetensorError, OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"the state {path} cannot be read: {error}; remove it to start again.") from error
    if record.pop("format", None) != FORMAT:
        raise CheckpointError(f"the state {path} is of another version of hgrkit; remove it to start again.")
    return TrainingState(tensors=tensors, record=record)


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """An optimiser's tensors, by the number of the weight and their name."""
    state = optimizer.state_dict()["state"]
    return {f"{number}.{name}": value for number, values in state.items() for name, value in values.items()}


def load_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `optimizer_tensors` took."""
    whole = optimizer.state_dict()
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        number, _, name = key.partition(".")
        state.setdefault(int(number), {})[name] = tensor
    optimizer.load_state_dict({**whole, "state": state})


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors that share no memory, which the format asks for."""
    seen: set[int] = set()
    apart = {}
    for name, tensor in tensors.items():
        place = tensor.data_ptr()
        apart[name] = tensor.clone() if place in seen else tensor
        seen.add(place)
    return apart
