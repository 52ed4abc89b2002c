"""One step of training: a batch of pairs, its loss, and one change of the weights."""

from __future__ import annotations

import attrs
from torch import Tensor, nn
from torch.optim import Optimizer

from hgrkit.model import HgrModel
from hgrkit.text.graph_batch import GraphBatch
from hgrkit.video.features import VideoFeatures

__all__ = ["TrainingStep", "training_step"]


@attrs.frozen(kw_only=True)
class TrainingStep:
    """How far a run of training is.

    Attributes:
        number: steps done, from 1.
        total: steps of the whole run.
        loss: the loss of this step's batch, before the step.
    """

    number: int
    total: int
    loss: float


def training_step(
    model: HgrModel,
    loss: nn.Module,
    optimizer: Optimizer,
    *,
    features: VideoFeatures,
    graphs: GraphBatch,
    positives: Tensor | None = None,
) -> float:
    """Score B pairs, go one step down the gradient of their loss, and return the loss before the step.

    Args:
        model: changed in place; whether it is in training mode is the caller's choice.
        loss: takes `Scores` of B clips and B captions, and `positives`.
        optimizer: of the model's weights, and of the loss's if it has any.
        features: the clip of each pair.
        graphs: the caption of each pair.
        positives: further pairs of the batch that fit, bool [B, B].
    """
    optimizer.zero_grad()
    value: Tensor = loss(model(features, graphs), positives)
    value.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return float(value.detach())
