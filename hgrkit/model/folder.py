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
    "BACKGROUND_KEY",
    "CARD_FILE",
    "CONFIG_FILE",
    "FORMAT",
    "NOTES_FOLDER",
    "ORIGIN_KEYS",
    "WEIGHTS_FILE",
    "check_config",
    "listed_keys",
    "model_fingerprint",
    "note_path",
    "read_config",
    "write_model_folder",
]

FORMAT = 1
"""The version of `config.json` that this release reads and writes."""

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "weights.safetensors"
CARD_FILE = "MODEL_CARD.md"

NOTES_FOLDER = "notes"
"""Where a model folder keeps what is told of the model and decides no answer."""

_EARLIER_NOTES = frozenset({"curve.svg", "log.jsonl", "recipe.txt", "release.json", "training.toml"})
"""Notes that lay beside the weights before there was a folder for them."""

_PARTS = ("text", "video", "matcher")
ORIGIN_KEYS = ("name", "frame_encoder", "sampling", "clip_seconds")
"""What `config.json` may say of a model's origin, beside its parts and the format."""
BACKGROUND_KEY = "background"
"""The part of `config.json` that only models with a background have."""


def model_fingerprint(folder: str | Path) -> str:
    """`sha256:` and the digest of everything in a model folder that decides an answer.

    That is all but the card, the notes and hidden files: the config, the weights and what the text encoder needs.

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
    told = path.parts[0] == NOTES_FOLDER or path.name == CARD_FILE or path.as_posix() in _EARLIER_NOTES
    return not told and not path.name.startswith(".")


def note_path(folder: Path, name: str) -> Path:
    """Where a model folder has a note, or would have it; earlier versions kept notes beside the weights."""
    earlier = folder / name
    return earlier if name in _EARLIER_NOTES and earlier.is_file() else folder / NOTES_FOLDER / name


def read_config(folder: Path) -> dict[str, Any]:
    """The content of `config.json`, not looked into.

    Raises:
        ModelNotFoundError: if there is none.
        CheckpointError: if it is no JSON object.
    """
    path = folder / CONFIG_FILE
    if not path.is_file():
        raise ModelNotFoundError(f"{folder} is not a model folder: it has no {CONFIG_FILE}.")
    return read_json(path, dict, error=CheckpointError, expected="the config of a model")


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
    card: str,
    notes: Mapping[str, str],
) -> Path:
    """Write a model folder; one that is already there is replaced whole.

    Args:
        target: where to.
        config: the content of `config.json`, but for the format.
        weights: by name.
        write_files: writes what the text encoder needs beside the weights into the folder that it is given.
        card: text of `MODEL_CARD.md`.
        notes: further text files by name, which decide no answer.

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
        (made / CARD_FILE).write_text(card, encoding="utf-8")
        for name, text in notes.items():
            (made / NOTES_FOLDER).mkdir(exist_ok=True)
            (made / NOTES_FOLDER / name).write_text(text, encoding="utf-8")
        if target.exists():
            target.rename(Path(scratch) / "replaced")
        made.rename(target)
    return target


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())
