"""Pictures as a network takes them: what `transformers` does with them, without Pillow and torchvision."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import CheckpointError

if TYPE_CHECKING:
    import torch

__all__ = ["PicturePreparation", "resize"]

_BILINEAR, _BICUBIC = 2, 3
"""Pillow's numbers of the filters."""

_ONE = 1 << 22
"""One in Pillow's fixed point."""


def _pair(value: Any) -> tuple[int, int] | None:
    """Height and width of a setting such as `224`, `{"height": 224, "width": 224}`."""
    if isinstance(value, Mapping):
        return (int(value["height"]), int(value["width"])) if "height" in value else None
    return None if value is None else (int(value), int(value))


@attrs.frozen(kw_only=True)
class PicturePreparation:
    """Scales, crops and normalises pictures.

    Attributes:
        size: height and width to squash to; `None` keeps the shape.
        shortest_edge: length of the shorter side, where the shape is kept.
        crop: height and width of the middle that is kept after that.
        patches: how many patches a picture of any shape becomes at most, as in SigLIP 2's NaFlex; 0 without.
        patch_size: their sides.
        resample: Pillow's number of the filter.
        scale: what pixels are multiplied by.
        mean: of each colour, taken off.
        std: of each colour, divided by.
    """

    size: tuple[int, int] | None
    shortest_edge: int | None
    crop: tuple[int, int] | None
    patches: int
    patch_size: int
    resample: int
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def from_json(cls, settings: Mapping[str, Any], where: str) -> Self:
        """Read the settings of an image processor.

        Raises:
            CheckpointError: if it does what is not known here.
        """
        try:
            return cls._read(settings)
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{where} is not understood: {type(error).__name__}: {error}.") from error

    @classmethod
    def _read(cls, settings: Mapping[str, Any]) -> Self:
        size = settings.get("size") if settings.get("do_resize", True) else None
        edge = size.get("shortest_edge") if isinstance(size, Mapping) else None
        crop = _pair(settings["crop_size"]) if settings.get("do_center_crop") else None
        if isinstance(size, int):  # as older files have it: of the shorter side where the middle is cropped
            edge, size = (size, None) if crop else (None, size)
        patches = int(settings.get("max_num_patches") or 0)
        normalises = settings.get("do_normalize", True)
        made = cls(
            size=None if patches or edge else _pair(size),
            shortest_edge=edge,
            crop=crop,
            patches=patches,
            patch_size=int(settings.get("patch_size") or 0),
            resample=int(settings.get("resample", _BICUBIC)),
            scale=float(settings.get("rescale_factor", 1 / 255)) if settings.get("do_rescale", True) else 1.0,
            mean=tuple(settings["image_mean"]) if normalises else (0.0,) * 3,
            std=tuple(settings["image_std"]) if normalises else (1.0,) * 3,
        )
        if made.resample not in _FILTERS:
            raise ValueError(f"resample is {made.resample}, expected one of {sorted(_FILTERS)}")
        if not patches and made.crop is None and made.size is None:
            raise ValueError("it states no size of pictures")
        return made

    @property
    def seen_size(self) -> tuple[int, int]:
        """Height and width of what the network sees; of a square, where it sees any shape."""
        if self.patches:
            side = math.isqrt(self.patches) * self.patch_size
            return side, side
        return self.crop or self.size or (0, 0)

    def __call__(self, pictures: npt.NDArray[np.uint8]) -> dict[str, torch.Tensor]:
        """Prepare pictures, uint8 [B, H, W, 3]: what the network's `get_image_features` takes."""
        import torch

        scaled = resize(pictures, self._target(*pictures.shape[1:3]), self.resample)
        cropped = scaled if self.crop is None else _centre(scaled, self.crop)
        mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
        values = (cropped.astype(np.float32) * np.float32(self.scale) - mean) / std
        if self.patches:
            return {name: torch.from_numpy(array) for name, array in self._in_patches(values).items()}
        return {"pixel_values": torch.from_numpy(np.ascontiguousarray(values.transpose(0, 3, 1, 2)))}

    def _target(self, height: int, width: int) -> tuple[int, int]:
        if self.patches:
            return _patch_grid(height, width, self.patch_size, self.patches)
        if self.shortest_edge is None:
            return self.size or (height, width)
        if height <= width:
            return self.shortest_edge, int(self.shortest_edge * width / height)
        return int(self.shortest_edge * height / width), self.shortest_edge

    def _in_patches(self, values: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[Any]]:
        """Patches in reading order, padded to as many as there may be: [B, N, P * P * 3], mask and grid."""
        batch, height, width, _ = values.shape
        rows, columns, side = height // self.patch_size, width // self.patch_size, self.patch_size
        cut = values.reshape(batch, rows, side, columns, side, 3).transpose(0, 1, 3, 2, 4, 5)
        patches = np.zeros((batch, self.patches, side * side * 3), np.float32)
        patches[:, : rows * columns] = cut.reshape(batch, rows * columns, -1)
        mask = np.zeros((batch, self.patches), np.int64)
        mask[:, : rows * columns] = 1
        grid = np.tile(np.array([rows, columns], np.int64), (batch, 1))
        return {"pixel_values": patches, "pixel_attention_mask": mask, "spatial_shapes": grid}


def _patch_grid(height: int, width: int, side: int, most: int) -> tuple[int, int]:
    """The largest size of about this shape that whole patches fill, as SigLIP 2's processor searches it."""

    def scaled(scale: float, length: int) -> int:
        return max(side, math.ceil(length * scale / side) * side)

    low, high, close = 1e-6, 100.0, 1e-5
    while high - low >= close:
        middle = (low + high) / 2
        if scaled(middle, height) // side * (scaled(middle, width) // side) <= most:
            low = middle
        else:
            high = middle
    return scaled(low, height), scaled(low, width)


def _centre(pictures: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """The middle of pictures; black lies around those that are too small."""
    for axis, wanted in enumerate(size, 1):
        length = pictures.shape[axis]
        if length < wanted:
            before = math.ceil((wanted - length) / 2)
            around = [(before, wanted - length - before) if dim == axis else (0, 0) for dim in range(4)]
            pictures = np.pad(pictures, around)
        start = (pictures.shape[axis] - wanted) // 2
        pictures = pictures.take(range(start, start + wanted), axis)
    return pictures


# scaling as Pillow does it -------------------------------------------------------------------------------------


def resize(pictures: npt.NDArray[np.uint8], size: tuple[int, int], resample: int) -> npt.NDArray[np.uint8]:
    """Scale pictures [B, H, W, 3] as Pillow does, to the bit: a filter that widens with the reduction.

    One axis is scaled after the other, and values are rounded to bytes after either, so that their order counts.
    It is that of Pillow 13, as its answers show: down first where H' < H and 2 (W - W') < H - H'.
    """
    (height, width), made = pictures.shape[1:3], pictures
    steps = [(2, width, size[1]), (1, height, size[0])]
    if size[0] < height and 2 * (width - size[1]) < height - size[0]:
        steps.reverse()
    for axis, length, wanted in steps:
        if length != wanted:
            made = _scaled(made, axis, _weights(length, wanted, resample))
    return made


def _scaled(pictures: npt.NDArray[np.uint8], axis: int, weights: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Scale one axis: weights [L', L]. Sums of whole numbers are exact, whatever the batch."""
    import torch

    values = torch.from_numpy(np.ascontiguousarray(pictures.swapaxes(1, axis))).double()  # [B, L, ..., 3]
    sums = torch.matmul(torch.from_numpy(weights), values.flatten(2))
    shown: npt.NDArray[np.uint8] = sums.add_(0.5).floor_().clamp_(0, 255).to(torch.uint8).numpy()
    return shown.reshape(len(pictures), len(weights), *values.shape[2:]).swapaxes(1, axis)


@lru_cache(maxsize=16)
def _weights(length: int, wanted: int, resample: int) -> npt.NDArray[np.float64]:
    """How much of each pixel of a line goes into each of the scaled one: [wanted, length], in fixed point."""
    shape, reach = _FILTERS[resample]
    step = length / wanted
    stretch = max(step, 1.0)
    centres = (np.arange(wanted) + 0.5)[:, None] * step
    pixels = np.arange(length)[None, :]
    first = np.maximum(np.floor(centres - reach * stretch + 0.5), 0)
    last = np.minimum(np.floor(centres + reach * stretch + 0.5), length)
    weights = np.where((pixels >= first) & (pixels < last), shape((pixels - centres + 0.5) / stretch), 0.0)
    fixed: npt.NDArray[np.float64] = np.rint(weights / weights.sum(axis=1, keepdims=True) * _ONE) / _ONE
    return fixed


def _triangle(distance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    found: npt.NDArray[np.float64] = np.maximum(1 - np.abs(distance), 0)
    return found


def _cubic(distance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Keys' cubic with a = -0.5 (Keys, 1981)."""
    far = np.abs(distance)
    near = (1.5 * far - 2.5) * far**2 + 1
    outer = ((-0.5 * far + 2.5) * far - 4) * far + 2
    found: npt.NDArray[np.float64] = np.where(far < 1, near, np.where(far < 2, outer, 0.0))
    return found


_FILTERS = {_BILINEAR: (_triangle, 1.0), _BICUBIC: (_cubic, 2.0)}
"""Each filter with how far it reaches."""
