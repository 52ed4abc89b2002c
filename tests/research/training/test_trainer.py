from __future__ import annotations

import random

import attrs
import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from hgrkit.errors import BenchmarkError, CheckpointError, ConfigError, MissingPathError, ShapeError
from hgrkit.matching.losses import HingeLoss, InfoNCE
from hgrkit.model.checkpoint import load_model, save_model
from hgrkit.research.training.config import TrainConfig
from hgrkit.research.training.model_config import ModelConfig
from hgrkit.research.training.paraphrases import Paraphrases
from hgrkit.research.training.state import STATE_FILE, restore_rng_state, rng_state
from hgrkit.research.training.trainer import Trainer

SMALL = TrainConfig(epochs=8, batch_size=12, learning_rate=0.01, device="cpu")


def fresh(clips, **settings):
    config = ModelConfig(embed_dim=16, text={"word_dim": 8, "dropout": 0.1}, **settings)
    return config.make(clips.graphs, feature_dim=clips.feature_dim, seed=0, base=None)


def weights(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(left, right):
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def fit(clips, folder=None, *, config=SMALL, loss=None, **arguments):
    return Trainer(fresh(clips), loss=loss or InfoNCE(), config=config).fit(
        clips, clips, folder=folder, **arguments
    )


class StoppedError(Exception):
    """The run ends here, as if it were killed."""


def stop_at(step):
    def look(progress):
        if progress.step == step:
            raise StoppedError

    return look


@pytest.mark.parametrize(
    "loss",
    [
        InfoNCE(learned=True, level_weights=(1, 1, 1, 1)),
        InfoNCE(soft_targets=0.2),
        HingeLoss(level_weights=(1, 1, 1, 1)),
        HingeLoss(negatives="all"),
        HingeLoss(negatives=3),
    ],
    ids=["infonce", "soft", "hardest", "all", "topk"],
)
def test_every_loss_teaches_a_model_what_clips_show(clips, loss):
    run = fit(clips, loss=loss, config=attrs.evolve(SMALL, epochs=15))
    assert run.log[-1].loss < run.log[0].loss
    assert run.log[run.best_epoch - 1].dev_rsum > 300  # random order comes to about 100


def test_the_best_model_is_that_of_the_highest_dev_rsum_and_loads_again(clips, tmp_path):
    run = fit(clips)
    rsums = [record.dev_rsum for record in run.log]
    assert rsums[run.best_epoch - 1] == max(rsums)
    assert [record.best for record in run.log].count(True) >= 1
    save_model(run.best, tmp_path / "model")
    assert same(weights(load_model(tmp_path / "model")), weights(run.best))


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(clips):
    one, two = fit(clips), fit(clips)
    other = fit(clips, config=attrs.evolve(SMALL, seed=1))
    assert same(weights(one.best), weights(two.best))
    assert not same(weights(one.best), weights(other.best))


@pytest.mark.parametrize(
    "change",
    [
        {"ema": 0.9, "save_every": 1},
        {"optimizer": "adam", "bucket": 2, "save_every": 1, "feature_dropout": 0.3},
        {"captions_per_video": 1, "drop_last": False, "batch_size": 7, "save_every": 1, "clip_norm": 0.5},
        {"save_every": None},
        {"foil_weight": 0.5, "save_every": 1},
    ],
)
def test_a_run_that_stopped_anywhere_ends_with_the_weights_of_one_that_did_not(clips, foils, tmp_path, change):
    config = attrs.evolve(SMALL, **{"epochs": 3, **change})
    loss = InfoNCE(learned=True)
    whole = fit(clips, config=config, loss=loss, foils=foils)
    for step in (3, 8):
        folder = tmp_path / str(step)
        with pytest.raises(StoppedError):
            fit(clips, folder, config=config, loss=InfoNCE(learned=True), foils=foils, on_progress=stop_at(step))
        again = InfoNCE(learned=True)
        resumed = fit(clips, folder, config=config, loss=again, foils=foils)
        assert same(weights(resumed.best), weights(whole.best))
        assert torch.equal(again.log_temperature, loss.log_temperature)
        assert [attrs.evolve(r, seconds=0.0) for r in resumed.log] == [
            attrs.evolve(r, seconds=0.0) for r in whole.log
        ]


def test_a_finished_run_is_not_trained_again(clips, tmp_path):
    first = fit(clips, tmp_path)
    steps = []
    again = fit(clips, tmp_path, on_progress=steps.append)
    assert not steps
    assert same(weights(again.best), weights(first.best))


def test_a_run_goes_on_only_with_its_own_settings(clips, tmp_path):
    fit(clips, tmp_path)
    with pytest.raises(ConfigError, match=r"\[training\] batch_size was 12, is 6"):
        fit(clips, tmp_path, config=attrs.evolve(SMALL, batch_size=6))
    with pytest.raises(ConfigError, match=r"the loss's type was 'InfoNCE', is 'HingeLoss'"):
        fit(clips, tmp_path, loss=HingeLoss())
    with pytest.raises(ConfigError, match=r"the loss's log_temperature\.start was -2\.99"):
        fit(clips, tmp_path, loss=InfoNCE(temperature=0.1))
    with pytest.raises(ConfigError, match="other weights of the model are frozen"):
        Trainer(fresh(clips, even_pooling=True), config=SMALL).fit(clips, clips, folder=tmp_path)
    with pytest.raises(ConfigError, match=r"the model had \d+ numbers, has \d+"):
        Trainer(fresh(clips, min_count=30), config=SMALL).fit(clips, clips, folder=tmp_path)
    with pytest.raises(ConfigError, match=r"about\.start was 'none', is 'mini'"):
        fit(clips, tmp_path, about={"start": "mini"})
    less = attrs.evolve(clips, graphs=clips.graphs[:-1], texts=clips.texts[:-1], owners=clips.owners[:-1])
    with pytest.raises(ConfigError, match=r"\[data\.train\] had 48 captions, has 47"):
        Trainer(fresh(clips), config=SMALL).fit(less, clips, folder=tmp_path)


def test_a_run_with_foils_goes_on_only_with_the_same_foils(clips, foils, tmp_path):
    config = attrs.evolve(SMALL, foil_weight=0.5, epochs=1)
    fit(clips, tmp_path, config=config, foils=foils)
    turned = attrs.evolve(foils, graphs=foils.graphs[::-1])
    with pytest.raises(ConfigError, match=r"\[data\.foils\] has other sentences"):
        fit(clips, tmp_path, config=config, foils=turned)
    with pytest.raises(ConfigError, match=r"\[training\] foil_weight was 0\.5, is 0\.1"):
        fit(clips, tmp_path, config=attrs.evolve(config, foil_weight=0.1), foils=foils)


def test_a_run_begins_anew_when_asked_and_refuses_to_go_on_from_nothing(clips, tmp_path):
    with pytest.raises(MissingPathError, match="to resume from"):
        fit(clips, tmp_path, resume=True)
    fit(clips, tmp_path)
    steps = []
    fit(clips, tmp_path, resume=False, on_progress=steps.append)
    assert len(steps) == 8 * 4


def test_two_runs_never_share_a_folder(clips, tmp_path):
    def another(progress):
        with pytest.raises(ConfigError, match="another run is under way"):
            fit(clips, tmp_path)
        raise StoppedError

    with pytest.raises(StoppedError):
        fit(clips, tmp_path, on_progress=another)
    fit(clips, tmp_path)


def test_a_damaged_state_is_refused(clips, tmp_path):
    fit(clips, tmp_path)
    content = (tmp_path / STATE_FILE).read_bytes()
    (tmp_path / STATE_FILE).write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match="cannot be read"):
        fit(clips, tmp_path)


def test_patience_ends_a_run_that_gets_no_better(clips):
    frozen = attrs.evolve(SMALL, epochs=20, learning_rate=1e-12, patience=3)
    run = fit(clips, config=frozen)
    assert (len(run.log), run.best_epoch, run.stopped_early) == (4, 1, True)


def test_without_dev_clips_the_last_epoch_is_kept(clips):
    run = Trainer(fresh(clips), config=SMALL).fit(clips)
    assert run.best_epoch == len(run.log) == 8
    assert run.log[-1].dev is None


def test_averaged_weights_are_what_is_measured_and_kept(clips):
    config = attrs.evolve(SMALL, epochs=1)
    plain, averaged = fit(clips, config=config), fit(clips, config=attrs.evolve(config, ema=0.99))
    start = weights(fresh(clips))
    name = "video.projections.0.weight"
    moved = (weights(plain.best)[name] - start[name]).norm()
    assert 0 < (weights(averaged.best)[name] - start[name]).norm() < moved


def test_the_average_of_weights_follows_them_closely_at_first(clips):
    config, decay = attrs.evolve(SMALL, epochs=2), 0.4
    model, steps = fresh(clips), []
    average = weights(model)
    Trainer(model, config=config).fit(clips, on_progress=lambda progress: steps.append(weights(model)))
    for number, after in enumerate(steps, 1):
        share = min(decay, (1 + number) / (10 + number))  # below 0.4 in four of the eight steps
        average = {name: share * average[name] + (1 - share) * tensor for name, tensor in after.items()}
    kept = weights(Trainer(fresh(clips), config=attrs.evolve(config, ema=decay)).fit(clips).best)
    for name, tensor in average.items():
        torch.testing.assert_close(kept[name], tensor, rtol=0, atol=1e-6)


def test_a_gradient_longer_than_clip_norm_is_scaled_to_it(clips):
    def gradient(clip_norm):
        """What the optimiser is given at the only step, end to end."""
        found = []

        def look(optimizer, *_):
            rows = [weight.grad for group in optimizer.param_groups for weight in group["params"]]
            found.append(torch.cat([row.flatten() for row in rows]).clone())

        config = attrs.evolve(SMALL, epochs=1, batch_size=48, clip_norm=clip_norm)
        hook = register_optimizer_step_pre_hook(look)
        try:
            fit(clips, config=config, loss=InfoNCE(learned=True))
        finally:
            hook.remove()
        (only,) = found
        return only

    whole = gradient(None)
    length = whole.norm().item()
    torch.testing.assert_close(gradient(length / 8), whole / 8)
    assert torch.equal(gradient(2 * length), whole)


def test_feature_dropout_zeroes_its_share_of_what_is_trained_on_and_nothing_of_what_is_measured(clips):
    model, trained, measured = fresh(clips), [], []

    def look(video, arguments):
        (trained if video.training else measured).append(arguments[0].frames[arguments[0].frame_mask])

    hook = model.video.register_forward_pre_hook(look)
    Trainer(model, config=attrs.evolve(SMALL, feature_dropout=0.75)).fit(clips, clips)
    hook.remove()
    dropped, whole = torch.cat(trained), torch.cat(measured)
    assert whole.all()
    assert (dropped == 0).double().mean().item() == pytest.approx(0.75, abs=0.03)
    assert dropped.mean().item() == pytest.approx(whole.mean().item(), rel=0.1)  # the others are larger instead


def test_training_leaves_the_generators_of_its_caller_alone(clips):
    def draw():
        return torch.rand(1).item(), np.random.rand(), random.random()  # noqa: NPY002 - the generator in question

    before, record = rng_state()
    expected = draw()
    restore_rng_state(before, record)
    fit(clips, config=attrs.evolve(SMALL, epochs=1))
    assert draw() == expected


def test_frozen_weights_do_not_move(clips):
    model = fresh(clips, even_pooling=True)
    Trainer(model, config=SMALL).fit(clips)
    assert not any(weight.any() for weight in model.video.pooling.parameters())


def test_paraphrases_teach_the_text_side(clips):
    others = Paraphrases.of(
        {
            str(n): [f"a {who} sings", f"some {who} makes music", " "]
            for n, who in enumerate(("man", "dog", "cat"))
        },
        parser=clips_parser(),
    )
    config = attrs.evolve(SMALL, paraphrase_weight=1.0)
    run = Trainer(fresh(clips), config=config, paraphrases=others).fit(clips)
    parts = [record.losses["paraphrase"] for record in run.log]
    assert parts[-1] < parts[0]


def test_foils_teach_a_clip_to_prefer_its_caption(clips, foils):
    only_event = InfoNCE(level_weights=(0, 1, 0, 0))
    plain = fit(clips, loss=only_event).best
    taught = fit(clips, loss=only_event, config=attrs.evolve(SMALL, foil_weight=1.0), foils=foils)
    parts = [record.losses["foil"] for record in taught.log]
    assert parts[-1] < parts[0] / 2
    assert margin(taught.best, clips, foils) > margin(plain, clips, foils) + 0.15


def margin(model, clips, foils):
    """By how much the action and entity of captions score above those of their foils, on average."""
    of = np.repeat(np.arange(len(clips.graphs)), np.diff(foils.starts))
    with torch.inference_mode():
        video = model.video(clips.features(clips.owners[of], max_frames=None))
        right, wrong = (
            model.matcher.pairs(video, model.text(model.text.batch(graphs)))
            for graphs in ([clips.graphs[caption] for caption in of], foils.graphs)
        )
    return (right.action - wrong.action + right.entity - wrong.entity).mean().item()


def test_foils_without_weight_change_nothing(clips, foils):
    config = attrs.evolve(SMALL, epochs=1)
    assert same(weights(fit(clips, config=config, foils=foils).best), weights(fit(clips, config=config).best))


def clips_parser():
    from hgrkit.parsing import LarkParser

    return LarkParser()


def test_what_cannot_be_trained_is_refused(clips, foils):
    wide = attrs.evolve(clips, views=(tuple(np.ones((1, 3), np.float32) for _ in clips.names),))
    with pytest.raises(ShapeError, match=r"3 numbers a frame.*feature_dim=10"):
        Trainer(fresh(clips), config=SMALL).fit(wide)
    with pytest.raises(ConfigError, match="no paraphrases"):
        Trainer(fresh(clips), config=attrs.evolve(SMALL, paraphrase_weight=1.0))
    foiled = attrs.evolve(SMALL, foil_weight=1.0)
    with pytest.raises(ConfigError, match=r"foil_weight is 1\.0, but there are no foils"):
        fit(clips, config=foiled)
    others = attrs.evolve(foils, captions=foils.captions[::-1])
    with pytest.raises(BenchmarkError, match="not of the captions to train on"):
        fit(clips, config=foiled, foils=others)
    with pytest.raises(ConfigError, match="needs a GPU"):
        TrainConfig(mixed_precision=True, device="cpu")
    with pytest.raises(ConfigError, match="loss is nan"):
        fit(clips, loss=_Broken())
    model = fresh(clips)
    model.requires_grad_(False)
    with pytest.raises(ConfigError, match="nothing to train"):
        Trainer(model, config=SMALL).fit(clips)


class _Broken(nn.Module):
    def forward(self, scores, positives):
        return scores.fused.sum() * torch.nan


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_mixed_precision_trains_on_a_gpu_and_goes_on_there(clips, foils, tmp_path):
    config = attrs.evolve(SMALL, device="cuda", mixed_precision=True, ema=0.9, foil_weight=0.5)
    with pytest.raises(StoppedError):
        fit(clips, tmp_path, config=config, foils=foils, on_progress=stop_at(10))
    run = fit(clips, tmp_path, config=config, foils=foils)
    assert run.log[-1].loss < run.log[0].loss


def test_a_trained_model_has_a_querybank_of_its_clips_if_asked(clips):
    without, seven, every = (
        fit(clips, config=attrs.evolve(SMALL, epochs=2, background=size)).best for size in (None, 7, 1000)
    )
    assert without.querybank_norm is None
    assert seven.querybank_norm.settings == {"size": 7, "temperature": 0.08}
    assert all(map(torch.equal, without.parameters(), seven.parameters()))
    with torch.inference_mode():
        events = every.video(clips.features(np.arange(len(clips)), max_frames=None)).event
    unit = nn.functional.normalize(events, dim=1)
    assert torch.allclose(every.querybank_norm.events.float(), unit, atol=1e-3)


def test_training_on_renews_the_querybank_that_a_model_has(clips):
    config = attrs.evolve(SMALL, epochs=1, background=7)
    model = fit(clips, config=config).best
    before = model.querybank_norm.events.clone()
    after = (
        Trainer(model, config=attrs.evolve(config, background=None)).fit(clips, clips).best.querybank_norm.events
    )
    assert after.shape == before.shape
    assert not torch.equal(after, before)
