"""The loss of the default model: its shortcuts compute what the package computes."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
import torch

from hgrkit.matching.matcher import Matcher
from hgrkit.parsing.lark.parser import LarkParser


@torch.inference_mode()
def test_scores_of_clips_of_one_frame_are_the_matchers(scripts, model, captions):
    features = torch.rand(5, model.video.feature_dim, generator=torch.Generator().manual_seed(0))
    graphs = LarkParser().parse_batch(captions)
    text = model.text(model.text.batch(graphs))
    assert not text.action_mask[2].any(), "a sentence without actions is among them"
    module = scripts.one_frame_loss
    views = model.video.frame_views(module.one_frame_clips(features)).map(lambda view: view[:, 0])
    ours = module.one_frame_levels(views, text)
    matched = Matcher()(model.video(module.one_frame_clips(features)), text).levels
    for level in ("event", "action", "entity"):
        torch.testing.assert_close(ours[level], matched[level], atol=1e-5, rtol=0)


class NeverAsked:
    """Paraphrases that no recipe gives weight."""

    def __getattr__(self, name):
        raise AssertionError(f"{name} was asked for")


@pytest.mark.parametrize(("paraphrases", "weight"), [(None, 1.0), (NeverAsked(), 0.0)], ids=["none", "no weight"])
def test_paraphrases_that_are_absent_or_have_no_weight_are_asked_nothing(scripts, model, paraphrases, weight):
    material = scripts.material.Material(photographs=None, captions=None, paraphrases=paraphrases, foils=None)
    recipe = attrs.evolve(scripts.recipe.Recipe(), paraphrase_weight=weight)
    loss = scripts.one_frame_loss.OneFrameLoss(model, material, recipe)
    assert loss.paraphrases(np.random.default_rng(0)) == 0


@torch.inference_mode()
def test_a_foil_costs_more_the_better_the_photograph_fits_it(scripts, model, captions, tmp_path):
    sentences = scripts.sentences.Sentences.read(captions, model.text, tmp_path)
    features = torch.rand(4, model.video.feature_dim, generator=torch.Generator().manual_seed(0))
    rows = np.arange(4)

    def loss(*, weight, foil_of_first):
        foils = scripts.sentences.Foils(sentences=sentences, of={0: np.array([foil_of_first])})
        material = scripts.material.Material(photographs=None, captions=sentences, paraphrases=None, foils=foils)
        recipe = attrs.evolve(scripts.recipe.Recipe(), foil_weight=weight)
        module = scripts.one_frame_loss.OneFrameLoss(model, material, recipe)
        return float(module.captions(features, rows, rows, np.random.default_rng(0)))

    plain = loss(weight=0.0, foil_of_first=1)
    video = model.video(scripts.one_frame_loss.one_frame_clips(features))
    levels = model.matcher(video, model.text(model.text.batch(sentences.graphs))).levels
    temperature = scripts.recipe.Recipe().temperature
    for foil in (0, 1):
        expected = sum(
            float(torch.nn.functional.softplus((own[0, foil] - own[0, 0]) / temperature))
            for own in (levels.action, levels.entity)
        )
        assert loss(weight=0.5, foil_of_first=foil) - plain == pytest.approx(0.5 * expected, abs=1e-3)


@pytest.mark.parametrize(("classes", "weight"), [(None, 1.0), (NeverAsked(), 0.0)], ids=["none", "no weight"])
def test_classes_that_are_absent_or_have_no_weight_are_asked_nothing(scripts, model, classes, weight):
    material = scripts.material.Material(
        photographs=None, captions=None, paraphrases=None, foils=None, classes=classes
    )
    recipe = attrs.evolve(scripts.recipe.Recipe(), class_weight=weight)
    loss = scripts.one_frame_loss.OneFrameLoss(model, material, recipe)
    assert loss.classes(0.5, np.random.default_rng(0)) == 0


@torch.inference_mode()
def test_two_pictures_of_what_both_are_called_are_no_negatives(scripts, model, tmp_path):
    phrases = scripts.sentences.Sentences.read(["a cat", "an animal", "a dog"], model.text, tmp_path)
    features = torch.rand(3, model.video.feature_dim, generator=torch.Generator().manual_seed(0))

    class Drawn:
        """A cat called so, a dog called an animal, and a dog called so."""

        def __init__(self, right):
            self.phrases, self._right = phrases, torch.tensor(right)

        def draw(self, _number, _rng):
            return features, np.arange(3), self._right

    def loss(right):
        material = scripts.material.Material(
            photographs=None, captions=None, paraphrases=None, foils=None, classes=Drawn(right)
        )
        module = scripts.one_frame_loss.OneFrameLoss(model, material, scripts.recipe.Recipe())
        return float(module.classes(0.0, np.random.default_rng(0)))

    alone = loss([[True, False, False], [False, True, False], [False, False, True]])
    shared = loss([[True, True, False], [False, True, True], [False, True, True]])
    assert shared < alone
