"""The protocol of a store: what keeps videos and clips durably, and what a reader of one version sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.arguments import check_instance, check_sequence, check_text
from hgrkit.errors import ShapeError
from hgrkit.library.manifest import Manifest
from hgrkit.library.records import ClipEmbeddings, Float32, VideoRecord

__all__ = ["Entry", "Rename", "Snapshot", "Store", "Usage", "Version"]

Frames = npt.NDArray[np.floating[Any]]


@attrs.frozen
class Version:
    """A committed state of a store.

    Attributes:
        number: 0 for an empty store, one more with every commit.
        token: random; two copies of a library that went different ways never share it.
    """

    number: int
    token: str


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
    """A video that goes on as another record, its clips untouched: a file that was moved, or only touched.

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
        segments: files of embeddings.
    """

    num_bytes: int
    segments: int


class Snapshot(Protocol):
    """One committed version, which later commits never change; safe for threads."""

    @property
    def version(self) -> Version:
        """Which version this is."""
        ...

    @property
    def manifest(self) -> Manifest:
        """What made this version."""
        ...

    @property
    def videos(self) -> tuple[VideoRecord, ...]:
        """Every video, failed ones included, in the order of their paths' bytes."""
        ...

    @property
    def clip_keys(self) -> npt.NDArray[np.int64]:
        """[V] numbers that name clips across versions, never used twice.

        Clips are in the order of `videos`, then of time as they were given.
        """
        ...

    @property
    def clip_videos(self) -> npt.NDArray[np.int64]:
        """[V] for each clip the position of its video in `videos`."""
        ...

    @property
    def clip_frames(self) -> npt.NDArray[np.int64]:
        """[V] for each clip the number of its frames."""
        ...

    def events(self) -> Float32:
        """[V, D] the clips' event embeddings as they are stored.

        Raises:
            DamagedLibraryError: if they are not what was written.
        """
        ...

    def frames(self, rows: Sequence[int]) -> tuple[list[Frames], list[Frames]]:
        """The clips' action frames and entity frames, [F, D] each, in the type that they are stored in.

        What scores many clips reads; `clips` has everything, more slowly.

        Raises:
            DamagedLibraryError: if they are not what was written.
        """
        ...

    def clips(self, rows: Sequence[int]) -> list[ClipEmbeddings]:
        """The clips at these positions.

        Raises:
            DamagedLibraryError: if they are not what was written.
        """
        ...


class Store(Protocol):
    """Where a library keeps its truth; `hgrkit.testing.StoreContract` holds every implementation to this."""

    @property
    def manifest(self) -> Manifest:
        """What made the library."""
        ...

    def version(self) -> Version:
        """The version committed last, also by other processes; cheap."""
        ...

    def find(self, path: str) -> VideoRecord | None:
        """One video as it is in the version committed last."""
        ...

    def snapshot(self) -> Snapshot:
        """The version committed last."""
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
        """How much disk the store takes, caches left out."""
        ...

    def close(self) -> None:
        """Let go of files and locks; doing so twice is harmless."""
        ...
