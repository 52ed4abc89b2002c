"""Ways out of a library: all of its clips in one `.npz` or Parquet file, written whole or not at all."""

from __future__ import annotations

import importlib.util
import json
import os
import uuid
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, get_args

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.checks.arguments import check_callable, check_flag, check_instance, check_path
from hgrkit.errors import ConfigError, LibraryExistsError, MissingPackageError, MissingPathError
from hgrkit.library.library import Library
from hgrkit.library.manifest import Manifest
from hgrkit.library.records import ClipEmbeddings, VideoRecord, path_bytes
from hgrkit.library.store import Snapshot
from hgrkit.storage.atomic_file import TEMPORARY_SUFFIX, sync_file, sync_folder, writing

__all__ = ["ExportFormat", "ExportReport", "export_library"]

Array = npt.NDArray[Any]

_CLIPS_AT_ONCE = 64


def write_npz(path: Path, snapshot: Snapshot, on_progress: Callable[[int, int], None]) -> None:
    """Write every clip, V of N videos, T frames in all.

    `manifest` (JSON text); `path_bytes` uint8 and `path_offsets` [N+1]: the videos' paths as the file system's
    bytes; `clip_video` [V]: each clip's video; `start_s`, `end_s` [V]; `event` float16 [V, D]; `frame_offsets`
    [V+1]: clip v has the frames from `frame_offsets[v]` to `frame_offsets[v+1]` of `times_s` [T], `action` and
    `entity` float16 [T, D]; `metadata` (JSON text): a list of the videos' tags.

    Raises:
        DamagedLibraryError: if stored embeddings are not what was written.
        OSError: if the disk is full or fails.
    """
    half, size = np.dtype(np.float16), snapshot.manifest.embed_dim
    offsets = _offsets(snapshot.clip_frames)
    num_clips, num_frames = len(snapshot.clip_keys), int(offsets[-1])
    kept, clip_video = np.unique(snapshot.clip_videos, return_inverse=True)
    paths = [path_bytes(snapshot.videos[place].path) for place in kept.tolist()]
    passes = 0

    def clips() -> Iterator[ClipEmbeddings]:
        nonlocal passes
        passes += 1
        portions = -(-num_clips // _CLIPS_AT_ONCE)
        for number, rows in enumerate(_portions(num_clips), 1):
            yield from snapshot.clips(rows)
            on_progress((passes - 1) * portions + number, _PASSES * portions)

    bounds = np.array([(clip.start_s, clip.end_s) for clip in clips()], np.float64).reshape(-1, 2)
    with zipfile.ZipFile(path, "w", allowZip64=True) as archive:
        for name, value in (
            ("manifest", np.array(snapshot.manifest.to_json())),
            ("metadata", np.array(json.dumps([_tags(snapshot.videos[place]) for place in kept.tolist()]))),
            ("path_bytes", np.frombuffer(b"".join(paths), np.uint8)),
            ("path_offsets", _offsets([len(path) for path in paths])),
            ("clip_video", clip_video.astype(np.int64)),
            ("start_s", bounds[:, 0]),
            ("end_s", bounds[:, 1]),
            ("frame_offsets", offsets),
        ):
            _write_array(archive, name, value.shape, value.dtype, [value])
        _write_array(archive, "event", (num_clips, size), half, (clip.event[None] for clip in clips()))
        _write_array(archive, "times_s", (num_frames,), np.dtype(np.float64), (clip.times_s for clip in clips()))
        _write_array(archive, "action", (num_frames, size), half, (clip.action for clip in clips()))
        _write_array(archive, "entity", (num_frames, size), half, (clip.entity for clip in clips()))


_PASSES = 5
"""Times first, and then one for each long array."""


def _tags(video: VideoRecord) -> dict[str, Any]:
    return dict(video.metadata)


def _portions(num_clips: int) -> Iterator[range]:
    for start in range(0, num_clips, _CLIPS_AT_ONCE):
        yield range(start, min(start + _CLIPS_AT_ONCE, num_clips))


def _write_array(
    archive: zipfile.ZipFile,
    name: str,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    parts: Sequence[Array] | Iterator[Array],
) -> None:
    """One member, as `numpy.save` would write the parts put end to end."""
    dtype = dtype.newbyteorder("<")
    with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_2_0(member, header)
        for part in parts:
            member.write(np.ascontiguousarray(part, dtype).tobytes())


def _offsets(lengths: npt.ArrayLike) -> npt.NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(np.asarray(lengths, np.int64))]).astype(np.int64)


MANIFEST_KEY = b"hgrkit_manifest"

_GROUP_BYTES = 32 << 20

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
    as U+FFFD; `metadata` (text): its tags, as JSON; `start_s`, `end_s`; `event` float32 [D]; `times_s` [F];
    `action`, `entity` float32 [F][D]. The manifest is JSON in the schema's metadata, under `hgrkit_manifest`.

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
    portions = list(_portions(len(snapshot.clip_keys)))
    for done, rows in enumerate(portions, 1):
        for place, clip in zip(
            snapshot.clip_videos[rows.start : rows.stop].tolist(), snapshot.clips(rows), strict=True
        ):
            group.append((snapshot.videos[place], clip))
            num_bytes += clip.event.nbytes + clip.action.nbytes + clip.entity.nbytes
            if num_bytes >= _GROUP_BYTES:
                yield group
                group, num_bytes = [], 0
        on_progress(done, len(portions))
    if group:
        yield group


def _schema(manifest: Manifest) -> Any:
    import pyarrow as pa

    vector = pa.list_(pa.field("item", pa.float32(), nullable=False), manifest.embed_dim)
    vectors = pa.list_(pa.field("item", vector, nullable=False))
    types = {
        "path": pa.binary(),
        "video": pa.string(),
        "metadata": pa.string(),
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
        pa.array([json.dumps(_tags(video)) for video, _ in group], pa.string()),
        pa.array([clip.start_s for clip in clips], pa.float64()),
        pa.array([clip.end_s for clip in clips], pa.float64()),
        vectors([clip.event for clip in clips], schema.field("event").type),
        pa.ListArray.from_arrays(offsets, times, type=schema.field("times_s").type),
        frames("action"),
        frames("entity"),
    ]
    return pa.Table.from_arrays(columns, schema=schema)


ExportFormat = Literal["parquet", "npz"]

_Progress = Callable[[int, int], None]


@attrs.frozen(kw_only=True)
class ExportReport:
    """What was exported.

    Attributes:
        file: where to.
        videos: how many of the library's videos are in it; failed ones have no clips and are not.
        clips: how many clips.
        num_bytes: the file's size.
    """

    file: str
    videos: int
    clips: int
    num_bytes: int


def export_library(
    library: Library,
    path: str | os.PathLike[str],
    *,
    to: ExportFormat,
    overwrite: bool = False,
    on_progress: _Progress | None = None,
) -> ExportReport:
    """Write every clip of the version committed last: video, times, the vectors of all levels, and the manifest.

    The page "The library" of the documentation describes both formats. Vectors are read and written in portions.
    A writer may continue meanwhile.

    Args:
        library: open in either mode.
        path: the file; it has its name only once it is complete.
        to: `npz` (numpy alone reads it, without pickle) or `parquet` (needs pyarrow).
        overwrite: replace an existing file.
        on_progress: is told the portions that are done, and how many there are.

    Raises:
        ConfigError: if the format is unknown, or the path is a folder or a device.
        LibraryExistsError: if the file exists and is not to be overwritten.
        MissingPathError: if its folder does not exist.
        MissingPackageError: if pyarrow is not installed.
        DamagedLibraryError: if stored embeddings are not what was written.
        OSError: if the disk is full or fails; nothing is left then.
    """
    check_instance("library", library, Library, hint="open one: Library.open(path)")
    check_flag("overwrite", overwrite)
    check_callable("on_progress", on_progress, takes="how many portions are done and how many there are")
    target = Path(check_path("path", path))
    _require_target(target, to, overwrite=overwrite)
    write = write_npz if to == "npz" else write_parquet
    snapshot = library.snapshot()  # its vectors stay readable, whatever a writer does meanwhile
    with writing(target), _whole_file(target, overwrite=overwrite) as temporary:
        write(temporary, snapshot, on_progress or (lambda *_: None))
        num_bytes = temporary.stat().st_size
    return ExportReport(
        file=str(target),
        videos=sum(video.state == "indexed" for video in snapshot.videos),
        clips=len(snapshot.clip_keys),
        num_bytes=num_bytes,
    )


def _require_target(path: Path, to: str, *, overwrite: bool) -> None:
    if to not in get_args(ExportFormat):
        raise ConfigError(f"the format must be 'parquet' or 'npz', got {to!r}.")
    if path.is_dir():
        raise ConfigError(f"{path} is a folder; name the file to write.")
    if path.exists() and not path.is_file():  # renaming would put a file in its place
        raise ConfigError(f"{path} is a device or a pipe; name a file to write.")
    if not path.parent.is_dir():
        raise MissingPathError(f"there is no folder {str(path.parent)!r} for {path.name!r}; make it first.")
    _require_vacant(path, overwrite=overwrite)
    if to == "parquet":
        require_pyarrow()


def _require_vacant(path: Path, *, overwrite: bool) -> None:
    if os.path.lexists(path) and not overwrite:
        raise LibraryExistsError(
            f"{path} exists already; choose another name, or say that it is to be overwritten (--force)."
        )


@contextmanager
def _whole_file(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """A temporary name beside the file's, which becomes the file's own once it is complete and durable."""
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}{TEMPORARY_SUFFIX}")
    try:
        yield temporary
        sync_file(temporary)
        _require_vacant(path, overwrite=overwrite)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
