"""What one video may cost: limits that decoding keeps, and the reasons that it gives where one is broken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

import attrs

from hgrkit.arguments import check_number, check_whole
from hgrkit.errors import ConfigError, DecodeLimitError

__all__ = ["DecodeGuard", "DecodeLimits"]

_LEAST_MEMORY_BYTES = 256 << 20


def _nothing() -> None:
    pass


def _above_zero(_: object, attribute: attrs.Attribute[Any], value: float) -> None:
    name = f"DecodeLimits({attribute.name}=...)"
    if attribute.name == "seconds":
        check_number(name, value, "(0, inf)")
    else:
        check_whole(name, value)


@final
@attrs.frozen(kw_only=True)
class DecodeLimits:
    """How much of the machine one video may take; a video that needs more fails, with the limit as its reason.

    Attributes:
        seconds: how long a decoder may go without getting on. In all it may take ten times that, and ten times the
            video's own length on top; the time that it waits for the rest of the pipeline does not count.
        memory_bytes: memory of one worker process, its interpreter included (some 70 MB); at least 256 MiB. Kept
            by the operating system where it can (Linux, BSD), else not at all.
        pixels: width times height of one picture; 8192 x 8192 unless given.
        frames: pictures of one video that the sampling picks; 200,000 are 27 hours at two a second.
        pictures: pictures that one video holds; 10 million are 46 hours at 60 a second.
    """

    seconds: float = attrs.field(default=60.0, validator=_above_zero)
    memory_bytes: int = attrs.field(default=2 << 30)
    pixels: int = attrs.field(default=1 << 26, validator=_above_zero)
    frames: int = attrs.field(default=200_000, validator=_above_zero)
    pictures: int = attrs.field(default=10_000_000, validator=_above_zero)

    @memory_bytes.validator
    def _enough_to_start(self, _: object, value: int) -> None:
        if check_whole("DecodeLimits(memory_bytes=...)", value) < _LEAST_MEMORY_BYTES:
            raise ConfigError(
                f"a decoder's memory must be at least {_gigabytes(_LEAST_MEMORY_BYTES)} GB, "
                f"got {_gigabytes(value)} GB."
            )

    def seconds_in_all(self, duration_s: float) -> float:
        """How long a video of that length may take altogether; its length counts as 0 until it is known."""
        return 10 * self.seconds + 10 * duration_s

    def stalled(self) -> DecodeLimitError:
        """The error of a decoder that does not get on."""
        return DecodeLimitError(
            f"decoding did not get on for {self.seconds:g} seconds; allow more with --decode-seconds"
        )

    def took_too_long(self, duration_s: float) -> DecodeLimitError:
        """The error of a decoder that gets on, but for too long."""
        return DecodeLimitError(
            f"decoding took longer than {self.seconds_in_all(duration_s):.0f} seconds; "
            "allow more with --decode-seconds"
        )

    def out_of_memory(self) -> DecodeLimitError:
        """The error of a decoder that was refused memory."""
        return DecodeLimitError(
            f"decoding needs more than {_gigabytes(self.memory_bytes)} GB of memory; "
            "allow more with --decode-memory-gb"
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
    on_progress: Callable[[], None] = _nothing

    def check_size(self, width: int, height: int) -> None:
        """Raises `DecodeLimitError` if a picture has too many pixels."""
        if width * height > self.limits.pixels:
            raise DecodeLimitError(
                f"pictures of {width} x {height} are beyond {self.limits.pixels:,} pixels; "
                "allow more with DecodeLimits(pixels=...)"
            )

    def check_pictures(self, pictures: int) -> None:
        """Raises `DecodeLimitError` if a file holds too many pictures."""
        if pictures > self.limits.pictures:
            raise DecodeLimitError(
                f"the file holds more than {self.limits.pictures:,} pictures; "
                "allow more with DecodeLimits(pictures=...)"
            )


def _gigabytes(size: int) -> str:
    return f"{size / (1 << 30):.3g}"
