"""Model folders: config, weights in safetensors, what the text encoder needs and a card; never a pickle.

What is here reads a folder without torch; `hgrkit.model.checkpoint` makes modules of it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hgrkit.errors import CheckpointError, ModelNotFoundError
from hgrkit.storage.json_file import read_json

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "CALIBRATION_FILE",
    "CARD_FILE",
    "CONFIG_FILE",
    "FORMAT",
    "NOTES_FOLDER",
    "QUERYBANK_NORM_KEY",
    "WEIGHTS_FILE",
    "model_fingerprint",
    "read_config",
    "write_model_folder",
]

FORMAT = 1
"""The version of `config.json` that this release reads and writes."""

CONFIG_FILE = "config.json"
_MOST_CONFIG_BYTES = 1 << 20  # the default model's has 600
WEIGHTS_FILE = "weights.safetensors"
CARD_FILE = "MODEL_CARD.md"
CALIBRATION_FILE = "calibration.safetensors"
"""How likely hits are right; it changes no score, and a library that was made before it opens as ever."""

NOTES_FOLDER = "notes"
"""Where a model folder keeps notes on the model, which do not affect its answers."""

QUERYBANK_NORM_KEY = "background"
"""What model folders call querybank normalisation: a part of `config.json`, and how its weights' names begin."""


def model_fingerprint(folder: str | Path) -> str:
    """`sha256:` and the digest of everything in a model folder that affects an answer.

    That is all but card, calibration, notes and hidden files: config, weights and what the text encoder needs.

    Raises:
        ModelNotFoundError: if there is no model folder at that path.
        CheckpointError: if its config is not JSON.
    """
    source = Path(folder)
    read_config(source)
    digest = hashlib.sha256()
    for path in sorted(path for path in source.rglob("*") if path.is_file()):
        if _decides_answers(path.relative_to(source)):
            with path.open("rb") as stream:
                content = hashlib.file_digest(stream, "sha256").hexdigest()
            digest.update(f"{path.relative_to(source).as_posix()}\0{content}\n".encode())
    return f"sha256:{digest.hexdigest()}"


def _decides_answers(path: Path) -> bool:
    """Of a file, its path given from the model folder on."""
    told = path.parts[0] == NOTES_FOLDER or path.name in (CARD_FILE, CALIBRATION_FILE)
    return not told and not path.name.startswith(".")


def read_config(folder: Path) -> dict[str, Any]:
    """The content of `config.json`, not looked into.

    Raises:
        ModelNotFoundError: if there is none.
        CheckpointError: if it is not a JSON object.
    """
    path = folder / CONFIG_FILE
    if not path.is_file():
        raise ModelNotFoundError(f"{folder} is not a model folder: it has no {CONFIG_FILE}.")
    return read_json(
        path, dict, error=CheckpointError, expected="the config of a model", most_bytes=_MOST_CONFIG_BYTES
    )


def write_model_folder(
    target: Path,
    *,
    config: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    write_files: Callable[[Path], None],
    card: str,
    notes: Mapping[str, str],
) -> Path:
    """Write a model folder; an existing one is replaced whole.

    Args:
        target: where to.
        config: the content of `config.json`, but for the format.
        weights: by name.
        write_files: writes what the text encoder needs beside the weights into the folder that it is given.
        card: text of `MODEL_CARD.md`.
        notes: further text files by name, which do not affect answers.

    Returns:
        The folder.

    Raises:
        CheckpointError: if something other than a model folder exists there.
    """
    import safetensors.torch

    if target.exists() and not (target / CONFIG_FILE).is_file() and not _is_empty_folder(target):
        raise CheckpointError(f"{target} exists and is not a model folder; choose another place.")
    texts = {
        CONFIG_FILE: json.dumps({"format": FORMAT, **config}, indent=2) + "\n",
        CARD_FILE: card,
        **{f"{NOTES_FOLDER}/{name}": text for name, text in notes.items()},
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as scratch:
        made = Path(scratch) / "model"
        for name, text in texts.items():
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            (made / name).write_text(text, encoding="utf-8")
        safetensors.torch.save_file(
            {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}, made / WEIGHTS_FILE
        )
        shutil.copymode(made / CONFIG_FILE, made / WEIGHTS_FILE)  # safetensors lets the owner alone read it
        write_files(made)
        if target.exists():
            target.rename(Path(scratch) / "replaced")
        made.rename(target)
    return target


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())
