"""What a model makes of Flickr8k's photographs, clips of one frame: its background, and retrieval on a split."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from frame_halves import UpperHalf
from material import Material
from one_frame_loss import one_frame_clips
from recipe import Recipe
from torch import Tensor

from hgrkit.matching.background import Background
from hgrkit.model.hgr_model import HgrModel
from hgrkit.model.text.sentence_encoder import SentenceTextEncoder
from hgrkit.research.evaluation.measures import RetrievalMeasures, measure

__all__ = ["background_of", "evaluate"]


@torch.no_grad()
def background_of(model: HgrModel, upper: UpperHalf, material: Material, recipe: Recipe) -> Background:
    """The events of some training photographs."""
    rng = np.random.default_rng(recipe.seed)
    rows = np.sort(rng.permutation(material.photographs.split["train"])[: recipe.background])
    features = upper.encode(material.photographs.views[0].block_input[rows])
    events = model.video(one_frame_clips(features)).event
    return Background.of(events, temperature=recipe.background_temperature)


@torch.inference_mode()
def evaluate(model: HgrModel, features: Tensor, material: Material, part: str) -> RetrievalMeasures:
    """Retrieval on one part of Flickr8k, photographs [V, K] as clips of one frame."""
    text = cast("SentenceTextEncoder", model.text)
    rows = material.photographs.split[part]
    row_of = {photograph: row for row, photograph in enumerate(rows)}
    pairs = material.photographs.pairs(part)
    video = model.video(one_frame_clips(features))
    parts = np.array_split(pairs[:, 1], max(1, len(pairs) // 500))
    scores = []
    for which in parts:
        sentences = text.encode(*material.captions.batch(which, text))
        background = 0 if model.background is None else model.background(sentences.event)
        scores.append(model.matcher(video, sentences).fused - background)
    owners = np.array([row_of[photograph] for photograph in pairs[:, 0]])
    return measure(torch.cat(scores, dim=1).numpy(), np.arange(len(rows))[:, None] == owners)
