"""What indexing tells: an event for each video while it runs, a report when it is done."""

from __future__ import annotations

from typing import Any, Literal

import attrs

__all__ = ["Failure", "IndexProgress", "IndexReport", "Outcome"]

Outcome = Literal["indexed", "unchanged", "moved", "copied", "failed"]


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
        moved: videos that the library had under a path whose file is gone; they go on under the new one.
        copied: videos whose bytes the library had under another path; stored again without decoding.
        failures: videos that failed, now or in an earlier run, by path.
        missing: videos of the library below the paths of the run whose files are gone, by path.
        pruned: how many of the missing ones were removed from the library.
        emptied: paths of the run below which no video was found and all that the library had are missing, as on a
            drive that is not mounted.
        decoded_frames: pictures that decoders put out in this run.
    """

    indexed: int = 0
    unchanged: int = 0
    moved: int = 0
    copied: int = 0
    failures: tuple[Failure, ...] = ()
    missing: tuple[str, ...] = ()
    pruned: int = 0
    emptied: tuple[str, ...] = ()
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
            "moved": self.moved,
            "copied": self.copied,
            "failed": self.failed,
            "failures": [{"path": failure.path, "reason": failure.reason} for failure in self.failures],
            "missing": list(self.missing),
            "pruned": self.pruned,
            "emptied": list(self.emptied),
            "decoded_frames": self.decoded_frames,
        }
