"""Canonical correlation of what sentences and clips say of an event."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hgrkit.library.records import Float64
from hgrkit.matching.frame_weights import unit_vectors
from hgrkit.model.calibration import JointGaussian

__all__ = ["fit_gaussian"]


def fit_gaussian(
    texts: npt.NDArray[np.float32], clips: npt.NDArray[np.float32], *, rank: int, ridge: float
) -> JointGaussian:
    """Canonical correlations of P pairs of events, [P, D] each; `ridge` keeps what few pairs say from counting."""
    x, y = (unit_vectors(events).astype(np.float64) for events in (texts, clips))
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    x, y = x - mean_x, y - mean_y
    white_x, white_y = _whitening(x, ridge), _whitening(y, ridge)
    left, correlations, right = np.linalg.svd(white_x.T @ (x.T @ y / len(x)) @ white_y)
    rank = min(rank, len(correlations))
    text_map, clip_map = white_x @ left[:, :rank], white_y @ right[:rank].T
    return JointGaussian(
        text_map=text_map.astype(np.float32),
        text_mean=(mean_x @ text_map).astype(np.float32),
        clip_map=clip_map.astype(np.float32),
        clip_mean=(mean_y @ clip_map).astype(np.float32),
        correlations=np.clip(correlations[:rank], 0, 0.98).astype(np.float32),
    )


def _whitening(centred: Float64, ridge: float) -> Float64:
    """A map W whose W' S W is the identity, where S is the covariance and a share of its mean variance."""
    covariance = centred.T @ centred / len(centred)
    covariance += ridge * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    white: Float64 = np.linalg.inv(np.linalg.cholesky(covariance)).T
    return white
