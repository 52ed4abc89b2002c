"""Outcomes of several seeds: means, accuracies of each seed, and how far the recipe is ahead."""

from __future__ import annotations

import numpy as np

from hgrkit.research.evaluation.foil_choice import FoilPair


def clips_of(scripts, number):
    names = tuple(f"clip {row}" for row in range(number))
    return scripts.msvd_clips.Clips(
        names=names,
        features=None,
        sentences=None,
        captions=tuple(f"caption of {name}" for name in names),
        owners=np.arange(number),
        foils=tuple(
            FoilPair(video=name, caption=f"caption of {name}", foil=f"foil of {name}", type=kind)
            for name, kind in zip(names, ["switch_roles", "replace_action"] * (number // 2), strict=True)
        ),
        fingerprint="",
    )


def outcome(scripts, clips, *, right):
    """Of one seed for every row of `right`, which says of each foil whether its caption is chosen."""
    number = len(clips.names)
    answers = []
    for seed, own in enumerate(right):
        scores = np.eye(number, 2 * number, dtype=np.float32)
        scores[np.arange(number), number + np.arange(number)] = np.where(own, 0.5, 2.0)
        flickr8k, msvd = (
            scripts.experiment.rank_texts(scores[:, :number], clips.owners, names, clips.captions, seed)
            for names in ([f"photograph {row}" for row in range(number)], clips.names)
        )
        answers.append(
            scripts.outcome.Answers.of(seed, clips, flickr8k=flickr8k, msvd=msvd, fused=scores, event=-scores)
        )
    return scripts.outcome.Outcome.of(answers)


def test_the_lead_on_foils_is_paired_and_pooled_over_seeds(scripts):
    clips = clips_of(scripts, 60)
    every = np.ones(60, bool)
    some = np.arange(60) % 2 == 0  # all of one type, none of the other
    recipe = outcome(scripts, clips, right=[every, every])
    other = outcome(scripts, clips, right=[every, some])
    found = other.behind(recipe)["the recipe's lead on foils"]
    assert list(found) == ["switch_roles", "all choices", "replace_action"]
    assert found["switch_roles"]["lead"] == 0.0
    assert found["replace_action"]["lead"] == 50.0
    assert found["all choices"]["lead"] == 25.0
    low, high = found["all choices"]["interval"]
    assert 0 < low < 25 < high
    assert recipe.behind(other)["the recipe's lead on foils"]["all choices"]["lead"] == -25.0


def test_accuracies_on_foils_are_told_of_each_seed(scripts):
    clips = clips_of(scripts, 60)
    right = np.arange(60) < 45
    told = outcome(scripts, clips, right=[np.ones(60, bool), right]).to_dict()
    assert set(told["foils"]) == {"mean", "event_only"}
    assert told["foils of each seed"]["all choices"] == [100.0, 75.0]
    assert told["foils of each seed"]["event_only"] == [0.0, 25.0]
    assert np.isclose(np.mean(told["foils of each seed"]["mean"]), told["foils"]["mean"])
