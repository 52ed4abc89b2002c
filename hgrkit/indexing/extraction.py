"""Extracts the frame features of videos into one HDF5 file: encoded once, to train on and to index from.

Videos are read as `hgrkit index` reads them, into a library beside the file that holds what is finished; the file
itself is written whole at the end. So an interruption at any moment loses at most the videos in progress.
"""

from __future__ import annotations

import glob
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from os import PathLike
from pathlib import Path, PurePath
from typing import Any

import attrs
import numpy as np

from hgrkit.checks.arguments import check_path
from hgrkit.errors import ConfigError, FeatureFileError, LibraryMismatchError, LibraryNotFoundError
from hgrkit.indexing.feature_cache import CachedFeatures, FeatureCache
from hgrkit.indexing.parts import Parts
from hgrkit.indexing.report import Failure, IndexProgress, IndexReport
from hgrkit.indexing.walk import walk_videos
from hgrkit.library.library import Library
from hgrkit.model.loaded import LoadedModel
from hgrkit.storage.atomic_file import TEMPORARY_SUFFIX, writing, written_whole
from hgrkit.video.feature_file import HIDDEN
from hgrkit.video.frame_encoder import FrameEncoder
from hgrkit.video.limits import DecodeLimits
from hgrkit.video.sampling import Sampling

__all__ = ["ExtractionReport", "extract_features"]

_SUFFIXES = (".h5", ".hdf5")
_WORK_SUFFIX = ".work"
_TIMES = f"{HIDDEN}times_s"


@attrs.frozen(kw_only=True)
class ExtractionReport:
    """The outcome of an extraction.

    Attributes:
        out: the file.
        videos: how many it has features of.
        frames: how many frames these have.
        feature_dim: K, the numbers of a frame.
        decoded_frames: pictures that decoders put out in this run; 0 if all was there.
        failures: videos that failed, by path; the file lacks them.
        unreadable: folders and files that could not be looked at.
    """

    out: str
    videos: int
    frames: int
    feature_dim: int
    decoded_frames: int
    failures: tuple[Failure, ...]
    unreadable: tuple[Failure, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return attrs.asdict(self)


def extract_features(
    paths: Sequence[str | PathLike[str]],
    out: str | PathLike[str],
    *,
    model: str | PathLike[str] = "default",
    frame_encoder: str | FrameEncoder | None = None,
    sampling: str | Sampling | None = None,
    device: str = "auto",
    limits: DecodeLimits | None = None,
    num_workers: int | None = None,
    on_progress: Callable[[IndexProgress], object] | None = None,
) -> ExtractionReport:
    """Encode the frames of videos and write them to `out`, float16 [F, K] by the video's file name.

    A file that exists is added to: what it has of the same bytes is not encoded again. Of two videos with one file
    name the second is called by its whole path, with `_` in the place of `/`. A video that cannot be decoded is
    reported and never ends the run. After an interruption the same call resumes where it stopped; until the file
    is written, `out` + `.work` holds what is finished.

    Args:
        paths: videos and folders of videos.
        out: an `.h5` or `.hdf5` file.
        model: says which frame encoder and which sampling, unless the next two do.
        frame_encoder: a name or an instance.
        sampling: such as `fps:2` or `uniform:20`.
        device: `auto`, `cpu`, `cuda` or `mps`.
        limits: what decoding one video may take.
        num_workers: processes that decode; by default one for each core, at most four.
        on_progress: called after each video.

    Raises:
        MissingPathError: if a path does not exist; nothing is extracted then.
        ConfigError: if the model has no frame encoder, or `out` has another suffix.
        FeatureFileError: if `out` exists and was made otherwise, or not by this function.
        LibraryLockedError: if another process extracts into the same file.
        OSError: if the disk is full or fails.
    """
    target = Path(check_path("out", out)).absolute()
    if target.suffix.lower() not in _SUFFIXES:
        raise ConfigError(f"features are written to an .h5 or .hdf5 file, got {str(target)!r}.")
    walk = walk_videos([check_path("each path", path) for path in paths])
    parts = Parts.choose(
        LoadedModel.load(model, device=device), frame_encoder=frame_encoder, sampling=sampling, device=device
    )
    work = target.with_name(target.name + _WORK_SUFFIX)
    cache = parts.feature_cache(work)
    if cache is None:
        raise ConfigError(f"the model {parts.model.name!r} names no frame encoder; choose one (--frame-encoder).")
    target.parent.mkdir(parents=True, exist_ok=True)
    finished = work.with_name(f"{work.name}.finished")
    shutil.rmtree(finished, ignore_errors=True)
    if target.exists():
        _require_made_alike(target, cache)
    with _opened(work, parts, target) as library:
        if target.exists():
            _take_over(target, cache)
        index = partial(parts.index, limits=limits, num_workers=num_workers, on_progress=on_progress)
        report = index(library, walk.files, left_out=walk.left_out, cache=cache, follow_moves=False)
        with writing(target):
            written = _write(target, library, cache, report)
    work.replace(finished)  # at once: half a library could not be opened
    shutil.rmtree(finished, ignore_errors=True)
    return written


def _opened(work: Path, parts: Parts, target: Path) -> Library:
    """The library of what is finished, made if there is none."""
    try:
        library = Library.open(work, mode="w")
    except LibraryNotFoundError:
        return Library.create(work, parts.manifest)
    try:
        library.manifest.require(parts.manifest, library=str(work))
    except LibraryMismatchError as error:
        library.close()
        raise FeatureFileError(
            f"{str(target)!r} was begun with another frame encoder, model or sampling; finish it as it was begun, "
            f"or delete {str(work)!r} to start over."
        ) from error
    return library


def _require_made_alike(target: Path, cache: FeatureCache) -> None:
    """Refuse to add to a file of other features."""
    with _read(target) as file:
        made = {name: file.attrs.get(name) for name in ("frame_encoder", "sampling")}
    if made != {"frame_encoder": cache.frame_encoder, "sampling": cache.sampling}:
        raise FeatureFileError(
            f"{str(target)!r} has features of {made['frame_encoder'] or 'an unknown frame encoder'} at "
            f"{made['sampling'] or 'an unknown sampling'}, not of {cache.frame_encoder} at {cache.sampling}; "
            "choose another file."
        )


def _take_over(target: Path, cache: FeatureCache) -> None:
    """Put what the file has into the cache, from which videos of the same bytes are read."""
    with _read(target) as file:
        for _, data, times_s in _datasets(file):
            duration_s = float(data.attrs["duration_s"])
            cache.save(
                data.attrs["content"],
                times_s=times_s,
                features=data[...],
                begin_s=float(data.attrs["begin_s"]),
                duration_s=None if np.isnan(duration_s) else duration_s,
            )


@contextmanager
def _read(target: Path) -> Iterator[Any]:
    """The file as h5py has it, with errors that name it."""
    import h5py

    try:
        with h5py.File(target, "r") as file:
            yield file
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise FeatureFileError(f"{str(target)!r} is damaged ({error}); delete it to extract it anew.") from error


def _datasets(file: Any) -> Iterator[tuple[str, Any, Any]]:
    """Name, features and times of each video in a file that this module wrote."""
    for name, data in file.items():
        if not name.startswith(HIDDEN):
            yield name, data, file[_TIMES][name][...]


def _write(target: Path, library: Library, cache: FeatureCache, report: IndexReport) -> ExtractionReport:
    """Write the file anew: what it had, and what the library's videos have in the cache."""
    import h5py

    for left in target.parent.glob(f"{glob.escape(target.name)}.*{TEMPORARY_SUFFIX}"):
        left.unlink()  # of a run that was killed while it wrote
    done = {video.path: video.content for video in library.videos() if video.state == "indexed"}
    lost: list[Failure] = []
    with written_whole(target, lambda: None) as temporary, h5py.File(temporary, "w") as file:
        file.attrs.update({"frame_encoder": cache.frame_encoder, "sampling": cache.sampling})
        times = file.create_group(_TIMES)
        if target.exists():
            _copy(target, file, times, leave_out=done)
        for path, content in done.items():
            found = cache.load(content)
            if found is None:
                lost.append(Failure(path, "its features could not be kept; extract again"))
                continue
            name = _free_name(path, file)
            times[name] = found.times_s
            _add(file, name, found, path=path, content=content)
        shapes = [data.shape for _, data, _ in _datasets(file)]
    return ExtractionReport(
        out=str(target),
        videos=len(shapes),
        frames=sum(frames for frames, _ in shapes),
        feature_dim=shapes[0][1] if shapes else 0,
        decoded_frames=report.decoded_frames,
        failures=tuple(sorted((*report.failures, *lost), key=lambda failure: failure.path)),
        unreadable=report.unreadable,
    )


def _copy(source: Path, file: Any, times: Any, *, leave_out: Collection[str]) -> None:
    """Copy the videos of an earlier run, but for those that are written anew."""
    with _read(source) as before:
        for name, data, times_s in _datasets(before):
            if data.attrs["path"] not in leave_out:
                before.copy(data, file, name)
                times[name] = times_s


def _free_name(path: str, taken: Any) -> str:
    name = PurePath(path).name
    return name if name not in taken and not name.startswith(HIDDEN) else path.replace("/", "_")


def _add(file: Any, name: str, found: CachedFeatures, **described: str) -> None:
    duration = np.nan if found.duration_s is None else found.duration_s
    data = file.create_dataset(name, data=found.features.astype(np.float16))
    data.attrs.update({**described, "begin_s": found.begin_s, "duration_s": duration})
