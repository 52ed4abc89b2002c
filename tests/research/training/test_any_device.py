"""Training and evaluation on a device that is not the CPU: nothing is left behind, and the results are equal."""

from __future__ import annotations

import itertools

import attrs
import pytest
import torch

from hgrkit.matching.losses import HingeLoss, InfoNCE
from hgrkit.parsing import LarkParser
from hgrkit.research.training.config import TrainConfig
from hgrkit.research.training.model_config import ModelConfig
from hgrkit.research.training.paraphrases import Paraphrases
from hgrkit.research.training.trainer import Trainer
from tests.fake_device import NAME, OnDevice, copies_to_cpu, fake_device

CONFIG = TrainConfig(
    epochs=2,
    batch_size=12,
    learning_rate=0.01,
    device="cpu",
    foil_weight=0.5,
    paraphrase_weight=0.5,
    ema=0.9,
    clip_norm=5,
    background=7,
)


def model_of(clips, **settings):
    config = ModelConfig(embed_dim=16, **settings)
    return config.make(clips.graphs, feature_dim=clips.feature_dim, seed=0)


def train(clips, foils, model, config, *, loss, **arguments):
    others = Paraphrases.of(
        {str(n): [f"a {who} sings", f"some {who} makes music"] for n, who in enumerate(("man", "dog"))},
        parser=LarkParser(),
    )
    return Trainer(model, loss=loss, config=config, paraphrases=others).fit(clips, clips, foils=foils, **arguments)


def numbers(run):
    weights = run.best.state_dict()
    assert run.log[-1].dev is not None
    return [weight.cpu() for weight in weights.values()], [record.loss for record in run.log], run.log[-1].dev


@pytest.mark.parametrize("loss", [InfoNCE, HingeLoss])
def test_a_run_on_a_device_is_that_on_the_cpu(clips, foils, loss):
    config = attrs.evolve(CONFIG, mixed_precision=False)
    text = {"word_dim": 8}
    here = numbers(train(clips, foils, model_of(clips, text=text), config, loss=loss()))
    with fake_device():
        run = train(clips, foils, model_of(clips, text=text), attrs.evolve(config, device=NAME), loss=loss())
        assert all(isinstance(weight.data, OnDevice) for weight in run.best.parameters())
        there = numbers(run)
    for left, right in zip(here[0], there[0], strict=True):
        torch.testing.assert_close(left, right, atol=1e-5, rtol=1e-4)
    assert there[1] == pytest.approx(here[1], abs=1e-5)
    assert there[2] == here[2]


def test_a_step_waits_for_the_device_twice(clips, foils):
    config = attrs.evolve(CONFIG, device=NAME, epochs=1, foil_weight=0.0, paraphrase_weight=0.0)
    with fake_device():
        model, seen = model_of(clips, text={"word_dim": 8}), []
        Trainer(model, config=config).fit(clips, on_progress=lambda _: seen.append(copies_to_cpu()))
    assert {after - before for before, after in itertools.pairwise(seen)} <= {0, 1, 2}
    assert len(seen) > 2


def test_a_run_resumes_on_a_device(clips, foils, tmp_path):
    config = attrs.evolve(CONFIG, device=NAME, save_every=1)

    def stop(progress):
        if progress.step == 3:
            raise KeyboardInterrupt

    with fake_device():
        loss = InfoNCE()
        with pytest.raises(KeyboardInterrupt):
            train(clips, foils, model_of(clips), config, loss=loss, folder=tmp_path, on_progress=stop)
        again = numbers(train(clips, foils, model_of(clips), config, loss=InfoNCE(), folder=tmp_path))
        whole = numbers(train(clips, foils, model_of(clips), config, loss=InfoNCE()))
    assert all(map(torch.equal, again[0], whole[0]))
