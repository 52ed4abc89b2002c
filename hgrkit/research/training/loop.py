"""The training loop: steps, epochs, the best so far, and the state from which it goes on."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import attrs
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from hgrkit.errors import ConfigError
from hgrkit.matching.embeddings import TextEmbeddings, VideoEmbeddings
from hgrkit.model.hgr_model import HgrModel
from hgrkit.research.evaluation.measures import RetrievalMeasures, measure
from hgrkit.research.evaluation.ranking import Relevance
from hgrkit.research.training.batches import epoch_batches, steps_per_epoch
from hgrkit.research.training.chance import chance_state, restore_chance
from hgrkit.research.training.clips import CaptionedClips, Float32, Indices
from hgrkit.research.training.config import TrainConfig
from hgrkit.research.training.foils import CaptionFoils
from hgrkit.research.training.optimizer import WeightAverage, learning_rate, make_optimizer, weights_in_place
from hgrkit.research.training.paraphrases import Paraphrases
from hgrkit.research.training.records import EpochRecord, TrainingProgress
from hgrkit.research.training.run_folder import RunFolder
from hgrkit.research.training.state import TrainingState, load_optimizer, misfit, optimizer_tensors, require_fit
from hgrkit.research.training.text_feed import TextFeed, text_feed

__all__ = ["RightPairs", "TrainingLoop", "measure_clips"]

Table = npt.NDArray[np.bool_]

_CLIPS_AT_ONCE, _CAPTIONS_AT_ONCE = 64, 256


@torch.no_grad()
def measure_clips(model: HgrModel, clips: CaptionedClips, feed: TextFeed) -> RetrievalMeasures:
    """Rank all clips for every caption and all captions for every clip.

    Args:
        model: in evaluation mode.
        clips: the candidates and queries.
        feed: embeds their captions.
    """
    videos = [_videos(model, clips, part) for part in _parts(len(clips), _CLIPS_AT_ONCE)]
    texts = [feed.embed(model, part) for part in _parts(len(clips.graphs), _CAPTIONS_AT_ONCE)]
    scores = np.concatenate([_row(model, video, texts) for video in videos])
    return measure(scores, RightPairs(clips).relevance)


class RightPairs:
    """Which captions are right for which clips: their own, and those in the very words of their own.

    Args:
        clips: the clips and captions.
    """

    def __init__(self, clips: CaptionedClips) -> None:
        self._wordings = clips.wordings
        self._base = int(self._wordings.max()) + 1
        self._known = np.unique(clips.owners * self._base + self._wordings)  # each clip with each of its wordings
        self._shape = (len(clips), len(clips.graphs))

    def table(self, clips: Indices, captions: Indices) -> Table:
        """Whether each of V clips and each of C captions fit, bool [V, C]."""
        return np.isin(clips[:, None] * self._base + self._wordings[captions][None, :], self._known)

    @property
    def relevance(self) -> Relevance:
        """All pairs that fit, clips as queries."""
        owners, wordings = np.divmod(self._known, self._base)
        by_wording = np.argsort(self._wordings, kind="stable")
        starts = np.searchsorted(self._wordings[by_wording], np.arange(self._base + 1))
        told = [by_wording[starts[wording] : starts[wording + 1]] for wording in wordings.tolist()]
        clips = np.repeat(owners, [len(captions) for captions in told])
        return Relevance.from_pairs(clips, np.concatenate(told), self._shape)


def _videos(model: HgrModel, clips: CaptionedClips, part: Indices) -> VideoEmbeddings:
    features = clips.features(part, max_frames=model.video.max_frames)
    embeddings: VideoEmbeddings = model.video(features.to(model.device))
    return embeddings


def _row(model: HgrModel, video: VideoEmbeddings, texts: list[TextEmbeddings]) -> Float32:
    return np.concatenate([model.matcher(video, text).fused.float().cpu().numpy() for text in texts], axis=1)


def _parts(size: int, step: int) -> list[Indices]:
    return [np.arange(start, min(start + step, size)) for start in range(0, size, step)]


_PARTS = ("fused", "event", "action", "entity")
_LOOKED_AT = 64
"""Clips and captions whose scores are looked at when an epoch is over."""


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
        self._model, self._loss, self._config = model, loss, config
        self._train, self._dev = train, dev
        self._paraphrases = paraphrases if config.paraphrase_weight else None
        self._foils = foils if config.foil_weight else None
        self._feed = text_feed(model, train.graphs)
        self._dev_feed = text_feed(model, dev.graphs) if dev is not None else None
        self._other_feed = text_feed(model, self._paraphrases.graphs) if self._paraphrases is not None else None
        self._foil_feed = text_feed(model, self._foils.graphs) if self._foils is not None else None
        self._right = RightPairs(train)
        self._lengths = train.lengths
        self._optimizer = make_optimizer(model, loss, config)
        self._average = WeightAverage(model, config.ema) if config.ema is not None else None
        self._epoch_steps = steps_per_epoch(config, np.bincount(train.owners, minlength=len(train)).tolist())
        self.best = _copied(model)
        self.best_epoch = 0
        self.log: list[EpochRecord] = []
        self._done = 0  # steps of the epoch
        self._sums: dict[str, float] = {}
        self._seconds = 0.0

    @property
    def total(self) -> int:
        """Steps of the whole run, were it not to stop early."""
        return self._config.epochs * self._epoch_steps

    @property
    def finished(self) -> bool:
        """Whether all epochs are over, or patience is."""
        patience = self._config.patience
        waited = len(self.log) - self.best_epoch
        out_of_patience = patience is not None and self._dev is not None and waited >= patience
        return len(self.log) >= self._config.epochs or (bool(self.log) and out_of_patience)

    def run(self, folder: RunFolder | None, on_progress: Callable[[TrainingProgress], None] | None) -> None:
        """Go on until it is finished."""
        if folder is not None:
            folder.write_log(self.log, finished=self.finished)
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
                if folder is not None and self._is_due(len(batches)):
                    folder.write_state(self.state())
            self._end_epoch(started)
            if folder is not None:
                folder.write_state(self.state())
                folder.write_log(self.log, finished=self.finished)

    def _is_due(self, batches: int) -> bool:
        every = self._config.save_every
        return every is not None and self._done < batches and self._done % every == 0

    def _progress(self, value: float) -> TrainingProgress:
        return TrainingProgress(
            epoch=len(self.log) + 1,
            step=len(self.log) * self._epoch_steps + self._done,
            total=self.total,
            loss=value,
            dev_rsum=self.log[-1].dev_rsum if self.log else None,
        )

    def _step(self, epoch: int, captions: Indices) -> float:
        """One step down the gradient; returns the loss before it."""
        number = epoch * self._epoch_steps + self._done
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate(self._config, number, self.total)
        parts = self._losses(captions, np.random.default_rng([self._config.seed, epoch, self._done]))
        value = parts["loss"]
        if not math.isfinite(float(value.detach())):
            raise ConfigError(_not_a_number(float(value.detach()), number + 1))
        self._optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        if self._config.clip_norm is not None:
            weights = [weight for group in self._optimizer.param_groups for weight in group["params"]]
            nn.utils.clip_grad_norm_(weights, self._config.clip_norm)
        self._optimizer.step()
        if self._average is not None:
            self._average.update(self._model, number + 1)
        for name, part in parts.items():
            self._sums[name] = self._sums.get(name, 0.0) + float(part.detach())
        return float(value.detach())

    def _losses(self, captions: Indices, chance: np.random.Generator) -> dict[str, Tensor]:
        """The loss of a batch and its unweighted parts."""
        clips = self._train.owners[captions]
        features = self._train.features(clips, max_frames=self._model.video.max_frames, chance=chance)
        features = features.to(self._model.device)
        if self._config.feature_dropout:
            frames = nn.functional.dropout(features.frames, self._config.feature_dropout)
            features = attrs.evolve(features, frames=frames)
        with torch.autocast("cuda", torch.bfloat16, enabled=self._config.mixed_precision):
            video, text = self._model.video(features), self._feed.embed(self._model, captions)
        scores = self._model.matcher(video, text)
        positives = torch.from_numpy(self._right.table(clips, captions)).to(self._model.device)
        value: Tensor = self._loss(scores, positives)
        parts = {}
        if callable(terms := getattr(self._loss, "terms", None)):
            with torch.no_grad():
                parts = dict(zip(_PARTS, terms(scores, positives), strict=True))
        if self._paraphrases is not None and self._other_feed is not None:
            other = self._paraphrases.loss(
                self._model, self._other_feed, batch_size=self._config.batch_size, chance=chance
            )
            value = value + self._config.paraphrase_weight * other
            parts["paraphrase"] = other
        if self._foils is not None and self._foil_feed is not None:
            preferred = self._foils.loss(
                self._model,
                self._foil_feed,
                captions=captions,
                video=video,
                levels=scores.levels,
                config=self._config,
                chance=chance,
            )
            value = value + self._config.foil_weight * preferred
            parts["foil"] = preferred
        return {"loss": value, **parts}

    def _end_epoch(self, started: float) -> None:
        """Measure, keep what is best, write the epoch down."""
        with weights_in_place(self._model, self._average.weights if self._average is not None else None):
            self._model.eval()
            self._require_numbers()
            dev = None
            if self._dev is not None and self._dev_feed is not None:
                dev = measure_clips(self._model, self._dev, self._dev_feed).to_dict()
            earlier = max((record.dev_rsum or 0.0 for record in self.log), default=-1.0)
            best = dev is None or dev["Rsum"] > earlier
            if best:
                self.best, self.best_epoch = _copied(self._model), len(self.log) + 1
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

    @torch.no_grad()
    def _require_numbers(self) -> None:
        """Refuse a model that diverged in the epoch's last step: its weights, or what it says of some clips."""
        epoch = f"after epoch {len(self.log) + 1}; lower learning_rate, or set clip_norm."
        for name, tensor in self._model.state_dict().items():
            if not bool(tensor.isfinite().all()):
                raise ConfigError(f"the weights {name} are no longer numbers {epoch}")
        for clips, feed in ((self._train, self._feed), (self._dev, self._dev_feed)):
            if clips is not None and feed is not None:
                some = np.arange(min(_LOOKED_AT, len(clips)))
                features = clips.features(some, max_frames=self._model.video.max_frames).to(self._model.device)
                text = feed.embed(self._model, np.arange(min(_LOOKED_AT, len(clips.graphs))))
                if not bool(self._model.matcher(self._model.video(features), text).fused.isfinite().all()):
                    raise ConfigError(f"the weights have grown so large that scores are not numbers {epoch}")

    def state(self) -> TrainingState:
        """Everything that changes."""
        generators, record = chance_state()
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
        parts = {"model": weights, "best": weights, "loss": self._loss.state_dict()}
        for part, expected in (parts | ({"average": weights} if self._average is not None else {})).items():
            require_fit(state, part, expected)
        self._model.load_state_dict(state.part("model"))
        self._loss.load_state_dict(state.part("loss"))
        load_optimizer(self._optimizer, state.part("optimizer"))
        if self._average is not None:
            self._average.weights = {n: t.to(self._model.device) for n, t in state.part("average").items()}
        try:
            self.best, self.best_epoch = state.part("best"), state.record["best_epoch"]
            self.log = [EpochRecord(**entry) for entry in state.record["log"]]
            self._done, self._sums = state.record["done"], dict(state.record["sums"])
            self._seconds = state.record["seconds"]
            restore_chance(state.part("chance"), state.record["chance"])
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
