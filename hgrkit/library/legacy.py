"""The formats of libraries; those of 1 and 2, with safetensors segments, are read whole, to be migrated."""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
import struct
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import safetensors.numpy
from safetensors import SafetensorError

from hgrkit.errors import DamagedLibraryError
from hgrkit.library.arrays import ClipArrays, checksum, clip_type, frame_type
from hgrkit.library.filters import table_of
from hgrkit.library.manifest import FORMAT_VERSION, Manifest
from hgrkit.library.records import Version, path_bytes
from hgrkit.library.store import StoredVideo, VersionCache
from hgrkit.library.tables import (
    HEAD,
    MANIFEST,
    SCHEMA,
    VIDEOS,
    Head,
    Row,
    RowSum,
    SealedTable,
    Value,
    damaged_library,
    format_of,
    record_from_row,
)
from hgrkit.storage.open_folder import OpenFolder

__all__ = ["SCHEMAS", "SEGMENT_FOLDER", "LegacyView", "drop_segments", "read_manifest", "read_version"]

SEGMENT_FOLDER: Final = "segments"

_SEGMENT_NAME: Final = re.compile(r"[0-9a-f]{32}\.safetensors")
_INCOMPLETE: Final = "rows are lost, stale or surplus"

_DOUBLE = struct.Struct("<d")


def _canonical(name: str, row: Sequence[Value]) -> bytes:
    """What was under the digest of a row in formats 1 and 2."""
    return name.encode() + b"".join(map(_canonical_value, row))


def _canonical_value(value: Value) -> bytes:
    if value is None:
        return b"n"
    if isinstance(value, int):
        return b"i%d;" % value
    if isinstance(value, float):
        return b"f" + _DOUBLE.pack(value)
    content = value.encode() if isinstance(value, str) else value
    return b"%c%d:%b" % (b"s" if isinstance(value, str) else b"b", len(content), content)


_MANIFEST = SealedTable("manifest", MANIFEST.definitions, _canonical)
_HEAD_1 = SealedTable(
    "head",
    "version INTEGER NOT NULL, token TEXT NOT NULL, videos INTEGER NOT NULL, clips INTEGER NOT NULL, "
    "next_id INTEGER NOT NULL",
    _canonical,
)
_HEAD_2 = SealedTable("head", f"{_HEAD_1.definitions}, rows BLOB NOT NULL", _canonical)
_VIDEOS = SealedTable("videos", VIDEOS.definitions.removesuffix(", first_clip INTEGER NOT NULL"), _canonical)
_SEGMENTS = SealedTable(
    "segments",
    "file TEXT NOT NULL UNIQUE, clips INTEGER NOT NULL, frames INTEGER NOT NULL, num_bytes INTEGER NOT NULL, "
    "block_bytes INTEGER NOT NULL, digests BLOB NOT NULL",
    _canonical,
)
_CLIPS_2 = SealedTable(
    "clips",
    "video_id INTEGER NOT NULL, ordinal INTEGER NOT NULL, start_s REAL NOT NULL, end_s REAL NOT NULL, "
    "segment_id INTEGER NOT NULL, segment_row INTEGER NOT NULL, first_frame INTEGER NOT NULL, "
    "frames INTEGER NOT NULL",
    _canonical,
)
# Format 1 had no sum of rows, and marked the clips of removed videos with the version that removed them.
_CLIPS_1 = SealedTable("clips", f"{_CLIPS_2.definitions}, removed_in INTEGER", _canonical)

_MANIFESTS: Final = {1: _MANIFEST, 2: _MANIFEST, FORMAT_VERSION: MANIFEST}
_HEADS: Final = {1: _HEAD_1, 2: _HEAD_2, FORMAT_VERSION: HEAD}

SCHEMAS: Final[Mapping[int, tuple[str, ...]]] = {
    **{
        version: (
            *(table.definition for table in (_MANIFEST, _HEADS[version], _VIDEOS, _SEGMENTS, clips)),
            "CREATE INDEX clips_of_video ON clips (video_id)",
        )
        for version, clips in ((1, _CLIPS_1), (2, _CLIPS_2))
    },
    FORMAT_VERSION: SCHEMA,
}
"""By format version, the statements that made every library of that format."""


def read_version(connection: sqlite3.Connection) -> Version:
    """Read which version of a library of any format was committed last."""
    return Version(*_HEADS[format_of(connection)].only(connection)[1:3])


def read_manifest(connection: sqlite3.Connection) -> Manifest:
    """Read what made a library of any format."""
    try:
        return Manifest.from_json(_MANIFESTS[format_of(connection)].only(connection)[1])
    except (ValueError, TypeError, RecursionError) as error:
        raise damaged_library(f"its manifest is damaged: {error}") from error


class LegacyView:
    """The version committed last, its clips in memory; implements `hgrkit.library.store.View`."""

    def __init__(self, connection: sqlite3.Connection, folder: OpenFolder, cache: VersionCache) -> None:
        """Read it all, unless the cache has it."""
        head = _HEADS[format_of(connection)].only(connection)
        _, number, token, num_videos, num_clips, next_number, *sums = head
        self.version = Version(number, token)
        self.head = Head(version=self.version, generation=0, next_video=next_number, next_clip=next_number)
        self.manifest: Manifest = read_manifest(connection)
        total = RowSum()
        videos = list(_VIDEOS.rows(connection, "1 ORDER BY path", total=total))
        segments = {row[0]: row[1:] for row in _SEGMENTS.rows(connection, total=total)}
        clips = list(_CLIPS_2.rows(connection, total=total)) if sums else _clips_of_format_1(connection, segments)
        counts = {row[0]: row[8] for row in videos if row[8]}
        if (
            (sums and total.content != sums[0])
            or (len(videos), len(clips)) != (num_videos, num_clips)
            or Counter(row[1] for row in clips) != Counter(counts)
        ):
            raise damaged_library(_INCOMPLETE)
        places = {row[0]: place for place, row in enumerate(videos)}
        clips.sort(key=lambda row: (places[row[1]], row[2]))
        firsts = dict(reversed([(row[1], place) for place, row in enumerate(clips)]))
        self._videos = [
            StoredVideo(number=row[0], first_clip=firsts.get(row[0], 0), record=record_from_row(row))
            for row in videos
        ]
        embed_dim = self.manifest.embed_dim
        try:
            self.arrays, _ = cache.get(self.version, lambda: (_arrays(folder, segments, clips, embed_dim), {}))
        except DamagedLibraryError:
            raise
        except (ValueError, LookupError, SafetensorError) as error:  # whoever wrote it sealed it all the same
            raise damaged_library(f"its clips and segments do not fit together: {error}") from error

    def find(self, path: str) -> StoredVideo | None:
        """Find one video by its path."""
        key = path_bytes(path)
        return next((video for video in self._videos if path_bytes(video.record.path) == key), None)

    def videos_of(self, numbers: Collection[int]) -> dict[int, StoredVideo]:
        """Return the videos with these numbers."""
        wanted = set(numbers)
        return {video.number: video for video in self._videos if video.number in wanted}

    def videos(self) -> list[StoredVideo]:
        """Return every video."""
        return self._videos

    def table(self) -> sqlite3.Connection:
        """Return the videos as the newest format has them, in memory."""
        return table_of(self._videos)


def _clips_of_format_1(connection: sqlite3.Connection, segments: Mapping[int, Row]) -> list[Row]:
    """The clips of videos that are there, as rows of format 2."""
    written = dict(connection.execute("SELECT segment_id, COUNT(*) FROM clips GROUP BY segment_id"))
    if written != {number: clips for number, (_, clips, *_) in segments.items()}:
        raise damaged_library(_INCOMPLETE)
    return [row[:-1] for row in _CLIPS_1.rows(connection, "removed_in IS NULL")]


def _arrays(folder: OpenFolder, segments: Mapping[int, Row], clips: list[Row], embed_dim: int) -> ClipArrays:
    """Clip and frame records of rows of format 2, in their order."""
    counts = np.array([row[8] for row in clips], np.int64)
    most = sum(row[3] for row in segments.values()) // (4 * embed_dim)  # two vectors of float16 a frame
    if (counts < 1).any() or (counts > most).any() or int(counts.sum()) > most:
        raise damaged_library(_INCOMPLETE)
    first_frames = np.cumsum(counts) - counts
    records, frames = np.zeros(len(clips), clip_type(embed_dim)), np.empty(counts.sum(), frame_type(embed_dim))
    by_segment: dict[int, list[int]] = {}
    for place, row in enumerate(clips):
        by_segment.setdefault(row[5], []).append(place)
    for number, members in by_segment.items():
        tensors = _segment(folder, segments[number])
        for place in members:
            key, video, _, start_s, end_s, _, segment_row, first, count = clips[place]
            part = frames[first_frames[place] : first_frames[place] + count]
            for name in ("time_s", "action", "entity"):
                part[name] = tensors["times_s" if name == "time_s" else name][first : first + count]
            event = tensors["event"][segment_row]
            records[place] = (video, key, first_frames[place], count, start_s, end_s, checksum(part), 0, event)
    return ClipArrays(records, frames)


def _segment(folder: OpenFolder, row: Row) -> dict[str, npt.NDArray[Any]]:
    """The tensors of a segment, every block of which is checked."""
    file, *_, num_bytes, block_bytes, digests = row
    if not _SEGMENT_NAME.fullmatch(file) or block_bytes < 1:
        raise damaged_library(f"{file!r} is no segment of it")
    path = folder.path / SEGMENT_FOLDER / file
    try:
        with os.fdopen(folder.open(f"{SEGMENT_FOLDER}/{file}"), "rb") as opened:
            size = os.fstat(opened.fileno()).st_size
            data = opened.read() if size == num_bytes else b""
    except FileNotFoundError:
        data = b""
    except OSError as error:
        raise damaged_library(f"{path} cannot be read ({error.strerror})") from error
    blocks = [data[start : start + block_bytes] for start in range(0, len(data), block_bytes)]
    if b"".join(hashlib.sha256(block).digest() for block in blocks) != digests:
        raise damaged_library(f"{path} is missing or not what was written")
    return safetensors.numpy.load(data)


def drop_segments(folder: OpenFolder) -> None:
    """Delete the segments of a library that was migrated, as far as the disk lets it; what is no segment stays."""
    for name in folder.names(SEGMENT_FOLDER):
        if _SEGMENT_NAME.fullmatch(name):
            with suppress(OSError):
                folder.unlink(f"{SEGMENT_FOLDER}/{name}")
    folder.remove(SEGMENT_FOLDER)
