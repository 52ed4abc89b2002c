"""Closed-form baselines: linear maps that bring sentences and videos together, learned from pairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import ShapeError

__all__ = ["Covariances", "Fit", "PairSums", "PairedMaps", "canonical_correlation", "linear_map"]

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
            mapped = (vectors - mean) @ matrix
            lengths = np.maximum(np.linalg.norm(mapped, axis=1, keepdims=True), 1e-12)
            placed.append((mapped / lengths).astype(np.float32))
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
        video_map=_solved(_ridged(pairs.video, strength), pairs.cross.T),
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
    text, video = (np.linalg.cholesky(_ridged(side, strength)) for side in (pairs.text, pairs.video))
    whitened = _solved(video, _solved(text, pairs.cross).T).T
    u, correlations, v = np.linalg.svd(whitened, full_matrices=False)
    return PairedMaps(
        text_mean=pairs.text_mean,
        video_mean=pairs.video_mean,
        text_map=_solved(text.T, u * correlations),
        video_map=_solved(video.T, v.T * correlations),
    )


def _solved(matrix: npt.NDArray[Any], right: npt.NDArray[Any]) -> Floats:
    """`matrix^-1 right`."""
    return np.linalg.solve(matrix, right).astype(np.float64, copy=False)


def _ridged(covariance: Floats, strength: float) -> Floats:
    mean_variance = max(float(np.trace(covariance)) / len(covariance), 1e-12)
    ridged: Floats = covariance + strength * mean_variance * np.eye(len(covariance))
    return ridged
