"""What indexing reports: an event for each video while it runs, and its outcome."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import attrs

__all__ = ["Failure", "IndexProgress", "IndexReport", "Outcome", "Skipped"]

Outcome = Literal["indexed", "unchanged", "moved", "duplicate", "failed"]
Skipped = Literal["links", "other_suffixes", "apple_double", "special_files", "trash"]
"""Why something in a folder was left out: a link, a suffix of no video, a `._*` file of macOS, a pipe or the like,
a folder of trash or thumbnails."""


def _all_kinds(counts: Mapping[Skipped, int]) -> Mapping[Skipped, int]:
    return {kind: counts.get(kind, 0) for kind in get_args(Skipped)}


@attrs.frozen
class Failure:
    """A video that could not be indexed, or a path that could not be read, and why, in one line."""

    path: str
    reason: str


@attrs.frozen(kw_only=True)
class IndexProgress:
    """One more video of the run is done.

    Attributes:
        path: the absolute path of the video.
        outcome: its outcome.
        done: videos done so far, including this one.
        total: videos of the run.
        reason: why it failed, if it did.
    """

    path: str
    outcome: Outcome
    done: int
    total: int
    reason: str | None = None


@attrs.frozen(kw_only=True)
class IndexReport:
    """The outcome of a run. Paths are absolute.

    Attributes:
        indexed: number of videos that were decoded and stored.
        unchanged: number of videos that have not changed.
        moved: number of videos whose file has a new path; they keep their clips.
        duplicates: number of videos with the same bytes as another file that still exists; they are not decoded.
        failures: videos that failed, now or in an earlier run, by path.
        unreadable: folders and files that could not be read, by path; nothing below them counts as missing.
        skipped: how many files or folders were skipped, by kind.
        in_trash: videos of the library in trash or thumbnail folders, which the run skipped. They stay in the
            library until you remove them.
        missing: videos of the library below the paths of the run whose files are gone, by path.
        pruned: how many of the missing ones were removed from the library.
        emptied: paths of the run where no video was found and all videos of the library are missing, as on a
            drive that is not mounted.
        decoded_frames: number of pictures that were decoded in this run.
    """

    indexed: int = 0
    unchanged: int = 0
    moved: int = 0
    duplicates: int = 0
    failures: tuple[Failure, ...] = ()
    unreadable: tuple[Failure, ...] = ()
    skipped: Mapping[Skipped, int] = attrs.field(factory=dict, converter=_all_kinds, hash=False)
    in_trash: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    pruned: int = 0
    emptied: tuple[str, ...] = ()
    decoded_frames: int = 0

    @property
    def failed(self) -> int:
        """How many videos failed."""
        return len(self.failures)

    @property
    def num_videos(self) -> int:
        """Number of videos of the run, including failed ones."""
        return self.indexed + self.unchanged + self.moved + self.duplicates + self.failed

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON types: what `hgrkit index --json` prints."""
        report = attrs.asdict(self)
        counts = {name: report.pop(name) for name in ("indexed", "unchanged", "moved", "duplicates")}
        return {**counts, "failed": self.failed, **report}
