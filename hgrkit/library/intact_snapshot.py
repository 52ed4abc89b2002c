"""A version of a library of which segments are damaged, without the videos that are lost with them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.library.commit_log import SEGMENT_FOLDER
from hgrkit.library.contents import DatabaseContents
from hgrkit.library.manifest import Manifest
from hgrkit.library.records import ClipEmbeddings, Float32, VideoRecord
from hgrkit.library.salvage import SalvagedSegment
from hgrkit.library.store import Frames, Version

__all__ = ["IntactSnapshot"]

Rows = npt.NDArray[np.int64]


@attrs.frozen(kw_only=True, eq=False)
class IntactSnapshot:
    """The videos of which every clip can be read; implements `hgrkit.library.store.Snapshot`.

    Attributes:
        videos: those that are left.
        lost: paths of the others.
    """

    videos: tuple[VideoRecord, ...]
    lost: tuple[str, ...]
    _contents: DatabaseContents
    _rows: Rows
    _clip_videos: Rows
    _salvaged: dict[str, SalvagedSegment]

    @classmethod
    def of(cls, folder: Path, contents: DatabaseContents, damaged: Collection[str]) -> IntactSnapshot:
        """Sort out which videos are left.

        Args:
            folder: the library's folder.
            contents: its database.
            damaged: the segment files that are not what the database says.
        """
        salvaged = {
            file: SalvagedSegment(
                folder / SEGMENT_FOLDER / file,
                contents.segments[file],
                embed_dim=contents.snapshot.manifest.embed_dim,
            )
            for file in sorted(damaged)
        }
        snapshot = contents.snapshot
        lost = {
            video
            for row, video in enumerate(snapshot.clip_videos.tolist())
            if contents.places[row].segment.file in salvaged and _salvage(contents, salvaged, row) is None
        }
        left = [place for place in range(len(snapshot.videos)) if place not in lost]
        rows = np.flatnonzero(~np.isin(snapshot.clip_videos, sorted(lost)))
        return cls(
            videos=tuple(snapshot.videos[place] for place in left),
            lost=tuple(snapshot.videos[place].path for place in sorted(lost)),
            contents=contents,
            rows=rows,
            clip_videos=np.searchsorted(np.array(left, np.int64), snapshot.clip_videos[rows]),
            salvaged=salvaged,
        )

    @property
    def version(self) -> Version:
        """The version that was damaged."""
        return self._contents.snapshot.version

    @property
    def manifest(self) -> Manifest:
        """What made it."""
        return self._contents.snapshot.manifest

    @property
    def files(self) -> frozenset[str]:
        """The segment files that the damaged version names."""
        return frozenset(self._contents.segments)

    @property
    def clip_keys(self) -> Rows:
        """[V] the clips' numbers."""
        return self._contents.snapshot.clip_keys[self._rows]

    @property
    def clip_videos(self) -> Rows:
        """[V] positions in `videos`."""
        return self._clip_videos

    @property
    def clip_frames(self) -> Rows:
        """[V] how many frames each clip has."""
        return self._contents.snapshot.clip_frames[self._rows]

    def events(self) -> Float32:
        """[V, D] the event embeddings."""
        size = self._contents.snapshot.manifest.embed_dim
        clips = self.clips(range(len(self._rows)))
        return np.stack([clip.event for clip in clips]) if clips else np.empty((0, size), np.float32)

    def frames(self, rows: Sequence[int]) -> tuple[list[Frames], list[Frames]]:
        """The clips' action and entity frames."""
        clips = self.clips(rows)
        return [clip.action for clip in clips], [clip.entity for clip in clips]

    def clips(self, rows: Sequence[int]) -> list[ClipEmbeddings]:
        """The clips at these positions.

        Raises:
            DamagedLibraryError: if a segment that was intact is so no longer.
        """
        return [
            _salvage(self._contents, self._salvaged, row) or self._contents.snapshot.clips([row])[0]
            for row in self._rows[list(rows)].tolist()
        ]


def _salvage(contents: DatabaseContents, salvaged: dict[str, SalvagedSegment], row: int) -> ClipEmbeddings | None:
    """A clip of a damaged segment; `None` if it is lost, or its segment is not damaged."""
    place = contents.places[row]
    segment = salvaged.get(place.segment.file)
    if segment is None:
        return None
    return segment.clip(place.row, place.frames, start_s=place.start_s, end_s=place.end_s)
