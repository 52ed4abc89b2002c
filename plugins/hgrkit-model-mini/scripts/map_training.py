"""The first stage of the default model's training: the maps, on features of the published frame encoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from epoch_log import EpochLog
from material import Material
from one_frame_evaluation import evaluate
from one_frame_loss import OneFrameLoss
from optimisation import Group, schedule, shuffled, trainable
from recipe import Recipe
from torch import nn

from hgrkit.research.training.records import EpochRecord

__all__ = ["train_maps"]


def train_maps(
    loss: OneFrameLoss, material: Material, recipe: Recipe, *, records: list[EpochRecord] | None = None
) -> None:
    """Train the maps of both sides, in place: minimise the captions' loss, the paraphrases' and the classes'.

    Each photograph of a batch is seen in one of its views, drawn again every time. With records, every epoch is
    measured on dev and written down.
    """
    rng = np.random.default_rng(recipe.seed)
    pairs = material.photographs.pairs("train")
    features = torch.stack([view.features for view in material.photographs.views])
    steps = len(pairs) // recipe.batch_size
    dev = features[0, torch.from_numpy(material.photographs.split["dev"])]

    def measured() -> Mapping[str, Any]:
        loss.eval()
        found = evaluate(loss.model, dev, material, "dev").to_dict()
        loss.train()
        return found

    log = EpochLog(steps, measure=measured, records=records) if records is not None else None
    groups = [Group(trainable(loss.model), recipe.learning_rate, recipe.weight_decay)]
    loss.train()
    batches = shuffled(pairs, recipe.batch_size, rng)
    for step in schedule(groups, recipe.epochs * steps, recipe, "training the maps", log=log):
        photographs, captions = next(batches).T
        views = torch.from_numpy(rng.integers(0, len(features), len(photographs)))
        seen = nn.functional.dropout(features[views, torch.from_numpy(photographs)], recipe.feature_dropout)
        value = loss.captions(seen, photographs, captions, rng) + loss.paraphrases(rng)
        step(value + loss.classes(recipe.feature_dropout, rng))
    loss.eval()
