"""What indexing needs of a library, so that it can be tried on anything that keeps videos."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from hgrkit.library.records import ClipEmbeddings, VideoRecord
from hgrkit.library.store import Entry, Rename, Snapshot

__all__ = ["VideoStore"]


class VideoStore(Protocol):
    """The part of `Library` that indexing uses; what is written is durable when a call returns."""

    def videos(self) -> Sequence[VideoRecord]:
        """Everything that is stored."""
        ...

    def snapshot(self) -> Snapshot:
        """The version committed last; later commits never change it."""
        ...

    def add(self, record: VideoRecord, clips: Sequence[ClipEmbeddings]) -> object:
        """Store a video in place of what its path had."""
        ...

    def update(
        self, *, put: Sequence[Entry] = (), remove: Sequence[str] = (), rename: Sequence[Rename] = ()
    ) -> object:
        """Remove, rename and store videos, all of it or nothing."""
        ...
