"""Choices between captions and foils: what the package says of them, beside the clip that was meant."""

from __future__ import annotations

import attrs
import numpy as np

from hgrkit.research.evaluation.foil_choice import FoilPair
from hgrkit.research.evaluation.measures import RankMeasure


def two_clips(scripts):
    return scripts.msvd_clips.Clips(
        names=("one", "two"),
        features=None,
        sentences=None,
        captions=("a dog runs", "a cat sits"),
        owners=np.array([0, 1]),
        fingerprint="",
        foils=(
            FoilPair(video="one", caption="a dog runs", foil="a dog sits", type="replace_action"),
            FoilPair(video="two", caption="a cat sits", foil="a cat runs", type="replace_action"),
        ),
    )


def test_foils_are_chosen_beside_their_own_clip(scripts):
    clips = two_clips(scripts)
    fused = np.array([[0.9, 0.0, 0.5, 0.0], [0.0, 0.2, 0.0, 0.4]])  # captions, then foils
    chosen = scripts.foil_choices.choose(fused, -fused, clips)
    assert (chosen.fused.mean, chosen.event_only.mean) == (50.0, 50.0)
    fused[1, 3] = 0.1
    assert scripts.foil_choices.choose(fused, -fused, clips).fused.mean == 100.0


def test_choices_as_ranks_say_what_the_package_says_of_foils(scripts):
    clips = attrs.evolve(two_clips(scripts), owners=np.array([1, 0]), captions=("a cat sits", "a dog runs"))
    for number in range(8):
        scores = np.random.default_rng(number).integers(3, size=(2, 4)).astype(np.float32)  # some are equal
        ranks = scripts.foil_choices.rank_choices(scores, clips, 1)
        assert list(ranks) == ["foils, replace_action", "foils, all choices"]
        accuracy = RankMeasure("R@1").of(np.array([row.rank for row in ranks["foils, replace_action"]]))
        chosen = scripts.foil_choices.choose(scores, scores, clips).fused
        assert accuracy == chosen.types["replace_action"].accuracy
        elsewhere = scripts.foil_choices.rank_choices(scores, clips, 1, elsewhere=True)
        turned = scripts.foil_choices.rank_choices(scores[::-1], clips, 1)
        assert [row.rank for row in elsewhere["foils beside another clip, all choices"]] == [
            row.rank for row in turned["foils, all choices"]
        ]
