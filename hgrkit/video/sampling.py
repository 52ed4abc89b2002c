"""Rules that pick the times at which a video's pictures are sampled."""

from __future__ import annotations

import math
from typing import Protocol, final, runtime_checkable

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.checks.arguments import check_number, check_whole, shown
from hgrkit.errors import ConfigError

__all__ = ["FpsSampling", "Sampling", "UniformSampling", "evenly_spaced", "parse_sampling", "times_between"]


@runtime_checkable
class Sampling(Protocol):
    """A rule that picks times; `str()` of it is its fingerprint, which `parse_sampling` reads back.

    A rule may also have `num_times(duration_s) -> int`, so that too many are refused before they are made.
    """

    def times(self, duration_s: float) -> npt.NDArray[np.float64]:
        """Return times in seconds from the first picture, ascending, within `[0, duration_s)`, at least one."""


def _rate(value: float) -> float:
    return check_number("frames_per_second", value, "(0, 1000]")


def _count(value: int) -> int:
    return check_whole("num_frames", value)


@final
@attrs.frozen
class FpsSampling:
    """Evenly in time: the middle of every 1/r seconds, so that no picture stands for a cut or a fade-in alone.

    >>> str(FpsSampling(0.5)), FpsSampling(2.0).times(1.3).tolist()
    ('fps:0.5', [0.25, 0.75, 1.25])
    """

    frames_per_second: float = attrs.field(default=2.0, converter=_rate)

    def __str__(self) -> str:
        return f"fps:{self.frames_per_second:g}"

    def times(self, duration_s: float) -> npt.NDArray[np.float64]:
        """Return the middle of every step before the end, or of a video shorter than half a step its middle."""
        if duration_s * self.frames_per_second <= 0.5 + 1e-6:
            return np.array([duration_s / 2])
        steps = np.arange(self.num_times(duration_s), dtype=np.float64)
        times_s: npt.NDArray[np.float64] = (steps + 0.5) / self.frames_per_second
        return times_s

    def num_times(self, duration_s: float) -> int:
        """Count those times."""
        return max(1, math.ceil(duration_s * self.frames_per_second - 0.5 - 1e-6))


@final
@attrs.frozen
class UniformSampling:
    """A fixed number: the middles of as many equal parts of the video.

    >>> str(UniformSampling()), UniformSampling(4).times(2.0).tolist()
    ('uniform:20', [0.25, 0.75, 1.25, 1.75])
    """

    num_frames: int = attrs.field(default=20, converter=_count)

    def __str__(self) -> str:
        return f"uniform:{self.num_frames}"

    def times(self, duration_s: float) -> npt.NDArray[np.float64]:
        """Return the middle of each part."""
        return (np.arange(self.num_frames, dtype=np.float64) + 0.5) * (duration_s / self.num_frames)

    def num_times(self, duration_s: float) -> int:  # noqa: ARG002 - the same for all
        """Count those times."""
        return self.num_frames


def times_between(sampling: Sampling, begin_s: float, end_s: float) -> npt.NDArray[np.float64]:
    """Return the times that a rule picks of a video, in seconds on its time line.

    Args:
        sampling: the rule.
        begin_s: when the first picture is shown.
        end_s: when the last picture ends.

    >>> times_between(UniformSampling(2), 4.0, 10.0).tolist()
    [5.5, 8.5]
    """
    return begin_s + np.asarray(sampling.times(end_s - begin_s), np.float64)


def parse_sampling(text: str) -> Sampling:
    """Return the sampling that prints as `text`.

    >>> parse_sampling("fps:2")
    FpsSampling(frames_per_second=2.0)

    Raises:
        ConfigError: if it is neither `fps:NUMBER` nor `uniform:COUNT`.
    """
    kind, _, number = text.partition(":") if isinstance(text, str) else ("", "", "")
    try:
        if kind == "fps":
            return FpsSampling(float(number))
        if kind == "uniform":
            return UniformSampling(int(number))
    except ConfigError:
        raise
    except ValueError:
        pass
    raise ConfigError(f"sampling must be 'fps:NUMBER' or 'uniform:COUNT', such as 'fps:2', got {shown(text)}.")


def evenly_spaced(num_frames: int, max_frames: int) -> npt.NDArray[np.int64]:
    """Which frames are kept of a longer clip: `round(linspace(0, num_frames - 1, max_frames))`.

    >>> evenly_spaced(9, 4).tolist()
    [0, 3, 5, 8]

    Raises:
        ConfigError: if `max_frames` is not positive.
    """
    max_frames = check_whole("max_frames", max_frames)
    if num_frames <= max_frames:
        return np.arange(num_frames)
    return np.round(np.linspace(0, num_frames - 1, max_frames)).astype(np.int64)
