"""The training loop: batches, steps, epochs, the best weights so far, and the state from which a run resumes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import attrs
import numpy as np
import torch
from torch import Tensor, nn

from hgrkit.errors import ConfigError
from hgrkit.matching.embeddings import VideoEmbeddings
from hgrkit.model.hgr_model import HgrModel
from hgrkit.research.evaluation.measures import RetrievalMeasures, measure
from hgrkit.research.training.clips import CaptionedClips, Indices, RightPairs, epoch_batches
from hgrkit.research.training.config import TrainConfig, learning_rate
from hgrkit.research.training.records import EpochRecord, TrainingInputs, TrainingProgress
from hgrkit.research.training.run_folder import RunFolder
from hgrkit.research.training.state import (
    TrainingState,
    load_optimizer,
    misfit,
    optimizer_tensors,
    require_fit,
    restore_rng_state,
    rng_state,
)
from hgrkit.research.training.text_feed import TextFeed

__all__ = ["TrainingLoop", "WeightAverage", "embed_clips", "measure_clips"]

_CLIPS_AT_ONCE, _CAPTIONS_AT_ONCE = 64, 256
"""The table of scores is computed in blocks of this size, which bounds memory."""
_LOSS_TERMS = ("fused", "event", "action", "entity")
_CHECKED = 64
"""Clips and captions whose scores are checked when an epoch is over."""


@torch.no_grad()
def measure_clips(model: HgrModel, clips: CaptionedClips, feed: TextFeed) -> RetrievalMeasures:
    """Rank all clips for every caption and all captions for every clip.

    Args:
        model: in evaluation mode.
        clips: the candidates and queries.
        feed: embeds their captions with the model.
    """
    texts = [feed.embed(part) for part in _parts(len(clips.graphs), _CAPTIONS_AT_ONCE)]
    rows = []
    for part in _parts(len(clips), _CLIPS_AT_ONCE):
        video = embed_clips(model, clips, part)
        scores = [model.matcher(video, text).fused.float().cpu().numpy() for text in texts]
        rows.append(np.concatenate(scores, axis=1))
    return measure(np.concatenate(rows), RightPairs(clips).relevance)


def embed_clips(
    model: HgrModel,
    clips: CaptionedClips,
    part: Indices,
    *,
    rng: np.random.Generator | None = None,
    dropout: float = 0,
) -> VideoEmbeddings:
    """Embed some clips, their views drawn by `rng` and a share of their features zeroed for training."""
    features = clips.features(part, max_frames=model.video.max_frames, rng=rng).to(model.device)
    if dropout:
        features = attrs.evolve(features, frames=nn.functional.dropout(features.frames, dropout))
    embeddings: VideoEmbeddings = model.video(features)
    return embeddings


def _parts(size: int, step: int) -> list[Indices]:
    return [np.arange(start, min(start + step, size)) for start in range(0, size, step)]


def make_optimizer(model: nn.Module, loss: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """Adam or AdamW; weight decay on the model's matrices, not on vectors, nor on the loss's weights.

    Raises:
        ConfigError: if no weight of the model is trained.
    """
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    if not weights:
        raise ConfigError("every weight of the model is frozen; there is nothing to train.")
    plain = [weight for weight in weights if weight.ndim < 2]
    plain += [weight for weight in loss.parameters() if weight.requires_grad]
    groups = [
        {"params": [weight for weight in weights if weight.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    return kind([group for group in groups if group["params"]], lr=config.learning_rate, betas=config.betas)


class WeightAverage:
    """`average <- d average + (1 - d) weight` each step, with `d = min(decay, (1 + n) / (10 + n))` at step n.

    Args:
        model: whose weights are averaged; they are the first average.
        decay: of the average, a step.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = _copied(model)

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Take in the weights after a step, counted from 1; what is no fraction is copied."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                self.weights[name].lerp_(tensor, 1 - decay)
            else:
                self.weights[name].copy_(tensor)


@contextmanager
def weights_in_place(model: nn.Module, weights: Mapping[str, Tensor] | None) -> Iterator[None]:
    """Run a block with other weights; `None` leaves the model's own."""
    if weights is None:
        yield
        return
    own = _copied(model)
    model.load_state_dict(dict(weights))
    try:
        yield
    finally:
        model.load_state_dict(own)


class TrainingLoop:
    """A run in progress; everything that changes is in `state`.

    Args:
        inputs: what is trained, on what; model and loss on their device.

    Attributes:
        best: weights of the best epoch.
        best_epoch: which, from 1; 0 before the first is over.
        log: one record an epoch.
        start: measures on the dev clips before the first step, with `keep_start`.
    """

    def __init__(self, inputs: TrainingInputs) -> None:
        self._model, self._loss, self._config = inputs.model, inputs.loss, inputs.config
        self._train, self._dev = inputs.train, inputs.dev
        self._paraphrases = inputs.paraphrases if inputs.config.paraphrase_weight else None
        self._foils = inputs.foils if inputs.config.foil_weight else None
        sources = {"train": self._train, "dev": self._dev, "paraphrases": self._paraphrases, "foils": self._foils}
        self._feeds = {
            name: TextFeed(inputs.model, source.graphs, getattr(source, "texts", None))
            for name, source in sources.items()
            if source is not None
        }
        self._right = RightPairs(inputs.train)
        self._lengths = inputs.train.lengths
        self._optimizer = make_optimizer(inputs.model, inputs.loss, inputs.config)
        self._average = WeightAverage(inputs.model, inputs.config.ema) if inputs.config.ema is not None else None
        self._epoch_steps = len(epoch_batches(inputs.config, 0, inputs.train.owners, self._lengths))
        self._total = self._epoch_steps * inputs.config.epochs
        self.best = _copied(inputs.model)
        self.best_epoch = 0
        self.log: list[EpochRecord] = []
        self.start: Mapping[str, Any] | None = None
        self._done = 0  # steps of the epoch
        self._sums: dict[str, float] = {}
        self._seconds = 0.0  # wall-clock time of the epoch, over all parts of an interrupted run

    @property
    def finished(self) -> bool:
        """Whether all epochs are over, or patience is."""
        patience = self._config.patience
        waited = len(self.log) - self.best_epoch
        out_of_patience = patience is not None and bool(self.log) and waited >= patience
        return len(self.log) >= self._config.epochs or out_of_patience

    def run(self, folder: RunFolder | None, on_progress: Callable[[TrainingProgress], None] | None) -> None:
        """Train until it is finished, from wherever it is."""
        if self._config.keep_start and self.start is None:
            self._model.eval()
            self.start = self._measured()
        if folder is not None:
            folder.write_log(self.log, finished=self.finished, start=self.start if self.log else None)
        every = self._config.save_every
        while not self.finished:
            started = time.perf_counter() - self._seconds
            epoch = len(self.log)
            batches = epoch_batches(self._config, epoch, self._train.owners, self._lengths)
            self._model.train()
            while self._done < len(batches):
                value = self._step(epoch, batches[self._done])
                self._done += 1
                if on_progress is not None:
                    on_progress(self._progress(value))
                self._seconds = time.perf_counter() - started
                # at the epoch's end the state is written once it has been measured
                if folder is not None and every and self._done % every == 0 and self._done < len(batches):
                    folder.write_state(self.state())
            self._end_epoch(started)
            if folder is not None:
                folder.write_state(self.state())
                folder.write_log(self.log, finished=self.finished, start=self.start)

    def _progress(self, value: float) -> TrainingProgress:
        return TrainingProgress(
            epoch=len(self.log) + 1,
            step=len(self.log) * self._epoch_steps + self._done,
            total=self._total,
            loss=value,
            dev_rsum=self.log[-1].dev_rsum if self.log else None,
        )

    def _step(self, epoch: int, captions: Indices) -> float:
        """One step down the gradient; returns the loss before it."""
        number = epoch * self._epoch_steps + self._done
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate(self._config, number, self._total)
        parts = self._losses(captions, np.random.default_rng([self._config.seed, epoch, self._done]))
        # one copy from the device a step: each waits for all that is under way there
        values = dict(
            zip(parts, torch.stack([part.detach().float() for part in parts.values()]).tolist(), strict=True)
        )
        if not math.isfinite(values["loss"]):
            raise ConfigError(_not_a_number(values["loss"], number + 1))
        self._optimizer.zero_grad()
        parts["loss"].backward()  # type: ignore[no-untyped-call]
        if self._config.clip_norm is not None:
            weights = [weight for group in self._optimizer.param_groups for weight in group["params"]]
            nn.utils.clip_grad_norm_(weights, self._config.clip_norm)
        self._optimizer.step()
        if self._average is not None:
            self._average.update(self._model, number + 1)
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        return float(values["loss"])

    def _losses(self, captions: Indices, rng: np.random.Generator) -> dict[str, Tensor]:
        """The loss of a batch and its unweighted parts."""
        clips, dropout = self._train.owners[captions], self._config.feature_dropout
        with torch.autocast("cuda", torch.bfloat16, enabled=self._config.mixed_precision):
            video = embed_clips(self._model, self._train, clips, rng=rng, dropout=dropout)
            text = self._feeds["train"].embed(captions)
        scores = self._model.matcher(video, text)
        positives = None
        if not self._config.same_clip_negatives:
            positives = torch.from_numpy(self._right.table(clips, captions)).to(self._model.device)
        value: Tensor = self._loss(scores, positives)
        parts = {}
        if callable(terms := getattr(self._loss, "terms", None)):
            with torch.no_grad():
                parts = dict(zip(_LOSS_TERMS, terms(scores, positives), strict=True))
        if self._paraphrases is not None:
            feed, batch_size = self._feeds["paraphrases"], self._config.batch_size
            parts["paraphrase"] = self._paraphrases.loss(feed, batch_size=batch_size, rng=rng)
            value = value + self._config.paraphrase_weight * parts["paraphrase"]
        if self._foils is not None:
            parts["foil"] = self._foils.loss(
                self._feeds["foils"],
                self._model.matcher,
                captions=captions,
                video=video,
                levels=scores.levels,
                config=self._config,
                rng=rng,
            )
            value = value + self._config.foil_weight * parts["foil"]
        return {"loss": value, **parts}

    def _end_epoch(self, started: float) -> None:
        """Measure on the dev clips, keep the weights if they are the best, and log the epoch."""
        with weights_in_place(self._model, self._average.weights if self._average is not None else None):
            self._model.eval()
            self._require_numbers()
            dev = self._measured()
            # an earlier epoch wins a tie, and so does the start if it is kept
            begun = -1.0 if self.start is None else float(self.start["Rsum"])
            earlier = max([begun, *(record.dev_rsum or 0.0 for record in self.log)])
            best = dev is None or dev["Rsum"] > earlier
            if best:
                self.best, self.best_epoch = _copied(self._model), len(self.log) + 1
        # means are over all steps of the epoch, also over those before an interruption
        means = {name: total / self._done for name, total in self._sums.items()}
        self.log.append(
            EpochRecord(
                epoch=len(self.log) + 1,
                steps=(len(self.log) + 1) * self._epoch_steps,
                loss=means.pop("loss"),
                losses=means,
                learning_rate=self._optimizer.param_groups[0]["lr"],
                dev=dev,
                best=best,
                seconds=round(time.perf_counter() - started, 3),
            )
        )
        self._done, self._sums, self._seconds = 0, {}, 0.0

    def _measured(self) -> Mapping[str, Any] | None:
        """Measures on the dev clips, if there are some."""
        return None if self._dev is None else measure_clips(self._model, self._dev, self._feeds["dev"]).to_dict()

    @torch.no_grad()
    def _require_numbers(self) -> None:
        """Refuse a model that diverged in the epoch's last step, which no loss has seen: weights or scores."""
        epoch = f"after epoch {len(self.log) + 1}; lower learning_rate, or set clip_norm."
        for name, tensor in self._model.state_dict().items():
            if not bool(tensor.isfinite().all()):
                raise ConfigError(f"the weights {name} are no longer numbers {epoch}")
        for name, clips in (("train", self._train), ("dev", self._dev)):
            if clips is not None:
                video = embed_clips(self._model, clips, np.arange(min(_CHECKED, len(clips))))
                text = self._feeds[name].embed(np.arange(min(_CHECKED, len(clips.graphs))))
                if not bool(self._model.matcher(video, text).fused.isfinite().all()):
                    raise ConfigError(f"the weights have grown so large that scores are not numbers {epoch}")

    def state(self) -> TrainingState:
        """Everything that changes."""
        generators, record = rng_state()
        return TrainingState(
            tensors={
                "model": self._model.state_dict(),
                "loss": self._loss.state_dict(),
                "optimizer": optimizer_tensors(self._optimizer),
                "average": self._average.weights if self._average is not None else {},
                "best": self.best,
                "chance": generators,
            },
            record={
                "epoch": len(self.log),
                "done": self._done,
                "sums": self._sums,
                "seconds": self._seconds,
                "best_epoch": self.best_epoch,
                "start": self.start,
                "log": [attrs.asdict(entry) for entry in self.log],
                "chance": record,
            },
        )

    def restore(self, state: TrainingState) -> None:
        """Become what `state` was taken of.

        Raises:
            CheckpointError: if it is the state of another model, or lacks something.
        """
        weights = self._model.state_dict()
        for part in ("model", "best", *(["average"] if self._average is not None else [])):
            require_fit(state, part, weights)
        require_fit(state, "loss", self._loss.state_dict())
        self._model.load_state_dict(state.part("model"))
        self._loss.load_state_dict(state.part("loss"))
        load_optimizer(self._optimizer, state.part("optimizer"))
        if self._average is not None:
            self._average.weights = {n: t.to(self._model.device) for n, t in state.part("average").items()}
        try:
            self.best, self.best_epoch = state.part("best"), state.record["best_epoch"]
            self.log = [EpochRecord(**entry) for entry in state.record["log"]]
            self.start = state.record.get("start")
            self._done, self._sums = state.record["done"], dict(state.record["sums"])
            self._seconds = state.record["seconds"]
            restore_rng_state(state.part("chance"), state.record["chance"])
        except (LookupError, TypeError, ValueError, RuntimeError) as error:
            raise misfit(" ".join(str(error).split())) from error


def _not_a_number(loss: float, step: int) -> str:
    """What to do about a loss at a step, from 1: at the first no rate has mattered yet."""
    if step > 1:
        return f"the loss is {loss} at step {step}; lower learning_rate, or set clip_norm."
    return (
        f"the loss is {loss} at step 1, before a weight has changed; look at the loss's temperature, margin and "
        "level_weights, the matcher's sharpness, foil_temperature, and the size of the features."
    )


def _copied(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
