"""Trains on a release as the released code does, to compare losses and weights step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

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
from hgrkit.model.video import VideoFeatures
from hgrkit.research.release.config import ReleaseConfig, ReleaseModuleConfig, read_config
from hgrkit.research.release.dataset import ReleaseDataset, open_split, settings_path
from hgrkit.research.release.importing import SETTINGS_FILE
from hgrkit.research.release.layout import ReleaseFolder
from hgrkit.storage.writing import writing

__all__ = ["released_loss", "released_optimizer", "train_release", "training_step"]


@attrs.frozen(kw_only=True)
class TrainingStep:
    """How far a run of training is.

    Attributes:
        number: steps done, from 1.
        total: steps of the whole run.
        loss: the loss of this step's batch, before the step.
    """

    number: int
    total: int
    loss: float


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


_DIRECTIONS: dict[str, Direction] = {"bi": "both", "i2t": "video_to_text", "t2i": "text_to_video"}


def train_release(
    directory: str | Path,
    model_folder: str | Path,
    *,
    epochs: int,
    shuffle: bool,
    out: str | Path | None = None,
    dropout: bool = False,
    on_progress: Callable[[TrainingStep], None] | None = None,
) -> dict[str, list[float]]:
    """Train a model on a release's split trn with the settings of its `model.json`.

    Adam with the release's learning rates, the pairs in the order of the names and then of their captions, a
    smaller last batch, and captions of one video taken for negatives of each other: the released behaviour. Losses
    can be compared step by step only without dropout, so it is off unless asked for.

    Args:
        directory: a folder in the layout of the released code, or flat.
        model_folder: where training starts, such as `import_release` made.
        epochs: passes over the pairs.
        shuffle: whether each pass takes the pairs in a random order (the same in every run).
        out: where to write the trained model.
        dropout: whether the model's own dropout is used.
        on_progress: called after every step.

    Returns:
        `losses`: the loss of every step, before the step.

    Raises:
        MissingPathError: if the folder does not exist.
        ModelNotFoundError: if there is no model folder.
        CheckpointError: if the model folder is damaged, or something else is at `out`.
        ConfigError: if `epochs` is not positive.
        ReleaseError: if a file of the release is missing or broken, or nothing is left to train.
    """
    if epochs < 1:
        raise ConfigError(f"epochs must be at least 1, got {epochs}.")
    folder, source = ReleaseFolder(directory), Path(model_folder)
    model = load_model(source)
    settings = settings_path(folder, source)
    if settings is None:
        raise ReleaseError(f"{folder.root} has no single model.json that says how to train, nor has {source}.")
    config = read_config(settings)
    dataset = open_split(folder, "trn", model, source)
    num_pairs = len(dataset.captions.pairs())
    if not num_pairs:
        raise ReleaseError(f"the videos of {folder.root} for trn have no caption; there is nothing to train on.")
    batches = _batches(num_pairs, config.trn_batch_size, epochs, shuffle)
    losses = []
    for value in _steps(model.train(dropout), dataset, config, batches):
        losses.append(value)
        if on_progress is not None:
            on_progress(TrainingStep(number=len(losses), total=sum(map(len, batches)), loss=value))
    if out is not None:
        card = (source / CARD_FILE).read_text(encoding="utf-8") if (source / CARD_FILE).is_file() else ""
        card = f"{card}\nTrained for {epochs} more epochs.\n"
        with writing(Path(out)):
            save_model(model, out, card=card, notes={SETTINGS_FILE: settings.read_text(encoding="utf-8")})
    return {"losses": losses}


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
    groups = []
    for encoder, settings in ((model.video, config.video), (model.text, config.text)):
        if isinstance(encoder, nn.Module) and not settings.freeze:
            groups.append(_group(encoder, settings, config.base_lr))
    if not groups:
        raise ReleaseError("model.json freezes both encoders; there is nothing to train.")
    return torch.optim.Adam(groups, lr=config.base_lr, betas=(0.9, 0.999), eps=1e-8)


def _group(encoder: nn.Module, settings: ReleaseModuleConfig, base_lr: float) -> dict[str, object]:
    return {
        "params": [weight for weight in encoder.parameters() if weight.requires_grad],
        "lr": base_lr * settings.lr_mult,
        "weight_decay": settings.weight_decay,
    }


def _batches(num_pairs: int, batch_size: int, epochs: int, shuffle: bool) -> list[list[list[int]]]:
    """Which pairs each step of each epoch takes."""
    generator = torch.Generator().manual_seed(0)
    plan = []
    for _ in range(epochs):
        order = torch.randperm(num_pairs, generator=generator) if shuffle else torch.arange(num_pairs)
        pairs = order.tolist()
        plan.append([pairs[start : start + batch_size] for start in range(0, num_pairs, batch_size)])
    return plan


def _steps(
    model: HgrModel, dataset: ReleaseDataset, config: ReleaseConfig, epochs: list[list[list[int]]]
) -> Iterator[float]:
    """The loss of each step; the model changes as they are drawn."""
    loss, optimizer = released_loss(config), released_optimizer(model, config)
    schedule = MultiStepLR(optimizer, milestones=list(config.decay_boundarys), gamma=config.decay_rate)
    pairs = dataset.captions.pairs()
    for batches in epochs:
        for batch in batches:
            videos, captions = zip(*(pairs[position] for position in batch), strict=True)
            yield training_step(
                model, loss, optimizer, features=dataset.videos(videos), graphs=dataset.graphs(captions)
            )
        schedule.step()
