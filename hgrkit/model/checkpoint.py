"""From model folders to models and back: config to modules, weights that have to fit it to the last one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from hgrkit.arguments import check_instance, check_path
from hgrkit.errors import CheckpointError, ConfigError
from hgrkit.matching.background import Background
from hgrkit.matching.matcher import Matcher
from hgrkit.model.folder import (
    BACKGROUND_KEY,
    CARD_FILE,
    FORMAT,
    ORIGIN_KEYS,
    WEIGHTS_FILE,
    check_config,
    listed_keys,
    model_fingerprint,
    read_config,
)
from hgrkit.model.hgr_model import HgrModel, ModelOrigin, TextModel
from hgrkit.model.text.text_encoder import TextEncoder
from hgrkit.model.video.video_encoder import VideoEncoder
from hgrkit.video.frame_encoder import resolve_device

__all__ = ["CARD_FILE", "FORMAT", "TEXT_ENCODERS", "load_model", "model_fingerprint", "save_model"]

TextEncoderBuilder = Callable[[dict[str, Any], Path], TextModel]
"""Makes a text encoder, weights not loaded, from its settings and the model folder."""


def _rnn(settings: dict[str, Any], folder: Path) -> TextModel:
    _check_keys("text", settings, TextEncoder, given=("vocabulary",))
    return TextEncoder.from_folder(settings, folder)


def _sentence(settings: dict[str, Any], folder: Path) -> TextModel:
    from hgrkit.model.text.sentence_encoder import SentenceTextEncoder

    _check_keys("text", settings, SentenceTextEncoder, given=("reader",))
    return SentenceTextEncoder.from_folder(settings, folder)


TEXT_ENCODERS: dict[str, TextEncoderBuilder] = {TextEncoder.kind: _rnn, "sentence": _sentence}
"""Text encoders by the `type` in `config.json`."""


def build_model(config: Mapping[str, Any], folder: Path) -> HgrModel:
    """The model that a config describes, with fresh weights.

    Args:
        config: the content of `config.json`.
        folder: where the files beside the weights lie, such as the vocabulary.

    Raises:
        CheckpointError: if the format is unknown, or a key is unknown or missing.
    """
    check_config(config, folder)
    try:
        _check_keys("video", config["video"], VideoEncoder)
        _check_keys("matcher", config["matcher"], Matcher)
        background = config.get(BACKGROUND_KEY)
        if background is not None:
            _check_keys(BACKGROUND_KEY, background, Background, given=("embed_dim",))
        return HgrModel(
            text=_text_encoder(dict(config["text"]), folder),
            video=VideoEncoder(**config["video"]),
            matcher=Matcher(**config["matcher"]),
            origin=ModelOrigin(**{key: config[key] for key in ORIGIN_KEYS if key in config}),
            background=background and Background(**background, embed_dim=config["video"]["embed_dim"]),
        )
    except CheckpointError:
        raise
    except (ConfigError, TypeError, ValueError) as error:
        raise CheckpointError(f"{folder}: config.json: {error}") from error


def _text_encoder(settings: dict[str, Any], folder: Path) -> TextModel:
    kind = settings.pop("type", None)
    if kind not in TEXT_ENCODERS:
        known = ", ".join(map(repr, sorted(TEXT_ENCODERS)))
        raise ConfigError(f"text has the type {kind!r}; this version of hgrkit knows {known}.")
    return TEXT_ENCODERS[kind](settings, folder)


def _check_keys(
    part: str, settings: Mapping[str, Any], cls: Callable[..., Any], given: tuple[str, ...] = ()
) -> None:
    """Refuse settings that the constructor does not know or lacks, but for those given otherwise."""
    parameters = {name: p for name, p in inspect.signature(cls).parameters.items() if name not in given}
    unknown = sorted(set(settings) - set(parameters))
    required = (name for name, p in parameters.items() if p.default is inspect.Parameter.empty)
    missing = sorted(set(required) - set(settings))
    if unknown or missing:
        raise ConfigError(f"{part} has {listed_keys(unknown, missing)}.")


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
