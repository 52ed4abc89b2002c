"""Turns the config of a model folder into modules; the one place where a config becomes code."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hgrkit.errors import CheckpointError, ConfigError
from hgrkit.matching.background import Background
from hgrkit.matching.matcher import Matcher
from hgrkit.model import HgrModel, ModelOrigin, TextModel
from hgrkit.model_folder import BACKGROUND_KEY, FORMAT, ORIGIN_KEYS, check_config, listed_keys
from hgrkit.text.text_encoder import TextEncoder
from hgrkit.video.video_encoder import VideoEncoder

__all__ = ["FORMAT", "TEXT_ENCODERS", "TextEncoderBuilder", "build_model"]

TextEncoderBuilder = Callable[[dict[str, Any], Path], TextModel]
"""Makes a text encoder, weights not loaded, from its settings and the model folder."""


def _rnn(settings: dict[str, Any], folder: Path) -> TextModel:
    _check_keys("text", settings, TextEncoder, given=("vocabulary",))
    return TextEncoder.from_folder(settings, folder)


def _sentence(settings: dict[str, Any], folder: Path) -> TextModel:
    from hgrkit.text.sentence_encoder import SentenceTextEncoder

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
