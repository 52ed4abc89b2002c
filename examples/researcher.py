"""A researcher: the model's parts alone, put together by hand, with no library and no files.

python examples/researcher.py
"""

from __future__ import annotations

import numpy as np
import torch

from hgrkit import GraphBatch, HgrModel, Matcher, TextEncoder, VideoEncoder, VideoFeatures, Vocabulary
from hgrkit.parsing import LarkParser

CAPTIONS = ["a woman throws a ball to a dog", "a dog brings a ball to a woman", "a man plays the guitar"]


def build(vocabulary: Vocabulary, *, feature_dim: int = 2048, embed_dim: int = 1024) -> HgrModel:
    """An untrained model of the paper's shape; dimensions that do not fit are an error here, not later."""
    return HgrModel(
        text=TextEncoder(vocabulary=vocabulary, embed_dim=embed_dim, num_layers=1),
        video=VideoEncoder(feature_dim=feature_dim, embed_dim=embed_dim),
        matcher=Matcher(sharpness=4.0, fusion="embed"),
    )


def main() -> None:
    """Score three captions against two clips of random features and look at the alignment."""
    graphs = LarkParser().parse_batch(CAPTIONS)
    for graph in graphs:
        print(graph)

    vocabulary = Vocabulary.from_sentences(graph.tokens for graph in graphs)
    batch = GraphBatch.from_graphs(graphs, vocabulary=vocabulary, max_actions=4, max_entities=6)
    generator = np.random.default_rng(0)
    features = [generator.standard_normal((num_frames, 2048), dtype=np.float32) for num_frames in (12, 20)]

    model = build(vocabulary).eval()
    with torch.inference_mode():
        text, video = (
            model.text(batch),
            model.video(VideoFeatures.from_arrays(features)),
        )  # ragged clips are welcome
        scores = model.matcher(video, text)
        weights = model.matcher.align(video, text).action  # [V, C, P, F]

    print("fused scores [V, C]:", scores.fused.shape, "of which action:", scores.levels.action.shape)
    print("action weights [V, C, P, F]:", weights.shape, "sum over frames:", weights[0, 0, 0].sum().item())


if __name__ == "__main__":
    main()
