"""Regions of a picture: what they are, and that training compares them as asking does."""

from __future__ import annotations

import numpy as np
import torch

from hgrkit.video.efficientnet_layout import VARIANTS, layout


@torch.inference_mode()
def test_the_mean_of_the_regions_is_the_whole(scripts, random_network):
    variant = VARIANTS["efficientnet-lite2"]
    upper = scripts.frame_halves.UpperHalf(layout(variant), random_network.state_dict()).eval()
    block_input = torch.rand(2, 120, 17, 17, generator=torch.Generator().manual_seed(1)).half()
    regions = scripts.regions.region_features(upper, block_input.numpy())
    assert regions.shape == (2, 9 * 1280)
    mean = torch.from_numpy(regions).float().unflatten(1, (9, 1280)).mean(dim=1)
    torch.testing.assert_close(mean, upper(block_input.float()), atol=2e-3, rtol=2e-3)


@torch.inference_mode()
def test_entities_attend_to_regions_in_training_as_they_do_when_they_are_asked(scripts, model, captions, tmp_path):
    module = scripts.regions
    sentences = scripts.sentences.Sentences.read(captions, model.text, tmp_path)
    text = model.text.encode(*sentences.batch(np.arange(4), model.text))
    features = torch.rand(4, 10 * model.video.feature_dim, generator=torch.Generator().manual_seed(0))
    loss = module.RegionLoss(model, None, scripts.recipe.Recipe())
    views = loss.look(features)
    taught = loss.levels(views, text)
    asked = module.score_regions(model, model.matcher, scripts.one_frame_loss.one_frame_clips(features), [text])
    for level in ("event", "action", "entity"):
        torch.testing.assert_close(taught[level], asked[level], atol=1e-5, rtol=0)
    for level in ("action", "entity"):
        torch.testing.assert_close(loss.fits(views, text, level), taught[level].diagonal(), atol=1e-5, rtol=0)
    assert (taught.entity - model.matcher(model.video(first_looks(scripts, features)), text).levels.entity).any()


def first_looks(scripts, features):
    return scripts.one_frame_loss.one_frame_clips(features.unflatten(1, (10, -1))[:, 0])
