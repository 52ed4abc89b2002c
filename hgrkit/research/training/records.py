"""What goes into a run, and what it tells of itself: one record an epoch, and the run when it is over."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from torch import nn

from hgrkit.checks.arguments import check_instance
from hgrkit.errors import BenchmarkError, ConfigError, ShapeError
from hgrkit.model.hgr_model import HgrModel
from hgrkit.research.training.clips import CaptionedClips
from hgrkit.research.training.config import TrainConfig
from hgrkit.research.training.foils import CaptionFoils
from hgrkit.research.training.paraphrases import Paraphrases

__all__ = ["EpochRecord", "TrainingInputs", "TrainingProgress", "TrainingRun"]

_SHOWN_NUMBERS = 16
"""Weights of a loss that are written down have at most so many numbers."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class TrainingInputs:
    """What a run is made of, as `Trainer` and `Trainer.fit` take it.

    Raises:
        ConfigError, ShapeError, BenchmarkError: if something is of another type, or does not fit the rest.
    """

    model: HgrModel
    loss: nn.Module
    config: TrainConfig
    train: CaptionedClips
    dev: CaptionedClips | None = None
    paraphrases: Paraphrases | None = None
    foils: CaptionFoils | None = None

    def __attrs_post_init__(self) -> None:
        check_instance("train", self.train, CaptionedClips, hint="make them: CaptionedClips.of(...)")
        if self.dev is not None:
            check_instance("dev", self.dev, CaptionedClips)
        if self.foils is not None:
            check_instance("foils", self.foils, CaptionFoils)
        self._check_clips()
        if self.config.patience is not None and self.dev is None:
            raise ConfigError(
                f"patience is {self.config.patience}, but there are no dev clips; give some, or leave it out."
            )
        if self.config.keep_start and self.dev is None:
            raise ConfigError(
                "keep_start is true, but there are no dev clips to measure; give some, or leave it out."
            )
        if self.config.foil_weight and self.foils is None:
            raise ConfigError(f"foil_weight is {self.config.foil_weight}, but there are no foils; give some.")
        if self.foils is not None and self.foils.captions != self.train.texts:
            raise BenchmarkError("the foils are not of the captions to train on; make them with CaptionFoils.of.")

    def _check_clips(self) -> None:
        for name, clips in (("training", self.train), ("dev", self.dev)):
            if clips is not None and clips.feature_dim != self.model.feature_dim:
                raise ShapeError(
                    f"the {name} clips have {clips.feature_dim} numbers a frame, but the model was built with "
                    f"feature_dim={self.model.feature_dim}; make their features with the model's frame encoder."
                )
        # without a single pair that does not fit there are no negatives
        wordings = self.train.wordings
        fitting = np.unique(np.stack([self.train.owners, wordings]), axis=1).shape[1]
        if fitting == len(self.train) * len(set(wordings.tolist())):
            raise BenchmarkError(
                "training tells clips apart by their captions, but all captions fit all "
                f"{len(self.train)} clips; give at least two clips with different captions."
            )

    def settings(self, about: Mapping[str, Any]) -> dict[str, Any]:
        """All of it as JSON: the first line of the log, and what must be the same to resume.

        Args:
            about: what else the run is made of.
        """
        loss = {name: value for name, value in vars(self.loss).items() if name[0] != "_" and name != "training"}
        loss |= {
            name: {"start": weight.detach().cpu().tolist(), "trained": weight.requires_grad}
            for name, weight in self.loss.named_parameters()
            if weight.numel() <= _SHOWN_NUMBERS
        }
        settings = {
            "training": attrs.asdict(self.config),
            "loss": {"type": type(self.loss).__name__, **loss},
            "model": dict(self.model.config),
            "weights": _weights(self.model),
            "train": self.train.described,
            "dev": None if self.dev is None else self.dev.described,
            "paraphrases": None if self.paraphrases is None else self.paraphrases.digest,
            "foils": None if self.foils is None else self.foils.described,
            "about": dict(about),
        }
        as_json: dict[str, Any] = json.loads(json.dumps(settings, default=str))
        return as_json


def _weights(model: nn.Module) -> dict[str, Any]:
    """The shapes of the weights, as a digest, and which are not trained."""
    state = model.state_dict()
    shapes = json.dumps({name: list(tensor.shape) for name, tensor in state.items()})
    return {
        "numbers": sum(tensor.numel() for tensor in state.values()),
        "shapes_sha256": hashlib.sha256(shapes.encode()).hexdigest(),
        "frozen": [name for name, weight in model.named_parameters() if not weight.requires_grad],
    }


@attrs.frozen(kw_only=True)
class TrainingProgress:
    """How far a run is; handed out after every step.

    Attributes:
        epoch: from 1.
        step: steps done of the whole run.
        total: steps of the whole run, were it not to stop early.
        loss: of this step's batch.
        dev_rsum: of the last epoch that was measured; `None` before that or without dev clips.
    """

    epoch: int
    step: int
    total: int
    loss: float
    dev_rsum: float | None = None


@attrs.frozen(kw_only=True)
class EpochRecord:
    """One epoch.

    Attributes:
        epoch: from 1.
        steps: steps done of the whole run.
        loss: mean over the epoch's steps of what was minimised.
        losses: means of its parts, unweighted: fused, event, action, entity, paraphrase, foil; those that
            there are.
        learning_rate: of the last step.
        dev: measures on the dev clips, as `hgrkit evaluate` gives them; `None` without dev clips.
        best: whether it is the best so far.
        seconds: wall-clock time of the epoch with its measuring, over all parts of an interrupted run.
    """

    epoch: int
    steps: int
    loss: float
    losses: Mapping[str, float]
    learning_rate: float
    dev: Mapping[str, Any] | None
    best: bool
    seconds: float

    @property
    def dev_rsum(self) -> float | None:
        """Rsum on the dev clips."""
        return None if self.dev is None else float(self.dev["Rsum"])


@attrs.frozen(kw_only=True, eq=False, repr=False)
class TrainingRun:
    """A run that is over.

    Attributes:
        best: the model of the best epoch, in evaluation mode: highest dev Rsum, the last epoch without dev clips.
        best_epoch: which one, from 1; 0 if no epoch was better than the start, with `keep_start`.
        log: one record an epoch.
        start: measures on the dev clips before the first step; `None` without `keep_start`.
        stopped_early: whether patience ended it.
        folder: where its log, curve and state are; `None` if they were not written.
        blank_captions: captions of the training and dev clips without words, which were left out.
    """

    best: HgrModel
    best_epoch: int
    log: tuple[EpochRecord, ...]
    start: Mapping[str, Any] | None = None
    stopped_early: bool
    folder: Path | None
    blank_captions: int = 0

    @property
    def best_dev(self) -> Mapping[str, Any] | None:
        """Measures of the best epoch, or of the start if that is kept, on the dev clips."""
        return self.start if self.best_epoch == 0 else self.log[self.best_epoch - 1].dev

    def __repr__(self) -> str:
        return f"TrainingRun(epochs={len(self.log)}, best_epoch={self.best_epoch})"
