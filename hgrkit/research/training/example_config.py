"""A config with every setting, its default and what it means, made from the classes that read it."""

from __future__ import annotations

import inspect
import json
import re
import textwrap
from typing import Any, get_type_hints

import attrs

from hgrkit.matching.matcher import Matcher
from hgrkit.model.text.sentence_encoder import SentenceTextEncoder
from hgrkit.model.text.text_encoder import TextEncoder
from hgrkit.model.video.video_encoder import VideoEncoder
from hgrkit.research.training.config import TrainConfig
from hgrkit.research.training.data_config import ClipFiles, DataConfig, FoilFile, ParaphraseFiles
from hgrkit.research.training.loss_config import LossConfig
from hgrkit.research.training.model_config import ModelConfig, module_range, module_settings
from hgrkit.research.training.run_config import preset_names
from hgrkit.research.training.setting import NOTHING, described

__all__ = ["example_config"]

_TABLES = ("text", "video", "matcher", "train", "dev", "paraphrases", "foils")
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
        _module("model.text", TextEncoder, "if text_encoder is rnn"),
        _commented(_module("model.text", SentenceTextEncoder, "if text_encoder is sentence")),
        _module("model.video", VideoEncoder),
        _module("model.matcher", Matcher),
        _table("training", TrainConfig),
        _table("loss", LossConfig),
    ]
    return "\n".join(parts)


def _table(name: str, cls: type) -> str:
    hints = get_type_hints(cls)
    lines = [f"[{name}]"]
    for field in attrs.fields(cls):
        if field.name in _TABLES:
            continue
        required = field.default is attrs.NOTHING
        value = _EXAMPLES[name, field.name] if required else field.default
        within = field.metadata["within"]
        kind = f"{described(hints[field.name])}{f' in {within}' if within else ''}"
        lines += _setting(field.name, value, f"{field.metadata['meaning']} ({kind})", required=required)
    return "\n".join(lines) + "\n"


def _module(name: str, cls: type, condition: str = "") -> str:
    """A table of a module's arguments, explained by its own docstring."""
    meanings = _arguments(cls)
    lines = [f"[{name}]" + (f"  # {condition}" if condition else "")]
    for key, (hint, default) in module_settings(cls).items():
        within = module_range(key)
        kind = f"{described(hint)}{f' in {within}' if within else ''}"
        lines += _setting(key, default, f"{meanings[key]} ({kind})", required=False)
    return "\n".join(lines) + "\n"


def _setting(name: str, value: Any, meaning: str, *, required: bool) -> list[str]:
    comment = textwrap.wrap(" ".join(meaning.split()), 98, initial_indent="# ", subsequent_indent="#   ")
    return [*comment, f"{name} = {_toml(value)}{'  # needed' if required else ''}"]


def _toml(value: Any) -> str:
    return json.dumps(NOTHING if value is None else value)


def _commented(text: str) -> str:
    return "".join(f"#{line}\n" if line.startswith("#") else f"# {line}\n" for line in text.splitlines())


def _arguments(cls: type) -> dict[str, str]:
    """What a class's docstring says of each argument."""
    doc = inspect.getdoc(cls) or ""
    block = doc.partition("Args:\n")[2].split("\n\n")[0]
    found = re.findall(r"^    (\w+): (.*(?:\n {8,}.*)*)", block, re.MULTILINE)
    return {name: " ".join(text.split()).rstrip(".").replace("`None`", repr(NOTHING)) for name, text in found}
