"""What each part of the default model is worth: the recipe's first stage with one thing done otherwise.

Compared with is the plain recipe: the default model's first stage before this table changed it. It has no messages
along the graph, hears the transformer's last layer alone, and learns from paraphrases. Each is trained with
several seeds on features of the published frame encoder, and compared query by query: photographs of Flickr8k's
test split, the second half of 98 MSVD clips by name, foils of captions of all 98. A lead above zero says that the
plain recipe is better. A linear map on the same features and sentence vectors, the baseline of `hgrkit evaluate
--baselines`, stands among them. Needs the cache that `train_model.py` leaves, or fills with `--cache-only`;
trained maps are cached too, so that a run that was stopped goes on where it was.

    python scripts/what_pays.py --data DATA --cache build/cache --out ../../benchmarks/results/what_pays.json
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from experiment import described_run, main, rank_photographs, rank_texts
from linear_map import ask_linear_map
from one_frame_loss import one_frame_clips
from outcome import Answers, Outcome
from systems import System
from trained_systems import Questions, TrainedSystems
from variations import VARIATIONS, Variation

from hgrkit.matching.matcher import Matcher

__all__ = ["ask", "measure", "run_variation"]


def ask(system: System, matcher: Matcher, seed: int, questions: Questions) -> Answers:
    """Ask one system everything."""
    photographs, clips = questions.photographs, questions.clips
    features = one_frame_clips(photographs.views[0].features[photographs.split["test"]])
    levels = system.levels(matcher, features, questions.test, np.arange(len(questions.test.graphs)))
    flickr8k = rank_photographs(matcher.fuse(levels).numpy(), photographs, "test", seed)
    number = len(clips.captions)
    levels = system.levels(matcher, clips.features, clips.sentences, np.arange(number + len(clips.foils)))
    fused = matcher.fuse(levels).numpy()
    return Answers.of(
        seed,
        clips,
        flickr8k=flickr8k,
        msvd=rank_texts(fused[:, :number], clips.owners, clips.names, clips.captions, seed),
        fused=fused,
        event=levels.event.numpy(),
    )


def run_variation(variation: Variation, systems: TrainedSystems, seeds: Sequence[int]) -> Outcome:
    """Ask the systems of every seed."""
    answers = []
    for seed in seeds:
        system = systems.system(variation, seed)
        matcher = Matcher(**{**system.model.matcher.settings, **variation.matcher})
        answers.append(ask(system, matcher, seed, systems.questions(variation)))
    return Outcome.of(answers)


def measure(
    data: Path, cache: Path, seeds: Sequence[int], names: Sequence[str], save: Callable[[Any], None]
) -> None:
    """Train and compare, saving after every variation."""
    systems = TrainedSystems(data, cache)
    started = time.perf_counter()
    recipe = run_variation(Variation(), systems, seeds)
    result: dict[str, Any] = {
        **described_run("what_pays.py", systems.encoders.frames.fingerprint, seeds),
        "recipe": recipe.to_dict(),
        "variations": {},
    }

    def add(name: str, outcome: Outcome) -> None:
        result["variations"][name] = {**outcome.to_dict(), **outcome.behind(recipe)}
        result["minutes"] = round((time.perf_counter() - started) / 60, 1)
        save(result)

    add("linear map", ask_linear_map(systems.reading(), seeds))
    add("linear map, an early layer too", ask_linear_map(systems.reading(early_layer=True), seeds))
    for name in names:
        add(name, run_variation(VARIATIONS[name], systems, seeds))


if __name__ == "__main__":
    main(__doc__, VARIATIONS, measure)
