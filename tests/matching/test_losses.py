from __future__ import annotations

import math

import pytest
import torch

from hgrkit.errors import ConfigError, ShapeError
from hgrkit.levels import PerLevel
from hgrkit.matching.losses import HingeLoss, InfoNCE
from hgrkit.matching.matcher import Scores

BATCH = 5


def scores_of(seed=0, size=BATCH):
    generator = torch.Generator().manual_seed(seed)
    event, action, entity = (torch.rand(size, size, generator=generator, dtype=torch.float64) for _ in range(3))
    return Scores(fused=(event + action + entity) / 3, levels=PerLevel(event=event, action=action, entity=entity))


def slow_hinge(scores, margin, k, fits, direction):
    """Costs of each query's negatives, one by one; `k` None takes them all."""
    size, total = len(scores), 0.0
    for side in ("video_to_text", "text_to_video") if direction == "both" else (direction,):
        costs = []
        for i in range(size):
            row = []
            for j in range(size):
                score = scores[i, j] if side == "video_to_text" else scores[j, i]
                fitting = fits[i, j] if side == "video_to_text" else fits[j, i]
                row.append(0.0 if fitting else max(0.0, margin + score.item() - scores[i, i].item()))
            costs.append(row)
        if k is None:
            total += sum(map(sum, costs)) / int((~fits).sum())
        else:
            kept = min(k, size)
            total += sum(sum(sorted(row, reverse=True)[:kept]) / kept for row in costs) / size
    return total


@pytest.mark.parametrize("negatives", ["hardest", 1, 3, 20, "all"])
@pytest.mark.parametrize("direction", ["both", "text_to_video", "video_to_text"])
@pytest.mark.parametrize("masked", [False, True])
def test_the_hinge_is_the_equation(negatives, direction, masked):
    scores, fits = scores_of(), torch.eye(BATCH, dtype=torch.bool)
    if masked:
        fits[0, 1] = fits[1, 0] = True
    loss = HingeLoss(margin=0.3, negatives=negatives, direction=direction)(scores, fits if masked else None)
    k = {"hardest": 1, "all": None}.get(negatives, negatives)
    assert loss.item() == pytest.approx(slow_hinge(scores.fused, 0.3, k, fits, direction))


def test_level_weights_add_each_level_s_own_loss():
    scores, weights = scores_of(), (1.0, 0.2, 0.3, 0.4)
    matrices = (scores.fused, *scores.levels)
    plain = HingeLoss()
    expected = sum(
        weight * plain(Scores(fused=matrix, levels=scores.levels)).item()
        for weight, matrix in zip(weights, matrices, strict=True)
    )
    assert HingeLoss(level_weights=weights)(scores).item() == pytest.approx(expected)


def test_two_captions_of_one_clip_are_no_negatives_when_marked():
    scores = torch.eye(2, dtype=torch.float64) + 5 * torch.eye(2, dtype=torch.float64).flip(0)
    both = Scores(fused=scores, levels=PerLevel(event=scores, action=scores, entity=scores))
    marked = torch.ones(2, 2, dtype=torch.bool)
    for loss in (HingeLoss(), HingeLoss(negatives="all"), InfoNCE()):
        assert loss(both).item() > 1
        assert loss(both, marked).item() == pytest.approx(0)


@pytest.mark.parametrize("loss", [HingeLoss(), HingeLoss(negatives="all"), InfoNCE()])
def test_a_batch_of_one_pair_has_nothing_to_learn(loss):
    assert loss(scores_of(size=1)).item() == pytest.approx(0)


def test_infonce_is_the_equation():
    scores, temperature = scores_of(), 0.1
    rows = scores.fused / temperature
    expected = 0.0
    for matrix in (rows, rows.T):
        for i in range(BATCH):
            total = sum(math.exp(matrix[i, j]) for j in range(BATCH))
            expected -= math.log(math.exp(matrix[i, i]) / total) / BATCH / 2
    assert InfoNCE(temperature=temperature)(scores).item() == pytest.approx(expected)


@pytest.mark.parametrize("learned", [False, True])
def test_the_temperature_is_learned_on_request(learned):
    loss = InfoNCE(learned=learned)
    scores = scores_of()
    scores.fused.requires_grad_()
    loss(scores).backward()
    assert (loss.log_temperature.grad is not None) == learned


@pytest.mark.parametrize(
    ("loss", "settings"),
    [
        (HingeLoss, {"negatives": 0}),
        (HingeLoss, {"negatives": "some"}),
        (HingeLoss, {"direction": "i2t"}),
        (HingeLoss, {"level_weights": (1, 1, 1)}),
        (InfoNCE, {"temperature": 0.0}),
        (InfoNCE, {"direction": "sideways"}),
    ],
)
def test_settings_out_of_range_are_refused(loss, settings):
    with pytest.raises(ConfigError):
        loss(**settings)


def test_scores_that_are_not_of_pairs_are_refused():
    matrix = torch.zeros(2, 3)
    scores = Scores(fused=matrix, levels=PerLevel(event=matrix, action=matrix, entity=matrix))
    with pytest.raises(ShapeError, match=r"\[B, B\]"):
        HingeLoss()(scores)


def test_a_mask_that_does_not_fit_is_refused():
    with pytest.raises(ShapeError, match="positives"):
        InfoNCE()(scores_of(), torch.zeros(2, 2, dtype=torch.bool))


def slow_soft(scores, temperature, share, others):
    """Cross-entropy with (1 - share) of the pair and share of the model's own prediction, query by query."""
    size, total = len(scores), 0.0
    for table, out in ((scores, others), (scores.T, others.T)):
        for i in range(size):
            logits = [-math.inf if out[i, j] else table[i, j].item() / temperature for j in range(size)]
            summed = sum(math.exp(logit) for logit in logits)
            for j in range(size):
                own = math.exp(logits[j]) / summed
                target = (1 - share) * (i == j) + share * own
                if own:
                    total -= target * math.log(own) / size
    return total / 2


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_soft_targets_are_the_equation(share):
    scores = scores_of()
    positives = torch.zeros(BATCH, BATCH, dtype=torch.bool)
    positives[0, 3] = positives[3, 0] = True
    found = InfoNCE(temperature=0.2, soft_targets=share)(scores, positives)
    assert found.item() == pytest.approx(slow_soft(scores.fused, 0.2, share, positives))


def test_a_models_own_prediction_is_a_target_without_gradients():
    fused = scores_of().fused.requires_grad_()
    levels = PerLevel(event=fused, action=fused, entity=fused)
    InfoNCE(temperature=0.2, soft_targets=0.3, direction="video_to_text")(
        Scores(fused=fused, levels=levels)
    ).backward()
    own = (fused.detach() / 0.2).softmax(dim=1)
    target = 0.7 * torch.eye(BATCH, dtype=fused.dtype) + 0.3 * own
    torch.testing.assert_close(fused.grad, (own - target) / (0.2 * BATCH))


@pytest.mark.parametrize("loss", [HingeLoss, InfoNCE])
def test_the_terms_weighted_are_the_loss(loss):
    weights = (1.0, 0.5, 2.0, 3.0)
    of_levels = loss(level_weights=weights)
    terms = of_levels.terms(scores_of())
    expected = torch.dot(terms, torch.tensor(weights, dtype=terms.dtype))
    torch.testing.assert_close(of_levels(scores_of()), expected)


@pytest.mark.parametrize("share", [-0.1, 1.0, math.nan])
def test_soft_targets_out_of_range_are_refused(share):
    with pytest.raises(ConfigError, match="soft_targets"):
        InfoNCE(soft_targets=share)
