"""Pictures of classes are photographs moved until the classifier is sure."""

from __future__ import annotations

import numpy as np
import pytest
import torch


@pytest.fixture
def pictures(scripts):
    rng = torch.Generator().manual_seed(0)
    scale = torch.linspace(0.01, 0.3, 24)
    features = 3 + scale * torch.randn(400, 24, generator=rng)
    classifier = torch.randn(7, 24, generator=rng)
    return scripts.class_pictures.ClassPictures.of(features, classifier), classifier


def test_a_picture_is_as_sure_of_its_class_as_was_drawn(scripts, pictures):
    made, classifier = pictures
    classes = np.arange(7).repeat(20)
    features = made.draw(classes, np.random.default_rng(0))
    inside = ((features > 0) & (features < 6)).all(dim=1)
    logits = (features - made.mean) @ (classifier - classifier.mean(dim=0)).T
    own = logits[torch.arange(140), torch.from_numpy(classes)][inside]
    low, high = scripts.class_pictures.SURENESS
    assert inside.any()
    assert ((own > low - 1e-3) & (own < high + 1e-3)).all()
    assert own.std() > 0.5


def test_the_direction_is_the_shortest_as_the_spread_of_photographs_measures_it(pictures):
    made, _ = pictures
    offsets = made.features - made.mean
    precision = torch.linalg.inv((offsets.T @ offsets / len(offsets)).double())
    weights, direction = made.weights[0].double(), made.directions[0].double()
    assert (weights @ direction).item() == pytest.approx(1, abs=1e-4)
    length = direction @ precision @ direction
    for number in range(20):
        other = torch.randn(24, generator=torch.Generator().manual_seed(number), dtype=torch.float64)
        other = direction + other - weights * (other @ weights) / (weights @ weights)  # raises the logit alike
        assert other @ precision @ other > length


def test_features_stay_where_features_can_be(pictures):
    made, _ = pictures
    drawn = made.draw(np.zeros(50, np.int64), np.random.default_rng(1))
    assert drawn.min() >= 0
    assert drawn.max() <= 6
