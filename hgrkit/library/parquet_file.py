"""A snapshot as a Parquet file: one row a clip, written in row groups of bounded size."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hgrkit.errors import MissingPackageError
from hgrkit.library.manifest import Manifest
from hgrkit.library.records import ClipEmbeddings, VideoRecord
from hgrkit.library.store import Snapshot
from hgrkit.library.video_row import path_bytes

__all__ = ["require_pyarrow", "write_parquet"]

MANIFEST_KEY = b"hgrkit_manifest"

_GROUP_BYTES = 32 << 20
_CLIPS_AT_ONCE = 64

_Row = tuple[VideoRecord, ClipEmbeddings]


def require_pyarrow() -> None:
    """Raise unless pyarrow is installed; it is not imported.

    Raises:
        MissingPackageError: saying how to install it.
    """
    if importlib.util.find_spec("pyarrow") is None:
        raise MissingPackageError(
            "the package 'pyarrow', which writes Parquet files, is not installed: pip install 'hgrkit[parquet]'"
        )


def write_parquet(path: Path, snapshot: Snapshot, on_progress: Callable[[int, int], None]) -> None:
    """Write every clip as a row.

    `path` (binary): the video's path as the file system's bytes; `video` (text): the same, what is no UTF-8 shown
    as U+FFFD; `start_s`, `end_s`; `event` float32 [D]; `times_s` [F]; `action`, `entity` float32 [F][D]. The
    manifest is JSON in the schema's metadata, under `hgrkit_manifest`.

    Raises:
        MissingPackageError: if pyarrow is not installed.
        DamagedLibraryError: if stored embeddings are not what was written.
        OSError: if the disk is full or fails.
    """
    require_pyarrow()
    from pyarrow import parquet

    schema = _schema(snapshot.manifest)
    with parquet.ParquetWriter(path, schema) as writer:
        for group in _groups(snapshot, on_progress):
            writer.write_table(_table(group, schema), row_group_size=len(group))


def _groups(snapshot: Snapshot, on_progress: Callable[[int, int], None]) -> Iterator[list[_Row]]:
    """Clips with their videos, about `_GROUP_BYTES` of vectors at a time."""
    group: list[_Row] = []
    num_bytes = 0
    starts = range(0, len(snapshot.clip_keys), _CLIPS_AT_ONCE)
    for done, start in enumerate(starts, 1):
        places = snapshot.clip_videos[start : start + _CLIPS_AT_ONCE].tolist()
        clips = snapshot.clips(range(start, start + len(places)))
        for place, clip in zip(places, clips, strict=True):
            group.append((snapshot.videos[place], clip))
            num_bytes += clip.event.nbytes + clip.action.nbytes + clip.entity.nbytes
            if num_bytes >= _GROUP_BYTES:
                yield group
                group, num_bytes = [], 0
        on_progress(done, len(starts))
    if group:
        yield group


def _schema(manifest: Manifest) -> Any:
    import pyarrow as pa

    vector = pa.list_(pa.field("item", pa.float32(), nullable=False), manifest.embed_dim)
    vectors = pa.list_(pa.field("item", vector, nullable=False))
    types = {
        "path": pa.binary(),
        "video": pa.string(),
        "start_s": pa.float64(),
        "end_s": pa.float64(),
        "event": vector,
        "times_s": pa.list_(pa.field("item", pa.float64(), nullable=False)),
        "action": vectors,
        "entity": vectors,
    }
    fields = [pa.field(name, kind, nullable=False) for name, kind in types.items()]
    return pa.schema(fields, metadata={MANIFEST_KEY: manifest.to_json().encode()})


def _table(group: list[_Row], schema: Any) -> Any:
    import numpy as np
    import pyarrow as pa

    paths = [path_bytes(video.path) for video, _ in group]
    clips = [clip for _, clip in group]
    offsets = pa.array(np.cumsum([0, *(clip.num_frames for clip in clips)]), pa.int32())

    def vectors(parts: list[Any], kind: Any) -> Any:
        flat = pa.array(np.concatenate(parts).ravel())
        return pa.FixedSizeListArray.from_arrays(flat, type=kind)

    def frames(name: str) -> Any:
        kind = schema.field(name).type
        values = vectors([getattr(clip, name) for clip in clips], kind.value_type)
        return pa.ListArray.from_arrays(offsets, values, type=kind)

    times = pa.array(np.concatenate([clip.times_s for clip in clips]))
    columns = [
        pa.array(paths, pa.binary()),
        pa.array([path.decode("utf-8", "replace") for path in paths], pa.string()),
        pa.array([clip.start_s for clip in clips], pa.float64()),
        pa.array([clip.end_s for clip in clips], pa.float64()),
        vectors([clip.event for clip in clips], schema.field("event").type),
        pa.ListArray.from_arrays(offsets, times, type=schema.field("times_s").type),
        frames("action"),
        frames("entity"),
    ]
    return pa.Table.from_arrays(columns, schema=schema)
