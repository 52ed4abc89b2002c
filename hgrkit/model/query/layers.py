"""The layers that text encoders are made of, in numpy: the equations of torch's layers of these names."""

from __future__ import annotations

import numpy as np

from hgrkit.model.query.weights import Float32, Weights

__all__ = ["LayerNorm", "Linear", "sigmoid", "softmax"]


class Linear:
    """`y = W x + b` over the last axis; twin of `torch.nn.Linear`."""

    def __init__(self, weights: Weights, in_size: int, out_size: int, *, bias: bool = True) -> None:
        self.weight = weights.take("weight", out_size, in_size)
        self.bias = weights.take("bias", out_size) if bias else None

    def __call__(self, vectors: Float32) -> Float32:
        """[..., in_size] -> [..., out_size]."""
        product: Float32 = vectors @ self.weight.T
        return product if self.bias is None else product + self.bias


class LayerNorm:
    """`(x - mean) / sqrt(variance + 1e-5) * weight + bias` over the last axis; twin of `torch.nn.LayerNorm`."""

    epsilon = np.float32(1e-5)

    def __init__(self, weights: Weights, size: int) -> None:
        self.weight, self.bias = weights.take("weight", size), weights.take("bias", size)

    def __call__(self, vectors: Float32) -> Float32:
        """[..., size] -> [..., size]."""
        centred = vectors - vectors.mean(axis=-1, keepdims=True)
        variance = np.square(centred).mean(axis=-1, keepdims=True)
        normal: Float32 = centred / np.sqrt(variance + self.epsilon) * self.weight + self.bias
        return normal


def softmax(logits: Float32) -> Float32:
    """Shares over the last axis; at least one logit of each row must be finite.

    >>> softmax(np.array([0.0, 0.0, -np.inf], np.float32)).tolist()
    [0.5, 0.5, 0.0]
    """
    shares: Float32 = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares /= shares.sum(axis=-1, keepdims=True)
    return shares


def sigmoid(values: Float32) -> Float32:
    """`1 / (1 + exp(-x))`, by the hyperbolic tangent, which never overflows.

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0], np.float32)).tolist()
    [0.0, 0.5, 1.0]
    """
    half = np.float32(0.5)
    result: Float32 = half * np.tanh(half * values) + half
    return result
