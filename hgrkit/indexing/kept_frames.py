"""Frame features that indexing kept of a library's videos, for those who measure without decoding again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from hgrkit.errors import BenchmarkError
from hgrkit.indexing.feature_cache import CachedFeatures, FeatureCache
from hgrkit.library.library import Library

__all__ = ["kept_features", "kept_frames"]


def kept_features(library: Library, folder: Path) -> dict[str, npt.NDArray[np.float32]]:
    """Frame features [F, K] of a library's indexed videos, by their paths.

    Args:
        library: the library.
        folder: the folder that the features were kept in, usually the library's own.

    Raises:
        BenchmarkError: if there are none.
    """
    return {path: cached.features for path, cached in kept_frames(library, folder).items()}


def kept_frames(library: Library, folder: Path) -> dict[str, CachedFeatures]:
    """The same with the frames' times and the videos' lengths.

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
