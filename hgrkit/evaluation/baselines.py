"""The neighbours of a figure: simple systems, fitted here from training pairs, that score the same queries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import PurePath

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import BenchmarkError
from hgrkit.evaluation.captions import Captions
from hgrkit.evaluation.paired_maps import Covariances, Fit, PairedMaps, PairSums, canonical_correlation, linear_map
from hgrkit.evaluation.rank_measure import RankMeasure
from hgrkit.evaluation.ranking import Relevance, ranks
from hgrkit.evaluation.video_names import match_names

__all__ = ["BASELINES", "FittedBaseline", "TextVectors", "TrainingPairs", "fit_baselines", "video_vectors"]

Float32 = npt.NDArray[np.float32]
TextVectors = Callable[[Sequence[str]], Float32]

BASELINES: Mapping[str, Fit] = {"canonical_correlation": canonical_correlation, "linear_map": linear_map}

STRENGTHS = (0.1, 1.0, 10.0)
"""How strongly a baseline may be regularised; the best on training videos that are held out is taken."""

_DEFAULT_STRENGTH = 1.0
_HELD_OUT = 0.1
_MOST_HELD_OUT = 1000
_VIDEOS_AT_ONCE = 256


@attrs.frozen(kw_only=True, eq=False, repr=False)
class TrainingPairs:
    """What baselines learn from.

    Attributes:
        captions: each video's, [V] of one or more.
        videos: one vector a video, float32 [V, K].
    """

    captions: tuple[tuple[str, ...], ...]
    videos: Float32

    @classmethod
    def read(
        cls, captions: Captions, features: Mapping[str, Float32], *, evaluated: Sequence[str] = ()
    ) -> TrainingPairs:
        """Pair captions with features by the videos' names; videos without captions are left out.

        Args:
            captions: of the training videos.
            features: frame features, [F, K] each.
            evaluated: names of the videos that are evaluated, none of which may be trained on.

        Raises:
            BenchmarkError: if a video has no features, is evaluated too, or there are fewer than two.
        """
        kept = {name: tuple(texts) for name, texts in captions.items() if texts}
        forbidden = {PurePath(name).stem for name in evaluated}
        both = [name for name in kept if PurePath(name).stem in forbidden]
        if both:
            raise BenchmarkError(
                f"{len(both)} of the {len(kept)} training videos are evaluated too, first {both[0]!r}; "
                "leave them out of the training captions."
            )
        if len(kept) < 2:
            raise BenchmarkError(f"baselines need at least two training videos with captions, got {len(kept)}.")
        return cls(captions=tuple(kept.values()), videos=video_vectors(features, list(kept)))

    def __repr__(self) -> str:
        return f"TrainingPairs(videos={len(self.videos)}, captions={sum(map(len, self.captions))})"


@attrs.frozen(kw_only=True, eq=False, repr=False)
class FittedBaseline:
    """A baseline that has learned.

    Attributes:
        maps: what it learned.
        strength: how strongly it was regularised, one of `STRENGTHS`.
        vectors: reads sentences.
    """

    maps: PairedMaps
    strength: float
    vectors: TextVectors

    def scorer(self, videos: Float32) -> Callable[[Sequence[str]], Float32]:
        """A function from C sentences to scores of these videos, [V, K]: float32 [V, C]."""
        return lambda texts: self.maps.scores(videos, self.vectors(texts))

    def __repr__(self) -> str:
        return f"FittedBaseline({self.maps!r}, strength={self.strength})"


def video_vectors(features: Mapping[str, Float32], names: Sequence[str]) -> Float32:
    """The mean of each video's frame features, [V, K]; folders and suffixes of the names need not agree.

    Raises:
        BenchmarkError: if a video has no features, or they differ in size.
    """
    keys = match_names(names, features)
    bases = match_names([PurePath(name).name for name in names if name not in keys], features)
    found = [keys.get(name) or bases.get(PurePath(name).name) for name in names]
    missing = [name for name, key in zip(names, found, strict=True) if key is None]
    if missing:
        raise BenchmarkError(
            f"there are no features of {len(missing)} of {len(names)} videos, first {missing[0]!r}; "
            "baselines need those of every video."
        )
    return _stacked([np.asarray(features[key]).mean(axis=0) for key in found if key is not None])


def fit_baselines(pairs: TrainingPairs, vectors: TextVectors, *, seed: int = 0) -> dict[str, FittedBaseline]:
    """Learn every baseline of `BASELINES`.

    A tenth of the videos, at most a thousand, is held out to choose the strength by mRR; then all are learned
    from. Below 20 videos the strength is 1.

    Args:
        pairs: what to learn from.
        vectors: C sentences to float32 [C, H]; called once for each caption, and twice for those held out.
        seed: of the choice.
    """
    order = np.random.default_rng(seed).permutation(len(pairs.videos))
    held = np.sort(order[: min(int(_HELD_OUT * len(order)), _MOST_HELD_OUT)]) if len(order) >= 20 else order[:0]
    learned = _sums(pairs, np.setdiff1d(order, held), vectors)
    if not len(held):
        strengths = dict.fromkeys(BASELINES, _DEFAULT_STRENGTH)
    else:
        strengths = _best_strengths(learned.covariances(), pairs, held, vectors)
        learned += _sums(pairs, held, vectors)
    every = learned.covariances()
    return {
        name: FittedBaseline(maps=fit(every, strengths[name]), strength=strengths[name], vectors=vectors)
        for name, fit in BASELINES.items()
    }


def _best_strengths(
    learned: Covariances, pairs: TrainingPairs, held: npt.NDArray[np.int64], vectors: TextVectors
) -> dict[str, float]:
    """For each baseline, the strength under which the captions held out find their videos best."""
    own = [pairs.captions[row] for row in held.tolist()]
    texts = vectors([text for captions in own for text in captions])
    owners = np.repeat(np.arange(len(held)), [len(captions) for captions in own])
    right = Relevance.from_pairs(np.arange(len(owners)), owners, (len(owners), len(held)))

    def quality(fit: Fit, strength: float) -> float:
        return RankMeasure("mRR").of(ranks(fit(learned, strength).scores(pairs.videos[held], texts).T, right))

    return {
        name: max(STRENGTHS, key=lambda strength, fit=fit: quality(fit, strength))  # type: ignore[misc]
        for name, fit in BASELINES.items()
    }


def _sums(pairs: TrainingPairs, rows: npt.NDArray[np.int64], vectors: TextVectors) -> PairSums:
    """Sums over the captions of some videos, some videos at a time."""
    parts = (_sums_at_once(pairs, part, vectors) for part in _parts(rows))
    total = next(parts)
    for part in parts:
        total = total + part
    return total


def _sums_at_once(pairs: TrainingPairs, rows: npt.NDArray[np.int64], vectors: TextVectors) -> PairSums:
    own = [pairs.captions[row] for row in rows.tolist()]
    texts = vectors([text for captions in own for text in captions])
    owners = np.repeat(np.arange(len(own)), [len(captions) for captions in own])
    return PairSums.of(texts, owners, pairs.videos[rows])


def _parts(rows: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.int64]]:
    return (rows[start : start + _VIDEOS_AT_ONCE] for start in range(0, len(rows), _VIDEOS_AT_ONCE))


def _stacked(vectors: Sequence[npt.ArrayLike]) -> Float32:
    arrays = [np.asarray(vector, np.float32) for vector in vectors]
    sizes = sorted({array.shape for array in arrays})
    if len(sizes) != 1 or len(sizes[0]) != 1:
        raise BenchmarkError(f"frame features must be of one size, got {', '.join(map(str, sizes))}.")
    return np.stack(arrays)
