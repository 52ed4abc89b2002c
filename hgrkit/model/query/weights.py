"""Reads the weights of a model folder as arrays: each is asked for by name and shape, and none may be left."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from hgrkit.errors import CheckpointError

__all__ = ["Float32", "Weights"]

Float32 = npt.NDArray[np.float32]


class Weights:
    """The arrays of a file below one name.

    >>> weights = Weights({"event.bias": np.zeros(3, np.float32)})
    >>> weights.below("event").take("bias", 3).tolist()
    [0.0, 0.0, 0.0]
    >>> weights.require_all_taken()
    """

    def __init__(self, arrays: dict[str, Float32], name: str = "") -> None:
        """Arrays by their full names, and the name that all those asked for begin with."""
        self._arrays = arrays
        self._name = name

    @classmethod
    def read(cls, path: Path, name: str) -> Weights:
        """The arrays of a safetensors file whose names begin with `name` and a dot, as float32.

        Raises:
            CheckpointError: if the file cannot be read, or they are no finite real numbers that numpy knows.
        """
        arrays = {}
        try:
            with safe_open(path, "numpy") as file:
                for key in file.keys():  # noqa: SIM118 - the file is no mapping
                    if key.startswith(f"{name}."):
                        arrays[key] = file.get_tensor(key)
        except (SafetensorError, OSError, TypeError) as error:  # TypeError: bfloat16
            raise CheckpointError(f"{path} cannot be read: {error}") from error
        for key, array in arrays.items():
            if array.dtype.kind != "f" or not np.isfinite(array).all():
                raise CheckpointError(f"{path}: {key} holds {array.dtype} and should hold finite real numbers.")
        return cls({key: array.astype(np.float32, copy=False) for key, array in arrays.items()}, f"{name}.")

    def below(self, name: str) -> Weights:
        """The arrays whose names go on with `name` and a dot."""
        return Weights(self._arrays, f"{self._name}{name}.")

    def take(self, name: str, *shape: int) -> Float32:
        """One array, which is then taken.

        Raises:
            CheckpointError: if it is not there, or has another shape.
        """
        array = self._arrays.pop(self._name + name, None)
        if array is None or array.shape != shape:
            found = "missing" if array is None else list(array.shape)
            raise CheckpointError(f"the weights {self._name}{name} should be {list(shape)} and are {found}.")
        return array

    def require_all_taken(self) -> None:
        """Refuse weights that nothing asked for.

        Raises:
            CheckpointError: if any is left, whatever its name begins with.
        """
        if self._arrays:
            raise CheckpointError(f"surplus weights {sorted(self._arrays)}.")
