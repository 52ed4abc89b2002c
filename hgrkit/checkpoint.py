"""From model folders to models and back: the weights have to fit the config, to the last one."""

from __future__ import annotations

from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from hgrkit.arguments import check_instance, check_path
from hgrkit.builder import build_model
from hgrkit.errors import CheckpointError
from hgrkit.model import HgrModel
from hgrkit.model_folder import CARD_FILE, WEIGHTS_FILE, model_fingerprint, read_config
from hgrkit.video.frame_encoder import resolve_device

__all__ = ["CARD_FILE", "load_model", "model_fingerprint", "save_model"]


def save_model(
    model: HgrModel, folder: str | Path, *, card: str = "", notes: dict[str, str] | None = None
) -> Path:
    """Write a model folder: `HgrModel.save`, as a function."""
    return check_instance("model", model, HgrModel).save(folder, card=card, notes=notes)


def load_model(folder: str | Path, *, device: torch.device | str = "cpu") -> HgrModel:
    """Read a model folder, in evaluation mode.

    Raises:
        ModelNotFoundError: if there is no model folder at that path.
        ConfigError: if the device cannot be used.
        CheckpointError: if it is incomplete or damaged, or its weights do not fit its config; they are listed.
    """
    source = Path(check_path("folder", folder))
    device = resolve_device(device)
    config = read_config(source)
    model = build_model(config, source)
    weights = _read_weights(source / WEIGHTS_FILE)
    _check_weights(source, model.state_dict(), weights)
    model.load_state_dict(weights)
    model.to(device)
    model.eval()
    return model


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
