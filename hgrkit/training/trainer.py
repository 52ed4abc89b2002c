"""Trains a model on captioned clips, measures it on dev clips, and keeps the best."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hgrkit.errors import BenchmarkError, ConfigError, MissingPathError, ShapeError
from hgrkit.matching.losses import InfoNCE
from hgrkit.model import HgrModel
from hgrkit.training.background import draw_background
from hgrkit.training.chance import seeded
from hgrkit.training.clips import CaptionedClips
from hgrkit.training.config import TrainConfig
from hgrkit.training.foils import CaptionFoils
from hgrkit.training.loop import TrainingLoop
from hgrkit.training.paraphrases import Paraphrases
from hgrkit.training.records import TrainingProgress, TrainingRun
from hgrkit.training.run_folder import RunFolder, run_settings
from hgrkit.training.state import STATE_FILE
from hgrkit.video.frame_encoder import resolve_device

__all__ = ["Trainer"]


class Trainer:
    """Trains one model.

    Args:
        model: changed in place.
        loss: takes `Scores` of B clips and B captions and which further pairs fit, bool [B, B], as the losses of
            `hgrkit.matching.losses` do; its own weights are trained too. `InfoNCE()` unless given.
        config: optimiser, schedule, batches, when to stop.
        paraphrases: captions for the text side alone; they count where `paraphrase_weight` is not 0.

    Raises:
        ConfigError: if the device cannot be used, or mixed precision is asked for without a GPU.
    """

    def __init__(
        self,
        model: HgrModel,
        *,
        loss: nn.Module | None = None,
        config: TrainConfig | None = None,
        paraphrases: Paraphrases | None = None,
    ) -> None:
        self.model = model
        self.loss = loss if loss is not None else InfoNCE()
        self.config = config if config is not None else TrainConfig()
        self.paraphrases = paraphrases
        self.device = torch.device(resolve_device(self.config.device))
        if self.config.mixed_precision and self.device.type != "cuda":
            raise ConfigError("mixed_precision needs a GPU, and there is none here; leave it out.")
        if self.config.paraphrase_weight and paraphrases is None:
            raise ConfigError(
                f"paraphrase_weight is {self.config.paraphrase_weight}, but there are no paraphrases; give some."
            )

    def fit(
        self,
        train: CaptionedClips,
        dev: CaptionedClips | None = None,
        *,
        foils: CaptionFoils | None = None,
        folder: str | Path | None = None,
        resume: bool | None = None,
        about: Mapping[str, Any] | None = None,
        on_progress: Callable[[TrainingProgress], None] | None = None,
    ) -> TrainingRun:
        """Train to the end, or to where patience ends.

        With a folder the run leaves `log.jsonl`, `curve.svg` and `state.safetensors` there after every epoch. A
        run that was killed goes on from its state and ends with the weights, on a CPU to the bit, that it would
        have had.

        Args:
            train: what is trained on. Captions of one clip, and captions in the same words, are never negatives.
            dev: what decides which epoch is best; without it the last one is.
            foils: foils of the captions of `train`; they count where `foil_weight` is not 0.
            folder: where the run is kept; made if it is not there.
            resume: go on from the state in the folder: `None` if there is one, `True` there must be one, `False`
                never.
            about: what else the run is made of, as JSON; it goes into the log, and must be the same to go on.
            on_progress: called after every step.

        Raises:
            ShapeError: if the clips' features do not fit the model.
            BenchmarkError: if the foils are of other captions than those of `train`.
            ConfigError: if a state was made with other settings or data, another run is under way in the folder,
                `foil_weight` is not 0 and there are no foils, or the loss is no longer a number.
            MissingPathError: if there is nothing to go on from and `resume` is true.
            CheckpointError: if the state cannot be read.
        """
        for clips in filter(None, (train, dev)):
            if clips.feature_dim != self.model.feature_dim:
                raise ShapeError(
                    f"the clips have {clips.feature_dim} numbers a frame, but the model was built with "
                    f"feature_dim={self.model.feature_dim}."
                )
        self._check_foils(train, foils)
        settings = run_settings(
            self.model,
            self.loss,
            self.config,
            train=train,
            dev=dev,
            paraphrases=self.paraphrases,
            foils=foils,
            about=about or {},
        )
        place = RunFolder.open(folder, settings) if folder is not None else None
        with place.held() if place is not None else nullcontext():
            state = place.read_state() if place is not None and resume is not False else None
            if resume and state is None:
                raise MissingPathError(
                    f"there is no {STATE_FILE} in {str(folder)!r} to go on from; begin without resume."
                )
            self.model.to(self.device)
            self.loss.to(self.device)
            with seeded(self.config.seed):
                loop = TrainingLoop(
                    self.model,
                    self.loss,
                    self.config,
                    train=train,
                    dev=dev,
                    paraphrases=self.paraphrases,
                    foils=foils,
                )
                if state is not None:
                    loop.restore(state)
                loop.run(place, on_progress)
        self.model.load_state_dict(loop.best)
        self.model.eval()
        self.model.background = draw_background(
            self.model, train, size=self.config.background, seed=self.config.seed
        )
        return TrainingRun(
            best=self.model,
            best_epoch=loop.best_epoch,
            log=tuple(loop.log),
            stopped_early=len(loop.log) < self.config.epochs,
            folder=place.path if place is not None else None,
        )

    def _check_foils(self, train: CaptionedClips, foils: CaptionFoils | None) -> None:
        if self.config.foil_weight and foils is None:
            raise ConfigError(f"foil_weight is {self.config.foil_weight}, but there are no foils; give some.")
        if foils is not None and foils.captions != train.texts:
            raise BenchmarkError("the foils are not of the captions to train on; make them with CaptionFoils.of.")
