"""Scores from features equal those of the matcher on tensors, and of a library."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hgrkit import GraphBatch, HgrModel, Matcher, TextEncoder, VideoEncoder, VideoFeatures, Vocabulary
from hgrkit.errors import GraphError, ShapeError
from hgrkit.model.scorer import embed_captions, embed_videos
from hgrkit.parsing import LarkParser

CAPTIONS = ["a dog chases a ball in the park", "a man sings", "a woman throws a ball to a dog", "a cat sleeps"]


@pytest.fixture
def model():
    torch.manual_seed(0)
    vocabulary = Vocabulary.from_sentences(caption.split() for caption in CAPTIONS)
    text = TextEncoder(vocabulary=vocabulary, embed_dim=16, word_dim=8)
    video = VideoEncoder(feature_dim=10, embed_dim=16, max_frames=6)
    return HgrModel(text=text, video=video, matcher=Matcher(level_weights=(2, 1, 0.5))).eval()


@pytest.fixture
def features():
    random = np.random.default_rng(0)
    return [random.standard_normal((frames, 10), dtype=np.float32) for frames in (3, 6, 1, 9, 4)]


def test_scores_equal_the_matchers(model, features, monkeypatch):
    monkeypatch.setattr("hgrkit.model.scorer._VIDEOS_AT_ONCE", 2)
    graphs = LarkParser().parse_batch(CAPTIONS)
    with torch.inference_mode():
        text = model.text(model.text.batch(graphs))
        video = model.video(VideoFeatures.from_arrays(features, max_frames=6))
        expected = model.matcher(video, text).fused.numpy()
    videos = embed_videos(model, features)
    np.testing.assert_allclose(videos.scores(embed_captions(model, LarkParser(), CAPTIONS)), expected, atol=1e-5)
    assert videos.omitted_frames == 3
    assert isinstance(model.text.batch(graphs), GraphBatch)


def test_a_caption_that_cannot_be_read_scores_lowest_and_is_named(model, features):
    asked = [CAPTIONS[0], "", CAPTIONS[1]]
    captions = embed_captions(model, LarkParser(), asked)
    scores = embed_videos(model, features).scores(captions)
    assert list(captions.failures) == [1]
    assert scores[:, 1].tolist() == [-1] * 5
    alone = embed_videos(model, features).scores(embed_captions(model, LarkParser(), [CAPTIONS[0], CAPTIONS[1]]))
    np.testing.assert_allclose(scores[:, [0, 2]], alone, atol=1e-6)


def test_embedding_captions_some_at_a_time_changes_nothing(model, features, monkeypatch):
    whole = embed_videos(model, features).scores(embed_captions(model, LarkParser(), CAPTIONS))
    monkeypatch.setattr("hgrkit.model.query.encoder._CAPTIONS_AT_ONCE", 3)
    done = []
    captions = embed_captions(model, LarkParser(), CAPTIONS, on_progress=done.append)
    np.testing.assert_allclose(embed_videos(model, features).scores(captions), whole, atol=1e-6)
    assert done == [3, 4]


def test_one_parser_failure_never_stops_the_others(model):
    class Picky(LarkParser):
        def parse_batch(self, texts):
            if "a man sings" in texts:
                raise GraphError("no singing")
            return super().parse_batch(texts)

    captions = embed_captions(model, Picky(), CAPTIONS)
    assert dict(captions.failures) == {1: "no singing"}
    assert captions.positions == [0, 2, 3]


def test_features_of_another_size_are_refused(model):
    with pytest.raises(ShapeError):
        embed_videos(model, [np.ones((2, 9), np.float32)])
