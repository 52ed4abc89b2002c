"""What both stages of the default model's training minimise, of photographs as clips of one frame."""

from __future__ import annotations

from typing import Literal, cast

import numpy as np
import torch
from indices import Indices
from material import Material
from recipe import Recipe
from torch import Tensor, nn

from hgrkit.levels import PerLevel
from hgrkit.matching.embeddings import TextEmbeddings
from hgrkit.matching.losses import InfoNCE
from hgrkit.matching.matcher import Scores
from hgrkit.model.hgr_model import HgrModel
from hgrkit.model.text.sentence_encoder import SentenceTextEncoder
from hgrkit.model.video import VideoFeatures

__all__ = ["FOILED_LEVELS", "NodeLevel", "OneFrameLoss", "mean_nodes", "one_frame_clips", "one_frame_levels"]

NodeLevel = Literal["action", "entity"]

FOILED_LEVELS: tuple[NodeLevel, ...] = ("action", "entity")
"""Levels that foils teach; the event stays what it is without them."""


class OneFrameLoss(nn.Module):
    """The loss of a batch of photographs with a caption each.

    Args:
        model: that is trained.
        material: what it learns from.
        recipe: temperatures and weights.
        loss: of the levels' scores, in the place of InfoNCE.
    """

    def __init__(
        self, model: HgrModel, material: Material, recipe: Recipe, *, loss: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.model = model
        self._material, self._recipe = material, recipe
        self._loss = loss or InfoNCE(temperature=recipe.temperature, level_weights=(0.0, *recipe.level_losses))
        self._same_loss = InfoNCE(temperature=recipe.temperature)
        self._name_loss = InfoNCE(temperature=recipe.temperature, level_weights=(0.0, 1.0, 0.0, 1.0))

    def captions(
        self, features: Tensor, photographs: Indices, captions: Indices, rng: np.random.Generator
    ) -> Tensor:
        """Every photograph and its caption find each other, [B, K]; none prefers a foil."""
        text = self._text
        views = self.look(features)
        levels = self.levels(views, text.encode(*self._material.captions.batch(captions, text)))
        same = torch.from_numpy(photographs[:, None] == photographs[None, :])
        value: Tensor = self._loss(Scores(fused=levels.event, levels=levels), same)
        rows, foils = self._material.foils.draw(captions, rng)
        if not len(rows) or not self._recipe.foil_weight:
            return value
        wrong = text.encode(*self._material.foils.sentences.batch(foils, text))
        chosen = torch.from_numpy(rows)
        own = views.map(lambda view: view[chosen])
        for level in FOILED_LEVELS:
            fits_caption = levels[level].diagonal()[chosen]
            excess = (self.fits(own, wrong, level) - fits_caption) / self._recipe.temperature
            value = value + self._recipe.foil_weight * nn.functional.softplus(excess).mean()
        return value

    def paraphrases(self, rng: np.random.Generator) -> Tensor:
        """InfoNCE between two captions of each of many clips, at the event level; zero without such captions."""
        paraphrases = self._material.paraphrases
        if paraphrases is None or not self._recipe.paraphrase_weight:
            return torch.zeros(())
        sides = [
            nn.functional.normalize(self._text.encode(*paraphrases.sentences.batch(side, self._text)).event, dim=1)
            for side in paraphrases.pairs(self._recipe.batch_size, rng)
        ]
        scores = sides[0] @ sides[1].T
        value: Tensor = self._same_loss(
            Scores(fused=scores, levels=PerLevel(event=scores, action=scores, entity=scores))
        )
        return self._recipe.paraphrase_weight * value

    def classes(self, hidden: float, rng: np.random.Generator) -> Tensor:
        """InfoNCE between pictures of classes and their names, event and entity level; zero without classes.

        Args:
            hidden: share of the pictures' features that is not seen.
            rng: draws the names and the pictures.
        """
        classes = self._material.classes
        if classes is None or not self._recipe.class_weight:
            return torch.zeros(())
        features, names, right = classes.draw(self._recipe.class_batch_size, rng)
        views = self.look(nn.functional.dropout(features, hidden))
        levels = self.levels(views, self._text.encode(*classes.phrases.batch(names, self._text)))
        value: Tensor = self._name_loss(Scores(fused=levels.event, levels=levels), right)
        return self._recipe.class_weight * value

    def look(self, features: Tensor) -> PerLevel[Tensor]:
        """Photographs [B, K] at the three levels, [B, D] each."""
        return self.model.video.frame_views(one_frame_clips(features)).map(lambda view: view[:, 0])

    def levels(self, views: PerLevel[Tensor], text: TextEmbeddings) -> PerLevel[Tensor]:
        """How well each of B photographs fits each of B sentences, [B, B] a level."""
        return one_frame_levels(views, text)

    def fits(self, views: PerLevel[Tensor], text: TextEmbeddings, level: NodeLevel) -> Tensor:
        """How well each of R photographs fits the sentence of its own position, [R]."""
        frames = nn.functional.normalize(views[level], dim=1)
        return (frames * mean_nodes(text, level)).sum(dim=1)

    @property
    def _text(self) -> SentenceTextEncoder:
        return cast("SentenceTextEncoder", self.model.text)


def one_frame_levels(views: PerLevel[Tensor], text: TextEmbeddings) -> PerLevel[Tensor]:
    """What the matcher says of clips of one frame, [V, C] a level: the frame is all that a node can attend to."""
    units = views.map(lambda view: nn.functional.normalize(view, dim=1))
    return PerLevel(
        event=units.event @ nn.functional.normalize(text.event, dim=1).T,
        action=units.action @ mean_nodes(text, "action").T,
        entity=units.entity @ mean_nodes(text, "entity").T,
    )


def mean_nodes(text: TextEmbeddings, level: NodeLevel) -> Tensor:
    """Mean of a level's unit nodes, [C, D]: its product with a unit frame is the level's score."""
    nodes, mask = (text.action, text.action_mask) if level == "action" else (text.entity, text.entity_mask)
    units = nn.functional.normalize(nodes, dim=2) * mask[:, :, None]
    mean: Tensor = units.sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)
    return mean


def one_frame_clips(features: Tensor) -> VideoFeatures:
    """Features [V, K] as V clips."""
    return VideoFeatures(frames=features[:, None], frame_mask=torch.ones(len(features), 1, dtype=torch.bool))
