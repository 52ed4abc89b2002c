"""What indexing tells: an event for each video while it runs, a report when it is done."""

from __future__ import annotations

from typing import Any, Literal

import attrs

__all__ = ["Failure", "IndexProgress", "IndexReport", "Outcome"]

Outcome = Literal["indexed", "unchanged", "failed"]


@attrs.frozen
class Failure:
    """A video that could not be indexed, and why, in one line."""

    path: str
    reason: str


@attrs.frozen(kw_only=True)
class IndexProgress:
    """One more video is done.

    Attributes:
        path: the video.
        outcome: what became of it.
        done: videos that are done so far, this one included.
        total: videos of the run.
    """

    path: str
    outcome: Outcome
    done: int
    total: int


@attrs.frozen(kw_only=True)
class IndexReport:
    """The outcome of a run.

    Attributes:
        indexed: videos that were read and stored.
        unchanged: videos that the library already had as they are.
        failures: videos that failed, now or in an earlier run, by path.
        decoded_frames: pictures that decoders put out in this run.
    """

    indexed: int = 0
    unchanged: int = 0
    failures: tuple[Failure, ...] = ()
    decoded_frames: int = 0

    @property
    def failed(self) -> int:
        """How many videos failed."""
        return len(self.failures)

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON types: what `hgrkit index --json` prints."""
        return {
            "indexed": self.indexed,
            "unchanged": self.unchanged,
            "failed": self.failed,
            "failures": [{"path": failure.path, "reason": failure.reason} for failure in self.failures],
            "decoded_frames": self.decoded_frames,
        }
