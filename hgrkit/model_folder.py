"""Model folders: config, weights in safetensors, what the text encoder needs and a card; never a pickle.

What is here reads a folder without torch; `hgrkit.checkpoint` makes modules of it.
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

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "BACKGROUND_KEY",
    "CARD_FILE",
    "CONFIG_FILE",
    "FORMAT",
    "ORIGIN_KEYS",
    "WEIGHTS_FILE",
    "check_config",
    "listed_keys",
    "model_fingerprint",
    "read_config",
    "write_model_folder",
]

FORMAT = 1
"""The version of `config.json` that this release reads and writes."""

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "weights.safetensors"
CARD_FILE = "MODEL_CARD.md"

_PARTS = ("text", "video", "matcher")
ORIGIN_KEYS = ("name", "frame_encoder", "sampling", "clip_seconds")
"""What `config.json` may say of a model's origin, beside its parts and the format."""
BACKGROUND_KEY = "background"
"""The part of `config.json` that only models with a background have."""


def model_fingerprint(folder: str | Path) -> str:
    """`sha256:` and the digest of everything in a model folder but its card and hidden files.

    Raises:
        ModelNotFoundError: if there is no model folder at that path.
        CheckpointError: if its config is not JSON.
    """
    source = Path(folder)
    read_config(source)
    digest = hashlib.sha256()
    for path in sorted(path for path in source.rglob("*") if path.is_file()):
        if path.name != CARD_FILE and not path.name.startswith("."):
            with path.open("rb") as stream:
                content = hashlib.file_digest(stream, "sha256").hexdigest()
            digest.update(f"{path.relative_to(source).as_posix()}\0{content}\n".encode())
    return f"sha256:{digest.hexdigest()}"


def read_config(folder: Path) -> dict[str, Any]:
    """The content of `config.json`, not looked into.

    Raises:
        ModelNotFoundError: if there is none.
        CheckpointError: if it is no JSON object.
    """
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


def check_config(config: Mapping[str, Any], folder: Path) -> None:
    """Refuse a config of another format, or one that has other keys than the parts and the origin of a model.

    Raises:
        CheckpointError: if the format is unknown, or a key is unknown or missing.
    """
    if config.get("format") != FORMAT:
        raise CheckpointError(
            f"{folder}: config.json has format {config.get('format')!r}; this version of hgrkit reads {FORMAT}."
        )
    unknown = sorted(set(config) - {"format", *_PARTS, *ORIGIN_KEYS, BACKGROUND_KEY})
    parts = [*_PARTS, *([BACKGROUND_KEY] if BACKGROUND_KEY in config else [])]
    missing = [part for part in parts if not isinstance(config.get(part), Mapping)]
    if unknown or missing:
        raise CheckpointError(f"{folder}: config.json has {listed_keys(unknown, missing)}.")


def listed_keys(unknown: list[str], missing: list[str]) -> str:
    """Keys that are one too many and one too few, for a message."""
    parts = [f"unknown keys {unknown}"] * bool(unknown) + [f"no {missing}"] * bool(missing)
    return " and ".join(parts)


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
    import safetensors.torch

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
        shutil.copymode(made / CONFIG_FILE, made / WEIGHTS_FILE)  # safetensors lets the owner alone read it
        write_files(made)
        for name, text in texts.items():
            (made / name).write_text(text, encoding="utf-8")
        if target.exists():
            target.rename(Path(scratch) / "replaced")
        made.rename(target)
    return target


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())
