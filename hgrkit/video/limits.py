"""What one video may cost: the limits of decoding, and the errors where one is exceeded."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import attrs

from hgrkit.checks.arguments import check_number, check_whole
from hgrkit.errors import ConfigError, DecodeLimitError

__all__ = ["DecodeClock", "DecodeGuard", "DecodeLimits"]

_LEAST_MEMORY_BYTES = 256 << 20


@final
@attrs.frozen(kw_only=True)
class DecodeLimits:
    """How much of the machine one video may take; a video that needs more fails, with the limit as its reason.

    Attributes:
        seconds: how long a decoder may make no progress. In total it may take ten times that, plus ten times the
            video's own length; the time that it waits for the rest of the pipeline does not count.
        memory_bytes: memory of one worker process, its interpreter included (some 70 MB); at least 256 MiB.
            Enforced by the operating system where it can (Linux, BSD), elsewhere not at all.
        pixels: width times height of one picture; 8192 x 8192 by default.
        frames: pictures of one video that the sampling picks; 200,000 are 27 hours at two a second.
        pictures: pictures that one video holds; 10 million are 46 hours at 60 a second.
    """

    seconds: float = 60.0
    memory_bytes: int = 2 << 30
    pixels: int = 1 << 26
    frames: int = 200_000
    pictures: int = 10_000_000

    def __attrs_post_init__(self) -> None:
        check_number("DecodeLimits(seconds=...)", self.seconds, "(0, inf)")
        for name in ("memory_bytes", "pixels", "frames", "pictures"):
            check_whole(f"DecodeLimits({name}=...)", getattr(self, name))
        if self.memory_bytes < _LEAST_MEMORY_BYTES:
            least, given = _gigabytes(_LEAST_MEMORY_BYTES), _gigabytes(self.memory_bytes)
            raise ConfigError(f"a decoder's memory must be at least {least} GB, got {given} GB.")

    def seconds_in_all(self, duration_s: float) -> float:
        """How long a video of that length may take altogether; its length counts as 0 until it is known."""
        return 10 * self.seconds + 10 * duration_s

    def stalled(self) -> DecodeLimitError:
        """The error of a decoder that makes no progress."""
        return _exceeded(f"decoding made no progress for {self.seconds:g} seconds", "--decode-seconds")

    def took_too_long(self, duration_s: float) -> DecodeLimitError:
        """The error of a decoder that makes progress, but for too long."""
        seconds = self.seconds_in_all(duration_s)
        return _exceeded(f"decoding took longer than {seconds:.0f} seconds", "--decode-seconds")

    def out_of_memory(self) -> DecodeLimitError:
        """The error of a decoder that was refused memory."""
        return _exceeded(
            f"decoding needs more than {_gigabytes(self.memory_bytes)} GB of memory", "--decode-memory-gb"
        )

    def too_many_frames(self, frames: int) -> DecodeLimitError:
        """The error of a sampling that picks too much of a long video."""
        return DecodeLimitError(
            f"the sampling picks {frames:,} pictures, more than {self.frames:,}; "
            "pick fewer with --sampling, or allow more with DecodeLimits(frames=...)"
        )


@final
@attrs.frozen
class DecodeGuard:
    """Limits that are kept while a file is read, by the code that reads it.

    Attributes:
        limits: what is allowed.
        on_progress: called whenever a packet was read or a picture was decoded.
    """

    limits: DecodeLimits = attrs.field(factory=DecodeLimits)
    on_progress: Callable[[], None] = lambda: None

    def check_size(self, width: int, height: int) -> None:
        """Raise `DecodeLimitError` if a picture has too many pixels."""
        if width * height > self.limits.pixels:
            size = f"pictures of {width} x {height}"
            raise _exceeded(f"{size} are beyond {self.limits.pixels:,} pixels", "DecodeLimits(pixels=...)")

    def check_pictures(self, pictures: int) -> None:
        """Raise `DecodeLimitError` if a file holds too many pictures."""
        if pictures > self.limits.pictures:
            most = f"{self.limits.pictures:,} pictures"
            raise _exceeded(f"the file holds more than {most}", "DecodeLimits(pictures=...)")


@final
class DecodeClock:
    """Seconds that the owner of one video has waited for the worker, while the machine was awake."""

    def __init__(self, limits: DecodeLimits) -> None:
        self.duration_s = 0.0
        self.was_heard = False
        self._limits = limits
        self._runs = False
        self._stalled_s = 0.0
        self._total_s = 0.0
        self._broken: DecodeLimitError | None = None

    def start(self) -> None:
        """Count from now on."""
        self._runs, self._stalled_s = True, 0.0

    def stop(self) -> None:
        """Count no more until the next start."""
        self._runs = False

    def run_out_of_memory(self) -> None:
        """The worker holds more memory than it may."""
        self._broken = self._limits.out_of_memory()

    def has_run_out(self, elapsed_s: float) -> bool:
        """Count time if the clock runs; returns whether a limit is broken."""
        if self._runs:
            self._stalled_s += elapsed_s
            self._total_s += elapsed_s
            if self._stalled_s > self._limits.seconds:
                self._broken = self._limits.stalled()
            elif self._total_s > self._limits.seconds_in_all(self.duration_s):
                self._broken = self._limits.took_too_long(self.duration_s)
        return self._broken is not None

    def check(self) -> None:
        """Raise the limit that was broken."""
        if self._broken is not None:
            raise self._broken


def _exceeded(what: str, setting: str) -> DecodeLimitError:
    return DecodeLimitError(f"{what}; allow more with {setting}")


def _gigabytes(size: int) -> str:
    return f"{size / (1 << 30):.3g}"
