"""Long videos made of clips: some joined one after the other, whole or cut to a random stretch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.indexing.feature_cache import CachedFeatures

__all__ = ["Joined", "join", "stretch"]

FEWEST, MOST = 4, 8
SHORTEST_S = 3.0


@attrs.frozen(eq=False)
class Joined:
    """A long video: its clips, where each begins and ends, and its frames."""

    clips: tuple[str, ...]
    edges_s: tuple[float, ...]
    features: npt.NDArray[np.float32]
    times_s: npt.NDArray[np.float64]

    @classmethod
    def of(cls, clips: Sequence[str], kept: Mapping[str, CachedFeatures]) -> Joined:
        """Clips one after the other."""
        edges_s = np.cumsum([0.0, *(float(kept[clip].duration_s or 0) for clip in clips)])
        times_s = [kept[clip].times_s + start_s for clip, start_s in zip(clips, edges_s, strict=False)]
        return cls(
            tuple(clips),
            tuple(edges_s.tolist()),
            np.concatenate([kept[clip].features for clip in clips]),
            np.concatenate(times_s),
        )


def stretch(clip: CachedFeatures, rng: np.random.Generator) -> CachedFeatures:
    """A random part of a clip, from `SHORTEST_S` to all of it."""
    duration_s = float(clip.duration_s or 0)
    length_s = float(np.exp(rng.uniform(np.log(min(SHORTEST_S, duration_s)), np.log(duration_s))))
    start_s = float(rng.uniform(0, duration_s - length_s))
    inside = (clip.times_s >= start_s) & (clip.times_s < start_s + length_s)
    return CachedFeatures(clip.times_s[inside] - start_s, clip.features[inside], begin_s=0.0, duration_s=length_s)


def join(clips: Sequence[str], rng: np.random.Generator) -> list[list[str]]:
    """Clips in random order, four to eight at a time; a rest of fewer goes to the one before."""
    shuffled = [clips[place] for place in rng.permutation(len(clips))]
    groups: list[list[str]] = []
    while shuffled:
        size = int(rng.integers(FEWEST, MOST + 1))
        group, shuffled = shuffled[:size], shuffled[size:]
        if len(group) < FEWEST and groups:
            groups[-1] += group
        else:
            groups.append(group)
    return groups
