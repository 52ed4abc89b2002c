"""Finds a model of `transformers` in a folder or in the hub's cache, and refuses what is no dual encoder."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from hgrkit.errors import CheckpointError, HgrkitError, MissingPackageError, ModelNotFoundError
from hgrkit.video.preparation import PicturePreparation
from hgrkit_clip.encoders import DualModel
from hgrkit_clip.pictures import read_preparation

__all__ = ["load", "reading"]

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
_HUB_FILES = ["*.json", "*.txt", "*.model", "*.safetensors"]
_PICTURES = (("preprocessor_config.json", None), ("processor_config.json", "image_processor"))
"""Files that say how pictures are prepared, and under which key; older models have the first."""

_WORDS = ("tokenizer.json", "vocab.*", "*.model")
"""Files of words, one of which every tokenizer has."""

_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_UNREAD = (*_PICKLES, ".h5", ".msgpack", ".onnx", ".md", ".tflite", ".ot")
"""Suffixes of files beside a model that decide none of its vectors."""


_PREPARATION = 2
"""Which preparation of pictures made the vectors: in the first, they came squashed to a square."""


def load(source: str, device: str) -> DualModel:
    """Load a model, or take the one that was loaded last.

    Args:
        source: a folder, or a name on the hub, which is downloaded unless it is in the cache.
        device: a torch device.

    Raises:
        ModelNotFoundError: if there is no such folder, and the hub's model is neither cached nor to be had.
        CheckpointError: if the model is incomplete, damaged, pickled, or no dual encoder.
        MissingPackageError: if its tokenizer needs a package that is not installed.
    """
    path = Path(source).expanduser()
    is_folder = path.is_dir()
    folder = path.absolute() if is_folder else _from_hub(source)
    name = f"clip:{folder}" if is_folder else f"clip:{source}"
    return _load(folder, _fingerprint(folder), name, device)


def _from_hub(source: str) -> Path:
    if not _HUB_NAME.fullmatch(source):
        raise ModelNotFoundError(
            f"there is no folder {source!r}; give the folder of a model, or its name on the hub."
        )
    from huggingface_hub import snapshot_download

    try:
        cached = Path(snapshot_download(source, local_files_only=True, allow_patterns=_HUB_FILES))
        if _weights_of(cached):
            return cached
    except Exception:  # noqa: BLE001, S110 (whatever the cache lacks, the hub is asked next)
        pass
    try:
        return Path(snapshot_download(source, allow_patterns=_HUB_FILES))
    except Exception as error:  # the hub's own, the network's, or those of its configuration
        raise ModelNotFoundError(
            f"there is no folder {source!r}, and the hub's model {source!r} is neither in the cache nor can it be "
            f"downloaded ({type(error).__name__}); download it where there is a network, and give its folder."
        ) from error


def _weights_of(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors"))


def _fingerprint(folder: Path) -> str:
    """`clip2@sha256:` and the digest of every file that decides a vector."""
    if not (folder / "config.json").is_file():
        raise CheckpointError(f"{folder} has no config.json, so it is no model of transformers.")
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix.lower() not in _UNREAD and not path.name.startswith("."):
            stat = path.stat()
            digest.update(f"{path.name}\0{_digest(path, stat.st_size, stat.st_mtime_ns)}\n".encode())
    return f"clip{_PREPARATION}@sha256:{digest.hexdigest()}"


@lru_cache(maxsize=256)
def _digest(path: Path, size: int, mtime_ns: int) -> str:
    """A file's digest, computed again when its size or time has changed."""
    del size, mtime_ns
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@lru_cache(maxsize=1)  # the text side and the picture side are one network
def _load(folder: Path, fingerprint: str, name: str, device: str) -> DualModel:
    _require_safetensors(folder)
    _require_words(folder)
    preparation = _preparation(folder)
    with reading(folder):
        from transformers import AutoTokenizer

        model = _network(folder)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    text_config = getattr(model.config, "text_config", model.config)
    limits = (tokenizer.model_max_length, getattr(text_config, "max_position_embeddings", None))
    made = DualModel(
        name=name,
        fingerprint=fingerprint,
        model=model.eval().to(device),
        tokenizer=tokenizer,
        max_tokens=min(limit for limit in limits if limit),
        pads_to_limit=model.config.model_type.startswith("siglip"),
        preparation=preparation,
        device=device,
    )
    _try_both(made, folder)
    return made


def _network(folder: Path) -> Any:
    import torch
    from transformers import AutoModel

    model, info = AutoModel.from_pretrained(
        folder, local_files_only=True, use_safetensors=True, dtype=torch.float32, output_loading_info=True
    )
    missing = [method for method in ("get_text_features", "get_image_features") if not hasattr(model, method)]
    if missing:
        raise CheckpointError(
            f"{folder} is no dual encoder: its model type, {model.config.model_type!r}, has no "
            f"{' and no '.join(missing)}; give one with text and image features, such as CLIP or SigLIP."
        )
    if lost := sorted(info["missing_keys"]):
        raise CheckpointError(f"{folder} lacks {len(lost)} of its weights, first {lost[0]!r}; download it again.")
    return model


def _try_both(dual: DualModel, folder: Path) -> None:
    """Encode a word and a grey picture, so that what cannot work is told before anything is made with it."""
    import numpy as np

    try:
        text = dual.text_features(["a"]).shape[1]
        grey = np.full((1, *dual.preparation.scaling.seen_size, 3), 128, np.uint8)
        picture = dual.picture_features(grey).shape[1]
    except Exception as error:
        raise CheckpointError(f"{folder} cannot encode: {_line(error)}.") from error
    if text != picture:
        raise CheckpointError(
            f"{folder} has texts of {text} numbers and pictures of {picture}; in a dual encoder both are equal."
        )


def _require_safetensors(folder: Path) -> None:
    if _weights_of(folder):
        return
    pickles = sorted(path.name for path in folder.iterdir() if path.suffix in _PICKLES)
    if pickles:
        raise CheckpointError(
            f"{folder} has its weights as a pickle, {pickles[0]}, which can run any program when it is read; use "
            f"a copy in safetensors, or make one of weights that you trust: python -m hgrkit_clip {folder} OUT "
            "--allow-pickle"
        )
    raise CheckpointError(f"{folder} has no weights (*.safetensors).")


def _require_words(folder: Path) -> None:
    """Transformers makes a tokenizer without words where there is no file of them."""
    if not any(path.is_file() for pattern in _WORDS for path in folder.glob(pattern)):
        raise CheckpointError(f"{folder} has no tokenizer ({', '.join(_WORDS)}); download it whole.")


def _preparation(folder: Path) -> PicturePreparation:
    for file, key in _PICTURES:
        path = folder / file
        if path.is_file():
            with reading(folder):
                settings = json.loads(path.read_text(encoding="utf-8"))
            if settings := settings if key is None else settings.get(key):
                return read_preparation(settings, str(path))
    raise CheckpointError(f"{folder} does not say how pictures are prepared: it has no {_PICTURES[0][0]}.")


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Run a block that reads a model: quietly, and with what goes wrong in one line."""
    import transformers

    log: Any = transformers.utils.logging
    verbosity, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    except HgrkitError:
        raise
    except ImportError as error:
        raise MissingPackageError(f"{folder} needs a package that is not installed: {_line(error)}") from error
    except Exception as error:
        raise CheckpointError(f"{folder} cannot be read: {_line(error)}.") from error
    finally:
        log.set_verbosity(verbosity)
        if bars:
            log.enable_progress_bar()


def _line(error: Exception) -> str:
    """What is wrong, in one line of a few words."""
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said[:200]}".rstrip(".")
