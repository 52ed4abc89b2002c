"""The matcher's arithmetic on arrays: which frames bear on a node, and how similar node and frames then are.

Frames lie along the first axis, so that every step is one long vector operation (HGR, section 3.4).
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from hgrkit.checks.arguments import check_choice

__all__ = [
    "DEFAULT_FUSION",
    "DEFAULT_SHARPNESS",
    "EPSILON",
    "Fusion",
    "alignment_weights",
    "check_fusion",
    "fused_similarities",
    "single_precision",
    "unit_and_length",
    "unit_vectors",
]

FloatArray = npt.NDArray[np.float32]

Fusion = Literal["embed", "sim"]

DEFAULT_SHARPNESS = 4.0
DEFAULT_FUSION: Fusion = "embed"
"""Those of the published models."""

EPSILON = 1e-10
"""The smallest length that a vector is divided by, so that zero stays zero; in torch as well."""


_INFINITE = 0x7C00
"""The exponent of float16's infinities and NaN."""


def check_fusion(fusion: str) -> None:
    """Refuse a fusion that there is not.

    Raises:
        ConfigError: if it is neither `embed` nor `sim`.
    """
    check_choice("fusion", fusion, get_args(Fusion))


def single_precision(rows: npt.NDArray[Any]) -> FloatArray:
    """Rows in single precision.

    Float16 takes four operations on whole arrays; `astype` goes number by number, and takes 12 times as long.
    """
    if rows.dtype != np.float16:
        return np.asarray(rows, np.float32)
    bits = np.ascontiguousarray(rows).view(np.int16)
    if ((bits & _INFINITE) == _INFINITE).any():
        return rows.astype(np.float32)
    wide = bits.astype(np.int32)
    wide <<= 13  # exponent and fraction are where float32 has them; the exponent's bias is 15 instead of 127
    wide &= np.int32(-0x70002000)  # the copies of the sign between it and the exponent go
    found: FloatArray = wide.view(np.float32)
    found *= np.float32(2.0**112)
    return found


def unit_and_length(vectors: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Vectors [..., D] of length one (zero stays zero), and the lengths [...] that they had; precision is kept."""
    norms = np.sqrt(np.einsum("...d,...d->...", vectors, vectors))
    return vectors / np.maximum(norms, norms.dtype.type(EPSILON))[..., None], norms


def unit_vectors(vectors: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Vectors [..., D] of length one; zero stays zero.

    >>> unit_vectors(np.array([[3.0, 4.0], [0.0, 0.0]], np.float32)).round(1).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    return unit_and_length(vectors)[0]


def alignment_weights(cosines: FloatArray, sharpness: float) -> FloatArray:
    """Weights over the first axis, the frames, that sum to one: [F, ...] -> [F, ...].

    `r = max(s, 0) / ||max(s, 0)||`, `w = softmax(sharpness r)`.
    """
    weights = np.maximum(cosines, 0)
    lengths = np.sqrt(np.einsum("f...,f...->...", weights, weights))
    weights *= np.float32(sharpness) / np.maximum(lengths, EPSILON)
    weights -= weights.max(axis=0)  # changes no share, and no exponential overflows
    np.exp(weights, out=weights)
    weights /= weights.sum(axis=0)
    return weights


def fused_similarities(
    cosines: FloatArray, weights: FloatArray, norms: FloatArray, gram: FloatArray | None
) -> FloatArray:
    """Similarities of n clips and P nodes, float32 [n, P].

    Args:
        cosines: of frames and nodes, [F, n, P].
        weights: of the frames for each node, [F, n, P].
        norms: the frames' lengths, [F, n].
        gram: inner products of each clip's unit frames, [n, F, F], for the fusion `embed`; `None` for `sim`.
    """
    if gram is None:
        similarities: FloatArray = np.einsum("fnp,fnp->np", weights, cosines)
        return similarities
    scaled = weights * norms[:, :, None]  # x_t = norm_t u_t
    product = np.einsum("fnp,fnp->np", scaled, cosines)
    by_clip = scaled.transpose(1, 0, 2)  # [n, F, P]
    square = np.einsum("nfp,nfp->np", by_clip, gram @ by_clip)
    fused: FloatArray = product / np.maximum(np.sqrt(np.maximum(square, 0)), EPSILON)
    return fused
