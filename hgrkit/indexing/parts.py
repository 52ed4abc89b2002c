"""What a library is made with, the model, the frame encoder and the sampling, and its upgrade to other parts."""

# Paths are compared without following links, as `os.path` does it.
# ruff: noqa: PTH117

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import attrs

from hgrkit.checks.arguments import check_number, shown
from hgrkit.errors import ConfigError, LibraryError, LibraryLockedError, ShapeError
from hgrkit.indexing.feature_cache import FeatureCache
from hgrkit.indexing.known_videos import are_typed_here
from hgrkit.indexing.pipeline import index_videos
from hgrkit.indexing.report import IndexReport
from hgrkit.indexing.walk import VideoFile, found_file, is_gone
from hgrkit.levels import PerLevel
from hgrkit.library.database import translated_errors
from hgrkit.library.library import Library
from hgrkit.library.manifest import CLIP_SECONDS, Manifest
from hgrkit.library.records import Float32, VideoRecord
from hgrkit.library.store import Entry, Rename
from hgrkit.model.loaded import LoadedModel
from hgrkit.video.frame_encoder import FrameEncoder, load_frame_encoder
from hgrkit.video.sampling import Sampling, parse_sampling

__all__ = [
    "DEFAULT_CLIP_SECONDS",
    "DEFAULT_SAMPLING",
    "FEATURES_ONLY",
    "UPGRADE_FOLDER",
    "LoadedModel",
    "Parts",
    "drop_finished_upgrade",
    "upgrade_library",
]

FEATURES_ONLY = "features"
"""The frame encoder's name where there is none: frame features come from files."""

DEFAULT_SAMPLING = "fps:2"
DEFAULT_CLIP_SECONDS = 30.0

UPGRADE_FOLDER = "upgrade"
"""Where, in a library's folder, its next encoding is made; nothing reads it but the upgrade itself."""

_OF_AN_UPGRADE = re.compile(
    r"library\.sqlite[-.a-z]*|writer\.lock|newest\.txt(\.tmp)?|arrays(/(clips|frames)-\d+\.bin)?"
    r"|segments(/[0-9a-f]{32}\.safetensors)?|cache(/ann\.(hnsw|json)(\.tmp)?)?"
)

_NAMED = 3  # videos in the error of an upgrade that cannot be completed


@attrs.frozen(kw_only=True, eq=False)
class Parts:
    """What a library's embeddings are made with.

    Attributes:
        model: turns features into embeddings.
        frame_encoder: turns pictures into features; `None` if they come from files.
        frame_encoder_name: its name, `features` if there is none.
        sampling: how frames are picked.
        clip_seconds: the longest clip that a video is cut into.
    """

    model: LoadedModel
    frame_encoder: FrameEncoder | None
    frame_encoder_name: str
    sampling: Sampling
    clip_seconds: float

    @classmethod
    def choose(
        cls,
        model: LoadedModel,
        *,
        frame_encoder: str | FrameEncoder | None = None,
        sampling: str | Sampling | None = None,
        clip_seconds: float | None = None,
        device: str = "auto",
        replaces: Manifest | None = None,
    ) -> Parts:
        """Fill in what was not asked for from what the model was made for, then from the defaults.

        Args:
            model: a loaded model.
            frame_encoder: a name or an instance.
            sampling: such as `fps:2`, or an instance.
            clip_seconds: the longest clip.
            device: for the frame encoder: `auto` or the name of a torch device.
            replaces: the manifest of a library that has other parts: its sampling and clip length stay, and
                features from files stay features from files.

        Raises:
            FrameEncoderNotFoundError: if no such frame encoder is installed.
            ShapeError: if its features do not fit the model.
            ConfigError: if the sampling or the clip length cannot be used.
        """
        origin, feature_dim = model.config.origin, model.config.video.feature_dim
        before = replaces or origin
        wanted: str | FrameEncoder = FEATURES_ONLY if frame_encoder is None else frame_encoder
        if frame_encoder is None and (replaces is None or replaces.frame_encoder != FEATURES_ONLY):
            wanted = origin.frame_encoder or before.frame_encoder or FEATURES_ONLY
        encoder = None if wanted == FEATURES_ONLY else load_frame_encoder(wanted, device=device)
        name = wanted if isinstance(wanted, str) else type(wanted).__name__
        if encoder is not None and encoder.feature_dim != feature_dim:
            raise ShapeError(
                f"the frame encoder {name!r} makes {encoder.feature_dim} numbers a frame, but the model "
                f"{model.name!r} was built with feature_dim={feature_dim}."
            )
        picked = before.sampling or DEFAULT_SAMPLING if sampling is None else sampling
        if isinstance(picked, str):
            picked = parse_sampling(picked)
        if not isinstance(picked, Sampling) or isinstance(picked, type):
            raise ConfigError(f"sampling must be such as 'fps:2' or 'uniform:20', got {shown(picked)}.")
        length = before.clip_seconds or origin.clip_seconds or DEFAULT_CLIP_SECONDS
        if clip_seconds is not None:
            length = clip_seconds
        return cls(
            model=model,
            frame_encoder=encoder,
            frame_encoder_name=name,
            sampling=picked,
            clip_seconds=check_number("clip_seconds", length, CLIP_SECONDS),
        )

    @classmethod
    def of_library(
        cls,
        library: Library,
        folder: Path,
        model: LoadedModel,
        *,
        frame_encoder: str | FrameEncoder | None,
        sampling: str | Sampling | None,
        clip_seconds: float | None,
        device: str,
    ) -> Parts:
        """The parts of a library that is open for writing, in its folder; what is asked for must be what made it.

        Raises:
            LibraryMismatchError: if a part is not.
        """
        made_with = library.manifest
        parts = cls.choose(
            model,
            frame_encoder=made_with.frame_encoder if frame_encoder is None else frame_encoder,
            sampling=made_with.sampling if sampling is None else sampling,
            clip_seconds=made_with.clip_seconds if clip_seconds is None else clip_seconds,
            device=device,
        )
        made_with.require(parts.manifest, library=str(folder))
        drop_finished_upgrade(library, folder)
        return parts

    @property
    def index(self) -> partial[IndexReport]:
        """`index_videos` with these parts; takes the library, the files and its other arguments."""
        return partial(
            index_videos,
            frame_encoder=self.frame_encoder,
            embed=self.embed,
            sampling=self.sampling,
            clip_seconds=self.clip_seconds,
            max_frames=self.model.config.video.max_frames,
        )

    def embed(self, features: Float32) -> PerLevel[Float32]:
        """Embed a clip's frame features, [F, K]; the model's weights are read for the first of them."""
        return self.model.clip_encoder(features)

    def feature_cache(self, library: Path) -> FeatureCache | None:
        """The features of these parts kept by the library in a folder; `None` where no frames are encoded."""
        if self.frame_encoder is None:
            return None
        return FeatureCache(library, frame_encoder=self.frame_encoder.fingerprint, sampling=str(self.sampling))

    @property
    def manifest(self) -> Manifest:
        """The manifest of a library made with these parts."""
        return Manifest(
            model=self.model.name,
            model_fingerprint=self.model.fingerprint,
            frame_encoder=self.frame_encoder_name,
            frame_encoder_fingerprint=self.frame_encoder.fingerprint if self.frame_encoder else FEATURES_ONLY,
            sampling=str(self.sampling),
            clip_seconds=self.clip_seconds,
            embed_dim=self.model.config.video.embed_dim,
        )


def upgrade_library(
    library: Library,
    folder: Path,
    wanted: Manifest,
    index: Callable[..., IndexReport],
    *,
    cache: FeatureCache | None = None,
    prune: bool = False,
) -> IndexReport:
    """Encode every video of a library with other parts and replace the library by the result.

    Videos whose features are cached, or were encoded by an interrupted upgrade, are not decoded. If only names
    differ nothing is encoded. Failed videos and the user's metadata are carried over.

    Args:
        library: open for writing; it answers as before until one commit switches it.
        folder: its folder.
        wanted: what it is to be made with.
        index: `index_videos` with the wanted parts.
        cache: features for the wanted parts.
        prune: drop videos that cannot be carried over because their files are gone.

    Returns:
        What was encoded now (`indexed`, `duplicates`), had been before an interruption (`unchanged`), failed, or
        was dropped (`missing`, `pruned`).

    Raises:
        LibraryError: if videos cannot be carried over; what was encoded is kept for the next attempt.
    """
    beside = folder / UPGRADE_FOLDER
    if library.manifest.model_fingerprint == wanted.model_fingerprint:  # what was learned of this model holds
        wanted = attrs.evolve(wanted, level_weights=library.manifest.level_weights)
    if library.manifest.fits(wanted):
        if library.manifest != attrs.evolve(wanted, format_version=library.manifest.format_version):
            library.relabel(wanted)
        _drop(beside)
        return IndexReport()
    with _begun(beside, wanted) as target:
        report, left = _encode(library.videos(), target, index, cache)
        dropped = [record.path for record in left if prune and is_gone(record.path)]
        if not are_typed_here(library.videos(), found_file):  # relative paths then say nothing of where videos are
            dropped = [path for path in dropped if os.path.isabs(path)]
        if len(left) > len(dropped):
            raise _not_carried(folder, [record for record in left if record.path not in dropped], report)
        _match_records(library.videos(), target)
        library.replace_with(target)
    _drop(beside)
    return attrs.evolve(report, missing=tuple(dropped), pruned=len(dropped))


def drop_finished_upgrade(library: Library, folder: Path) -> None:
    """Delete the folder of an upgrade that was interrupted after it had switched; an unfinished one is kept.

    Args:
        library: open for writing.
        folder: its folder.
    """
    beside = folder / UPGRADE_FOLDER
    if not os.path.lexists(beside):
        return
    try:
        _require_no_link(beside)
        with Library.open(beside) as target:
            finished = target.manifest.fits(library.manifest)
    except LibraryError:  # of no use to the next upgrade either, which makes it anew
        finished = False
    if finished:
        _drop(beside)


def _encode(
    videos: Sequence[VideoRecord], target: Library, index: Callable[..., IndexReport], cache: FeatureCache | None
) -> tuple[IndexReport, list[VideoRecord]]:
    """Encode what is not there yet; returns the report, and the videos that could not be read."""
    there = {record.path: record for record in target.videos()}
    failed = [record for record in videos if record.state == "failed"]
    target.update(put=[Entry(record) for record in failed if there.get(record.path) != record])
    indexed = [record for record in videos if record.state == "indexed"]
    contents: dict[VideoFile, str] = {}
    files = [_file(record, contents, cache) for record in indexed]
    files.sort(key=lambda file: is_gone(file.path))  # of equal bytes, a file that is there is read
    report = index(target, files, contents=contents, follow_moves=False) if files else IndexReport()
    there = {record.path: record for record in target.videos()}
    unread = {failure.path for failure in report.failures}
    left = [
        record
        for record in indexed
        if record.path not in there or (record.path in unread and there[record.path].state == "indexed")
    ]
    return report, left


def _file(record: VideoRecord, contents: dict[VideoFile, str], cache: FeatureCache | None) -> VideoFile:
    """Return the file of a video: as it is if it has to be read, as the library knows it if it is cached."""
    known, found = VideoFile(record.path, record.size, record.mtime_ns), found_file(record.path)
    changed = found is not None and found != known
    if found is not None and changed and (cache is None or cache.load(record.content) is None):
        return found
    contents[known] = record.content
    return known


def _match_records(videos: Sequence[VideoRecord], target: Library) -> None:
    """Remove what is no longer in the library, and carry over the user's metadata."""
    metadata = {record.path: record.metadata for record in videos}
    target.update(
        remove=[record.path for record in target.videos() if record.path not in metadata],
        rename=[
            Rename(record.path, attrs.evolve(record, metadata=metadata[record.path]))
            for record in target.videos()
            if record.path in metadata and record.metadata != metadata[record.path]
        ],
    )


def _begun(folder: Path, wanted: Manifest) -> Library:
    """Open the library that an interrupted upgrade to the same parts left, or create one."""
    try:
        _require_no_link(folder)
        target = Library.open(folder, "w", candidates="flat")
    except LibraryLockedError:
        raise
    except LibraryError:  # there is none, or it is not whole
        return _made_anew(folder, wanted)
    try:
        target.snapshot().events()  # reads and checks every segment
        if target.manifest.fits(wanted):
            return target
    except LibraryError:
        pass
    except BaseException:
        target.close()
        raise
    target.close()
    return _made_anew(folder, wanted)


def _require_no_link(folder: Path) -> None:
    if folder.is_symlink():
        raise LibraryError(f"{folder} is a link, and leads to another library.")


def _made_anew(folder: Path, wanted: Manifest) -> Library:
    _delete(folder)
    return Library.create(folder, wanted, candidates="flat")


def _delete(folder: Path) -> None:
    """Delete the library of an upgrade, or a link or file in its place.

    Raises:
        LibraryError: if something is in it that hgrkit did not make.
    """
    with translated_errors(folder):
        if folder.is_dir() and not folder.is_symlink():
            for path in folder.rglob("*"):
                if not _OF_AN_UPGRADE.fullmatch(path.relative_to(folder).as_posix()):
                    raise LibraryError(f"{path} is no part of an upgrade; move it away.")
            shutil.rmtree(folder)
        else:
            folder.unlink(missing_ok=True)


def _drop(folder: Path) -> None:
    """Delete a folder that is no longer needed; one that cannot be deleted does no harm."""
    with suppress(LibraryError):
        _delete(folder)


def _not_carried(folder: Path, left: Sequence[VideoRecord], report: IndexReport) -> LibraryError:
    reasons = {failure.path: failure.reason for failure in report.failures}
    named = "; ".join(f"{record.path!r} ({reasons.get(record.path, 'unknown')})" for record in left[:_NAMED])
    more = f"; and {len(left) - _NAMED} more" if len(left) > _NAMED else ""
    return LibraryError(
        f"the library {folder} is not upgraded and answers as before, because {len(left)} of its videos cannot be "
        f"read again and their features are not cached: {named}{more}. Bring the files back and upgrade again, or "
        "drop those that are gone with --prune (prune=True)."
    )
