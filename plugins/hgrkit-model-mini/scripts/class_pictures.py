"""What the frame encoder would make of pictures of ImageNet's classes, of which there are none at hand.

The published encoder's classifier says in which direction features grow likelier to be of a class. Among all
changes of features that raise a class's logit alike, the one that is likeliest for photographs is `C w`, with `C`
the covariance of their features and `w` the class's weights: photographs are moved along it until the class is as
sure as photographs are of theirs.
"""

from __future__ import annotations

from pathlib import Path

import attrs
import numpy as np
import torch
from build_frame_encoder import published_classifier
from class_names import ClassNames, WordNetNouns, imagenet_classes, zipf_frequency
from indices import Indices
from photographs import Photographs
from recipe import FRAME_ENCODER
from sentences import Sentences
from torch import Tensor

from hgrkit.model.text.sentence_encoder import SentenceTextEncoder
from hgrkit.video.efficientnet_layout import VARIANTS

__all__ = ["ClassPictures", "NamedPictures"]

KEPT = 0.7
"""Share of what tells a photograph from the mean one that is kept when it is moved."""

SURENESS = (6.3, 11.7)
"""How far a class's logit may lie above the mean of all, drawn evenly; half of all photographs reach the first."""

HIGHEST = 6.0
"""Features are means of numbers from 0 to 6."""


@attrs.frozen(kw_only=True, eq=False)
class ClassPictures:
    """Features of photographs, moved into classes.

    Attributes:
        features: of photographs, [N, K].
        mean: of them, [K].
        weights: of the classifier less their mean over the classes, [classes, K].
        directions: the likeliest change that raises a class's logit by one, [classes, K].
    """

    features: Tensor
    mean: Tensor
    weights: Tensor
    directions: Tensor

    @classmethod
    def of(cls, features: Tensor, classifier: Tensor) -> ClassPictures:
        """From features of photographs [N, K] and a classifier's weights [classes, K]."""
        mean = features.mean(dim=0)
        offsets = features - mean
        weights = classifier - classifier.mean(dim=0)
        moves = weights @ (offsets.T @ offsets / len(offsets))
        directions = moves / (moves * weights).sum(dim=1, keepdim=True)
        return cls(features=features, mean=mean, weights=weights, directions=directions)

    def draw(self, classes: Indices, rng: np.random.Generator) -> Tensor:
        """Features of a picture of each of B classes, [B, K]."""
        rows = torch.from_numpy(rng.integers(0, len(self.features), len(classes)))
        wanted = torch.from_numpy(rng.uniform(*SURENESS, len(classes))).float()
        chosen = torch.from_numpy(classes)
        offsets = KEPT * (self.features[rows] - self.mean)
        there = (offsets * self.weights[chosen]).sum(dim=1)
        moved = self.mean + offsets + (wanted - there)[:, None] * self.directions[chosen]
        return moved.clamp(0, HIGHEST)


@attrs.frozen(kw_only=True, eq=False)
class NamedPictures:
    """Classes to learn from: what they are called, and features of pictures of them.

    Attributes:
        names: of the classes.
        phrases: the names as captions would say them, read.
        pictures: features.
    """

    names: ClassNames
    phrases: Sentences
    pictures: ClassPictures

    @classmethod
    def read(cls, photographs: Photographs, text: SentenceTextEncoder, cache: Path) -> NamedPictures:
        """Names that the training captions' words choose, pictures from the training photographs."""
        train = photographs.split["train"]
        captions = [caption for row in train for caption in photographs.captions[row]]
        names = ClassNames.of(imagenet_classes(), WordNetNouns(), captions, zipf_frequency)
        features = torch.cat([view.features[train] for view in photographs.views])
        return cls(
            names=names,
            phrases=Sentences.read(names.phrases, text, cache),
            pictures=ClassPictures.of(features, published_classifier(VARIANTS[FRAME_ENCODER])),
        )

    def draw(self, number: int, rng: np.random.Generator) -> tuple[Tensor, Indices, Tensor]:
        """Features [B, K], the name of each, and which name is right of which picture, bool [B, B]."""
        names, classes = self.names.draw(number, rng)
        right = torch.from_numpy(self.names.bears[classes][:, names])
        return self.pictures.draw(classes, rng), names, right
