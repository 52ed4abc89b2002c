"""Trains a model on captioned clips, measures it on dev clips, and keeps the best."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from hgrkit.arguments import check_callable, check_flag, check_instance, check_path, shown
from hgrkit.errors import BenchmarkError, ConfigError, MissingPathError, ShapeError
from hgrkit.matching.config import DEFAULT_TEMPERATURE
from hgrkit.matching.losses import InfoNCE
from hgrkit.matching.querybank_norm import QuerybankNorm
from hgrkit.model.hgr_model import HgrModel
from hgrkit.research.training.chance import seeded
from hgrkit.research.training.clips import CaptionedClips
from hgrkit.research.training.config import TrainConfig
from hgrkit.research.training.foils import CaptionFoils
from hgrkit.research.training.loop import TrainingLoop
from hgrkit.research.training.paraphrases import Paraphrases
from hgrkit.research.training.records import TrainingProgress, TrainingRun
from hgrkit.research.training.run_folder import RunFolder, run_settings
from hgrkit.video.frame_encoder import resolve_device

__all__ = ["Trainer"]

_CLIPS_AT_ONCE = 256


@torch.no_grad()
def draw_querybank(model: HgrModel, clips: CaptionedClips, *, size: int | None, seed: int) -> QuerybankNorm | None:
    """The querybank normalisation by some clips, drawn at random.

    Args:
        model: in evaluation mode.
        clips: what it was trained on; the first view of each.
        size: how many; all, if there are fewer. `None` is as many as the model has, or none.
        seed: of the draw.
    """
    before = model.querybank_norm
    if size is None:
        if before is None:
            return None
        size = len(before.events)
    chosen = np.sort(np.random.default_rng(seed).permutation(len(clips))[:size])
    events = [
        model.video(clips.features(part, max_frames=model.video.max_frames).to(model.device)).event
        for part in np.array_split(chosen, -(-len(chosen) // _CLIPS_AT_ONCE))
    ]
    temperature = DEFAULT_TEMPERATURE if before is None else before.temperature
    return QuerybankNorm.of(torch.cat(events), temperature=temperature)


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
        self.model = check_instance("model", model, HgrModel)
        self.loss: nn.Module = InfoNCE() if loss is None else check_instance("loss", loss, nn.Module)
        self.config = TrainConfig() if config is None else check_instance("config", config, TrainConfig)
        self.paraphrases = None if paraphrases is None else check_instance("paraphrases", paraphrases, Paraphrases)
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
        on_end: Callable[[TrainingRun], None] | None = None,
    ) -> TrainingRun:
        """Train to the end, or to where patience ends.

        With a folder the run leaves `log.jsonl`, `curve.svg` and `state.safetensors` there after every epoch. A
        run that was killed goes on from its state and ends with the weights, on a CPU to the bit, that it would
        have had.

        Args:
            train: what is trained on. Captions of one clip, and captions in the same words, are never negatives.
            dev: what decides which epoch is best; without it the last one is.
            foils: foils of the captions of `train`; they count where `foil_weight` is not 0.
            folder: where the run is kept; made if it is not there, and otherwise empty or a run's.
            resume: go on from the state in the folder: `None` if there is one, `True` there must be one, `False`
                never: a run that is there is replaced.
            about: what else the run is made of, as JSON; it goes into the log, and must be the same to go on.
            on_progress: called after every step.
            on_end: called with the run when it is over, while the folder is still kept from other runs.

        Raises:
            ShapeError: if the clips' features do not fit the model.
            BenchmarkError: if the foils are of other captions than those of `train`, or no two clips of `train`
                have different captions.
            ConfigError: if a state was made with other settings or data, another run is under way in the folder or
                it holds something else, `foil_weight` is not 0 and there are no foils, `patience` is set and there
                are no dev clips, or the loss or the weights are no longer numbers.
            MissingPathError: if there is nothing to go on from and `resume` is true.
            CheckpointError: if the state cannot be read, or something that is no model folder is in its place.
            OSError: if the disk is full or fails; what was kept before is there still.
        """
        check_instance("train", train, CaptionedClips, hint="make them: CaptionedClips.of(...)")
        if dev is not None:
            check_instance("dev", dev, CaptionedClips)
        if foils is not None:
            check_instance("foils", foils, CaptionFoils)
        if resume is not None:
            check_flag("resume", resume)
        if about is not None and not isinstance(about, Mapping):
            raise ConfigError(f"about must be a mapping of names to JSON values, got {shown(about)}.")
        check_callable("on_progress", on_progress, takes="a TrainingProgress")
        check_callable("on_end", on_end, takes="a TrainingRun")
        folder = None if folder is None else Path(check_path("folder", folder))
        self._check_clips(train, dev)
        self._check_foils(train, foils)
        if resume and folder is None:
            raise MissingPathError("there is nothing to go on from without a folder; give the run's folder.")
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
        place = RunFolder.open(folder, settings, resume=resume) if folder is not None else None
        with place.held() if place is not None else nullcontext():
            state = place.read_state() if place is not None and resume is not False else None
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
            run = self._finished(loop, train, dev, place)
            if on_end is not None:
                on_end(run)
        return run

    def _finished(
        self, loop: TrainingLoop, train: CaptionedClips, dev: CaptionedClips | None, place: RunFolder | None
    ) -> TrainingRun:
        """The run, its model the best one."""
        self.model.load_state_dict(loop.best)
        self.model.eval()
        self.model.querybank_norm = draw_querybank(
            self.model, train, size=self.config.background, seed=self.config.seed
        )
        return TrainingRun(
            best=self.model,
            best_epoch=loop.best_epoch,
            log=tuple(loop.log),
            stopped_early=len(loop.log) < self.config.epochs,
            folder=place.path if place is not None else None,
            blank_captions=train.blank + (dev.blank if dev is not None else 0),
        )

    def _check_clips(self, train: CaptionedClips, dev: CaptionedClips | None) -> None:
        for name, clips in (("training", train), ("dev", dev)):
            if clips is not None and clips.feature_dim != self.model.feature_dim:
                raise ShapeError(
                    f"the {name} clips have {clips.feature_dim} numbers a frame, but the model was built with "
                    f"feature_dim={self.model.feature_dim}; make their features with the model's frame encoder."
                )
        told = np.unique(np.stack([train.owners, train.wordings]), axis=1).shape[1]
        if told == len(train) * len(set(train.wordings.tolist())):
            raise BenchmarkError(
                f"training tells clips apart by their captions, but all captions fit all {len(train)} clips; "
                "give at least two clips with different captions."
            )
        if self.config.patience is not None and dev is None:
            raise ConfigError(
                f"patience is {self.config.patience}, but there are no dev clips; give some, or leave it out."
            )

    def _check_foils(self, train: CaptionedClips, foils: CaptionFoils | None) -> None:
        if self.config.foil_weight and foils is None:
            raise ConfigError(f"foil_weight is {self.config.foil_weight}, but there are no foils; give some.")
        if foils is not None and foils.captions != train.texts:
            raise BenchmarkError("the foils are not of the captions to train on; make them with CaptionFoils.of.")
