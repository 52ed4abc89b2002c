"""What training minimises: hinge and contrastive losses over a batch's scores (HGR, section 3.5)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal, TypedDict, Unpack

import attrs
import torch
from torch import Tensor, nn

from hgrkit.checks.arguments import check_instance, check_weights, shown
from hgrkit.checks.settings import setting, takes_settings
from hgrkit.errors import ShapeError
from hgrkit.levels import LEVELS
from hgrkit.matching.matcher import Scores

__all__ = [
    "Direction",
    "HingeConfig",
    "HingeLoss",
    "HingeSettings",
    "InfoNCE",
    "InfoNCEConfig",
    "InfoNCESettings",
]

Direction = Literal["both", "text_to_video", "video_to_text"]
"""Which side is the query: a caption among wrong clips, a clip among wrong captions, or both."""

_ROWS, _COLUMNS = 1, 0
_AXES: dict[Direction, tuple[int, ...]] = {
    "both": (_ROWS, _COLUMNS),
    "video_to_text": (_ROWS,),
    "text_to_video": (_COLUMNS,),
}
"""Where the negatives of a pair lie in [V, C]: wrong captions along a row, wrong clips along a column."""


def _level_weights(weights: Sequence[float] | None) -> tuple[float, ...]:
    """Four weights, or that of the fused score alone, which is all that is computed then."""
    return (1.0,) if weights is None else check_weights("level_weights", weights, of=("fused", *LEVELS))


class _LossSettings(TypedDict, total=False):
    direction: Direction
    level_weights: Sequence[float] | None


class HingeSettings(_LossSettings, total=False):
    """What the constructor of a `HingeLoss` takes; `HingeConfig` says what it means."""

    margin: float
    negatives: Literal["hardest", "all"] | int


class InfoNCESettings(_LossSettings, total=False):
    """What the constructor of an `InfoNCE` takes; `InfoNCEConfig` says what it means."""

    temperature: float
    learned: bool
    soft_targets: float


@attrs.frozen(kw_only=True)
class _LossConfig:
    direction: Direction = setting("both", "which side is the query")
    level_weights: tuple[float, ...] = attrs.field(
        default=None,
        converter=_level_weights,
        metadata={
            "meaning": "of the losses on the fused, event, action and entity score; only the fused one by default",
            "within": "[0, inf)",
        },
    )


@attrs.frozen(kw_only=True)
class HingeConfig(_LossConfig):
    """The settings of a `HingeLoss`.

    Raises:
        ConfigError: if a setting is out of its range.
    """

    margin: float = setting(0.2, "by how much a pair must beat its negatives", within="[0, 1000]")
    negatives: int | Literal["hardest", "all"] = setting(
        "hardest", "which negatives count; a number k takes the k hardest", within="[1, inf)"
    )


@attrs.frozen(kw_only=True)
class InfoNCEConfig(_LossConfig):
    """The settings of an `InfoNCE`.

    Raises:
        ConfigError: if a setting is out of its range.
    """

    temperature: float = setting(0.05, "what scores are divided by; smaller is sharper", within="(0, 1000000]")
    learned: bool = setting(False, "whether training changes the temperature")
    soft_targets: float = setting(0.0, "share of the target that is the model's own prediction", within="[0, 1)")


@takes_settings(HingeConfig)
class HingeLoss(nn.Module):
    """Asks that a pair scores higher than its negatives by a margin.

    Pair i is clip i with caption i: `cost = max(0, margin + negative - score_ii)`. With the k hardest negatives:
    the mean of the k largest costs (a positive's cost is 0), averaged over the batch; with all: the mean over all
    negatives. Both directions are added.

    Args:
        settings: those of `HingeConfig`, by name.

    Raises:
        ConfigError: if a setting is out of its range.

    Source: HGR (arXiv 2003.00392), section 3.5; VSE++ (arXiv 1707.05612), section 3.2.
    """

    def __init__(self, **settings: Unpack[HingeSettings]) -> None:
        super().__init__()
        config = HingeConfig(**settings)
        named = {"hardest": 1, "all": None}
        self.margin = float(config.margin)
        self.num_hardest = named[config.negatives] if isinstance(config.negatives, str) else config.negatives
        self.axes = _AXES[config.direction]
        self.level_weights = config.level_weights

    def forward(self, scores: Scores, positives: Tensor | None = None) -> Tensor:
        """The loss of a batch of B pairs.

        Args:
            scores: of B clips and B captions; pair i is on the diagonal.
            positives: further pairs that fit, bool [B, B], such as two captions of one clip; they are never
                negatives. Without it only the diagonal fits, as in the released code.

        Raises:
            ShapeError: if the scores are not square, or the mask does not fit.
        """
        fits = _positives(scores, positives)
        return _weighted(scores, self.level_weights, lambda matrix: self._loss(matrix, fits))

    def terms(self, scores: Scores, positives: Tensor | None = None) -> Tensor:
        """The losses on the fused, event, action and entity score before they are weighted, [4].

        Raises:
            ShapeError: as `forward` does.
        """
        fits = _positives(scores, positives)
        return torch.stack([self._loss(matrix, fits) for matrix in (scores.fused, *scores.levels)])

    def _loss(self, scores: Tensor, fits: Tensor) -> Tensor:
        """Both directions of one matrix, [B, B] -> scalar."""
        pair = scores.diagonal()
        total = scores.new_zeros(())
        for axis in self.axes:
            costs = (self.margin + scores - pair.unsqueeze(axis)).clamp(min=0).masked_fill(fits, 0)
            if self.num_hardest is None:
                total = total + costs.sum() / (~fits).sum().clamp(min=1)
            else:
                total = total + costs.topk(min(self.num_hardest, len(scores)), dim=axis).values.mean()
        return total


@takes_settings(InfoNCEConfig)
class InfoNCE(nn.Module):
    """Asks that a pair is the likeliest of the batch: cross-entropy over scores divided by a temperature.

    With `soft_targets` s, the target is `(1 - s) pair + s q` instead of the pair alone, q being the model's own
    prediction without gradients. Both directions are averaged.

    Args:
        settings: those of `InfoNCEConfig`, by name.

    Raises:
        ConfigError: if a setting is out of its range.

    Source: CPC (arXiv 1807.03748), equation 4; soft targets: Reed and others (arXiv 1412.6596), equation 6.
    """

    def __init__(self, **settings: Unpack[InfoNCESettings]) -> None:
        super().__init__()
        config = InfoNCEConfig(**settings)
        self.soft_targets = float(config.soft_targets)
        log_temperature = torch.tensor(math.log(config.temperature))
        self.log_temperature = nn.Parameter(log_temperature, requires_grad=config.learned)
        self.axes = _AXES[config.direction]
        self.level_weights = config.level_weights

    def forward(self, scores: Scores, positives: Tensor | None = None) -> Tensor:
        """The loss of a batch of B pairs; arguments as those of `HingeLoss.forward`.

        Raises:
            ShapeError: if the scores are not square, or the mask does not fit.
        """
        others = self._others(scores, positives)
        return _weighted(scores, self.level_weights, lambda matrix: self._loss(matrix, others))

    def terms(self, scores: Scores, positives: Tensor | None = None) -> Tensor:
        """The losses on the fused, event, action and entity score before they are weighted, [4].

        Raises:
            ShapeError: as `forward` does.
        """
        others = self._others(scores, positives)
        return torch.stack([self._loss(matrix, others) for matrix in (scores.fused, *scores.levels)])

    def _others(self, scores: Scores, positives: Tensor | None) -> Tensor:
        fits = _positives(scores, positives)
        return fits & ~torch.eye(len(fits), dtype=torch.bool, device=fits.device)

    def _loss(self, scores: Tensor, others: Tensor) -> Tensor:
        """Mean over the directions of one matrix, [B, B] -> scalar; other positives leave the denominator."""
        logits = (scores / self.log_temperature.exp()).masked_fill(others, -torch.inf)
        losses = [self._cross_entropy(logits.log_softmax(dim=axis), axis) for axis in self.axes]
        return torch.stack(losses).mean()

    def _cross_entropy(self, log_shares: Tensor, axis: int) -> Tensor:
        """Mean over the queries of the cross-entropy with their targets, [B, B] -> scalar."""
        hard = -log_shares.diagonal().mean()
        if not self.soft_targets:
            return hard
        known = log_shares.masked_fill(log_shares == -torch.inf, 0)  # other positives have no share
        soft = -(log_shares.detach().exp() * known).sum(dim=axis).mean()
        return (1 - self.soft_targets) * hard + self.soft_targets * soft


def _positives(of: Scores, positives: Tensor | None) -> Tensor:
    """Which pairs fit: the diagonal and what the caller adds, bool [B, B]."""
    scores = check_instance("scores", of, Scores, error=ShapeError, hint="make them with a Matcher").fused
    if scores.shape[0] != scores.shape[1] or not len(scores):
        raise ShapeError(f"a loss needs scores [B, B] with the pairs on the diagonal, got {list(scores.shape)}.")
    diagonal = torch.eye(len(scores), dtype=torch.bool, device=scores.device)
    if positives is None:
        return diagonal
    if not isinstance(positives, Tensor) or positives.dtype != torch.bool or positives.shape != scores.shape:
        raise ShapeError(f"positives must be a bool tensor {list(scores.shape)}, got {shown(positives)}.")
    return positives | diagonal


def _weighted(scores: Scores, weights: Sequence[float], loss: Callable[[Tensor], Tensor]) -> Tensor:
    """The weighted sum of the losses on the fused score and, with four weights, on each level's."""
    matrices = (scores.fused, *scores.levels)[: len(weights)]
    parts = [weight * loss(matrix) for weight, matrix in zip(weights, matrices, strict=True)]
    return torch.stack(parts).sum()
