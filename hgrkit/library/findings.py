"""What an examination of a library's files found, and what a repair did about it."""

from __future__ import annotations

from typing import Any, Literal

import attrs

__all__ = ["Damage", "Note", "RepairReport", "VerifyReport"]

Remedy = Literal["rebuild", "rewrite"]


@attrs.frozen(kw_only=True)
class Damage:
    """Something that is not as it was written and that the library itself cannot make good.

    Attributes:
        file: relative to the library's folder.
        problem: what is wrong with it.
        videos: paths of the videos whose answers it takes away or puts in doubt.
        remedy: `rebuild` the database from the segments, or `rewrite` what is intact.
        repair: what `hgrkit repair` would do, in words.
    """

    file: str
    problem: str
    videos: tuple[str, ...] = ()
    remedy: Remedy
    repair: str


@attrs.frozen(kw_only=True)
class Note:
    """Something that was noticed and does no harm: the library deals with it by itself.

    Attributes:
        file: relative to the library's folder.
        remark: what it is and what becomes of it.
    """

    file: str
    remark: str


@attrs.frozen(kw_only=True)
class VerifyReport:
    """What `verify_library` found.

    Attributes:
        library: the folder.
        format_version: the layout on disk; `None` if the database cannot be read.
        version: the number of the version committed last; `None` likewise.
        videos: how many there are, failed ones included.
        clips: how many clips they have.
        segments: how many segment files they lie in.
        num_bytes: size of everything in the folder.
        damages: what is not whole.
        notes: what is no damage.
    """

    library: str
    format_version: int | None
    version: int | None
    videos: int
    clips: int
    segments: int
    num_bytes: int
    damages: tuple[Damage, ...]
    notes: tuple[Note, ...]

    @property
    def whole(self) -> bool:
        """Whether nothing is damaged."""
        return not self.damages

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON holds it."""
        return {"whole": self.whole, **attrs.asdict(self)}


@attrs.frozen(kw_only=True)
class RepairReport:
    """What `repair_library` did, or would do.

    Attributes:
        library: the folder.
        dry_run: nothing was changed.
        whole: the library is whole now.
        steps: what was done, in words that follow `would`.
        dropped: videos that are no longer in the library because their embeddings were lost: index them again.
        doubtful: videos whose newest version may be lost, with a commit that nobody can read: index them again.
        unread: segments that nobody can read, of commits of which without a database nothing is known.
        lost_versions: from which to which number of a version not everything is known any more.
        kept_in: the folder that what was damaged or replaced was moved to, relative to the library's; `None` if
            there was nothing to keep.
    """

    library: str
    dry_run: bool
    whole: bool
    steps: tuple[str, ...]
    dropped: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    lost_versions: tuple[tuple[int, int], ...] = ()
    kept_in: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON holds it."""
        return attrs.asdict(self)
