"""What benchmarks time with: wall-clock and processor seconds of calls and of fresh processes."""

from __future__ import annotations

import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import attrs

__all__ = ["Taken", "fresh_process", "medians", "timed"]

T = TypeVar("T")


@attrs.frozen
class Taken:
    """What something took; processor time is that of all threads, and of processes that ended meanwhile."""

    wall_s: float
    cpu_s: float


def timed(work: Callable[[], T]) -> tuple[T, Taken]:
    """Call, and say what it took."""
    cpu_s, began = _cpu_s(), time.perf_counter()
    value = work()
    return value, Taken(time.perf_counter() - began, _cpu_s() - cpu_s)


def fresh_process(command: Sequence[str]) -> Taken:
    """What a process takes from its start to its end; what it prints is dropped."""
    return timed(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))[1]


def medians(rounds: Sequence[Mapping[str, Taken]], kind: str) -> dict[str, float]:
    """The median over rounds of what each part took, `wall_s` or `cpu_s`."""
    return {part: statistics.median(getattr(one[part], kind) for one in rounds) for part in rounds[0]}


def _cpu_s() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
