"""Choices between a caption and sentences that are wrong in one respect: MSR-VTT's and MSVD's clips."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
from made_dual_encoder import Captions

from hgrkit.parsing.lark.parser import LarkParser
from hgrkit.research.evaluation.bootstrap import Bootstrap, percentile_interval
from hgrkit.research.foils.generate import make_foils

__all__ = ["BOOTSTRAP", "Choice", "compare_choices", "foils", "verb_contrast", "vitatecs"]

BOOTSTRAP = Bootstrap(resamples=2000)


@attrs.frozen
class Choice:
    """A clip, the sentence that is right for it, and those that are not."""

    clip: str
    right: str
    wrong: tuple[str, ...]
    type: str


def foils(captions: Captions, all_captions: Captions) -> list[Choice]:
    """Foils of some captions, as `hgrkit foils` makes them knowing all captions of the clips."""
    made = make_foils(all_captions, LarkParser(), seed=0).foils
    wanted = {(clip, caption) for clip, own in captions.items() for caption in own}
    return [
        Choice(foil.video, foil.caption, (foil.foil,), foil.type)
        for foil in made
        if (foil.video, foil.caption) in wanted
    ]


def vitatecs(data: Path) -> Iterator[Choice]:
    """A caption and its counterfactual, by aspect."""
    for line in (data / "msrvtt_frames/vitatecs.jsonl").read_text().splitlines():
        one = json.loads(line)
        yield Choice(Path(one["video_name"]).stem, one["caption"], (one["counterfactual"],), one["aspect"])


def verb_contrast(data: Path) -> Iterator[Choice]:
    """A caption among up to four other sentences, one of which differs in the verb."""
    for line in (data / "msrvtt_frames/verb_contrast.jsonl").read_text().splitlines():
        one = json.loads(line)
        endings = [one[f"ending{number}"] for number in range(5)]
        right = endings[one["label"]]
        wrong = tuple(text for text in endings if text is not None and text != right)
        yield Choice(one["clip"], right, wrong, one["set"])


def compare_choices(choices: Sequence[Choice], a: npt.NDArray[Any], b: npt.NDArray[Any]) -> dict[str, Any]:
    """Accuracies, every type counted once, and their paired difference; of every type as well.

    `a` and `b` say of each choice whether it is right, or in what share of several runs.
    """
    clips = {clip: number for number, clip in enumerate(dict.fromkeys(one.clip for one in choices))}
    cluster = np.array([clips[one.clip] for one in choices])
    kinds = np.array([one.type for one in choices])
    drawn = np.concatenate(list(BOOTSTRAP.draws(len(clips))))  # [B, V]

    def resampled(values: npt.NDArray[Any], kind: str) -> npt.NDArray[np.float64]:
        own = kinds == kind
        hits = np.bincount(cluster[own], values[own].astype(np.float64), minlength=len(clips))
        with np.errstate(invalid="ignore"):
            found: npt.NDArray[np.float64] = (
                100 * (drawn @ hits) / (drawn @ np.bincount(cluster[own], minlength=len(clips)))
            )
        return found

    of_types, differences = {}, []
    for kind in dict.fromkeys(kinds.tolist()):
        own = kinds == kind
        differences.append(resampled(b, kind) - resampled(a, kind))
        of_types[kind] = compared(100 * a[own].mean(), 100 * b[own].mean(), differences[-1], int(own.sum()))
    mean = compared(
        float(np.mean([one["a"] for one in of_types.values()])),
        float(np.mean([one["b"] for one in of_types.values()])),
        np.nanmean(differences, axis=0),
        len(choices),
    )
    per_choice = np.bincount(cluster, b.astype(np.float64) - a.astype(np.float64), minlength=len(clips))
    pooled = 100 * (drawn @ per_choice) / (drawn @ np.bincount(cluster, minlength=len(clips)))
    return {
        "mean of types": mean,
        "pooled": compared(100 * a.mean(), 100 * b.mean(), pooled, len(choices)),
        "types": of_types,
    }


def compared(a: float, b: float, differences: npt.NDArray[np.float64], count: int) -> dict[str, Any]:
    """Per cent of a and b, and the difference in points with its interval."""
    return {
        "a": float(a),
        "b": float(b),
        "lead": float(b - a),
        "interval": percentile_interval(differences),
        "n": count,
    }
