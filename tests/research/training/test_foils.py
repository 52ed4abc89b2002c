from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from hgrkit.errors import BenchmarkError
from hgrkit.parsing import LarkParser
from hgrkit.research.evaluation.foil_choice import FoilPair
from hgrkit.research.foils.generate import make_foils
from hgrkit.research.training.clips import CaptionedClips
from hgrkit.research.training.config import TrainConfig
from hgrkit.research.training.foils import CaptionFoils
from hgrkit.research.training.model_config import ModelConfig
from hgrkit.research.training.text_feed import TextFeed

TOLD = {
    "a.mp4": ["a dog runs", "a big dog runs", "a dog runs"],
    "b.mp4": ["a cat sleeps"],
    "c.mp4": ["a man eats"],
}


def pair(video, caption, foil):
    return FoilPair(video=video, caption=caption, foil=foil, type="any")


def small():
    features = {name: np.ones((1, 4), np.float32) for name in TOLD}
    return CaptionedClips.of(TOLD, features, parser=LarkParser())


def test_each_foil_goes_to_its_caption_wherever_it_stands_and_the_rest_is_counted():
    foils = CaptionFoils.of(
        [
            pair("b", "a cat sleeps", "a cat eats"),
            pair("a", "a dog runs", "a dog sleeps"),
            pair("a.mp4", "a dog runs", "a cat runs"),
            pair("a", "a dog runs", "a cat runs"),  # again
            pair("a", "a dog runs", "a big dog runs"),  # true
            pair("b", "a dog runs", "a dog sits"),
            pair("z", "a dog runs", "a dog sits"),
            pair("z", "a dog runs", "a dog lies"),
        ],
        small(),
        parser=LarkParser(),
    )
    words = [" ".join(graph.tokens) for graph in foils.graphs]
    own = [words[start:stop] for start, stop in zip(foils.starts, foils.starts[1:], strict=False)]
    assert own == [["a dog sleeps", "a cat runs"], [], ["a dog sleeps", "a cat runs"], ["a cat eats"], []]
    assert foils.left_out == {"other_clip": 2, "other_caption": 1, "true": 1}
    assert foils.described["captions"] == 3
    assert foils.described["foils"] == 5


def test_what_hgrkit_foils_makes_of_the_training_captions_is_all_used():
    told = {"a": ["A woman chases two goats in a garden ."], "b": ["a man rides a horse", "A man is on a horse."]}
    made = make_foils(told, LarkParser()).foils
    clips = CaptionedClips.of(told, {name: np.ones((1, 4)) for name in told}, parser=LarkParser())
    foils = CaptionFoils.of(made, clips, parser=LarkParser())
    assert len(foils.graphs) == len(made) > 3
    assert not any(foils.left_out.values())


def test_a_name_that_fits_several_clips_is_refused():
    told = {"x/a.mp4": ["a dog runs"], "y/a.mp4": ["a cat runs"]}
    clips = CaptionedClips.of(told, {name: np.ones((1, 4)) for name in told}, parser=LarkParser())
    with pytest.raises(BenchmarkError, match=r"'a' fits several videos"):
        CaptionFoils.of([pair("a", "a dog runs", "a dog eats")], clips, parser=LarkParser())


def test_one_foil_is_drawn_of_each_caption_that_has_any_and_each_in_its_turn(foils):
    rng = np.random.default_rng(0)
    captions = np.array([0, 1, 2, 3, 47, 0])
    drawn_of_first = set()
    for _ in range(30):
        rows, drawn = foils.draw(captions, rng)
        assert rows.tolist() == [0, 2, 3, 4, 5]  # the second caption of an even clip has none
        assert (foils.starts[captions[rows]] <= drawn).all()
        assert (drawn < foils.starts[captions[rows] + 1]).all()
        drawn_of_first.add(int(drawn[0]))
    assert drawn_of_first == {0, 1}


@pytest.fixture
def batch(clips):
    """A model without dropout and graph, positions of captions, their clips and the scores of all pairs."""
    config = ModelConfig(embed_dim=16, text={"word_dim": 8, "graph_layers": 0})
    model = config.make(clips.graphs, feature_dim=clips.feature_dim, seed=0, base=None)
    captions = np.arange(0, 48, 5)
    video = model.video(clips.features(clips.owners[captions], max_frames=None))
    text = model.text(model.text.batch([clips.graphs[caption] for caption in captions]))
    return model, captions, video, model.matcher(video, text).levels


def loss_of(foils, batch, captions=None, **settings):
    model, all_captions, video, levels = batch
    return foils.loss(
        TextFeed(model, foils.graphs),
        model.matcher,
        captions=all_captions if captions is None else captions,
        video=video,
        levels=levels,
        config=TrainConfig(**settings),
        rng=np.random.default_rng(3),
    )


@pytest.mark.parametrize("chosen", [("action", "entity"), ("event",), ("entity", "event", "action")])
@pytest.mark.parametrize("temperature", [0.05, 0.7])
def test_the_loss_is_the_equation(foils, batch, chosen, temperature):
    model, captions, video, levels = batch
    rows, drawn = foils.draw(captions, np.random.default_rng(3))
    wrong = model.matcher(video, model.text(model.text.batch([foils.graphs[number] for number in drawn]))).levels
    expected = 0.0
    for level in chosen:
        excess = [
            (wrong[level][row, column] - levels[level][row, row]).item() / temperature
            for column, row in enumerate(rows)
        ]
        expected += sum(math.log(1 + math.exp(value)) for value in excess) / len(rows)
    assert 0 < len(rows) < len(captions)
    found = loss_of(foils, batch, foil_levels=chosen, foil_temperature=temperature)
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_the_event_level_gets_no_gradient_unless_it_is_named(foils, batch):
    model = batch[0]
    pooling = [*model.text.pooling.parameters(), *model.video.pooling.parameters()]  # only the event has these
    loss_of(foils, batch).backward(retain_graph=True)
    assert not any(weight.grad is not None and weight.grad.any() for weight in pooling)
    assert model.text.words.weight.grad.any()
    loss_of(foils, batch, foil_levels=["event"]).backward()
    assert all(weight.grad.any() for weight in pooling if weight.ndim > 1)


def test_a_batch_without_foils_costs_nothing(foils, batch):
    without = np.array([1, 5, 9, 13, 1, 5, 9, 13, 1, 5])
    loss = loss_of(foils, batch, captions=without)
    assert loss.item() == 0
    assert torch.isfinite(loss)
