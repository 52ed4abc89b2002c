"""Baselines of an evaluation: simple systems, fitted here to training pairs, that score the same queries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial, reduce
from operator import add
from pathlib import PurePath
from typing import Any, Self

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import BenchmarkError, ShapeError
from hgrkit.research.evaluation.captions import Captions, match_base_names
from hgrkit.research.evaluation.measures import RankMeasure
from hgrkit.research.evaluation.ranking import Relevance, rank

__all__ = [
    "BASELINES",
    "Fit",
    "FittedBaseline",
    "PairSums",
    "TextVectors",
    "TrainingPairs",
    "canonical_correlation",
    "fit_baselines",
    "linear_map",
    "unit_rows",
    "video_vectors",
]

Floats = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]


@attrs.frozen(kw_only=True, eq=False, repr=False)
class PairedMaps:
    """One linear map for each side, into a space where a pair should point the same way.

    Attributes:
        text_mean: subtracted from sentence vectors, [H].
        video_mean: subtracted from video vectors, [K].
        text_map: [H, D].
        video_map: [K, D].
    """

    text_mean: Floats
    video_mean: Floats
    text_map: Floats
    video_map: Floats

    def scores(self, videos: npt.ArrayLike, texts: npt.ArrayLike) -> Float32:
        """Cosine of every video, [V, K], with every sentence, [C, H]: float32 [V, C].

        Raises:
            ShapeError: if vectors do not have the size of those learned from.
        """
        placed = []
        for name, side, mean, matrix in (
            ("videos", videos, self.video_mean, self.video_map),
            ("texts", texts, self.text_mean, self.text_map),
        ):
            vectors = np.asarray(side, dtype=np.float64)
            if vectors.ndim != 2 or vectors.shape[1] != len(mean):
                raise ShapeError(f"{name} must be [any, {len(mean)}], got {list(vectors.shape)}.")
            placed.append(unit_rows((vectors - mean) @ matrix))
        cosines: Float32 = placed[0] @ placed[1].T
        return cosines

    def __repr__(self) -> str:
        return f"PairedMaps({len(self.text_mean)} and {len(self.video_mean)} -> {self.text_map.shape[1]})"


@attrs.frozen(kw_only=True, eq=False)
class Covariances:
    """Means and covariances of pairs: text [H], [H, H]; video [K], [K, K]; cross [H, K]."""

    text_mean: Floats
    video_mean: Floats
    text: Floats
    video: Floats
    cross: Floats


@attrs.frozen(kw_only=True, eq=False)
class PairSums:
    """Sums over pairs of a sentence vector x and a video vector y, which add up part by part.

    Attributes:
        pairs: how many there are.
        text: sum of x, [H].
        video: sum of y, [K].
        text_text: sum of x x', [H, H].
        text_video: sum of x y', [H, K].
        video_video: sum of y y', [K, K].
    """

    pairs: int
    text: Floats
    video: Floats
    text_text: Floats
    text_video: Floats
    video_video: Floats

    @classmethod
    def of(cls, texts: npt.ArrayLike, owners: npt.ArrayLike, videos: npt.ArrayLike) -> Self:
        """Sums over sentences [n, H], each paired with its owner, int [n], among videos [V, K]."""
        x, y = np.asarray(texts, np.float64), np.asarray(videos, np.float64)
        rows = np.asarray(owners, np.int64)
        counts = np.bincount(rows, minlength=len(y)).astype(np.float64)
        # Captions of a video are summed before the product with its vector: [V, H] instead of [n, K].
        by_video = np.zeros((len(y), x.shape[1]))
        np.add.at(by_video, rows, x)
        return cls(
            pairs=len(rows),
            text=x.sum(axis=0),
            video=counts @ y,
            text_text=x.T @ x,
            text_video=by_video.T @ y,
            video_video=(y * counts[:, None]).T @ y,
        )

    def __add__(self, other: PairSums) -> PairSums:
        names = [field.name for field in attrs.fields(PairSums)]
        return PairSums(**{name: getattr(self, name) + getattr(other, name) for name in names})

    def covariances(self) -> Covariances:
        """Means and covariances of all pairs."""
        x, y = self.text / self.pairs, self.video / self.pairs
        return Covariances(
            text_mean=x,
            video_mean=y,
            text=self.text_text / self.pairs - np.outer(x, x),
            video=self.video_video / self.pairs - np.outer(y, y),
            cross=self.text_video / self.pairs - np.outer(x, y),
        )


def unit_rows(vectors: npt.NDArray[Any]) -> Float32:
    """Rows of length one; zeros stay zeros."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12), np.float32)


Fit = Callable[[Covariances, float], PairedMaps]


def linear_map(pairs: Covariances, strength: float) -> PairedMaps:
    """Ridge regression of the sentence vector on the video vector: `W = (Syy + r I)^-1 Syx`.

    Args:
        pairs: what to learn from.
        strength: r in units of the mean variance of the video vectors' components, positive.
    """
    return PairedMaps(
        text_mean=pairs.text_mean,
        video_mean=pairs.video_mean,
        text_map=np.eye(len(pairs.text_mean)),
        video_map=np.linalg.solve(_ridged(pairs.video, strength), pairs.cross.T).astype(np.float64, copy=False),
    )


def canonical_correlation(pairs: Covariances, strength: float) -> PairedMaps:
    """Regularised canonical correlation analysis; every direction is weighted with its correlation.

    With `Lx Lx' = Sxx + r I` and `Ly Ly' = Syy + s I`, the singular value decomposition `U d V'` of
    `Lx^-1 Sxy Ly'^-1` gives the maps `Lx'^-1 U diag(d)` and `Ly'^-1 V diag(d)`.

    Args:
        pairs: what to learn from.
        strength: r and s, each in units of the mean variance of that side's components, positive.

    Source: Hotelling, Biometrika 28 (1936); weights and ridge as in Gong, Ke, Isard and Lazebnik, IJCV 106 (2014).
    """
    # Whitening both sides first makes the correlations the singular values of the cross-covariance.
    text, video = (np.linalg.cholesky(_ridged(side, strength)) for side in (pairs.text, pairs.video))
    whitened = np.linalg.solve(video, np.linalg.solve(text, pairs.cross).T).T
    u, correlations, v = np.linalg.svd(whitened, full_matrices=False)
    return PairedMaps(
        text_mean=pairs.text_mean,
        video_mean=pairs.video_mean,
        text_map=np.linalg.solve(text.T, u * correlations),
        video_map=np.linalg.solve(video.T, v.T * correlations),
    )


def _ridged(covariance: Floats, strength: float) -> Floats:
    mean_variance = max(float(np.trace(covariance)) / len(covariance), 1e-12)
    ridged: Floats = covariance + strength * mean_variance * np.eye(len(covariance))
    return ridged


TextVectors = Callable[[Sequence[str]], Float32]

BASELINES: Mapping[str, Fit] = {"canonical_correlation": canonical_correlation, "linear_map": linear_map}

STRENGTHS = (0.1, 1.0, 10.0)
"""How strongly a baseline may be regularised; the best on training videos that are held out is taken."""

_DEFAULT_STRENGTH = 1.0
_MOST_HELD_OUT = 1000
_FEWEST_FOR_HOLDING_OUT = 20
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

    def captions_of(self, rows: npt.NDArray[np.int64]) -> tuple[list[str], npt.NDArray[np.int64]]:
        """The captions of some videos, and the position of each one's video among `rows`."""
        own = [self.captions[row] for row in rows.tolist()]
        owners = np.repeat(np.arange(len(own)), [len(captions) for captions in own])
        return [text for captions in own for text in captions], owners

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
    keys = match_base_names(names, features)
    missing = [name for name in names if name not in keys]
    if missing:
        raise BenchmarkError(
            f"there are no features of {len(missing)} of {len(names)} videos, first {missing[0]!r}; "
            "baselines need those of every video."
        )
    means = [np.asarray(np.asarray(features[keys[name]]).mean(axis=0), np.float32) for name in names]
    sizes = sorted({mean.shape for mean in means})
    if len(sizes) != 1 or len(sizes[0]) != 1:
        raise BenchmarkError(f"frame features must be of one size, got {', '.join(map(str, sizes))}.")
    return np.stack(means)


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
    # The ranks of one or two videos would choose at random; from 20 on at least two are held out.
    number = min(len(order) // 10, _MOST_HELD_OUT) if len(order) >= _FEWEST_FOR_HOLDING_OUT else 0
    held = np.sort(order[:number])
    learned = _sums(pairs, np.setdiff1d(order, held), vectors)
    strengths = dict.fromkeys(BASELINES, _DEFAULT_STRENGTH)
    if len(held):
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
    captions, owners = pairs.captions_of(held)
    texts, videos = vectors(captions), pairs.videos[held]
    right = Relevance.from_pairs(np.arange(len(owners)), owners, (len(owners), len(held)))

    def quality(fit: Fit, strength: float) -> float:
        return RankMeasure("mRR").of(rank(fit(learned, strength).scores(videos, texts).T, right).ranks)

    return {name: max(STRENGTHS, key=partial(quality, fit)) for name, fit in BASELINES.items()}


def _sums(pairs: TrainingPairs, rows: npt.NDArray[np.int64], vectors: TextVectors) -> PairSums:
    """Sums over the captions of some videos, so many videos at a time that their sentence vectors stay small."""
    parts = (rows[start : start + _VIDEOS_AT_ONCE] for start in range(0, len(rows), _VIDEOS_AT_ONCE))
    read = ((part, *pairs.captions_of(part)) for part in parts)
    return reduce(add, (PairSums.of(vectors(texts), owners, pairs.videos[part]) for part, texts, owners in read))
