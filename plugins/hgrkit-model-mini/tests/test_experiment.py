"""What the experiments share: leads."""

from __future__ import annotations

import numpy as np


def test_a_lead_is_that_of_the_recipe(scripts):
    module = scripts.experiment
    videos = [f"clip {number}" for number in range(20)]
    right = module.rank_texts(np.eye(20), np.arange(20), videos, ["a caption"] * 20, 1)
    wrong = module.rank_texts(-np.eye(20), np.arange(20), videos, ["a caption"] * 20, 1)
    assert module.leads({"all": right}, {"all": wrong})["all"]["R@1"]["lead"] == 100.0
    assert module.leads({"all": wrong}, {"all": right})["all"]["R@1"]["lead"] == -100.0
