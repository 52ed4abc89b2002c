"""The protocol of a store: what keeps videos and clips durably, and what a reader of one version sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.library.manifest import Manifest
from hgrkit.library.records import ClipEmbeddings, Float32, VideoRecord

__all__ = ["Entry", "Snapshot", "Store", "Version"]

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


class Snapshot(Protocol):
    """One committed version, which later commits never change; safe for threads."""

    @property
    def version(self) -> Version:
        """Which version this is."""
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

    def commit(self, *, put: Sequence[Entry] = (), remove: Sequence[str] = ()) -> Version:
        """Put and remove videos, all of it or nothing; durable when this returns.

        A video that is put again replaces its old row and clips; removing a path that is not there does nothing.

        Raises:
            LibraryError: if the store is closed or open for reading only, or the disk fails.
            ShapeError: if a clip does not have the library's embedding size.
            ConfigError: if an indexed video has no clip, a failed one has some, or a path is put twice.
        """
        ...

    def close(self) -> None:
        """Let go of files and locks; doing so twice is harmless."""
        ...
