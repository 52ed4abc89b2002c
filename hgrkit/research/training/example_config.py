"""A config with every setting, its default and what it means, made from the classes that read it."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Any

import attrs

from hgrkit.matching.config import MatcherConfig
from hgrkit.model.config import VideoConfig
from hgrkit.model.text.registry import TEXT_ENCODERS
from hgrkit.research.training.config import LossConfig, TrainConfig
from hgrkit.research.training.data_config import ClipFiles, DataConfig, FoilFile, ParaphraseFiles
from hgrkit.research.training.model_config import ModelConfig
from hgrkit.research.training.run_config import preset_names
from hgrkit.settings import NOTHING, described

__all__ = ["example_config"]

_TABLES = ("text", "video", "matcher", "train", "dev", "paraphrases", "foils")
_GIVEN = ("embed_dim", "feature_dim")
"""Settings of a model's parts that `[model]` or the data say."""
_EXAMPLES = {
    ("data.train", "captions"): "train.json",
    ("data.train", "features"): ["train.npz"],
    ("data.dev", "captions"): "dev.json",
    ("data.dev", "features"): ["dev.npz"],
    ("data.paraphrases", "captions"): "more.json",
    ("data.foils", "file"): "foils.jsonl",
}


def example_config() -> str:
    """TOML of a whole run. Lines without `#` are needed; every other line says a default.

    Paths are examples. `[data.dev]` may be left out.
    """
    presets = f"{' or '.join(map(repr, preset_names()))} or {NOTHING!r}"
    meaning = f"settings to start from, in the place of the defaults below ({presets})"
    parts = [
        "\n".join([*_setting("preset", None, meaning, required=False), ""]),
        _table("data", DataConfig),
        _table("data.train", ClipFiles),
        _table("data.dev", ClipFiles),
        _commented(_table("data.paraphrases", ParaphraseFiles)),
        _commented(_table("data.foils", FoilFile)),
        _table("model", ModelConfig),
        *_text_encoders(),
        _table("model.video", VideoConfig),
        _table("model.matcher", MatcherConfig),
        _table("training", TrainConfig),
        _table("loss", LossConfig),
    ]
    return "\n".join(parts)


def _text_encoders() -> Iterator[str]:
    """A table for each kind of text encoder, all but that of the default commented out."""
    default = attrs.fields_dict(ModelConfig)["text_encoder"].default
    for name in sorted(TEXT_ENCODERS, key=lambda name: name != default):
        table = _table("model.text", TEXT_ENCODERS[name].load().config, f"if text_encoder is {name}")
        yield table if name == default else _commented(table)


def _table(name: str, cls: type, condition: str = "") -> str:
    attrs.resolve_types(cls)
    lines = [f"[{name}]" + (f"  # {condition}" if condition else "")]
    for field in attrs.fields(cls):
        if field.name in _TABLES or (name.startswith("model.") and field.name in _GIVEN):
            continue
        required = field.default is attrs.NOTHING
        value = _EXAMPLES[name, field.name] if required else field.default
        meaning = f"{field.metadata['meaning']} ({described(field.type, field.metadata['within'])})"
        lines += _setting(field.name, value, meaning, required=required)
    return "\n".join(lines) + "\n"


def _setting(name: str, value: Any, meaning: str, *, required: bool) -> list[str]:
    comment = textwrap.wrap(" ".join(meaning.split()), 98, initial_indent="# ", subsequent_indent="#   ")
    return [*comment, f"{name} = {_toml(value)}{'  # needed' if required else ''}"]


def _toml(value: Any) -> str:
    return json.dumps(NOTHING if value is None else value)


def _commented(text: str) -> str:
    return "".join(f"#{line}\n" if line.startswith("#") else f"# {line}\n" for line in text.splitlines())
