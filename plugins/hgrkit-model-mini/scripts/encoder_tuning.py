"""The second stage of the default model's training: the frame encoder's last blocks, together with the maps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from epoch_log import EpochLog
from frame_halves import UpperHalf
from material import Material
from one_frame_evaluation import evaluate
from one_frame_loss import OneFrameLoss
from optimisation import Group, schedule, shuffled, trainable
from recipe import Recipe
from torch import nn

from hgrkit.research.training.loop import WeightAverage
from hgrkit.research.training.records import EpochRecord

__all__ = ["tune"]


def tune(
    loss: OneFrameLoss, upper: UpperHalf, material: Material, recipe: Recipe, *, records: list[EpochRecord]
) -> None:
    """Train the encoder's upper half and the maps, in place; running averages of the weights remain.

    Minimised is, of a batch of photographs with some captions each,

        mean over the captions (captions' loss) + paraphrases' loss + classes' loss
            + anchor * mean(1 - cos(f - o, p - o))

    with `f` a photograph's features, `p` the published encoder's of the same view, and `o` the mean of the latter
    over all training photographs. What photographs of one small collection do not show, such as most animals,
    would be forgotten without the last term. The running average of every epoch is measured on dev and written
    down.
    """
    rng = np.random.default_rng(recipe.seed)
    rows = np.sort(material.photographs.split["train"])
    published = torch.stack([view.features[rows] for view in material.photographs.views])
    origin = published.mean(dim=(0, 1))
    block_inputs = [torch.from_numpy(view.block_input[rows]) for view in material.photographs.views]
    owners, numbers = material.photographs.pairs("train").T
    captions_of = {row: numbers[owners == row] for row in rows}
    steps = len(rows) // recipe.tuning_batch_size
    tuned = nn.ModuleDict({"model": loss.model, "upper": upper})
    groups = [
        Group(trainable(upper), recipe.tuning_rate, 0.0),
        Group(trainable(loss.model), recipe.tuning_maps_rate, recipe.weight_decay),
    ]
    average = WeightAverage(tuned, recipe.tuning_average)
    dev = material.photographs.views[0].block_input[material.photographs.split["dev"]]

    def measured() -> Mapping[str, Any]:
        own = {name: weight.clone() for name, weight in tuned.state_dict().items()}
        tuned.load_state_dict(average.weights)
        tuned.eval()
        found = evaluate(loss.model, upper.encode(dev), material, "dev").to_dict()
        tuned.load_state_dict(own)
        tuned.train()
        return found

    log = EpochLog(steps, measure=measured, records=records)
    tuned.train()
    batches = shuffled(np.arange(len(rows)), recipe.tuning_batch_size, rng)
    for step in schedule(
        groups,
        recipe.tuning_epochs * steps,
        recipe,
        "tuning the frame encoder",
        clip_norm=recipe.tuning_clip_norm,
        after=lambda number: average.update(tuned, number),
        log=log,
    ):
        chosen = next(batches)
        views = rng.integers(0, len(block_inputs), len(chosen))
        block_input = torch.stack([block_inputs[view][row] for view, row in zip(views, chosen, strict=True)])
        features = upper(block_input.float().contiguous(memory_format=torch.channels_last))
        seen = nn.functional.dropout(features, recipe.tuning_feature_dropout)
        drawn = np.array(
            [rng.choice(captions_of[row], recipe.tuning_captions, replace=False) for row in rows[chosen]]
        )
        losses = [loss.captions(seen, rows[chosen], captions, rng) for captions in drawn.T]
        kept = nn.functional.cosine_similarity(features - origin, published[views, chosen] - origin, dim=1)
        drift = recipe.tuning_anchor * (1 - kept).mean()
        further = loss.paraphrases(rng) + loss.classes(recipe.tuning_feature_dropout, rng)
        step(torch.stack(losses).mean() + further + drift)
    tuned.load_state_dict(average.weights)
    tuned.eval()
