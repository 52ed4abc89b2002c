"""What a model makes of Flickr8k's photographs, clips of one frame: its querybank, and retrieval on a split."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from frame_halves import UpperHalf
from material import Material
from one_frame_loss import one_frame_clips
from recipe import Recipe
from torch import Tensor

from hgrkit.matching.querybank_norm import QuerybankNorm
from hgrkit.model.hgr_model import HgrModel
from hgrkit.model.text.sentence_encoder import SentenceTextEncoder
from hgrkit.research.evaluation.measures import RetrievalMeasures, measure

__all__ = ["evaluate", "querybank_norm_of"]


@torch.no_grad()
def querybank_norm_of(model: HgrModel, upper: UpperHalf, material: Material, recipe: Recipe) -> QuerybankNorm:
    """The events of some training photographs."""
    rng = np.random.default_rng(recipe.seed)
    rows = np.sort(rng.permutation(material.photographs.split["train"])[: recipe.background])
    features = upper.encode(material.photographs.views[0].block_input[rows])
    events = model.video(one_frame_clips(features)).event
    return QuerybankNorm.of(events, temperature=recipe.background_temperature)


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
        norm = 0 if model.querybank_norm is None else model.querybank_norm(sentences.event)
        scores.append(model.matcher(video, sentences).fused - norm)
    owners = np.array([row_of[photograph] for photograph in pairs[:, 0]])
    return measure(torch.cat(scores, dim=1).numpy(), np.arange(len(rows))[:, None] == owners)
