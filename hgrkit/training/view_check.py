"""Checks the frame features of clips, all views at once, before anything is trained on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from hgrkit.errors import BenchmarkError, ShapeError

__all__ = ["check_views"]

Float32 = npt.NDArray[np.float32]


def check_views(views: Sequence[Mapping[str, Float32]], sources: Sequence[str]) -> None:
    """Refuse features that are not [F, K] with one K for all.

    Args:
        views: features by the clip's name.
        sources: what each view is called in messages, such as its file.

    Raises:
        ShapeError: if a clip has no frame, another number of axes than two, or another K than the first.
        BenchmarkError: if a clip has a number that is not finite.
    """
    first: tuple[str, str, int] | None = None
    for source, view in zip(sources, views, strict=True):
        for name, features in view.items():
            if features.ndim != 2 or 0 in features.shape:
                raise ShapeError(
                    f"the features of {name!r} ({source}) must be [F, K] with at least one frame, "
                    f"got {list(features.shape)}."
                )
            if first is None:
                first = (name, source, features.shape[1])
            if features.shape[1] != first[2]:
                raise ShapeError(
                    f"{name!r} ({source}) has {features.shape[1]} numbers a frame, but {first[0]!r} ({first[1]}) "
                    f"has {first[2]}; make all features with one frame encoder."
                )
            if not np.isfinite(features).all():
                raise BenchmarkError(
                    f"the features of {name!r} ({source}) hold numbers that are not finite; make them anew, or "
                    "leave the clip out."
                )
