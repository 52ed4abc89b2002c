"""Keeps frame features beside the library, so that another model or clip length needs no decoding."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import safetensors.numpy
from safetensors import SafetensorError

from hgrkit.errors import BenchmarkError, DamagedLibraryError
from hgrkit.library.database import translated_errors
from hgrkit.library.library import Library
from hgrkit.storage.atomic_file import TEMPORARY_SUFFIX
from hgrkit.storage.open_folder import OpenFolder

__all__ = [
    "CachedFeatures",
    "FeatureCache",
    "damaged_features",
    "delete_features",
    "kept_features",
    "kept_frames",
    "prune_features",
]

_SUFFIX = ".safetensors"
_FORMAT = "hgrkit-features-2"  # 1 counted times from the first picture, and took some pictures otherwise
_FOLDER = "cache/features"
_LONGEST_S = 1e8
_MOST_BYTES, _MOST_HEADER = 192 << 20, 1 << 20  # 21 hours at one frame a second, of 1,280 numbers each
# What a file that is absent, damaged or another's raises.
_UNREADABLE = (SafetensorError, OSError, ValueError, LookupError, TypeError, RecursionError)


@attrs.frozen(eq=False)
class CachedFeatures:
    """One video's `times_s` [F] and `features` float32 [F, K], when its pictures begin, and its length."""

    times_s: npt.NDArray[np.float64] = attrs.field(repr=False)
    features: npt.NDArray[np.float32] = attrs.field(repr=False)
    begin_s: float
    duration_s: float | None


@attrs.frozen
class FeatureCache:
    """`cache/features/KEY.safetensors` of a library: features of file contents, by one encoder and one sampling.

    Any of it may be deleted at any time. A file is used only if its name and its SHA-256 fit its content; a
    damaged one counts as absent, and is written again. Features are kept as float16.

    Attributes:
        library: the library's folder.
        frame_encoder: fingerprint of the frame encoder.
        sampling: how frames are picked.
    """

    library: Path
    frame_encoder: str
    sampling: str

    def load(self, content: str) -> CachedFeatures | None:
        """Load the features of a content hash; `None` if they are absent or damaged."""
        try:
            described, times_s, features = _read(self.library, self._name(content))
            if described != self._described(content, described["begin_s"], described["duration_s"]):
                return None
            found = CachedFeatures(
                times_s, features.astype(np.float32), described["begin_s"], described["duration_s"]
            )
            return found if _is_sound(found) else None
        except _UNREADABLE:
            return None

    def save(
        self,
        content: str,
        *,
        times_s: npt.NDArray[np.float64],
        features: npt.NDArray[np.float32],
        begin_s: float = 0.0,
        duration_s: float | None,
    ) -> None:
        """Keep a video's features; an error in writing, as on a full disk, is ignored.

        Args:
            content: hash of the file's bytes.
            times_s: [F] the frames' times in seconds.
            features: [F, K].
            begin_s: when its first picture is shown, in seconds.
            duration_s: the video's length in seconds.
        """
        with np.errstate(over="ignore"):
            half = features.astype(np.float16)
        if not np.isfinite(half).all():  # too large for float16
            return
        times_s = times_s.astype(np.float64)
        text = json.dumps(self._described(content, begin_s, duration_s), sort_keys=True)
        metadata = {"features": text, "sha256": _digest(text, times_s, half)}
        saved = safetensors.numpy.save({"times_s": times_s, "features": half}, metadata)
        if len(saved) <= _MOST_BYTES:
            _write(self.library, self._name(content), saved)

    def _name(self, content: str) -> str:
        return f"{_key(self._described(content, 0.0, None))}{_SUFFIX}"

    def _described(self, content: str, begin_s: float, duration_s: float | None) -> dict[str, Any]:
        return {
            "format": _FORMAT,
            "content": content,
            "frame_encoder": self.frame_encoder,
            "sampling": self.sampling,
            "begin_s": begin_s,
            "duration_s": duration_s,
        }


def prune_features(library: Path, contents: Collection[str]) -> int:
    """Delete features of other contents than these, files that cannot be read, and those of a killed writer.

    Args:
        library: the library's folder; the caller holds its writer's lock.
        contents: content hashes of the videos whose features may stay.

    Returns:
        The number of bytes that were freed.
    """
    freed = 0
    with _opened(library) as folder:
        for name in folder.names(_FOLDER):
            if name.endswith((_SUFFIX, _SUFFIX + TEMPORARY_SUFFIX)) and _named(library, name) not in contents:
                with suppress(OSError):
                    status = folder.status(f"{_FOLDER}/{name}")
                    folder.unlink(f"{_FOLDER}/{name}")
                    freed += 0 if status is None else status.st_size
    return freed


def damaged_features(library: Path) -> tuple[str, ...]:
    """Return the files that are damaged, or have another's name, relative to the library; they are never used."""
    with _opened(library) as folder:
        names = [name for name in folder.names(_FOLDER) if name.endswith(_SUFFIX)]
    return tuple(f"{_FOLDER}/{name}" for name in names if not _is_whole(library, name))


def delete_features(library: Path, files: Collection[str]) -> None:
    """Delete files that `damaged_features` named."""
    with _opened(library) as folder:
        for file in files:
            folder.unlink(file)


@contextmanager
def _opened(library: Path) -> Iterator[OpenFolder]:
    with translated_errors(library), OpenFolder(library) as folder:
        yield folder


def _key(described: dict[str, Any]) -> str:
    named = [described["content"], described["frame_encoder"], described["sampling"]]
    return hashlib.sha256(json.dumps(named).encode()).hexdigest()


def _digest(text: str, times_s: npt.NDArray[np.float64], features: npt.NDArray[np.float16]) -> str:
    digest = hashlib.sha256(f"{text}\n{list(features.shape)}\n".encode())
    digest.update(np.ascontiguousarray(times_s).data)
    digest.update(np.ascontiguousarray(features).view(np.uint8).data)
    return digest.hexdigest()


def _read(library: Path, name: str) -> tuple[dict[str, Any], npt.NDArray[np.float64], npt.NDArray[np.float16]]:
    """Read a file's description, times and features, and check its checksum; raises one of `_UNREADABLE`."""
    data = _content(library, name, _MOST_BYTES)
    metadata, tensors = _metadata(data), safetensors.numpy.load(data)
    times_s, features = tensors["times_s"], tensors["features"]
    text = metadata["features"]
    kinds = (times_s.dtype.name, features.dtype.name) == ("float64", "float16")
    shapes = features.ndim == 2 and times_s.shape == features.shape[:1]
    if not kinds or not shapes or metadata["sha256"] != _digest(text, times_s, features):
        raise ValueError("its checksum does not fit")
    return dict(json.loads(text)), times_s, features


def _content(library: Path, name: str, most: int) -> bytes:
    """The first bytes of a file, read rather than mapped: whoever shortens it must not end this process."""
    with OpenFolder(library) as folder:
        content = folder.read(f"{_FOLDER}/{name}", most)
    if content is None:
        raise FileNotFoundError(name)
    return content


def _metadata(content: bytes) -> dict[str, str]:
    """What a file's header says beside its tensors; `safetensors` reads that from files alone."""
    size = int.from_bytes(content[:8], "little")
    return dict(json.loads(content[8 : 8 + size])["__metadata__"])


def _is_whole(library: Path, name: str) -> bool:
    try:
        return name == _key(_read(library, name)[0]) + _SUFFIX
    except _UNREADABLE:
        return False


def _is_sound(found: CachedFeatures) -> bool:
    """Whether the values make sense: finite features at ascending times, and a plausible length in seconds."""
    times_s, begin_s, duration_s = found.times_s, found.begin_s, found.duration_s
    return bool(
        len(times_s)
        and np.isfinite(found.features).all()
        and 0 <= times_s[0] <= times_s[-1] <= _LONGEST_S
        and 0 <= begin_s <= _LONGEST_S
        and (np.diff(times_s) >= 0).all()
        and (duration_s is None or 0 <= duration_s <= _LONGEST_S)
    )


def _named(library: Path, name: str) -> str | None:
    """Return the content hash that a file names; `None` if it names none, or the file has another's name."""
    try:
        described = json.loads(_metadata(_content(library, name, _MOST_HEADER))["features"])
        return str(described["content"]) if name == _key(described) + _SUFFIX else None
    except _UNREADABLE:
        return None


def _write(library: Path, name: str, content: bytes) -> None:
    """Write a file atomically, but without waiting for the disk: it need not survive a crash of the machine."""
    with suppress(OSError, DamagedLibraryError), OpenFolder(library) as folder:
        for above in (_FOLDER.partition("/")[0], _FOLDER):
            folder.make(above)
        folder.write(f"{_FOLDER}/{name}", content, durable=False)


def kept_features(library: Library, folder: Path) -> dict[str, npt.NDArray[np.float32]]:
    """Load the frame features [F, K] of a library's indexed videos, by their paths.

    Args:
        library: the library.
        folder: the folder that the features were kept in, usually the library's own.

    Raises:
        BenchmarkError: if there are none.
    """
    return {path: cached.features for path, cached in kept_frames(library, folder).items()}


def kept_frames(library: Library, folder: Path) -> dict[str, CachedFeatures]:
    """Load the same with the frames' times and the videos' lengths.

    Raises:
        BenchmarkError: if there are none.
    """
    made_with = library.manifest
    cache = FeatureCache(
        folder, frame_encoder=made_with.frame_encoder_fingerprint, sampling=str(made_with.sampling)
    )
    kept = {video.path: cache.load(video.content) for video in library.videos() if video.state == "indexed"}
    found = {path: cached for path, cached in kept.items() if cached is not None}
    if len(found) < len(kept):
        raise BenchmarkError(
            f"the library kept frame features of {len(found)} of its {len(kept)} videos; "
            "give their features with --features FILE."
        )
    return found
