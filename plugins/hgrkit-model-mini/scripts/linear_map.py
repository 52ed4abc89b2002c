"""The baseline among what `what_pays.py` compares: a linear map on the same features and sentence vectors."""

from __future__ import annotations

from collections.abc import Sequence

from experiment import rank_photographs, rank_texts
from outcome import Answers, Outcome
from trained_systems import Reading

from hgrkit.research.evaluation.baselines import TrainingPairs, fit_baselines

__all__ = ["ask_linear_map"]


def ask_linear_map(reading: Reading, seeds: Sequence[int]) -> Outcome:
    """The baseline's answers, the same beside every seed."""
    clips, photographs = reading.clips, reading.material.photographs
    vectors = reading.material.captions.states.event.numpy()
    row_of = {text: row for row, text in enumerate(photographs.texts)}
    train, test, features = photographs.split["train"], photographs.split["test"], photographs.views[0].features
    pairs = TrainingPairs(
        captions=tuple(photographs.captions[row] for row in train), videos=features[train].numpy()
    )
    maps = fit_baselines(pairs, lambda asked: vectors[[row_of[text] for text in asked]])["linear_map"].maps
    found = maps.scores(features[test].numpy(), vectors[photographs.pairs("test")[:, 1]])
    frames = clips.features.frames.numpy() * clips.features.frame_mask.numpy()[:, :, None]
    means = frames.sum(axis=1) / clips.features.frame_mask.numpy().sum(axis=1, keepdims=True)
    scores = maps.scores(means, clips.sentences.states.event.numpy())
    return Outcome.of(
        [
            Answers.of(
                seed,
                clips,
                flickr8k=rank_photographs(found, photographs, "test", seed),
                msvd=rank_texts(scores[:, : len(clips.captions)], clips.owners, clips.names, clips.captions, seed),
                fused=scores,
                event=scores,
            )
            for seed in seeds
        ]
    )
