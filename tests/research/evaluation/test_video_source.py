"""What a report says of a caption's phrases is what the model says of the whole video."""

from __future__ import annotations

import numpy as np
import torch

from hgrkit import HgrModel, TextEncoder, VideoEncoder, Vocabulary
from hgrkit.model.scorer import embed_captions, embed_videos
from hgrkit.parsing.lark.parser import LarkParser
from hgrkit.research.evaluation.rank_file import QueryRank
from hgrkit.research.evaluation.video_source import FeatureSource

CAPTION = "a dog runs on the grass"


def test_scores_and_phrases_are_those_of_the_model():
    torch.manual_seed(0)
    vocabulary = Vocabulary.from_sentences([CAPTION.split()])
    model = HgrModel(
        text=TextEncoder(vocabulary=vocabulary, embed_dim=8),
        video=VideoEncoder(feature_dim=5, embed_dim=8, max_frames=4),
    ).eval()
    random = np.random.default_rng(0)
    features = {name: random.normal(size=(9, 5)).astype(np.float32) for name in ("a.mp4", "b.mp4")}
    row = QueryRank(query="q", video="a", caption=CAPTION, rank=2, positive="a", top="b")
    graph = LarkParser().parse(CAPTION)
    found = FeatureSource(model=model, features=features).explain(row, graph)
    scores = embed_videos(model, features.values()).scores(embed_captions(model, LarkParser(), [CAPTION]))
    np.testing.assert_allclose([found.right.score, found.preferred.score], scores[:, 0], atol=1e-5)
    by_role = {phrase.role: phrase for phrase in found.phrases}
    assert [phrase.text for phrase in found.phrases] == [graph.phrase(node) for node in graph.nodes]
    assert by_role["V"].right == np.float32(found.right.levels.action)
    entities = [phrase.preferred for phrase in found.phrases if phrase.role != "V"]
    np.testing.assert_allclose(np.mean(entities), found.preferred.levels.entity, atol=1e-6)


def test_a_video_without_features_is_named_and_not_scored():
    row = QueryRank(query="q", video="a", caption=CAPTION, rank=2, positive="a", top="lost")
    torch.manual_seed(0)
    model = HgrModel(
        text=TextEncoder(vocabulary=Vocabulary.from_sentences([CAPTION.split()]), embed_dim=8),
        video=VideoEncoder(feature_dim=5, embed_dim=8),
    ).eval()
    found = FeatureSource(model=model, features={"a": np.ones((2, 5), np.float32)}).explain(
        row, LarkParser().parse(CAPTION)
    )
    assert (found.right, found.preferred, found.phrases) == (None, None, ())
