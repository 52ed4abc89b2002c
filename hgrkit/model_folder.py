"""Writes model folders: config, weights in safetensors, what the text encoder needs and a card; never a pickle."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from hgrkit.errors import CheckpointError

__all__ = ["CARD_FILE", "CONFIG_FILE", "FORMAT", "WEIGHTS_FILE", "write_model_folder"]

FORMAT = 1
"""The version of `config.json` that this release reads and writes."""

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "weights.safetensors"
CARD_FILE = "MODEL_CARD.md"


def write_model_folder(
    target: Path,
    *,
    config: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    write_files: Callable[[Path], None],
    texts: Mapping[str, str],
) -> Path:
    """Write a model folder; one that is already there is replaced whole.

    Args:
        target: where to.
        config: the content of `config.json`, but for the format.
        weights: by name.
        write_files: writes what the text encoder needs beside the weights into the folder that it is given.
        texts: text files by name.

    Returns:
        The folder.

    Raises:
        CheckpointError: if something that is not a model folder is already there.
    """
    if target.exists() and not (target / CONFIG_FILE).is_file() and not _is_empty_folder(target):
        raise CheckpointError(f"{target} exists and is not a model folder; choose another place.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as scratch:
        made = Path(scratch) / "model"
        made.mkdir()
        record = {"format": FORMAT, **config}
        (made / CONFIG_FILE).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        safetensors.torch.save_file(
            {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}, made / WEIGHTS_FILE
        )
        write_files(made)
        for name, text in texts.items():
            (made / name).write_text(text, encoding="utf-8")
        if target.exists():
            target.rename(Path(scratch) / "replaced")
        made.rename(target)
    return target


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())
