"""Trains and evaluates on a release as the released code does, to compare losses, weights and measures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import MultiStepLR

from hgrkit.errors import ConfigError, ReleaseError
from hgrkit.matching.losses import Direction, HingeLoss
from hgrkit.model.checkpoint import CARD_FILE, load_model, save_model
from hgrkit.model.hgr_model import HgrModel
from hgrkit.model.text.graph_batch import GraphBatch
from hgrkit.model.text.text_encoder import TextEncoder
from hgrkit.model.video import VideoFeatures
from hgrkit.research.evaluation.bootstrap import Bootstrap, estimate
from hgrkit.research.release.config import ReleaseConfig, read_config
from hgrkit.research.release.dataset import ReleaseDataset, open_split, settings_path
from hgrkit.research.release.importing import SETTINGS_FILE, fresh_released_model
from hgrkit.research.release.layout import ReleaseFolder
from hgrkit.research.release.scores import ReleaseScores, score_release
from hgrkit.research.training.records import TrainingProgress
from hgrkit.research.training.state import seeded
from hgrkit.research.training.word_vectors import LoadedWords, load_word_vectors
from hgrkit.storage.atomic_file import writing

__all__ = [
    "ReleaseEpoch",
    "ReleaseScores",
    "ReleaseTraining",
    "evaluate_release",
    "released_loss",
    "released_optimizer",
    "score_release",
    "train_release",
    "training_step",
]

_SEEDS = 2**32
"""Seeds are below this: numpy's generator takes no larger ones."""

# The released code calls a clip an image.
_DIRECTIONS: dict[str, Direction] = {"bi": "both", "i2t": "video_to_text", "t2i": "text_to_video"}


def training_step(
    model: HgrModel,
    loss: nn.Module,
    optimizer: Optimizer,
    *,
    features: VideoFeatures,
    graphs: GraphBatch,
    positives: Tensor | None = None,
) -> float:
    """Score B pairs, go one step down the gradient of their loss, and return the loss before the step.

    Args:
        model: changed in place; whether it is in training mode is the caller's choice.
        loss: takes `Scores` of B clips and B captions, and `positives`.
        optimizer: of the model's weights, and of the loss's if it has any.
        features: the clip of each pair.
        graphs: the caption of each pair.
        positives: further pairs of the batch that fit, bool [B, B].
    """
    optimizer.zero_grad()
    value: Tensor = loss(model(features, graphs), positives)
    value.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return float(value.detach())


@attrs.frozen(kw_only=True)
class ReleaseEpoch:
    """One epoch of `train_release`.

    Attributes:
        epoch: from 1; the released code counts its `epoch.N.th` from 0.
        loss: mean over the steps.
        validation: measures on the split val, as `evaluate_release` names them; `None` without that split.
    """

    epoch: int
    loss: float
    validation: Mapping[str, Any] | None

    @property
    def rsum(self) -> float | None:
        """Rsum on the split val."""
        return None if self.validation is None else float(self.validation["Rsum"])


@attrs.frozen(kw_only=True)
class ReleaseTraining:
    """What `train_release` did.

    Attributes:
        losses: of every step, before the step.
        epochs: one record an epoch.
        best_epoch: the one that is kept: the highest Rsum on the split val, the earlier of equals; the last one
            without that split.
        words: what the file of word vectors had; `None` without one.
    """

    losses: tuple[float, ...]
    epochs: tuple[ReleaseEpoch, ...]
    best_epoch: int
    words: LoadedWords | None

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return attrs.asdict(self) | {"losses": list(self.losses)}


def train_release(
    directory: str | Path,
    model_folder: str | Path | None = None,
    *,
    epochs: int,
    shuffle: bool,
    out: str | Path | None = None,
    dropout: bool = True,
    seed: int = 0,
    word_vectors: str | Path | None = None,
    on_progress: Callable[[TrainingProgress], None] | None = None,
) -> ReleaseTraining:
    """Train a model on a release's split trn with the settings of its `model.json`, as the released code does.

    Adam with the release's learning rates, a smaller last batch, captions of one video taken for negatives of each
    other, and the model of the epoch with the best Rsum on the split val.

    Args:
        directory: a folder in the layout of the released code, or flat.
        model_folder: where training starts, such as `import_release` made; `None` starts from fresh weights, drawn
            as the released code draws them.
        epochs: passes over the pairs.
        shuffle: whether each pass takes the pairs in a random order; otherwise that of the names, and then of
            their captions.
        out: where to write the trained model.
        dropout: whether the model's own dropout is used. Without it losses can be compared step by step.
        seed: of fresh weights, the order and dropout.
        word_vectors: GloVe's text or the release's `word_embeds.glove42b.th`, to start the words from.
        on_progress: called after every step.

    Raises:
        MissingPathError: if the folder or the file of word vectors does not exist.
        ModelNotFoundError: if there is no model folder.
        CheckpointError: if the model folder is damaged, or something else is at `out`.
        ConfigError: if `epochs` is not positive, `seed` is not below 2^32, or the word vectors do not fit.
        ReleaseError: if a file of the release is missing or broken, or nothing is left to train.
        FeatureFileError: if features cannot be read.
    """
    if epochs < 1:
        raise ConfigError(f"epochs must be at least 1, got {epochs}.")
    if not 0 <= seed < _SEEDS:
        raise ConfigError(f"seed must be from 0 to {_SEEDS - 1}, got {seed}.")
    folder, source = ReleaseFolder(directory), None if model_folder is None else Path(model_folder)
    settings = folder.config_path() if source is None else settings_path(folder, source)
    if settings is None:
        raise ReleaseError(f"{folder.root} has no single model.json that says how to train, nor has {source}.")
    config = read_config(settings)
    with seeded(seed):
        model = fresh_released_model(folder, config) if source is None else load_model(source)
        words = _start_words(model, word_vectors)
        trn = open_split(folder, "trn", model, source)
        if not trn.pairs():
            raise ReleaseError(
                f"the videos of {folder.root} for trn have no caption; there is nothing to train on."
            )
        val = open_split(folder, "val", model, source) if folder.has("val") else None
        run = _Run(model, trn, val, config, shuffle=shuffle, dropout=dropout, seed=seed)
        run.train(epochs, on_progress)
    if out is not None:
        card = _card(source, run)
        with writing(Path(out)):
            save_model(model, out, card=card, notes={SETTINGS_FILE: settings.read_text(encoding="utf-8")})
    return ReleaseTraining(
        losses=tuple(run.losses), epochs=tuple(run.epochs), best_epoch=run.best_epoch, words=words
    )


def _start_words(model: HgrModel, word_vectors: str | Path | None) -> LoadedWords | None:
    if word_vectors is None or not isinstance(model.text, TextEncoder):
        return None
    # the rows of the release's own file are those of its vocabulary
    return load_word_vectors(model.text, Path(word_vectors), rows=model.text.vocabulary.ids)


def _card(source: Path | None, run: _Run) -> str:
    before = source / CARD_FILE if source is not None else None
    text = before.read_text(encoding="utf-8") if before is not None and before.is_file() else ""
    rsum = run.epochs[run.best_epoch - 1].rsum
    best = "" if rsum is None else f"; epoch {run.best_epoch} is kept, Rsum {rsum:.1f} on the split val"
    more = "more epochs" if source is not None else "epochs"
    return f"{text}\nTrained for {len(run.epochs)} {more}{best}.\n"


class _Run:
    """A training in progress; the model ends with the weights of the best epoch."""

    def __init__(
        self,
        model: HgrModel,
        trn: ReleaseDataset,
        val: ReleaseDataset | None,
        config: ReleaseConfig,
        *,
        shuffle: bool,
        dropout: bool,
        seed: int,
    ) -> None:
        self._model, self._trn, self._val = model, trn, val
        self._loss, self._optimizer = released_loss(config), released_optimizer(model, config)
        self._schedule = MultiStepLR(
            self._optimizer, milestones=list(config.decay_boundarys), gamma=config.decay_rate
        )
        self._batch_size, self._shuffle, self._dropout = config.trn_batch_size, shuffle, dropout
        self._generator = torch.Generator().manual_seed(seed)
        self.losses: list[float] = []
        self.epochs: list[ReleaseEpoch] = []
        self.best_epoch = 0

    def train(self, epochs: int, on_progress: Callable[[TrainingProgress], None] | None) -> None:
        """Train, measure after every epoch, and put the best weights back."""
        best: dict[str, Tensor] = {}
        steps = -(-len(self._trn.pairs()) // self._batch_size)
        for epoch in range(1, epochs + 1):
            self._model.train(self._dropout)
            for value in self._steps():
                self.losses.append(value)
                if on_progress is not None:
                    rsum = self.epochs[-1].rsum if self.epochs else None
                    step, total = len(self.losses), epochs * steps
                    on_progress(TrainingProgress(epoch=epoch, step=step, total=total, loss=value, dev_rsum=rsum))
            self._schedule.step()
            earlier = max((record.rsum or 0.0 for record in self.epochs), default=-1.0)
            record = self._measured(epoch, steps)
            self.epochs.append(record)
            if record.rsum is None or record.rsum > earlier:
                self.best_epoch = epoch
                best = {name: tensor.detach().clone() for name, tensor in self._model.state_dict().items()}
        self._model.load_state_dict(best)
        self._model.eval()

    def _measured(self, epoch: int, steps: int) -> ReleaseEpoch:
        self._model.eval()
        validation = None if self._val is None else score_release(self._model, self._val).measures().to_dict()
        return ReleaseEpoch(epoch=epoch, loss=sum(self.losses[-steps:]) / steps, validation=validation)

    def _steps(self) -> Iterator[float]:
        """The losses of one pass; the model changes as they are drawn."""
        pairs, size = self._trn.pairs(), self._batch_size
        order = (
            torch.randperm(len(pairs), generator=self._generator) if self._shuffle else torch.arange(len(pairs))
        )
        for start in range(0, len(pairs), size):
            videos, captions = zip(*(pairs[place] for place in order[start : start + size].tolist()), strict=True)
            yield training_step(
                self._model,
                self._loss,
                self._optimizer,
                features=self._trn.videos(videos),
                graphs=self._trn.graphs(captions),
            )


def released_loss(config: ReleaseConfig) -> HingeLoss:
    """The loss that a released config describes."""
    return HingeLoss(
        margin=config.margin,
        negatives=config.hard_topk if config.max_violation else "all",
        direction=_DIRECTIONS[config.loss_direction],
        level_weights=config.loss_weights,
    )


def released_optimizer(model: HgrModel, config: ReleaseConfig) -> torch.optim.Adam:
    """Adam over what the release trains, each encoder with its own learning rate and weight decay.

    Raises:
        ReleaseError: if both encoders are frozen.
    """
    groups = [
        {
            "params": [weight for weight in encoder.parameters() if weight.requires_grad],
            "lr": config.base_lr * settings.lr_mult,
            "weight_decay": settings.weight_decay,
        }
        for encoder, settings in ((model.video, config.video), (model.text, config.text))
        if isinstance(encoder, nn.Module) and not settings.freeze
    ]
    if not groups:
        raise ReleaseError("model.json freezes both encoders; there is nothing to train.")
    return torch.optim.Adam(groups, lr=config.base_lr, betas=(0.9, 0.999), eps=1e-8)


def evaluate_release(
    directory: str | Path,
    model_folder: str | Path,
    *,
    scores_out: str | Path | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure a model on a release: the split tst, else val, else trn.

    Every different caption is a query, and every video that lists it is right.

    Args:
        directory: a folder in the layout of the released code, or flat.
        model_folder: the model, such as `import_release` made.
        scores_out: where to write the level scores as npz.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Returns:
        `text_to_video` and `video_to_text`, each with R@1, R@5, R@10 in per cent, MedR, MeanR and the number of
        queries; `Rsum`; `omitted`, what the model's limits left out of captions and videos; and `intervals`, as
        `hgrkit.research.evaluation.bootstrap.Estimates` has them as JSON.

    Raises:
        MissingPathError: if the folder does not exist.
        ModelNotFoundError: if there is no model folder.
        CheckpointError: if the model folder is damaged.
        ReleaseError: if a file of the release is missing or broken, or does not fit the model.
        FeatureFileError: if features cannot be read.
    """
    folder = ReleaseFolder(directory)
    model = load_model(model_folder)
    scores = score_release(model, open_split(folder, folder.evaluation_split(), model, Path(model_folder)))
    if scores_out is not None:
        scores.save(scores_out)
    intervals = estimate(scores.query_ranks(), bootstrap=Bootstrap(resamples, seed)).to_dict()
    return {**scores.measures().to_dict(), "omitted": scores.omitted, "intervals": intervals}
