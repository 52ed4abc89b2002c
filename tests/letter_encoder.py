"""A dual encoder that can be computed by hand: letters of a text, and brightness of a picture, as directions."""

from __future__ import annotations

import numpy as np

LIMIT = 100
"""Letters that are read of a text."""


class LetterTexts:
    """A text's vector: how often each residue of its letters' codes occurs, earlier letters a little more."""

    fingerprint = "letters@1"

    def __init__(self, embed_dim=16):
        self.embed_dim = embed_dim

    def encode(self, texts):
        vectors = np.full((len(texts), self.embed_dim), 0.1, np.float32)
        for vector, text in zip(vectors, texts, strict=True):
            for place, letter in enumerate(text[:LIMIT]):
                vector[ord(letter) % self.embed_dim] += 1 / (1 + 0.01 * place)
        return vectors

    def omitted_tokens(self, texts):
        return [max(0, len(text) - LIMIT) for text in texts]


class ShadeFrames:
    """A picture's vector: the mean shade of each of its bands."""

    fingerprint = "shades@1"
    frame_size = (32, 32)

    def __init__(self, feature_dim=16):
        self.feature_dim = feature_dim

    def encode(self, frames):
        bands = np.array_split(np.arange(frames.shape[2]), self.feature_dim)
        means = [frames[:, :, band].mean(axis=(1, 2, 3)) for band in bands]
        return np.stack(means, axis=1).astype(np.float32) / 255 + 0.01
