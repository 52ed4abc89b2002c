"""Presets: named settings of a run that a config starts from."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from hgrkit.errors import ConfigError
from hgrkit.training.model_config import module_settings, text_module
from hgrkit.training.setting import NOTHING

__all__ = ["preset_names", "with_preset"]

_SUFFIX = ".toml"

Tables = Mapping[str, Any]


@cache
def preset_names() -> tuple[str, ...]:
    """What a config may name as its `preset`."""
    return tuple(sorted(file.name.removesuffix(_SUFFIX) for file in _folder().iterdir()))


def with_preset(tables: Tables, name: object) -> dict[str, Any]:
    """The tables of a config, completed by those of a preset: what the config says itself goes first.

    What a preset says of a text encoder is left out where the config names another one that has no such setting,
    and all that it says of the model where the config starts from a model.

    >>> with_preset({"model": {"embed_dim": 8}}, "paper")["model"]["embed_dim"]
    8

    Raises:
        ConfigError: if there is no such preset.
    """
    if name not in preset_names():
        raise ConfigError(f"there is no preset {name!r}; known: {', '.join(preset_names())}.")
    text = (_folder() / f"{name}{_SUFFIX}").read_text(encoding="utf-8")
    below, own = tomllib.loads(text), tables.get("model")
    if isinstance(own, Mapping) and "model" in below:
        below["model"] = _fitting(below["model"], own)
    return _merged(below, tables)


def _folder() -> Any:
    return files("hgrkit.training") / "presets"


def _fitting(preset: Tables, own: Tables) -> Tables:
    """What of a preset's `[model]` applies to that of a config."""
    if own.get("start", NOTHING) != NOTHING:
        return {}
    encoder = text_module(own.get("text_encoder", preset.get("text_encoder")))
    if encoder is None:
        return preset
    known = module_settings(encoder)
    return {**preset, "text": {name: value for name, value in preset["text"].items() if name in known}}


def _merged(below: Tables, above: Tables) -> dict[str, Any]:
    """Tables within tables, key by key."""
    merged = {**below, **above}
    for key in below.keys() & above.keys():
        if isinstance(below[key], Mapping) and isinstance(above[key], Mapping):
            merged[key] = _merged(below[key], above[key])
    return merged
