"""Trains a model on captioned clips, measures it on dev clips, and keeps the best."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from hgrkit.checks.arguments import check_callable, check_flag, check_instance, check_path, shown
from hgrkit.checks.device import device_memory, full_precision, resolve_device
from hgrkit.errors import ConfigError, MissingPathError
from hgrkit.matching.config import DEFAULT_TEMPERATURE
from hgrkit.matching.losses import InfoNCE
from hgrkit.matching.querybank_norm import QuerybankNorm
from hgrkit.model.hgr_model import HgrModel
from hgrkit.research.training.clips import CaptionedClips
from hgrkit.research.training.config import TrainConfig
from hgrkit.research.training.foils import CaptionFoils
from hgrkit.research.training.loop import TrainingLoop, embed_clips
from hgrkit.research.training.paraphrases import Paraphrases
from hgrkit.research.training.records import TrainingInputs, TrainingProgress, TrainingRun
from hgrkit.research.training.run_folder import RunFolder
from hgrkit.research.training.state import TrainingState, seeded

__all__ = ["Trainer"]

_CLIPS_AT_ONCE = 256
"""Clips that are embedded in one batch, which bounds memory."""


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
    parts = np.array_split(chosen, -(-len(chosen) // _CLIPS_AT_ONCE))
    events = [embed_clips(model, clips, part).event for part in parts]
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
        """Train to the end, or until patience runs out.

        With a folder the run leaves `log.jsonl`, `curve.svg` and `state.safetensors` there after every epoch. A
        run that was interrupted resumes from its state and ends with the weights, on a CPU to the bit, that it
        would have had.

        Args:
            train: what is trained on. Captions of one clip, and captions in the same words, are never negatives
                unless `same_clip_negatives` says so.
            dev: what decides which epoch is best; without it the last one is.
            foils: foils of the captions of `train`; they count where `foil_weight` is not 0.
            folder: where the run is written; made if it is not there, and otherwise empty or a run's.
            resume: whether to resume from the state in the folder: `None` if there is one, `True` there must be
                one, `False` never: a run that is there is replaced.
            about: what else the run is made of, as JSON; it goes into the log, and must be the same to resume.
            on_progress: called after every step.
            on_end: called with the run when it is over, while the folder is still locked for other runs.

        Raises:
            ShapeError: if the clips' features do not fit the model.
            BenchmarkError: if the foils are of other captions than those of `train`, or no two clips of `train`
                have different captions.
            ConfigError: if a state was made with other settings or data, another run is under way in the folder or
                it holds something else, `foil_weight` is not 0 and there are no foils, `patience` is set and there
                are no dev clips, or the loss or the weights are no longer numbers.
            MissingPathError: if there is nothing to resume and `resume` is true.
            CheckpointError: if the state cannot be read, or something that is no model folder is in its place.
            OSError: if the disk is full or fails; what was written before is still there.
        """
        if resume is not None:
            check_flag("resume", resume)
        if about is not None and not isinstance(about, Mapping):
            raise ConfigError(f"about must be a mapping of names to JSON values, got {shown(about)}.")
        check_callable("on_progress", on_progress, takes="a TrainingProgress")
        check_callable("on_end", on_end, takes="a TrainingRun")
        path = None if folder is None else Path(check_path("folder", folder))
        inputs = TrainingInputs(
            model=self.model,
            loss=self.loss,
            config=self.config,
            train=train,
            dev=dev,
            paraphrases=self.paraphrases,
            foils=foils,
        )
        if path is None:
            if resume:
                raise MissingPathError("there is nothing to resume from without a folder; give the run's folder.")
            return self._run(inputs, None, None, on_progress, on_end)
        run_folder = RunFolder.open(path, inputs.settings(about or {}), resume=resume)
        with run_folder.locked():
            state = run_folder.read_state() if resume is not False else None
            return self._run(inputs, run_folder, state, on_progress, on_end)

    def _run(
        self,
        inputs: TrainingInputs,
        folder: RunFolder | None,
        state: TrainingState | None,
        on_progress: Callable[[TrainingProgress], None] | None,
        on_end: Callable[[TrainingRun], None] | None,
    ) -> TrainingRun:
        """Train, from a state if there is one; the run's model is the best one."""
        memory = device_memory("lower batch_size, foils a caption, or embed_dim")
        with memory, full_precision(self.device), seeded(self.config.seed):
            self.model.to(self.device)
            self.loss.to(self.device)
            loop = TrainingLoop(inputs)
            if state is not None:
                loop.restore(state)
            loop.run(folder, on_progress)
        self.model.load_state_dict(loop.best)
        self.model.eval()
        self.model.querybank_norm = draw_querybank(
            self.model, inputs.train, size=self.config.background, seed=self.config.seed
        )
        run = TrainingRun(
            best=self.model,
            best_epoch=loop.best_epoch,
            log=tuple(loop.log),
            start=loop.start,
            stopped_early=len(loop.log) < self.config.epochs,
            folder=None if folder is None else folder.path,
            blank_captions=inputs.train.blank + (0 if inputs.dev is None else inputs.dev.blank),
        )
        if on_end is not None:
            on_end(run)
        return run
