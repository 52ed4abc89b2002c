"""A run as one TOML file: the model, the data, how it is trained and what is minimised."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import attrs
import torch

from hgrkit.checkpoint import load_model, save_model
from hgrkit.errors import ConfigError, HgrkitError, MissingPathError, ShapeError
from hgrkit.model import HgrModel
from hgrkit.model_folder import NOTES_FOLDER
from hgrkit.training.clips import CaptionedClips
from hgrkit.training.config import TrainConfig
from hgrkit.training.data_config import DataConfig
from hgrkit.training.loss_config import LossConfig
from hgrkit.training.model_config import ModelConfig
from hgrkit.training.preset import with_preset
from hgrkit.training.records import TrainingProgress, TrainingRun
from hgrkit.training.setting import NOTHING, check_keys, read_settings
from hgrkit.training.trainer import Trainer
from hgrkit.training.vacancy import MODEL_FOLDER, require_vacancy
from hgrkit.writing import writing

__all__ = ["MODEL_FOLDER", "RunConfig"]

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
        require_vacancy(Path(out), resume=resume)
        parser = self.data.open_parser()
        train = self.data.train.read(self.base, parser)
        dev = self.data.dev.read(self.base, parser) if self.data.dev is not None else None
        self._require_one_size(train, dev)
        others = self.data.paraphrases.read(self.base, parser) if self.data.paraphrases is not None else None
        foils = self.data.foils.read(self.base, parser, train) if self.data.foils is not None else None
        model = self.model.make(
            train.graphs, feature_dim=train.feature_dim, seed=self.training.seed, base=self.base
        )
        trainer = Trainer(model, loss=self.loss.make(), config=self.training, paraphrases=others)
        return trainer.fit(
            train,
            dev,
            foils=foils,
            folder=out,
            resume=resume,
            about={"model": attrs.asdict(self.model), "loss": attrs.asdict(self.loss)},
            on_progress=on_progress,
            on_end=lambda run: self._keep(run, Path(out) / MODEL_FOLDER),
        )

    def _require_one_size(self, train: CaptionedClips, dev: CaptionedClips | None) -> None:
        if dev is not None and self.data.dev is not None and dev.feature_dim != train.feature_dim:
            raise ShapeError(
                f"{self.data.dev.features[0]} of [data.dev] has {dev.feature_dim} numbers a frame, but "
                f"{self.data.train.features[0]} of [data.train] has {train.feature_dim}; make both with one frame "
                "encoder."
            )

    def _keep(self, run: TrainingRun, folder: Path) -> None:
        """Write the best model, unless it is there already."""
        if not _holds(folder, run.best):
            with writing(folder):
                save_model(run.best, folder, card=_card(run), notes={CONFIG_NOTE: self.source})


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


def _card(run: TrainingRun) -> str:
    """What is known of the model."""
    best = run.log[run.best_epoch - 1]
    name = run.best.origin.name or "An hgrkit model"
    measured = f", Rsum {best.dev_rsum:.1f} on the dev clips" if best.dev_rsum is not None else ""
    return (
        f"# {name}\n\nTrained with `hgrkit train`; the settings are in `{NOTES_FOLDER}/{CONFIG_NOTE}`. "
        f"Epoch {run.best_epoch} of {len(run.log)}{measured}.\n"
    )
