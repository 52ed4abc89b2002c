"""How weights move: rates that rise and fall, gradients that are clipped, batches that hold everything once."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
import torch


def test_rates_rise_to_the_highest_and_fall_and_each_step_is_written_down(scripts):
    module, weight = scripts.optimisation, torch.nn.Parameter(torch.ones(2))
    recipe = attrs.evolve(scripts.recipe.Recipe(), warm_up=0.25)
    written, numbers = [], []

    class Log:
        def step(self, loss, rate):
            written.append((loss, rate))

    groups = [module.Group([weight], 0.1, 0.0)]
    for step in module.schedule(groups, 20, recipe, "test", after=numbers.append, log=Log()):
        step((weight**2).sum())
    rates = [rate for _, rate in written]
    assert numbers == list(range(1, 21))
    assert max(rates) == rates[4] == pytest.approx(0.1)
    assert rates[:5] == sorted(rates[:5])
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert written[0][0] == 2.0
    assert written[-1][0] < 1.0


def test_gradients_are_no_longer_than_they_may_be(scripts):
    module, weight = scripts.optimisation, torch.nn.Parameter(torch.ones(4))
    groups = [module.Group([weight], 0.1, 0.0)]
    for step in module.schedule(groups, 2, scripts.recipe.Recipe(), "test", clip_norm=0.5):
        step((100 * weight).sum())
        assert weight.grad.norm() == pytest.approx(0.5, abs=1e-4)


def test_a_round_of_batches_holds_everything_once_but_what_is_left(scripts):
    batches = scripts.optimisation.shuffled(np.arange(7), 3, np.random.default_rng(0))
    for _ in range(3):
        seen = np.concatenate([next(batches), next(batches)])
        assert len(set(seen.tolist())) == 6
