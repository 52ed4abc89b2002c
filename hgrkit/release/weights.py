"""A released checkpoint's weights under hgrkit's names, read without running what a pickle may hold."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from hgrkit.errors import ReleaseError
from hgrkit.model import HgrModel

__all__ = ["load_weights", "read_checkpoint"]

_NAMES: dict[str, tuple[tuple[str, str], ...]] = {
    "video_encoder": (
        (r"level_embeds\.(\d+)\.(weight|bias)", r"video.projections.\1.\2"),
        (r"ft_attn\.(weight|bias)", r"video.pooling.\1"),
    ),
    "text_encoder": (
        (r"embedding\.we\.weight", r"text.words.weight"),
        (r"rnn\.(\w+)", r"text.rnn.\1"),
        (r"ft_attn\.(weight|bias)", r"text.pooling.\1"),
        (r"role_embedding\.weight", r"text.roles.weight"),
        (r"gcn\.layers\.(\d+)\.ctx_layer\.weight", r"text.graph.layers.\1.context.weight"),
        (r"gcn\.layers\.(\d+)\.layernorm\.(weight|bias)", r"text.graph.layers.\1.norm.\2"),
        (r"gcn\.layers\.(\d+)\.edge_attn_(query|key)\.(weight|bias)", r"text.graph.layers.\1.\2.\3"),
    ),
}
"""Released names by encoder, as patterns, and hgrkit's."""


def read_checkpoint(path: Path) -> dict[str, dict[str, Tensor]]:
    """The tensors of a checkpoint by encoder, then by their released names.

    Raises:
        ReleaseError: if the file holds anything but tensors of the two encoders.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the age of the pickle; what matters is raised
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).strip().split("\n", 1)[0] or type(error).__name__
        raise ReleaseError(f"{path} cannot be read as a checkpoint of weights only: {reason}") from error
    if not isinstance(content, Mapping) or set(content) != set(_NAMES):
        found = sorted(map(str, content)) if isinstance(content, Mapping) else type(content).__name__
        raise ReleaseError(f"{path} must hold the weights of {sorted(_NAMES)}, got {found}.")
    for encoder, weights in content.items():
        if not isinstance(weights, Mapping) or not all(isinstance(value, Tensor) for value in weights.values()):
            raise ReleaseError(f"{path}: {encoder} must hold tensors by name.")
    return {encoder: dict(weights) for encoder, weights in content.items()}


def load_weights(model: HgrModel, checkpoint: Mapping[str, Mapping[str, Tensor]], path: Path) -> None:
    """Put a checkpoint's weights into a model of the same config.

    Args:
        model: changed in place.
        checkpoint: what `read_checkpoint` read.
        path: where it was read, for messages.

    Raises:
        ReleaseError: if weights are surplus, missing, of another shape or not finite; they are listed.
    """
    expected = model.state_dict()
    released = {
        _renamed(encoder, name): (f"{encoder}.{name}", tensor)
        for encoder, weights in checkpoint.items()
        for name, tensor in weights.items()
    }
    problems = [f"surplus {old}" for new, (old, _) in released.items() if new not in expected]
    problems += [f"missing {new} (hgrkit's name)" for new in expected if new not in released]
    for new, (old, tensor) in released.items():
        if new in expected and tensor.shape != expected[new].shape:
            problems.append(f"{old} is {list(tensor.shape)}, not {list(expected[new].shape)}")
        elif not bool(tensor.isfinite().all()):
            problems.append(f"{old} holds numbers that are not finite")
    if problems:
        raise ReleaseError(f"{path} does not fit its model.json: {'; '.join(problems)}.")
    model.load_state_dict({new: tensor.float() for new, (_, tensor) in released.items()})


def _renamed(encoder: str, name: str) -> str:
    """What hgrkit calls a released weight; one without such a name keeps its own and is found to be surplus."""
    for pattern, replacement in _NAMES[encoder]:
        if match := re.fullmatch(pattern, name):
            return match.expand(replacement)
    return f"{encoder}.{name}"
