"""The training loop: steps, epochs, the best so far, and the state from which it goes on."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import attrs
import numpy as np
import torch
from torch import Tensor, nn

from hgrkit.errors import ConfigError
from hgrkit.model import HgrModel
from hgrkit.training.batches import epoch_batches, steps_per_epoch
from hgrkit.training.chance import chance_state, restore_chance
from hgrkit.training.clips import CaptionedClips, Indices
from hgrkit.training.config import TrainConfig
from hgrkit.training.dev_measures import RightPairs, measure_clips
from hgrkit.training.ema import WeightAverage, weights_in_place
from hgrkit.training.foils import CaptionFoils
from hgrkit.training.optimizer import make_optimizer
from hgrkit.training.paraphrases import Paraphrases
from hgrkit.training.records import EpochRecord, TrainingProgress
from hgrkit.training.run_folder import RunFolder
from hgrkit.training.schedule import learning_rate
from hgrkit.training.state import TrainingState, load_optimizer, optimizer_tensors
from hgrkit.training.text_feed import text_feed

__all__ = ["TrainingLoop"]

_PARTS = ("fused", "event", "action", "entity")


class TrainingLoop:
    """A run in progress; everything that changes is in `state`.

    Args:
        model: on its device.
        loss: on the same.
        config: the settings.
        train: what is trained on.
        dev: what is measured.
        paraphrases: captions for the text side alone.
        foils: hard negatives of the captions of `train`.

    Attributes:
        best: weights of the best epoch.
        best_epoch: which, from 1; 0 before the first is over.
        log: one record an epoch.
    """

    def __init__(
        self,
        model: HgrModel,
        loss: nn.Module,
        config: TrainConfig,
        *,
        train: CaptionedClips,
        dev: CaptionedClips | None,
        paraphrases: Paraphrases | None,
        foils: CaptionFoils | None,
    ) -> None:
        self.model, self.loss, self.config = model, loss, config
        self.train, self.dev = train, dev
        self.paraphrases = paraphrases if config.paraphrase_weight else None
        self.foils = foils if config.foil_weight else None
        self.feed = text_feed(model, train.graphs)
        self.dev_feed = text_feed(model, dev.graphs) if dev is not None else None
        self.other_feed = text_feed(model, self.paraphrases.graphs) if self.paraphrases is not None else None
        self.foil_feed = text_feed(model, self.foils.graphs) if self.foils is not None else None
        self.right = RightPairs(train)
        self.lengths = train.lengths
        self.optimizer = make_optimizer(model, loss, config)
        self.average = WeightAverage(model, config.ema) if config.ema is not None else None
        self.epoch_steps = steps_per_epoch(config, np.bincount(train.owners, minlength=len(train)).tolist())
        self.best = _copied(model)
        self.best_epoch = 0
        self.log: list[EpochRecord] = []
        self.done = 0  # steps of the epoch
        self.sums: dict[str, float] = {}
        self.seconds = 0.0

    @property
    def total(self) -> int:
        """Steps of the whole run, were it not to stop early."""
        return self.config.epochs * self.epoch_steps

    @property
    def finished(self) -> bool:
        """Whether all epochs are over, or patience is."""
        patience = self.config.patience
        waited = len(self.log) - self.best_epoch
        out_of_patience = patience is not None and self.dev is not None and waited >= patience
        return len(self.log) >= self.config.epochs or (bool(self.log) and out_of_patience)

    def run(self, folder: RunFolder | None, on_progress: Callable[[TrainingProgress], None] | None) -> None:
        """Go on until it is finished."""
        if folder is not None:
            folder.write_log(self.log, finished=self.finished)
        while not self.finished:
            started = time.perf_counter() - self.seconds
            epoch = len(self.log)
            batches = epoch_batches(self.config, epoch, self.train.owners, self.lengths)
            self.model.train()
            while self.done < len(batches):
                value = self._step(epoch, batches[self.done])
                self.done += 1
                if on_progress is not None:
                    on_progress(self._progress(value))
                self.seconds = time.perf_counter() - started
                if folder is not None and self._is_due(len(batches)):
                    folder.write_state(self.state())
            self._end_epoch(started)
            if folder is not None:
                folder.write_state(self.state())
                folder.write_log(self.log, finished=self.finished)

    def _is_due(self, batches: int) -> bool:
        every = self.config.save_every
        return every is not None and self.done < batches and self.done % every == 0

    def _progress(self, value: float) -> TrainingProgress:
        return TrainingProgress(
            epoch=len(self.log) + 1,
            step=len(self.log) * self.epoch_steps + self.done,
            total=self.total,
            loss=value,
            dev_rsum=self.log[-1].dev_rsum if self.log else None,
        )

    def _step(self, epoch: int, captions: Indices) -> float:
        """One step down the gradient; returns the loss before it."""
        number = epoch * self.epoch_steps + self.done
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.config, number, self.total)
        parts = self._losses(captions, np.random.default_rng([self.config.seed, epoch, self.done]))
        value = parts["loss"]
        if not math.isfinite(float(value.detach())):
            raise ConfigError(
                f"the loss is {float(value.detach())} at step {number + 1}; lower learning_rate, or set clip_norm."
            )
        self.optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        if self.config.clip_norm is not None:
            weights = [weight for group in self.optimizer.param_groups for weight in group["params"]]
            nn.utils.clip_grad_norm_(weights, self.config.clip_norm)
        self.optimizer.step()
        if self.average is not None:
            self.average.update(self.model, number + 1)
        for name, part in parts.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(part.detach())
        return float(value.detach())

    def _losses(self, captions: Indices, chance: np.random.Generator) -> dict[str, Tensor]:
        """The loss of a batch and its unweighted parts."""
        clips = self.train.owners[captions]
        features = self.train.features(clips, max_frames=self.model.video.max_frames, chance=chance)
        features = features.to(self.model.device)
        if self.config.feature_dropout:
            frames = nn.functional.dropout(features.frames, self.config.feature_dropout)
            features = attrs.evolve(features, frames=frames)
        with torch.autocast("cuda", torch.bfloat16, enabled=self.config.mixed_precision):
            video, text = self.model.video(features), self.feed.embed(self.model, captions)
        scores = self.model.matcher(video, text)
        positives = torch.from_numpy(self.right.table(clips, captions)).to(self.model.device)
        value: Tensor = self.loss(scores, positives)
        parts = {}
        if callable(terms := getattr(self.loss, "terms", None)):
            with torch.no_grad():
                parts = dict(zip(_PARTS, terms(scores, positives), strict=True))
        if self.paraphrases is not None and self.other_feed is not None:
            other = self.paraphrases.loss(
                self.model, self.other_feed, batch_size=self.config.batch_size, chance=chance
            )
            value = value + self.config.paraphrase_weight * other
            parts["paraphrase"] = other
        if self.foils is not None and self.foil_feed is not None:
            preferred = self.foils.loss(
                self.model,
                self.foil_feed,
                captions=captions,
                video=video,
                levels=scores.levels,
                config=self.config,
                chance=chance,
            )
            value = value + self.config.foil_weight * preferred
            parts["foil"] = preferred
        return {"loss": value, **parts}

    def _end_epoch(self, started: float) -> None:
        """Measure, keep what is best, write the epoch down."""
        with weights_in_place(self.model, self.average.weights if self.average is not None else None):
            self.model.eval()
            dev = None
            if self.dev is not None and self.dev_feed is not None:
                dev = measure_clips(self.model, self.dev, self.dev_feed).to_dict()
            earlier = max((record.dev_rsum or 0.0 for record in self.log), default=-1.0)
            best = dev is None or dev["Rsum"] > earlier
            if best:
                self.best, self.best_epoch = _copied(self.model), len(self.log) + 1
        means = {name: total / self.done for name, total in self.sums.items()}
        self.log.append(
            EpochRecord(
                epoch=len(self.log) + 1,
                steps=(len(self.log) + 1) * self.epoch_steps,
                loss=means.pop("loss"),
                losses=means,
                learning_rate=self.optimizer.param_groups[0]["lr"],
                dev=dev,
                best=best,
                seconds=round(time.perf_counter() - started, 3),
            )
        )
        self.done, self.sums, self.seconds = 0, {}, 0.0

    def state(self) -> TrainingState:
        """Everything that changes."""
        generators, record = chance_state()
        return TrainingState(
            tensors={
                "model": self.model.state_dict(),
                "loss": self.loss.state_dict(),
                "optimizer": optimizer_tensors(self.optimizer),
                "average": self.average.weights if self.average is not None else {},
                "best": self.best,
                "chance": generators,
            },
            record={
                "epoch": len(self.log),
                "done": self.done,
                "sums": self.sums,
                "seconds": self.seconds,
                "best_epoch": self.best_epoch,
                "log": [attrs.asdict(entry) for entry in self.log],
                "chance": record,
            },
        )

    def restore(self, state: TrainingState) -> None:
        """Become what `state` was taken of."""
        self.model.load_state_dict(state.part("model"))
        self.loss.load_state_dict(state.part("loss"))
        load_optimizer(self.optimizer, state.part("optimizer"))
        if self.average is not None:
            self.average.weights = {n: t.to(self.model.device) for n, t in state.part("average").items()}
        self.best, self.best_epoch = state.part("best"), state.record["best_epoch"]
        self.log = [EpochRecord(**entry) for entry in state.record["log"]]
        self.done, self.sums = state.record["done"], dict(state.record["sums"])
        self.seconds = state.record["seconds"]
        restore_chance(state.part("chance"), state.record["chance"])


def _copied(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
