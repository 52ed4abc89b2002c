"""A snapshot rewritten: cut into parts that are written one after another and are, together, the whole library."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from itertools import count, pairwise

import attrs
import numpy as np

from hgrkit.errors import ShapeError
from hgrkit.library.commit_record import ClipSpan, CommitRecord, PutRecord
from hgrkit.library.draft import clip_span
from hgrkit.library.head import Head
from hgrkit.library.manifest import FORMAT_VERSION, Manifest
from hgrkit.library.records import ClipEmbeddings, VideoRecord
from hgrkit.library.store import Snapshot

__all__ = ["SEGMENT_BYTES", "Rewrite"]

SEGMENT_BYTES = 64 << 20
"""About the most that is written to one segment; memory holds a few times as much."""


class Rewrite:
    """One commit that writes every video of a snapshot; `parts` yields it segment by segment."""

    def __init__(
        self,
        snapshot: Snapshot,
        manifest: Manifest | None,
        *,
        head: Head,
        numbers: Sequence[int] | None = None,
    ) -> None:
        """Plan the commit.

        Args:
            snapshot: what to keep.
            manifest: what made it, from now on; by default the snapshot's own.
            head: the version that the commit follows.
            numbers: the videos' numbers, where they and their clips' keys stay; by default they get new ones.

        Raises:
            ShapeError: if the manifest has another embedding size than the snapshot.
        """
        self._snapshot = snapshot
        self._bounds = np.searchsorted(snapshot.clip_videos, np.arange(len(snapshot.videos) + 1))
        self._manifest = attrs.evolve(manifest or snapshot.manifest, format_version=FORMAT_VERSION)
        if self._manifest.embed_dim != snapshot.manifest.embed_dim:
            raise ShapeError(
                f"the manifest says embed_dim {self._manifest.embed_dim}, the vectors have "
                f"{snapshot.manifest.embed_dim}."
            )
        self._head = head
        self._groups = self._grouped()
        fresh = count(head.next_number)
        self._segments = [next(fresh) for _ in self._groups]
        self._numbers = numbers if numbers is not None and self._fit(numbers) else self._number(fresh)
        self._next_number = next(fresh)
        self.token = uuid.uuid4().hex

    @property
    def num_parts(self) -> int:
        """How many segments there will be, at least one."""
        return len(self._groups)

    def parts(self) -> Iterator[tuple[CommitRecord, list[ClipEmbeddings]]]:
        """The segments' records and clips.

        Raises:
            DamagedLibraryError: if the snapshot is not what was written.
        """
        for part, videos in enumerate(self._groups):
            rows = range(int(self._bounds[videos.start]), int(self._bounds[videos.stop])) if videos else range(0)
            clips = self._snapshot.clips(rows)
            yield self._record(part, videos, [clip_span(clip) for clip in clips], rows.start), clips

    def _record(self, part: int, videos: range, spans: list[ClipSpan], first: int) -> CommitRecord:
        return CommitRecord(
            number=self._head.version.number + 1,
            token=self.token,
            parent=self._head.version.token,
            manifest=self._manifest,
            whole=True,
            part=part,
            parts=len(self._groups),
            segment=self._segments[part],
            next_number=self._next_number,
            put=tuple(
                PutRecord(
                    number=self._numbers[video],
                    record=self._snapshot.videos[video],
                    clips=tuple(spans[slice(*(int(bound) - first for bound in self._bounds[video : video + 2]))]),
                )
                for video in videos
            ),
        )

    def _grouped(self) -> list[range]:
        """Runs of videos that fit into one segment each; a video is never cut."""
        dim, frames = self._manifest.embed_dim, self._snapshot.clip_frames
        clip_bytes = np.concatenate([[0], np.cumsum(2 * dim + frames * (4 * dim + 8) + 2 * _SPAN_BYTES)])
        starts, filled = [0], 0
        for video, record in enumerate(self._snapshot.videos):
            first, last = self._bounds[video : video + 2]
            size = int(clip_bytes[last] - clip_bytes[first]) + _record_bytes(record)
            if filled and filled + size > SEGMENT_BYTES:
                starts, filled = [*starts, video], 0
            filled += size
        return [range(*bounds) for bounds in pairwise([*starts, len(self._snapshot.videos)])]

    def _number(self, fresh: count[int]) -> list[int]:
        numbers = []
        for num_clips in np.diff(self._bounds).tolist():
            numbers.append(next(fresh))
            for _ in range(num_clips):
                next(fresh)
        return numbers

    def _fit(self, numbers: Sequence[int]) -> bool:
        """Whether every clip's key follows from its video's number, as it does in whatever hgrkit wrote."""
        videos = self._snapshot.clip_videos
        expected = np.array(numbers, np.int64)[videos] + 1 + np.arange(len(videos)) - self._bounds[videos]
        return bool((expected == self._snapshot.clip_keys).all())


_SPAN_BYTES = 64
"""More than a clip's place in time takes in a commit record."""


def _record_bytes(record: VideoRecord) -> int:
    """About what a video takes in a commit record, whose quotes and escapes are escaped once more."""
    texts = len(record.path) + len(record.reason or "") + len(record.content)
    return 512 + 7 * texts + 2 * len(json.dumps(dict(record.metadata)))
