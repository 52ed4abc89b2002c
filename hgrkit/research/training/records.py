"""What a run tells of itself: one record an epoch, and the run when it is over."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from hgrkit.model.hgr_model import HgrModel

__all__ = ["EpochRecord", "TrainingProgress", "TrainingRun"]


@attrs.frozen(kw_only=True)
class TrainingProgress:
    """How far a run is; handed out after every step.

    Attributes:
        epoch: from 1.
        step: steps done of the whole run.
        total: steps of the whole run, were it not to stop early.
        loss: of this step's batch.
        dev_rsum: of the last epoch that was measured; `None` before that or without dev clips.
    """

    epoch: int
    step: int
    total: int
    loss: float
    dev_rsum: float | None


@attrs.frozen(kw_only=True)
class EpochRecord:
    """One epoch.

    Attributes:
        epoch: from 1.
        steps: steps done of the whole run.
        loss: mean over the epoch's steps of what was minimised.
        losses: means of its parts, unweighted: fused, event, action, entity, paraphrase, foil; those that
            there are.
        learning_rate: of the last step.
        dev: measures on the dev clips, as `hgrkit evaluate` gives them; `None` without dev clips.
        best: whether it is the best so far.
        seconds: wall-clock time of the epoch with its measuring, over all parts of an interrupted run.
    """

    epoch: int
    steps: int
    loss: float
    losses: Mapping[str, float]
    learning_rate: float
    dev: Mapping[str, Any] | None
    best: bool
    seconds: float

    @property
    def dev_rsum(self) -> float | None:
        """Rsum on the dev clips."""
        return None if self.dev is None else float(self.dev["Rsum"])


@attrs.frozen(kw_only=True, eq=False, repr=False)
class TrainingRun:
    """A run that is over.

    Attributes:
        best: the model of the best epoch, in evaluation mode: highest dev Rsum, the last epoch without dev clips.
        best_epoch: which one, from 1.
        log: one record an epoch.
        stopped_early: whether patience ended it.
        folder: where its log, curve and state are; `None` if they were not written.
        blank_captions: captions of the training and dev clips without words, which were left out.
    """

    best: HgrModel
    best_epoch: int
    log: tuple[EpochRecord, ...]
    stopped_early: bool
    folder: Path | None
    blank_captions: int = 0

    def __repr__(self) -> str:
        return f"TrainingRun(epochs={len(self.log)}, best_epoch={self.best_epoch})"
