"""What training writes down of itself: an epoch's mean loss and what dev measured after it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from hgrkit.research.training.records import EpochRecord
from hgrkit.research.training.run_folder import draw_curve

__all__ = ["EpochLog", "log_notes"]


class EpochLog:
    """Epochs of both stages, one after the other.

    >>> log = EpochLog(2, measure=lambda: {"Rsum": 100.0})
    >>> log.step(3.0, 0.1), log.step(1.0, 0.1)
    (None, None)
    >>> [(record.epoch, record.loss, record.dev_rsum) for record in log.records]
    [(1, 2.0, 100.0)]
    """

    def __init__(
        self, steps: int, *, measure: Callable[[], Mapping[str, Any]], records: list[EpochRecord] | None = None
    ) -> None:
        """Epochs of so many steps, each measured when it is over; `records` goes on from an earlier stage."""
        self.records = records if records is not None else []
        self._steps, self._measure = steps, measure
        self._losses: list[float] = []
        self._started = time.perf_counter()

    def step(self, loss: float, rate: float) -> None:
        """Write a step down, and with the last of an epoch the epoch."""
        self._losses.append(loss)
        if len(self._losses) < self._steps:
            return
        dev = self._measure()
        highest = max((record.dev_rsum or 0.0 for record in self.records), default=0.0)
        done = self.records[-1].steps if self.records else 0
        self.records.append(
            EpochRecord(
                epoch=len(self.records) + 1,
                steps=done + self._steps,
                loss=sum(self._losses) / self._steps,
                losses={},
                learning_rate=rate,
                dev=dev,
                best=dev["Rsum"] > highest,
                seconds=time.perf_counter() - self._started,
            )
        )
        self._losses, self._started = [], time.perf_counter()


def log_notes(records: Sequence[EpochRecord]) -> dict[str, str]:
    """Files by name: a line an epoch, and the picture."""
    lines = "".join(json.dumps(attrs.asdict(record)) + "\n" for record in records)
    return {"log.jsonl": lines, "curve.svg": draw_curve(records)}
