"""Reads how a model's own image processor prepares pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hgrkit.errors import CheckpointError
from hgrkit.video.preparation import BICUBIC, PicturePreparation, PictureScaling

__all__ = ["read_preparation"]


def read_preparation(settings: Mapping[str, Any], where: str) -> PicturePreparation:
    """Read the settings of an image processor of `transformers`.

    Raises:
        CheckpointError: if it does what is not known here.
    """
    try:
        return _read(settings)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{where} is not understood: {type(error).__name__}: {error}.") from error


def _read(settings: Mapping[str, Any]) -> PicturePreparation:
    size = settings.get("size") if settings.get("do_resize", True) else None
    edge = size.get("shortest_edge") if isinstance(size, Mapping) else None
    crop = _pair(settings["crop_size"]) if settings.get("do_center_crop") else None
    if isinstance(size, int):  # as older files have it: of the shorter side where the middle is cropped
        edge, size = (size, None) if crop else (None, size)
    patches = int(settings.get("max_num_patches") or 0)
    normalises = settings.get("do_normalize", True)
    return PicturePreparation(
        scaling=PictureScaling(
            size=None if patches or edge else _pair(size),
            shortest_edge=edge,
            crop=crop,
            patches=patches,
            patch_size=int(settings.get("patch_size") or 0),
            resample=int(settings.get("resample", BICUBIC)),
        ),
        scale=float(settings.get("rescale_factor", 1 / 255)) if settings.get("do_rescale", True) else 1.0,
        mean=tuple(settings["image_mean"]) if normalises else (0.0,) * 3,
        std=tuple(settings["image_std"]) if normalises else (1.0,) * 3,
    )


def _pair(value: Any) -> tuple[int, int] | None:
    """Height and width of a setting such as `224`, `{"height": 224, "width": 224}`."""
    if isinstance(value, Mapping):
        return (int(value["height"]), int(value["width"])) if "height" in value else None
    return None if value is None else (int(value), int(value))
