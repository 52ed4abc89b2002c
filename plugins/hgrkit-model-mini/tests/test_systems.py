"""What is asked: a system with regions or with a second tower says of each level what it should."""

from __future__ import annotations

import numpy as np
import torch


@torch.inference_mode()
def test_regions_that_show_what_the_whole_does_change_nothing(scripts, model, captions, tmp_path):
    sentences = scripts.sentences.Sentences.read(captions, model.text, tmp_path)
    whole = torch.rand(3, model.video.feature_dim, generator=torch.Generator().manual_seed(0))
    one_frame_clips, systems = scripts.one_frame_loss.one_frame_clips, scripts.systems
    plain = systems.OneModel(model).levels(model.matcher, one_frame_clips(whole), sentences, np.arange(4))
    looks = one_frame_clips(whole.repeat(1, 10))
    regions = systems.RegionModel(model).levels(model.matcher, looks, sentences, np.arange(4))
    for level in ("event", "action", "entity"):
        torch.testing.assert_close(regions[level], plain[level], atol=1e-5, rtol=0)


@torch.inference_mode()
def test_two_towers_share_the_event_alone(scripts, model, captions, tmp_path):
    systems, tower = scripts.systems, scripts.word_tower
    sentences = scripts.sentences.Sentences.read(captions, model.text, tmp_path)
    vocabulary = tower.Vocabulary.from_sentences(graph.tokens for graph in sentences.graphs)
    vectors = torch.randn(vocabulary.size, 12, generator=torch.Generator().manual_seed(0))
    second = tower.make_tower(vectors, vocabulary, model.video.feature_dim, tower.TOWER).eval()
    features = scripts.one_frame_loss.one_frame_clips(
        torch.rand(3, model.video.feature_dim, generator=torch.Generator().manual_seed(1))
    )
    own = systems.OneModel(model).levels(model.matcher, features, sentences, np.arange(4))
    words = model.matcher(second.video(features), second.text(second.text.batch(sentences.graphs))).levels
    both = systems.TwoTowers(model, second).levels(model.matcher, features, sentences, np.arange(4))
    torch.testing.assert_close(both.event, (own.event + words.event) / 2, atol=1e-5, rtol=0)
    assert torch.equal(both.action, own.action)
    assert torch.equal(both.entity, own.entity)
