"""Pictures as a network was trained on them: scaled as Pillow scales, cropped and normalised, with numpy alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Self, final

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import ShapeError

__all__ = [
    "BICUBIC",
    "BILINEAR",
    "FrameSize",
    "PicturePreparation",
    "PictureScaling",
    "check_pictures",
    "resize",
]

Pictures = npt.NDArray[np.uint8]

BILINEAR, BICUBIC = 2, 3
"""Pillow's numbers of the filters."""

_ONE = 1 << 22
"""One in Pillow's fixed point."""

_BLOCK = 8  # lines that are scaled in one product: larger ones multiply more zeros, smaller ones cost more calls


def _pair(value: Any) -> tuple[int, int] | None:
    return None if value is None else (int(value[0]), int(value[1]))


def _floats(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(map(float, values))


def check_pictures(pictures: Pictures) -> None:
    """Refuse what is no batch of pictures of one size.

    Raises:
        ShapeError: if it is not uint8 [B, H, W, 3].
    """
    if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[3] != 3 or 0 in pictures.shape[1:]:
        raise ShapeError(f"frames must be uint8 [B, H, W, 3], got {pictures.dtype} {list(pictures.shape)}.")


@final
@attrs.frozen(kw_only=True)
class PictureScaling:
    """To which size a picture is scaled, and what is kept of it; the sides are heights and widths in pixels.

    Attributes:
        size: the size that the whole picture is squashed to; `None` keeps its shape.
        shortest_edge: length of the shorter side, where the shape is kept.
        crop: the middle that is kept after that; black lies around a picture that is smaller.
        patches: how many patches a picture of any shape becomes at most, as in SigLIP 2's NaFlex; 0 without.
        patch_size: their sides.
        resample: the filter, `BILINEAR` or `BICUBIC`.
        rounds_crop: place the middle of an odd margin as torchvision does, not as `transformers`.
    """

    size: tuple[int, int] | None = attrs.field(default=None, converter=_pair)
    shortest_edge: int | None = None
    crop: tuple[int, int] | None = attrs.field(default=None, converter=_pair)
    patches: int = 0
    patch_size: int = 0
    resample: int = BICUBIC
    rounds_crop: bool = False

    def __attrs_post_init__(self) -> None:
        if self.resample not in _FILTERS:
            raise ValueError(f"resample is {self.resample}, expected one of {sorted(_FILTERS)}")
        if not self.patches and self.crop is None and self.size is None:
            raise ValueError("it states no size of pictures")

    @property
    def seen_size(self) -> tuple[int, int]:
        """Of what the network sees; of a square, where it sees any shape."""
        if self.patches:
            side = math.isqrt(self.patches) * self.patch_size
            return side, side
        return self.crop or self.size or (0, 0)

    @property
    def decoded_size(self) -> tuple[int, int] | None:
        """Of every picture that `decoded` returns; `None` where it depends on the picture."""
        if self.size is not None:
            return self.size
        edge, crop = self.shortest_edge, self.crop
        # the middle of a middle is the middle of the whole where the margins are even
        if edge is None or crop is None or any(edge < side or (edge - side) % 2 for side in crop):
            return None
        return edge, edge

    def target(self, height: int, width: int) -> tuple[int, int]:
        """The size that a picture of this size is scaled to, before it is cropped."""
        if self.patches:
            return _patch_grid(height, width, self.patch_size, self.patches)
        if self.shortest_edge is None:
            return self.size or (height, width)
        if height <= width:
            return self.shortest_edge, int(self.shortest_edge * width / height)
        return int(self.shortest_edge * height / width), self.shortest_edge

    def decoded(self, picture: Pictures) -> Pictures:
        """Bring a picture [H, W, 3] near to what the network sees: doing all again then gives the same."""
        decoded: Pictures = self._scaled(picture[None], self.decoded_size if self.size is None else None)[0]
        return decoded

    def __call__(self, pictures: Pictures) -> Pictures:
        """Scale and crop pictures of one size [B, H, W, 3] to what the network sees."""
        return self._scaled(pictures, self.crop)

    def _scaled(self, pictures: Pictures, crop: tuple[int, int] | None) -> Pictures:
        target = self.target(*pictures.shape[1:3])
        if crop is None:
            return resize(pictures, target, self.resample)
        rows, columns = (self._middle(length, wanted) for length, wanted in zip(target, crop, strict=True))
        return _with_border(resize(pictures, target, self.resample, (rows, columns)), crop)

    def _middle(self, length: int, wanted: int) -> slice:
        surplus = max(0, length - wanted)
        start = round(surplus / 2) if self.rounds_crop else surplus // 2
        return slice(start, start + min(length, wanted))


FrameSize = tuple[int, int] | PictureScaling
"""What pictures are decoded to: height and width that they are squashed to, or how they are scaled."""


@final
@attrs.frozen(kw_only=True)
class PicturePreparation:
    """All that happens to a picture before a network sees it.

    Attributes:
        scaling: to which size.
        scale: what pixels are multiplied by.
        mean: of each colour, taken off.
        std: of each colour, divided by.
    """

    scaling: PictureScaling
    scale: float
    mean: tuple[float, ...] = attrs.field(converter=_floats)
    std: tuple[float, ...] = attrs.field(converter=_floats)

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Self:
        """Read what `attrs.asdict` wrote.

        Raises:
            TypeError, ValueError: if it is not that.
        """
        return cls(**{**record, "scaling": PictureScaling(**record["scaling"])})

    def __call__(self, pictures: Pictures) -> dict[str, npt.NDArray[Any]]:
        """Prepare pictures of one size, uint8 [B, H, W, 3]: what networks of `transformers` take, by name."""
        mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
        values = self.scaling(pictures).astype(np.float32)
        values *= np.float32(self.scale)
        values -= mean
        values /= std
        if self.scaling.patches:
            return self._in_patches(values)
        return {"pixel_values": np.ascontiguousarray(values.transpose(0, 3, 1, 2))}

    def _in_patches(self, values: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[Any]]:
        """Patches in reading order, padded to as many as there may be: [B, N, P * P * 3], mask and grid."""
        batch, height, width, _ = values.shape
        side, most = self.scaling.patch_size, self.scaling.patches
        rows, columns = height // side, width // side
        cut = values.reshape(batch, rows, side, columns, side, 3).transpose(0, 1, 3, 2, 4, 5)
        patches = np.zeros((batch, most, side * side * 3), np.float32)
        patches[:, : rows * columns] = cut.reshape(batch, rows * columns, -1)
        mask = np.zeros((batch, most), np.int64)
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


def _with_border(pictures: Pictures, size: tuple[int, int]) -> Pictures:
    """Pictures that are smaller than that, in the middle of black."""
    missing = [wanted - length for wanted, length in zip(size, pictures.shape[1:3], strict=True)]
    if not any(missing):
        return pictures
    sides = [(math.ceil(length / 2), length // 2) for length in missing]
    return np.pad(pictures, [(0, 0), *sides, (0, 0)])


# scaling as Pillow does it -------------------------------------------------------------------------------------


def resize(
    pictures: Pictures, size: tuple[int, int], resample: int, kept: tuple[slice, slice] | None = None
) -> Pictures:
    """Scale pictures as Pillow does, to the bit: a filter that widens with the reduction.

    One axis is scaled after the other, and values are rounded to bytes after either, so that their order counts.
    It is that of Pillow 13, as its answers show: down first where H' < H and 2 (W - W') < H - H'.

    Args:
        pictures: uint8 [B, H, W, 3].
        size: H' and W'.
        resample: the filter.
        kept: rows and columns of the scaled picture that are wanted; all by default.
    """
    (height, width), made = pictures.shape[1:3], pictures
    rows, columns = kept or (slice(0, size[0]), slice(0, size[1]))
    steps = [(2, width, size[1], columns), (1, height, size[0], rows)]
    if size[0] < height and 2 * (width - size[1]) < height - size[0]:
        steps.reverse()
    for axis, length, wanted, lines in steps:
        if length != wanted:
            made = _scaled(made, axis, _weights(length, wanted, resample)[lines])
        elif (lines.start, lines.stop) != (0, wanted):
            made = made.take(range(lines.start, lines.stop), axis)
    return made


def _scaled(pictures: Pictures, axis: int, weights: npt.NDArray[np.float64]) -> Pictures:
    """Scale one axis: weights [L', L]. Sums of whole numbers below 2^53 are exact, whatever their order."""
    turned = np.moveaxis(pictures, axis, 0)  # [L, ...]
    values = turned.reshape(len(turned), -1).astype(np.float64)
    made = np.empty((len(weights), values.shape[1]), np.uint8)
    for start in range(0, len(weights), _BLOCK):
        block = weights[start : start + _BLOCK]
        reached = np.flatnonzero(block.any(axis=0))
        first, last = reached[0], reached[-1] + 1
        sums = block[:, first:last] @ values[first:last]
        sums += 0.5
        made[start : start + _BLOCK] = np.clip(sums, 0, 255, out=sums)  # the cast cuts off, and so rounds down
    return np.ascontiguousarray(np.moveaxis(made.reshape(len(weights), *turned.shape[1:]), 0, axis))


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


_FILTERS = {BILINEAR: (_triangle, 1.0), BICUBIC: (_cubic, 2.0)}
"""Each filter with how far it reaches."""
