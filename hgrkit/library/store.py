"""The protocol of a store: what keeps videos and clips durably, and what a reader of one version sees."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Sequence
from typing import Protocol, TypeVar

import attrs
import numpy as np

from hgrkit.checks.arguments import check_instance, check_sequence, check_text
from hgrkit.errors import ConfigError, ShapeError
from hgrkit.library.arrays import ClipArrays, Records, Rows
from hgrkit.library.manifest import Manifest
from hgrkit.library.records import ClipEmbeddings, Float32, Version, VideoRecord, path_bytes
from hgrkit.library.tables import damaged_library

__all__ = [
    "Entry",
    "Rename",
    "Snapshot",
    "Store",
    "StoredVideo",
    "Usage",
    "Version",
    "VersionCache",
    "View",
    "changed_renames",
    "check_entries",
]

T = TypeVar("T")


@attrs.frozen(eq=False)
class Entry:
    """A video to be put into a store, with all of its clips (none for a failed one)."""

    record: VideoRecord
    clips: Sequence[ClipEmbeddings] = ()

    def __attrs_post_init__(self) -> None:
        check_instance("record", self.record, VideoRecord)
        check_sequence("clips", self.clips, ClipEmbeddings, of="ClipEmbeddings", error=ShapeError)


@attrs.frozen
class Rename:
    """A video that continues as another record, its clips untouched: a file that was moved, or only touched.

    Attributes:
        path: the video as the store knows it.
        record: what it is from now on, of the same state; its path may be the same or another.
    """

    path: str
    record: VideoRecord

    def __attrs_post_init__(self) -> None:
        check_text("path", self.path)
        check_instance("record", self.record, VideoRecord)


@attrs.frozen(kw_only=True)
class Usage:
    """What a store takes.

    Attributes:
        num_bytes: of all its files.
    """

    num_bytes: int


@attrs.frozen
class StoredVideo:
    """A video as a store holds it.

    Attributes:
        number: names the video in its clips' records; never used twice.
        first_clip: where its `record.clips` clip records begin.
        record: what is known of it.
    """

    number: int
    first_clip: int
    record: VideoRecord

    @property
    def rows(self) -> range:
        """Its clip records."""
        return range(self.first_clip, self.first_clip + self.record.clips)


class VersionCache:
    """What readers of a store keep from one question to the next: the arrays of the version that was read last."""

    def __init__(self) -> None:
        self.checked: dict[int, bytes] = {}  # the sums under which all rows of videos were checked
        self._kept: tuple[Version, ClipArrays, dict[int, bytes]] | None = None

    def get(
        self, version: Version, read: Callable[[], tuple[ClipArrays, dict[int, bytes]]]
    ) -> tuple[ClipArrays, dict[int, bytes]]:
        """Return the arrays of a version, and the sums of its videos; `read` reads them if they are not kept."""
        kept = self._kept  # once: another thread may replace it
        if kept is None or kept[0] != version or kept[1].is_lost:
            kept = self._kept = (version, *read())
        return kept[1:]


class View(Protocol):
    """One committed version while it is being read; what it returns outlives the reading, itself it does not."""

    @property
    def version(self) -> Version:
        """Which version this is."""
        ...

    @property
    def manifest(self) -> Manifest:
        """What made this version."""
        ...

    @property
    def arrays(self) -> ClipArrays:
        """Its clips, in the order in which they were stored."""
        ...

    def find(self, path: str) -> StoredVideo | None:
        """Find one video by its path.

        Raises:
            DamagedLibraryError: if its row is not what was written.
        """
        ...

    def videos_of(self, numbers: Collection[int]) -> dict[int, StoredVideo]:
        """Read the videos with these numbers.

        Raises:
            DamagedLibraryError: if one is missing or not what was written.
        """
        ...

    def videos(self) -> list[StoredVideo]:
        """Read every video, failed ones included, in the order of their paths' bytes.

        Raises:
            DamagedLibraryError: if rows are changed, lost, stale or surplus.
        """
        ...

    def table(self) -> sqlite3.Connection:
        """Give access to a database whose table `videos` has the rows of all videos, each of them checked.

        Raises:
            DamagedLibraryError: if rows are changed, lost, stale or surplus.
        """
        ...


class Snapshot:
    """One committed version, read whole; later commits never change it. Safe for threads.

    Attributes:
        version: which version this is.
        manifest: what made it.
        stored: every video, failed ones included, in the order of their paths' bytes.
        videos: their records.
        clip_keys: [V] numbers that name clips across versions, never used twice; clips are in the order of
            `videos`, then of time as they were given.
        clip_videos: [V] for each clip the position of its video in `videos`.
        clip_frames: [V] for each clip the number of its frames.
    """

    def __init__(
        self, version: Version, manifest: Manifest, arrays: ClipArrays, stored: Sequence[StoredVideo]
    ) -> None:
        """Join what was read of a version; `stored` must fit the arrays and be in order."""
        self.version, self.manifest, self.stored, self._arrays = version, manifest, tuple(stored), arrays
        self.videos = tuple(video.record for video in stored)
        self._rows = np.array([row for video in stored for row in video.rows], np.int64)
        self.clip_videos = np.repeat(np.arange(len(stored)), [record.clips for record in self.videos])
        self.clip_keys = arrays.clips["key"][self._rows]
        self.clip_frames = arrays.clips["num_frames"][self._rows]

    @classmethod
    def read(cls, view: View) -> Snapshot:
        """Read all videos and clip records of a version; frames are read when they are asked for.

        Raises:
            DamagedLibraryError: if it is not what was written.
        """
        stored, arrays = view.videos(), view.arrays
        arrays.check_clips()
        num_clips = sum(len(video.rows) for video in stored)
        if num_clips != arrays.num_living or not all(arrays.belongs(video.number, video.rows) for video in stored):
            raise damaged_library("its videos and its clips do not fit together")
        return cls(view.version, view.manifest, arrays, stored)

    def events(self) -> Float32:
        """Return the clips' event embeddings as they are stored, [V, D]."""
        return self._arrays.clips["event"][self._rows].astype(np.float32)

    def clips(self, rows: Sequence[int]) -> list[ClipEmbeddings]:
        """Return the clips at these positions.

        Raises:
            DamagedLibraryError: if they are not what was written.
        """
        wanted = self._rows[np.asarray(rows, np.int64)]
        self._arrays.check_frames(wanted)
        found = [self._arrays.clip(row) for row in wanted.tolist()]
        self._arrays.require_there()
        return found

    def records(self, rows: Rows) -> Records:
        """Return copies of the records of clips at these positions, and of their frames.

        Raises:
            DamagedLibraryError: if they are not what was written.
        """
        return self._arrays.records(self._rows[rows])


class Store(Protocol):
    """Where a library keeps its truth; `hgrkit.testing.StoreContract` holds every implementation to this."""

    @property
    def manifest(self) -> Manifest:
        """What made the library."""
        ...

    def version(self) -> Version:
        """Return the version committed last, also by other processes; cheap."""
        ...

    def find(self, path: str) -> VideoRecord | None:
        """Find one video as it is in the version committed last."""
        ...

    def read(self, question: Callable[[View], T]) -> T:
        """Answer a question from the version committed last, all of it from that one version.

        The question may be asked again if files were replaced meanwhile; it must have no other effect.

        Raises:
            DamagedLibraryError: if what it reads is not what was written.
        """
        ...

    def snapshot(self) -> Snapshot:
        """Read the version committed last, whole."""
        ...

    def commit(
        self, *, put: Sequence[Entry] = (), remove: Sequence[str] = (), rename: Sequence[Rename] = ()
    ) -> Version:
        """Remove, rename and put videos, in this order, all of it or nothing; durable when this returns.

        A video that is put again replaces its old row and clips; removing a path that is not there does nothing.
        Renames happen at once, so that two videos may swap paths; who has a path that another gets is replaced.

        Raises:
            LibraryError: if the store is closed or open for reading only, or the disk fails; nothing is then
                changed, and the store can be used as before.
            ShapeError: if a clip does not have the library's embedding size.
            ConfigError: if an indexed video has no clip, a failed one has some, a path is put twice, or what is to
            be renamed is not there or of another state.
        """
        ...

    def rewrite(self, snapshot: Snapshot | None = None, manifest: Manifest | None = None) -> Version:
        """Make a snapshot the whole library in one commit, written end to end; the space of all else is freed.

        Clips of the store's own last version, which `None` stands for, keep their keys. Older snapshots of this
        store may no longer be readable afterwards: a `DamagedLibraryError` then says so.

        Args:
            snapshot: what to keep: of this store, or of another one.
            manifest: what made the library from now on; by default what made the snapshot.

        Raises:
            LibraryError: as `commit` does.
            DamagedLibraryError: if the snapshot is not what was written.
            ShapeError: if the manifest has another embedding size than the snapshot.
        """
        ...

    def usage(self) -> Usage:
        """Return how much disk the store takes, caches left out."""
        ...

    def close(self) -> None:
        """Let go of files and locks; doing so twice is harmless."""
        ...


def check_entries(put: Sequence[Entry], embed_dim: int) -> None:
    """Refuse what no library may hold.

    Raises:
        ConfigError: if a path is put twice, or a video's state does not agree with its clips.
        ShapeError: if a clip has another embedding size.
    """
    if len({path_bytes(entry.record.path) for entry in put}) != len(put):
        raise ConfigError("a commit puts a path twice; put each video once.")
    for entry in put:
        if (entry.record.state == "indexed") != bool(entry.clips):
            raise ConfigError(
                f"an indexed video needs at least one clip and a failed one has none; {entry.record.path!r} is "
                f"{entry.record.state} with {len(entry.clips)} clips."
            )
        sizes = {clip.event.size for clip in entry.clips} - {embed_dim}
        if sizes:
            raise ShapeError(
                f"clips of {entry.record.path!r} have embed_dim {min(sizes)}, the library has {embed_dim}."
            )


def changed_renames(
    renames: Sequence[Rename],
    *,
    find: Callable[[str], VideoRecord | None],
    removed: Collection[str],
    put: Sequence[Entry],
) -> list[Rename]:
    """Return the renames that change something.

    Args:
        renames: what was asked for.
        find: the video of a path, as it is before the commit.
        removed: paths that the commit removes.
        put: what the commit puts.

    Raises:
        ConfigError: if a video is not there, is of another state, or two get the same path.
    """
    targets = [rename.record.path for rename in renames] + [entry.record.path for entry in put]
    if len({rename.path for rename in renames}) != len(renames) or len(set(targets)) != len(targets):
        raise ConfigError("a commit renames a video twice, or two videos get the same path; rename each once.")
    changed = []
    for rename in renames:
        found = None if rename.path in removed else find(rename.path)
        if found is None:
            raise ConfigError(f"{rename.path!r} cannot be renamed: the library does not have it.")
        if found.state != rename.record.state:
            raise ConfigError(
                f"{rename.path!r} is {found.state} and cannot become {rename.record.state} by being renamed; "
                "put it again."
            )
        if attrs.evolve(rename.record, clips=found.clips) != found:
            changed.append(rename)
    return changed
