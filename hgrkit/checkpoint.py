"""Model folders: config, weights in safetensors, the text encoder's files and a model card; never a pickle."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from hgrkit.builder import build_model
from hgrkit.errors import CheckpointError, ModelNotFoundError
from hgrkit.model import HgrModel
from hgrkit.model_folder import CARD_FILE, CONFIG_FILE, WEIGHTS_FILE

__all__ = ["CARD_FILE", "CONFIG_FILE", "WEIGHTS_FILE", "load_model", "model_fingerprint", "save_model"]


def save_model(
    model: HgrModel, folder: str | Path, *, card: str = "", notes: dict[str, str] | None = None
) -> Path:
    """Write a model folder; one that is already there is replaced whole.

    Args:
        model: the model.
        folder: where to.
        card: text of `MODEL_CARD.md`: what the model is, its data, terms and numbers.
        notes: further text files by name, such as the settings that it was trained with.

    Returns:
        The folder.

    Raises:
        CheckpointError: if something that is not a model folder is already there.
    """
    return model.save(folder, card=card, notes=notes)


def load_model(folder: str | Path, *, device: torch.device | str = "cpu") -> HgrModel:
    """Read a model folder, in evaluation mode.

    Raises:
        ModelNotFoundError: if there is no model folder at that path.
        CheckpointError: if it is incomplete or damaged, or its weights do not fit its config; they are listed.
    """
    source = Path(folder)
    config = _read_config(source)
    model = build_model(config, source)
    weights = _read_weights(source / WEIGHTS_FILE)
    _check_weights(source, model.state_dict(), weights)
    model.load_state_dict(weights)
    model.to(device)
    model.eval()
    return model


def model_fingerprint(folder: str | Path) -> str:
    """`sha256:` and the digest of everything in a model folder but its card and hidden files.

    Raises:
        ModelNotFoundError: if there is no model folder at that path.
    """
    source = Path(folder)
    _read_config(source)
    digest = hashlib.sha256()
    for path in sorted(path for path in source.rglob("*") if path.is_file()):
        if path.name != CARD_FILE and not path.name.startswith("."):
            with path.open("rb") as stream:
                content = hashlib.file_digest(stream, "sha256").hexdigest()
            digest.update(f"{path.relative_to(source).as_posix()}\0{content}\n".encode())
    return f"sha256:{digest.hexdigest()}"


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG_FILE
    if not path.is_file():
        raise ModelNotFoundError(f"{folder} is not a model folder: it has no {CONFIG_FILE}.")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{path} is not JSON: {error}") from error
    if not isinstance(config, dict):
        raise CheckpointError(f"{path} must hold a JSON object, got {type(config).__name__}.")
    return config


def _read_weights(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise CheckpointError(f"the weights {path} are missing.")
    try:
        return safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error


def _check_weights(folder: Path, expected: dict[str, Tensor], found: dict[str, Tensor]) -> None:
    problems = [f"missing {name}" for name in expected if name not in found]
    problems += [f"surplus {name}" for name in found if name not in expected]
    problems += [
        f"{name} holds {found[name].dtype} and should hold {tensor.dtype}"
        for name, tensor in expected.items()
        if name in found and found[name].is_floating_point() != tensor.is_floating_point()
    ]
    problems += [
        f"{name} holds numbers that are not finite"
        for name, tensor in found.items()
        if not bool(tensor.isfinite().all())
    ]
    problems += [
        f"{name} is {list(found[name].shape)} and should be {list(tensor.shape)}"
        for name, tensor in expected.items()
        if name in found and found[name].shape != tensor.shape
    ]
    if problems:
        raise CheckpointError(f"{folder}: the weights do not fit the config: {'; '.join(problems)}.")
