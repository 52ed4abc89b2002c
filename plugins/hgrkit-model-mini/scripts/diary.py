"""What training writes down of itself: an epoch's mean loss and what dev measured after it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from hgrkit.training.curve import draw_curve
from hgrkit.training.records import EpochRecord

__all__ = ["Diary", "diary_notes"]


class Diary:
    """Epochs of both stages, one after the other.

    >>> diary = Diary(2, measure=lambda: {"Rsum": 100.0})
    >>> diary.step(3.0, 0.1), diary.step(1.0, 0.1)
    (None, None)
    >>> [(record.epoch, record.loss, record.dev_rsum) for record in diary.log]
    [(1, 2.0, 100.0)]
    """

    def __init__(
        self, steps: int, *, measure: Callable[[], Mapping[str, Any]], log: list[EpochRecord] | None = None
    ) -> None:
        """Epochs of so many steps, each measured when it is over; `log` goes on from an earlier stage."""
        self.log = log if log is not None else []
        self._steps, self._measure = steps, measure
        self._losses: list[float] = []
        self._started = time.perf_counter()

    def step(self, loss: float, rate: float) -> None:
        """Write a step down, and with the last of an epoch the epoch."""
        self._losses.append(loss)
        if len(self._losses) < self._steps:
            return
        dev = self._measure()
        highest = max((record.dev_rsum or 0.0 for record in self.log), default=0.0)
        self.log.append(
            EpochRecord(
                epoch=len(self.log) + 1,
                steps=sum(record.steps for record in self.log[-1:]) + self._steps,
                loss=sum(self._losses) / self._steps,
                losses={},
                learning_rate=rate,
                dev=dev,
                best=dev["Rsum"] > highest,
                seconds=time.perf_counter() - self._started,
            )
        )
        self._losses, self._started = [], time.perf_counter()


def diary_notes(log: Sequence[EpochRecord]) -> dict[str, str]:
    """Files by name: a line an epoch, and the picture."""
    lines = "".join(json.dumps(attrs.asdict(record)) + "\n" for record in log)
    return {"log.jsonl": lines, "curve.svg": draw_curve(log)}
