"""Trains and evaluates on a release as the released code does, to compare losses, weights and measures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any, TypeVar

import attrs
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import MultiStepLR

from hgrkit.errors import ConfigError, ReleaseError
from hgrkit.matching.embeddings import TextEmbeddings, VideoEmbeddings
from hgrkit.matching.losses import Direction, HingeLoss
from hgrkit.model.checkpoint import CARD_FILE, load_model, save_model
from hgrkit.model.hgr_model import HgrModel
from hgrkit.model.text.graph_batch import GraphBatch
from hgrkit.model.video import VideoFeatures
from hgrkit.research.evaluation.bootstrap import Bootstrap, estimate
from hgrkit.research.evaluation.measures import RetrievalMeasures, measure
from hgrkit.research.evaluation.rank_file import QueryRank
from hgrkit.research.evaluation.retrieval import GroundTruth, rank_queries
from hgrkit.research.release.config import ReleaseConfig, read_config
from hgrkit.research.release.dataset import ReleaseDataset, open_split, settings_path
from hgrkit.research.release.importing import SETTINGS_FILE
from hgrkit.research.release.layout import ReleaseFolder
from hgrkit.research.training.records import TrainingProgress
from hgrkit.storage.atomic_file import writing

__all__ = [
    "ReleaseScores",
    "evaluate_release",
    "released_loss",
    "released_optimizer",
    "score_release",
    "train_release",
    "training_step",
]

T = TypeVar("T")
FloatArray = npt.NDArray[np.float32]

_BATCH = 64
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


def train_release(
    directory: str | Path,
    model_folder: str | Path,
    *,
    epochs: int,
    shuffle: bool,
    out: str | Path | None = None,
    dropout: bool = False,
    on_progress: Callable[[TrainingProgress], None] | None = None,
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
        FeatureFileError: if features cannot be read.
    """
    if epochs < 1:
        raise ConfigError(f"epochs must be at least 1, got {epochs}.")
    folder, source = ReleaseFolder(directory), Path(model_folder)
    model = load_model(source)
    settings = settings_path(folder, source)
    if settings is None:
        raise ReleaseError(f"{folder.root} has no single model.json that says how to train, nor has {source}.")
    dataset = open_split(folder, "trn", model, source)
    if not dataset.pairs():
        raise ReleaseError(f"the videos of {folder.root} for trn have no caption; there is nothing to train on.")
    losses = []
    for step in _steps(model.train(dropout), dataset, read_config(settings), epochs, shuffle=shuffle):
        losses.append(step.loss)
        if on_progress is not None:
            on_progress(step)
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


def _steps(
    model: HgrModel, dataset: ReleaseDataset, config: ReleaseConfig, epochs: int, *, shuffle: bool
) -> Iterator[TrainingProgress]:
    """Train; the model changes as the steps are drawn."""
    loss, optimizer = released_loss(config), released_optimizer(model, config)
    schedule = MultiStepLR(optimizer, milestones=list(config.decay_boundarys), gamma=config.decay_rate)
    pairs, generator = dataset.pairs(), torch.Generator().manual_seed(0)
    total, number = epochs * -(-len(pairs) // config.trn_batch_size), 0
    for epoch in range(1, epochs + 1):
        order = torch.randperm(len(pairs), generator=generator) if shuffle else torch.arange(len(pairs))
        for batch in _parts(order.tolist(), config.trn_batch_size):
            videos, captions = zip(*(pairs[position] for position in batch), strict=True)
            value = training_step(
                model, loss, optimizer, features=dataset.videos(videos), graphs=dataset.graphs(captions)
            )
            number += 1
            yield TrainingProgress(epoch=epoch, step=number, total=total, loss=value)
        schedule.step()


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ReleaseScores:
    """Scores of all videos and captions of a split.

    Attributes:
        video_names: the videos, sorted.
        captions: the different captions, sorted.
        level_scores: event, action and entity, float32 [3, V, C].
        fused: the model's fused score, float32 [V, C].
        positives: whether the caption is one of the video's, bool [V, C].
        omitted: what the model's limits left out: actions, entities, tokens and frames.
    """

    video_names: tuple[str, ...]
    captions: tuple[str, ...]
    level_scores: FloatArray
    fused: FloatArray
    positives: npt.NDArray[np.bool_]
    omitted: dict[str, int]

    def measures(self) -> RetrievalMeasures:
        """Measures of both directions on the fused score."""
        return measure(self.fused, self.positives)

    def query_ranks(self) -> tuple[QueryRank, ...]:
        """Every query's rank on the fused score, captions first."""
        truth = GroundTruth.from_positives(self.positives, videos=self.video_names, captions=self.captions)
        return rank_queries(self.fused, truth)

    def save(self, path: str | Path) -> None:
        """Write `level_scores`, `video_names` and `captions` to an npz file, readable without pickle."""
        with writing(Path(path)), Path(path).open("wb") as stream:
            np.savez(
                stream,
                level_scores=self.level_scores,
                video_names=np.array(self.video_names, dtype=np.str_),
                captions=np.array(self.captions, dtype=np.str_),
            )

    def __repr__(self) -> str:
        return f"ReleaseScores(videos={len(self.video_names)}, captions={len(self.captions)})"


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


def score_release(model: HgrModel, dataset: ReleaseDataset) -> ReleaseScores:
    """Score all videos of a split against all its captions.

    Raises:
        ReleaseError: if there is no caption, or a caption's graph is broken.
    """
    names, captions = dataset.names, sorted({caption for _, caption in dataset.pairs()})
    if not captions:
        raise ReleaseError("the videos of the split have no caption; there is nothing to evaluate.")
    order = sorted(range(len(names)), key=names.__getitem__)
    with torch.inference_mode():
        batches = [dataset.graphs(part) for part in _parts(captions)]
        texts = [model.text(batch.to(model.device)) for batch in batches]
        rows = [_score(model, model.video(dataset.videos(part).to(model.device)), texts) for part in _parts(order)]
    cut = reduce(add, (batch.omitted for batch in batches))
    column = {caption: number for number, caption in enumerate(captions)}
    positives = np.zeros((len(order), len(captions)), dtype=np.bool_)
    for row, position in enumerate(order):
        positives[row, [column[caption] for caption in dataset.captions[position]]] = True
    return ReleaseScores(
        video_names=tuple(names[position] for position in order),
        captions=tuple(captions),
        level_scores=np.concatenate([levels for levels, _ in rows], axis=1),
        fused=np.concatenate([fused for _, fused in rows]),
        positives=positives,
        omitted={**attrs.asdict(cut), "frames": dataset.omitted_frames},
    )


def _score(
    model: HgrModel, video: VideoEmbeddings, texts: Sequence[TextEmbeddings]
) -> tuple[FloatArray, FloatArray]:
    """Some videos against all captions: level scores [3, v, C] and fused scores [v, C]."""
    parts = [model.matcher(video, text) for text in texts]
    levels = torch.cat([torch.stack([*scores.levels]) for scores in parts], dim=2)
    return levels.cpu().numpy(), torch.cat([scores.fused for scores in parts], dim=1).cpu().numpy()


def _parts(items: Sequence[T], size: int = _BATCH) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
