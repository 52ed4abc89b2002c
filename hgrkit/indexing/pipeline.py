"""Indexes videos: files are read ahead, frames encoded in batches across videos, clips stored as they are done."""

# Paths are made absolute without following links, as `os.path` does it.
# ruff: noqa: PTH100

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import final, get_args

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.checks.arguments import check_callable, check_flag, check_instance, check_whole
from hgrkit.errors import ConfigError
from hgrkit.indexing.feature_cache import FeatureCache
from hgrkit.indexing.known_videos import KnownVideos, emptied_roots, is_below, made_absolute, missing_videos
from hgrkit.indexing.library_writer import CarryOver, Embed, LibraryWriter
from hgrkit.indexing.report import Failure, IndexProgress, IndexReport, Outcome
from hgrkit.indexing.source import (
    DecodePool,
    FeatureChunk,
    FrameChunk,
    Item,
    ReadVideo,
    VideoEnd,
    VideoSource,
)
from hgrkit.indexing.walk import LeftOut, VideoFile
from hgrkit.library.library import Library
from hgrkit.video.frame_encoder import FrameEncoder, encode_frames, frame_size_of
from hgrkit.video.limits import DecodeLimits
from hgrkit.video.sampling import Sampling
from hgrkit.video.worker.decoder import DecodeProcess

__all__ = ["Embed", "index_videos"]

Features = npt.NDArray[np.float32]

_BATCH_FRAMES = 32  # of several videos


def index_videos(
    library: Library,
    files: Sequence[VideoFile],
    *,
    frame_encoder: FrameEncoder | None,
    embed: Embed,
    sampling: Sampling,
    clip_seconds: float | None = 30.0,
    max_frames: int | None = None,
    retry_failed: bool = False,
    features: Mapping[str, Features] | None = None,
    cache: FeatureCache | None = None,
    contents: Mapping[VideoFile, str] | None = None,
    roots: Sequence[str] = (),
    left_out: LeftOut = LeftOut(),  # noqa: B008, it is frozen
    prune: bool = False,
    follow_moves: bool = True,
    limits: DecodeLimits | None = None,
    num_workers: int | None = None,
    on_progress: Callable[[IndexProgress], object] | None = None,
    on_start: Callable[[str], object] | None = None,
) -> IndexReport:
    """Bring a library up to date with files; each video is stored whole, once it is done.

    A file whose path, size and modification time, or whose bytes, are unchanged is not decoded, nor is one whose
    bytes the library has under another path. A file that cannot be decoded is stored as failed and not tried again
    until its bytes change; it never ends the run. An interruption loses the videos that are being read and those
    that were done in the last second, as far as `on_progress` was not told of them; no others.

    Args:
        library: where clips go; only this thread uses it.
        files: the files that `walk_videos` found.
        frame_encoder: turns pictures into features; `None` if `features` has them all.
        embed: turns one clip's features into embeddings.
        sampling: which frames are used.
        clip_seconds: the longest clip; `None` keeps videos whole.
        max_frames: frames of a clip that are embedded, evenly spaced; `None` for all.
        retry_failed: try files again that failed before.
        features: features by path, base name or base name without suffix, used instead of decoding.
        cache: features by content, used instead of decoding and kept after it.
        contents: content hashes of files that need not be read for them.
        roots: the paths that the run is about: videos below them whose files are gone are reported.
        left_out: what the walk did not take.
        prune: remove videos whose files are gone from the library.
        follow_moves: a video whose file is gone moves to a new file of its bytes, and two spellings of one path
            are one video; else every path is a video of its own.
        limits: what decoding one video may take; `DecodeLimits()` by default.
        num_workers: processes that decode; by default one for each core, at most four.
        on_progress: called after each video.
        on_start: called with the path of each file that has to be read, by the thread that begins to read it.

    Raises:
        ConfigError: if there is neither a frame encoder nor features, or no worker.
        DecodeWorkerError: if the processes that decode cannot be started.
    """
    if num_workers is not None:
        num_workers = check_whole("num_workers", num_workers)
    if limits is not None:
        check_instance("limits", limits, DecodeLimits)
    check_flag("retry_failed", retry_failed)
    check_flag("prune", prune)
    check_callable("on_progress", on_progress, takes="an IndexProgress")
    check_callable("on_start", on_start, takes="a path")
    if frame_encoder is None and features is None:
        raise ConfigError("there is no frame encoder; give the frames' features as a file, or a frame_encoder.")
    if follow_moves:
        renames, surplus = made_absolute(library.videos(), files, roots)
        if renames or surplus:
            library.update(rename=renames, remove=surplus)
    snapshot = library.snapshot()
    known = KnownVideos(
        snapshot.videos, retry_failed=retry_failed, across_paths=features is None, contents=contents
    )
    if follow_moves:
        files = list(dict.fromkeys(map(known.under_known_path, files)))
    progress = _Progress(len(files), on_progress)
    writer = LibraryWriter(
        library=library,
        known=known,
        carry_over=CarryOver(library, snapshot, known, unreadable=left_out.unreadable_paths, moves=follow_moves),
        on_done=progress.add,
        embed=embed,
        clip_seconds=clip_seconds,
        max_frames=max_frames,
        cache=cache if features is None else None,
    )
    source = VideoSource(
        known=known, sampling=sampling, frame_size=frame_size_of(frame_encoder), features=features, cache=cache
    )
    unread = _unknown(files, known, progress)
    while unread:
        with DecodePool(unread, _telling(source.read, on_start), limits=limits, num_workers=num_workers) as pool:
            _encode(pool, writer, frame_encoder)
        # What had the bytes of a file that could not be read is read itself, once more.
        unread = writer.finish()
        known.forget_claims()
    return _with_missing(progress.report(), library, files, roots, left_out, prune=prune)


def _with_missing(
    report: IndexReport,
    library: Library,
    files: Sequence[VideoFile],
    roots: Sequence[str],
    left_out: LeftOut,
    *,
    prune: bool,
) -> IndexReport:
    """Complete a report with what was left out of the run and what is missing after it."""
    stored = library.videos()
    missing = missing_videos(stored, roots, left_out.unreadable_paths)
    if prune and missing:
        library.update(remove=missing)
    accounted = {file.path for file in files}.union(missing)
    in_trash = [record.path for record in stored if record.path not in accounted]
    return attrs.evolve(
        report,
        unreadable=left_out.unreadable,
        skipped=left_out.skipped,
        in_trash=tuple(os.path.abspath(path) for path in in_trash if is_below(path, left_out.trash)),
        missing=tuple(map(os.path.abspath, missing)),
        pruned=len(missing) if prune else 0,
        emptied=tuple(emptied_roots(roots, [file.path for file in files], missing)),
    )


@final
class _Progress:
    """Counts the files of a run as they are done, and tells the caller of each."""

    def __init__(self, total: int, on_progress: Callable[[IndexProgress], object] | None) -> None:
        self._total, self._on_progress = total, on_progress
        self._outcomes: dict[Outcome, int] = dict.fromkeys(get_args(Outcome), 0)
        self._failures: list[Failure] = []
        self._decoded_frames = 0

    def add(self, end: VideoEnd) -> None:
        self._outcomes[end.outcome] += 1
        self._decoded_frames += end.decoded_frames
        if end.outcome == "failed":
            self._failures.append(Failure(end.file.path, end.reason or "unknown"))
        if self._on_progress is not None:
            done = sum(self._outcomes.values())
            told = IndexProgress(
                path=end.file.path,
                outcome=end.outcome,
                done=done,
                total=self._total,
                reason=end.reason if end.outcome == "failed" else None,
            )
            self._on_progress(told)

    def report(self) -> IndexReport:
        return IndexReport(
            indexed=self._outcomes["indexed"],
            unchanged=self._outcomes["unchanged"],
            moved=self._outcomes["moved"],
            duplicates=self._outcomes["duplicate"],
            failures=tuple(sorted(self._failures, key=lambda failure: failure.path)),
            decoded_frames=self._decoded_frames,
        )


def _unknown(files: Sequence[VideoFile], known: KnownVideos, progress: _Progress) -> list[VideoFile]:
    """Return the files that have to be opened: whose path, size or time is not as the library knows it."""
    unknown = []
    for file in files:
        record = known.by_status(file)
        if record is None:
            unknown.append(file)
        else:
            outcome = record.state if record.state == "failed" else "unchanged"
            progress.add(VideoEnd(file=file, outcome=outcome, reason=record.reason, content=record.content))
    return unknown


def _telling(read: ReadVideo, on_start: Callable[[str], object] | None) -> ReadVideo:
    """The same, but `on_start` hears of each file before."""
    if on_start is None:
        return read

    def told(file: VideoFile, decoder: DecodeProcess, emit: Callable[[Item], None]) -> VideoEnd:
        on_start(file.path)
        return read(file, decoder, emit)

    return told


def _encode(pool: DecodePool, writer: LibraryWriter, encoder: FrameEncoder | None) -> None:
    """Encode the frames of several videos together and store what is done."""
    waiting: list[FrameChunk] = []
    for item in pool:
        if isinstance(item, FrameChunk):
            waiting.append(item)
        elif isinstance(item, FeatureChunk):
            writer.add_features(item.file, item.times_s, item.features)
        else:
            writer.ended.append(item)
        is_full = sum(len(chunk.images) for chunk in waiting) >= _BATCH_FRAMES
        # A video that has ended waits for a full batch, unless the encoder would idle meanwhile.
        if is_full or (writer.ended and pool.is_waiting):
            _encode_batch(encoder, waiting, writer)
        if not waiting:
            writer.store_ended()
        if writer.is_due or pool.is_waiting:
            writer.commit()
    _encode_batch(encoder, waiting, writer)


def _encode_batch(encoder: FrameEncoder | None, chunks: list[FrameChunk], writer: LibraryWriter) -> None:
    """Encode the waiting chunks and pass their features on."""
    if not chunks or encoder is None:
        return
    features: dict[int, Features] = {}
    for alike in _of_one_size(chunks):
        made = encode_frames(encoder, np.concatenate([chunk.images for chunk in alike]))  # [B, feature_dim]
        ends = np.cumsum([len(chunk.images) for chunk in alike])
        features.update(zip(map(id, alike), np.split(made, ends), strict=False))
    for chunk in chunks:  # in the order in which they came, as a video's clips need it
        writer.add_features(chunk.file, chunk.times_s, features[id(chunk)])
    chunks.clear()


def _of_one_size(chunks: Sequence[FrameChunk]) -> Iterable[list[FrameChunk]]:
    """Chunks whose pictures have the same size, together."""
    sizes: dict[tuple[int, ...], list[FrameChunk]] = {}
    for chunk in chunks:
        sizes.setdefault(chunk.images.shape[1:], []).append(chunk)
    return sizes.values()
