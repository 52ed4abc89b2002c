"""A run as one TOML file: model, data, training and loss; from a preset, or with every default said."""

from __future__ import annotations

import json
import textwrap
import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import attrs
import torch

from hgrkit.checks.settings import NOTHING, check_keys, described, read_settings
from hgrkit.errors import ConfigError, HgrkitError, MissingPathError, ShapeError
from hgrkit.matching.config import MatcherConfig
from hgrkit.model.checkpoint import load_model, save_model
from hgrkit.model.config import VideoConfig
from hgrkit.model.folder import NOTES_FOLDER
from hgrkit.model.hgr_model import HgrModel
from hgrkit.model.text.phrase_text_encoder import PhraseTextEncoder
from hgrkit.model.text.registry import TEXT_ENCODERS
from hgrkit.parsing.registry import load_parser
from hgrkit.research.training.clips import CaptionedClips
from hgrkit.research.training.config import LossConfig, TrainConfig
from hgrkit.research.training.data_config import ClipFiles, DataConfig, FoilFile, ParaphraseFiles
from hgrkit.research.training.model_config import RNN_ONLY, ModelConfig
from hgrkit.research.training.records import TrainingProgress, TrainingRun
from hgrkit.research.training.run_folder import MODEL_FOLDER, check_run_folder
from hgrkit.research.training.trainer import Trainer
from hgrkit.storage.atomic_file import writing

__all__ = ["MODEL_FOLDER", "RunConfig", "example_config", "preset_names", "with_preset"]

_SUFFIX = ".toml"

Tables = Mapping[str, Any]


@cache
def preset_names() -> tuple[str, ...]:
    """What a config may name as its `preset`, such as `released`, or a variant of it, such as `released/tgif`."""
    return tuple(sorted(_presets()))


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
    below, own = dict(_presets()[str(name)]), tables.get("model")
    if isinstance(own, Mapping) and "model" in below:
        below["model"] = _fitting(below["model"], own)
    return _merged(below, tables)


@cache
def _presets() -> dict[str, Tables]:
    """The tables of every preset by its name; what a preset says in `variants` goes above the rest of it."""
    found: dict[str, Tables] = {}
    for file in (files("hgrkit.research.training") / "presets").iterdir():
        name, tables = file.name.removesuffix(_SUFFIX), tomllib.loads(file.read_text(encoding="utf-8"))
        variants = tables.pop("variants", {})
        found[name] = tables
        found |= {f"{name}/{variant}": _merged(tables, own) for variant, own in variants.items()}
    return found


def _fitting(preset: Tables, own: Tables) -> Tables:
    """What of a preset's `[model]` applies to that of a config."""
    if own.get("start", NOTHING) != NOTHING:
        return {}
    kind = own.get("text_encoder", preset.get("text_encoder"))
    if not isinstance(kind, str) or kind not in TEXT_ENCODERS:
        return preset  # which the model's config refuses
    known = attrs.fields_dict(TEXT_ENCODERS[kind].load().config)
    fitting = {**preset, "text": {name: value for name, value in preset["text"].items() if name in known}}
    stray = () if kind == preset.get("text_encoder") else RNN_ONLY
    return {name: value for name, value in fitting.items() if name not in stray}


def _merged(below: Tables, above: Tables) -> dict[str, Any]:
    """Tables within tables, key by key."""
    merged = {**below, **above}
    for key in below.keys() & above.keys():
        if isinstance(below[key], Mapping) and isinstance(above[key], Mapping):
            merged[key] = _merged(below[key], above[key])
    return merged


CONFIG_NOTE = "training.toml"


@attrs.frozen(kw_only=True)
class RunConfig:
    """What `hgrkit train CONFIG.toml` reads.

    Attributes:
        model: `[model]`.
        data: `[data]`.
        training: `[training]`.
        loss: `[loss]`.
        base: the folder that paths start from.
        source: the text of the file, kept with the model.
    """

    model: ModelConfig
    data: DataConfig
    training: TrainConfig
    loss: LossConfig
    base: Path
    source: str

    @classmethod
    def read(cls, path: str | Path) -> RunConfig:
        """Read a TOML file; only `[data]` with its `train` has no defaults, or has them from the `preset`.

        Raises:
            MissingPathError: if there is no such file.
            ConfigError: if it is no TOML, there is no such preset, a table or key is unknown or missing, a value
                does not fit, data has no weight, patience has no dev clips, or a frame encoder or a sampling is
                unknown.
            FrameEncoderNotFoundError: if no frame encoder of the model's is installed.
        """
        file = Path(path)
        if not file.is_file():
            raise MissingPathError(f"there is no config {str(path)!r}; hgrkit train --show-defaults prints one.")
        try:
            source = file.read_text(encoding="utf-8-sig")
            tables = tomllib.loads(source)
        except UnicodeDecodeError as error:
            raise ConfigError(f"{path} is not UTF-8 at byte {error.start}; save it as UTF-8.") from error
        except ValueError as error:
            raise ConfigError(f"{path} is not TOML: {error}") from error
        check_keys(str(path), tables, known=("preset", "model", "data", "training", "loss"), required=("data",))
        preset = tables.pop("preset", NOTHING)
        if preset != NOTHING:
            tables = with_preset(tables, preset)
        if not isinstance(tables["data"], dict):
            raise ConfigError(f"[data] must be a table of settings, got {tables['data']!r}.")
        config = cls(
            model=read_settings(ModelConfig, tables.get("model", {}), "[model]"),
            data=DataConfig.read(tables["data"]),
            training=read_settings(TrainConfig, tables.get("training", {}), "[training]"),
            loss=read_settings(LossConfig, tables.get("loss", {}), "[loss]"),
            base=file.parent,
            source=source,
        )
        config._require_weights()
        config.model.check_origin()
        return config

    def _require_weights(self) -> None:
        """Refuse data that training would not look at."""
        for name, weight in (("paraphrases", "paraphrase_weight"), ("foils", "foil_weight")):
            if getattr(self.data, name) is not None and not getattr(self.training, weight):
                raise ConfigError(f"[data.{name}] does nothing while {weight} is 0; set it in [training].")
        if self.training.patience is not None and self.data.dev is None:
            raise ConfigError(
                "[training] patience does nothing without [data.dev]; give dev clips, or leave it out."
            )

    def run(
        self,
        out: str | Path,
        *,
        resume: bool | None = None,
        on_progress: Callable[[TrainingProgress], None] | None = None,
    ) -> TrainingRun:
        """Read the data, train, and write the best model to the folder `model` within `out`.

        Args:
            out: the run folder.
            resume: as `Trainer.fit` takes it.
            on_progress: called after every step.

        Raises:
            HgrkitError: what reading data, making the model and `Trainer.fit` raise.
        """
        check_run_folder(Path(out), resume=resume)
        parser = load_parser(self.data.parser)
        train = self.data.train.read(self.base, parser)
        dev = self.data.dev.read(self.base, parser) if self.data.dev is not None else None
        self._require_one_size(train, dev)
        others = self.data.paraphrases.read(self.base, parser) if self.data.paraphrases is not None else None
        foils = self.data.foils.read(self.base, parser, train) if self.data.foils is not None else None
        model = self.model.make(
            train.graphs, feature_dim=train.feature_dim, seed=self.training.seed, base=self.base
        )
        words = self.model.load_word_vectors(model, base=self.base)
        training = self.training
        if isinstance(model.text, PhraseTextEncoder) and dev is not None:  # never below the frozen encoders
            training = attrs.evolve(training, keep_start=True)
        trainer = Trainer(model, loss=self.loss.make(), config=training, paraphrases=others)
        return trainer.fit(
            train,
            dev,
            foils=foils,
            folder=out,
            resume=resume,
            about={
                "model": attrs.asdict(self.model),
                "loss": attrs.asdict(self.loss),
                **({} if words is None else {"word_vectors": attrs.asdict(words)}),
            },
            on_progress=on_progress,
            on_end=self._keep,
        )

    def _require_one_size(self, train: CaptionedClips, dev: CaptionedClips | None) -> None:
        if dev is not None and self.data.dev is not None and dev.feature_dim != train.feature_dim:
            raise ShapeError(
                f"{self.data.dev.features[0]} of [data.dev] has {dev.feature_dim} numbers a frame, but "
                f"{self.data.train.features[0]} of [data.train] has {train.feature_dim}; make both with one frame "
                "encoder."
            )

    def _keep(self, run: TrainingRun) -> None:
        """Write the best model, unless it is there already."""
        folder = Path(run.folder or "") / MODEL_FOLDER
        if _holds(folder, run.best):
            return
        measured = f", Rsum {run.best_dev['Rsum']:.1f} on the dev clips" if run.best_dev is not None else ""
        card = (
            f"# {run.best.origin.name or 'An hgrkit model'}\n\nTrained with `hgrkit train`; the settings are in "
            f"`{NOTES_FOLDER}/{CONFIG_NOTE}`. Epoch {run.best_epoch} of {len(run.log)}{measured}.\n"
        )
        with writing(folder):
            save_model(run.best, folder, card=card, notes={CONFIG_NOTE: self.source})


def _holds(folder: Path, model: HgrModel) -> bool:
    """Whether a model folder is that of a model, to the last bit of its weights."""
    try:
        kept = load_model(folder)
    except HgrkitError:
        return False
    own, found = model.state_dict(), kept.state_dict()
    return (
        kept.config == model.config
        and own.keys() == found.keys()
        and all(torch.equal(tensor.cpu(), found[name]) for name, tensor in own.items())
    )


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
    ("model.text", "name"): "clip:FOLDER",
}


def example_config() -> str:
    """TOML of a whole run. Lines without `#` are needed; every other line says a default.

    Paths are examples. `[data.dev]` may be left out.
    """
    presets = f"{' or '.join(map(repr, preset_names()))} or {NOTHING!r}"
    meaning = f"settings that replace the defaults below ({presets})"
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
