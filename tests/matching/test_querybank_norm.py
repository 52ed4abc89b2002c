from __future__ import annotations

import math

import pytest
import torch

from hgrkit.errors import ConfigError, ShapeError
from hgrkit.matching.querybank_norm import QuerybankNorm


def test_a_querybank_norm_is_the_soft_maximum_of_the_cosines():
    events = torch.tensor([[2.0, 0.0], [0.0, 3.0], [-1.0, 0.0]])
    found = QuerybankNorm.of(events, temperature=0.5)(torch.tensor([[5.0, 0.0], [0.0, -1.0]]))
    right = [
        0.5 * math.log(sum(math.exp(cosine / 0.5) for cosine in cosines) / 3)
        for cosines in ((1, 0, -1), (0, -1, 0))
    ]
    assert found.tolist() == pytest.approx(right, abs=1e-6)


def test_it_lies_between_the_mean_and_the_best_and_a_low_temperature_counts_the_best():
    generator = torch.Generator().manual_seed(0)
    events, sentences = torch.randn(50, 8, generator=generator), torch.randn(20, 8, generator=generator)
    unit = torch.nn.functional.normalize
    cosines = unit(sentences, dim=1) @ unit(events, dim=1).T
    low, middle, high = (QuerybankNorm.of(events, temperature=t)(sentences) for t in (1e-3, 0.1, 1e3))
    assert ((cosines.mean(dim=1) <= middle + 1e-3) & (middle <= cosines.amax(dim=1))).all()
    assert torch.allclose(high, cosines.mean(dim=1), atol=1e-3)
    assert torch.allclose(low, cosines.amax(dim=1), atol=1e-3 * math.log(50) + 1e-3)
    assert (low > middle).all()


def test_one_whose_events_are_not_loaded_takes_nothing_off():
    assert QuerybankNorm(size=3, embed_dim=2)(torch.ones(4, 2)).abs().max() < 1e-6


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"size": 0, "embed_dim": 2}, "size"),
        ({"size": 1, "embed_dim": 0}, "embed_dim"),
        ({"size": 1, "embed_dim": 1, "temperature": 0}, "temperature"),
    ],
)
def test_settings_out_of_range_are_refused_by_name(settings, name):
    with pytest.raises(ConfigError, match=f"^{name} must be .*, got 0"):
        QuerybankNorm(**settings)


@pytest.mark.parametrize("shape", [(0, 4), (4,)])
def test_a_querybank_norm_of_nothing_is_refused(shape):
    with pytest.raises(ShapeError, match=r"events \[N, D\] of at least one clip"):
        QuerybankNorm.of(torch.zeros(shape))
