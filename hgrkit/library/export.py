"""Ways out of a library: all of its clips in one `.npz` or Parquet file, written whole or not at all."""

from __future__ import annotations

import importlib.util
import json
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.checks.arguments import check_callable, check_flag, check_instance, check_path
from hgrkit.errors import ConfigError, LibraryExistsError, MissingPackageError, MissingPathError
from hgrkit.library.arrays import Records, portions_of
from hgrkit.library.library import Library
from hgrkit.library.manifest import Manifest
from hgrkit.library.records import path_bytes
from hgrkit.library.store import Snapshot
from hgrkit.storage.atomic_file import writing, written_whole

__all__ = ["ExportFormat", "ExportReport", "export_library"]

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
    write = _write_npz if to == "npz" else _write_parquet
    snapshot = library.snapshot()  # its vectors stay readable, whatever a writer does meanwhile
    vacant = partial(_require_vacant, target, overwrite=overwrite)
    with writing(target), written_whole(target, vacant) as temporary:
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
    if to == "parquet" and importlib.util.find_spec("pyarrow") is None:
        raise MissingPackageError(
            "the package 'pyarrow', which writes Parquet files, is not installed: pip install 'hgrkit[parquet]'"
        )


def _require_vacant(path: Path, *, overwrite: bool) -> None:
    if os.path.lexists(path) and not overwrite:
        raise LibraryExistsError(
            f"{path} exists already; choose another name, or say that it is to be overwritten (--force)."
        )


def _offsets(lengths: npt.ArrayLike) -> npt.NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(np.asarray(lengths, np.int64))]).astype(np.int64)


# npz -----------------------------------------------------------------------------------------------------------

_PASSES = 4
"""Events, with the clips' times, and then each long array of frames."""


def _write_npz(path: Path, snapshot: Snapshot, on_progress: _Progress) -> None:
    """Write every clip, V of N videos, T frames in all.

    `manifest` (JSON text); `path_bytes` uint8 and `path_offsets` [N+1]: the videos' paths as the file system's
    bytes; `clip_video` [V]: each clip's video; `start_s`, `end_s` [V]; `event` float16 [V, D]; `frame_offsets`
    [V+1]: clip v has the frames from `frame_offsets[v]` to `frame_offsets[v+1]` of `times_s` [T], `action` and
    `entity` float16 [T, D]; `metadata` (JSON text): a list of the videos' tags.
    """
    portions, half = portions_of(snapshot.clip_frames), np.dtype("<f2")
    kept, clip_video = np.unique(snapshot.clip_videos, return_inverse=True)
    paths = [path_bytes(snapshot.videos[place].path) for place in kept.tolist()]
    frame_offsets, bounds = _offsets(snapshot.clip_frames), [np.empty((0, 2))]
    shape, done = (int(frame_offsets[-1]), snapshot.manifest.embed_dim), 0

    def records() -> Iterator[Records]:
        nonlocal done
        for rows in portions:
            yield snapshot.records(np.array(rows))
            done += 1
            on_progress(done, _PASSES * len(portions))

    def events() -> Iterator[npt.NDArray[Any]]:
        for clips, _ in records():
            bounds.append(np.stack([clips["start_s"], clips["end_s"]], axis=1))
            yield clips["event"]

    with zipfile.ZipFile(path, "w", allowZip64=True) as archive:
        _write_array(archive, "event", (len(clip_video), shape[1]), half, events())
        _write_array(archive, "times_s", shape[:1], np.dtype("<f8"), (frames["time_s"] for _, frames in records()))
        for name in ("action", "entity"):
            _write_array(archive, name, shape, half, (frames[name] for _, frames in records()))
        start_s, end_s = np.concatenate(bounds).T
        for name, value in (
            ("manifest", np.array(snapshot.manifest.to_json())),
            ("metadata", np.array(json.dumps([dict(snapshot.videos[place].metadata) for place in kept.tolist()]))),
            ("path_bytes", np.frombuffer(b"".join(paths), np.uint8)),
            ("path_offsets", _offsets([len(path) for path in paths])),
            ("clip_video", clip_video.astype(np.int64)),
            ("start_s", start_s),
            ("end_s", end_s),
            ("frame_offsets", frame_offsets),
        ):
            _write_array(archive, name, value.shape, value.dtype, [value])


def _write_array(
    archive: zipfile.ZipFile,
    name: str,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    parts: Iterable[npt.NDArray[Any]],
) -> None:
    """One member, as `numpy.save` would write the parts put end to end; no more than one of them is in memory."""
    dtype = dtype.newbyteorder("<")
    with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_2_0(member, header)
        for part in parts:
            member.write(np.ascontiguousarray(part, dtype).tobytes())


# Parquet -------------------------------------------------------------------------------------------------------


def _write_parquet(path: Path, snapshot: Snapshot, on_progress: _Progress) -> None:
    """Write every clip as a row.

    `path` (binary): the video's path as the file system's bytes; `video` (text): the same, what is no UTF-8 shown
    as U+FFFD; `metadata` (text): its tags, as JSON; `start_s`, `end_s`; `event` float32 [D]; `times_s` [F];
    `action`, `entity` float32 [F][D]. The manifest is JSON in the schema's metadata, under `hgrkit_manifest`.
    """
    import pyarrow as pa
    from pyarrow import parquet

    schema = _schema(snapshot.manifest)
    vector, vectors = schema.field("event").type, schema.field("action").type

    def rows_of(values: npt.NDArray[Any]) -> Any:
        return pa.FixedSizeListArray.from_arrays(pa.array(values.astype(np.float32).ravel()), type=vector)

    portions = portions_of(snapshot.clip_frames)
    with parquet.ParquetWriter(path, schema) as writer:
        for done, rows in enumerate(portions, 1):
            clips, frames = snapshot.records(np.array(rows))
            videos = [snapshot.videos[place] for place in snapshot.clip_videos[rows.start : rows.stop].tolist()]
            paths = [path_bytes(video.path) for video in videos]
            offsets = pa.array(_offsets(clips["num_frames"]), pa.int32())
            columns = [
                pa.array(paths, pa.binary()),
                pa.array([path.decode("utf-8", "replace") for path in paths], pa.string()),
                pa.array([json.dumps(dict(video.metadata)) for video in videos], pa.string()),
                pa.array(clips["start_s"]),
                pa.array(clips["end_s"]),
                rows_of(clips["event"]),
                pa.ListArray.from_arrays(offsets, pa.array(frames["time_s"]), type=schema.field("times_s").type),
                *(
                    pa.ListArray.from_arrays(offsets, rows_of(frames[name]), type=vectors)
                    for name in ("action", "entity")
                ),
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema), row_group_size=len(rows))
            on_progress(done, len(portions))


def _schema(manifest: Manifest) -> Any:
    import pyarrow as pa

    required = partial(pa.field, nullable=False)
    vector = pa.list_(required("item", pa.float32()), manifest.embed_dim)
    vectors = pa.list_(required("item", vector))
    return pa.schema(
        [
            required("path", pa.binary()),
            required("video", pa.string()),
            required("metadata", pa.string()),
            required("start_s", pa.float64()),
            required("end_s", pa.float64()),
            required("event", vector),
            required("times_s", pa.list_(required("item", pa.float64()))),
            required("action", vectors),
            required("entity", vectors),
        ],
        metadata={"hgrkit_manifest": manifest.to_json()},
    )
