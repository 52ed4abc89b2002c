"""Logistic regression."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hgrkit.library.records import Float64

__all__ = ["fit_logistic"]

_LONGEST_STEP = 2.0
"""Of a weight of a standardised feature."""


def fit_logistic(
    features: Float64, positive: npt.NDArray[np.bool_], weights: Float64, *, penalty: float = 1.0
) -> Float64:
    """Logistic regression by Newton's method: [N, F], [N] and [N] -> F weights and a constant."""
    mean, scale = features.mean(axis=0), features.std(axis=0) + 1e-9
    x = np.column_stack([(features - mean) / scale, np.ones(len(features))])
    ridge = np.diag(np.append(np.full(features.shape[1], penalty), 1e-9))
    fitted = np.zeros(x.shape[1])
    for _ in range(50):
        likely = 1 / (1 + np.exp(-x @ fitted))
        gradient = x.T @ (weights * (likely - positive)) + ridge @ fitted
        curvature = (x * (weights * likely * (1 - likely))[:, None]).T @ x + ridge
        step = np.linalg.solve(curvature, gradient)
        step /= max(1.0, np.abs(step).max() / _LONGEST_STEP)  # where classes part, Newton's steps run away
        fitted -= step
        if np.abs(step).max() < 1e-8:
            break
    weighed: Float64 = np.append(fitted[:-1] / scale, fitted[-1] - (fitted[:-1] * mean / scale).sum())
    return weighed
