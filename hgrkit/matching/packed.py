"""The matcher without torch: one level of many clips, packed for fast and exact search (HGR, section 3.4).

The library asks one sentence against thousands of clips. Clips with the same number of frames lie together, frame
by frame (`[F, clips, D]`), so that every step is one long vector operation and no frame is padding. The numbers
equal those of `hgrkit.matching.matcher.Matcher` to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import ShapeError
from hgrkit.matching.clip_similarities import mean_over_nodes
from hgrkit.matching.frame_weights import (
    Fusion,
    alignment_weights,
    check_fusion,
    fused_similarities,
    unit_and_length,
)

__all__ = ["Fusion", "PackedLevel", "alignment", "mean_over_nodes", "packed_similarities"]

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

_CHUNK_NODES = 64
"""Nodes in one product: bounds what many sentences take at once."""

_CHUNK_ELEMENTS = 1 << 18
"""Similarities worked on at once: about a megabyte, so that the steps after the product stay in the cache."""


@attrs.frozen(eq=False, repr=False, slots=False)
class _Group:
    """Clips with the same number of frames.

    Attributes:
        clips: their positions among all clips, [n].
        units: frames scaled to length one, [F, n, D].
        norms: the frames' lengths, [F, n].
    """

    clips: IntArray
    units: FloatArray
    norms: FloatArray

    @cached_property
    def gram(self) -> FloatArray:
        """Inner products of a clip's unit frames, [n, F, F]."""
        by_clip = np.ascontiguousarray(self.units.transpose(1, 0, 2))
        gram: FloatArray = by_clip @ by_clip.transpose(0, 2, 1)
        return gram

    def take(self, positions: IntArray, clips: IntArray) -> _Group:
        """Some of the clips, under new positions."""
        taken = _Group(clips, self.units[:, positions], self.norms[:, positions])
        if "gram" in self.__dict__:
            taken.__dict__["gram"] = self.gram[positions]
        return taken


@attrs.frozen(eq=False, repr=False)
class PackedLevel:
    """One level's frame embeddings of many clips, ready to be compared with nodes.

    Attributes:
        num_clips: V.
        embed_dim: D; 0 if there are no clips.
        groups: the clips by their number of frames.
    """

    num_clips: int
    embed_dim: int
    groups: tuple[_Group, ...]

    @classmethod
    def from_clips(cls, clips: Sequence[npt.NDArray[Any]]) -> PackedLevel:
        """Pack clips of [F, D] each; F may differ.

        Raises:
            ShapeError: if a clip is not [F, D] with at least one frame, or D differs between clips.
        """
        by_length: dict[int, list[int]] = {}
        for position, clip in enumerate(clips):
            if clip.ndim != 2 or not clip.shape[0] or clip.shape[1] != clips[0].shape[1]:
                raise ShapeError(
                    f"clip {position} must be [F, {clips[0].shape[-1]}] with at least one frame, "
                    f"got {list(clip.shape)}."
                )
            by_length.setdefault(clip.shape[0], []).append(position)
        groups = tuple(_pack([clips[i] for i in members], members) for _, members in sorted(by_length.items()))
        return cls(len(clips), clips[0].shape[1] if clips else 0, groups)

    def take(self, clips: npt.ArrayLike) -> PackedLevel:
        """The clips at these positions, in this order: the candidates of a first stage.

        Raises:
            ShapeError: if a position is not that of a clip.
        """
        wanted = np.asarray(clips, dtype=np.int64).reshape(-1)
        if wanted.size and (wanted.min() < 0 or wanted.max() >= self.num_clips):
            raise ShapeError(f"clips must be within [0, {self.num_clips}), got {wanted.min()} to {wanted.max()}.")
        group_of = np.empty(self.num_clips, dtype=np.int64)
        row_of = np.empty(self.num_clips, dtype=np.int64)
        for number, group in enumerate(self.groups):
            group_of[group.clips] = number
            row_of[group.clips] = np.arange(len(group.clips))
        groups = []
        for number, group in enumerate(self.groups):
            (positions,) = np.nonzero(group_of[wanted] == number)
            if positions.size:
                groups.append(group.take(row_of[wanted[positions]], positions.astype(np.int64)))
        return PackedLevel(len(wanted), self.embed_dim, tuple(groups))

    def __len__(self) -> int:
        """Number of clips."""
        return self.num_clips

    def __repr__(self) -> str:
        frames = sum(group.norms.size for group in self.groups)
        return f"PackedLevel(clips={self.num_clips}, frames={frames}, embed_dim={self.embed_dim})"


def packed_similarities(
    packed: PackedLevel, nodes: npt.ArrayLike, *, sharpness: float = 4.0, fusion: Fusion = "embed"
) -> FloatArray:
    """Every node's similarity to every clip.

    `s_t = cos(x_t, p)`, `r = max(s, 0) / ||max(s, 0)||`, `w = softmax(sharpness r)` over the clip's frames; then
    `cos(sum_t w_t x_t, p)` for the fusion `embed` and `sum_t w_t s_t` for `sim`.

    Args:
        packed: V clips.
        nodes: node embeddings, [P, D]; those of many sentences may be put end to end.
        sharpness: lambda of the softmax.
        fusion: `embed` or `sim`.

    Returns:
        Similarities in [-1, 1], float32 [V, P].

    Raises:
        ShapeError: if the nodes are not [P, D].
        ConfigError: if the fusion is unknown.

    Source: HGR (arXiv 2003.00392), section 3.4.
    """
    check_fusion(fusion)
    vectors = np.asarray(nodes, dtype=np.float32)
    if vectors.ndim != 2 or (packed.num_clips and vectors.shape[1] != packed.embed_dim):
        raise ShapeError(f"nodes must be [P, {packed.embed_dim}], got {list(vectors.shape)}.")
    units = unit_and_length(vectors)[0]
    similarities = np.zeros((packed.num_clips, len(units)), dtype=np.float32)
    for start in range(0, len(units), _CHUNK_NODES):
        columns = slice(start, start + _CHUNK_NODES)
        for group in packed.groups:
            similarities[group.clips, columns] = _compared(group, units[columns], sharpness, fusion)
    return similarities


def alignment(
    frames: npt.ArrayLike, nodes: npt.ArrayLike, *, sharpness: float = 4.0
) -> tuple[FloatArray, FloatArray]:
    """How much each frame of one clip bears on each node: what explanations show and moments are cut from.

    Args:
        frames: one clip's frame embeddings, [F, D].
        nodes: one level's node embeddings, [P, D].
        sharpness: lambda of the softmax.

    Returns:
        The alignment weights, [P, F], each row summing to one, and the cosines, [P, F].

    Raises:
        ShapeError: if the shapes do not fit.
    """
    rows = np.asarray(frames, dtype=np.float32)
    columns = np.asarray(nodes, dtype=np.float32)
    if rows.ndim != 2 or columns.ndim != 2 or rows.shape[1] != columns.shape[1] or not rows.shape[0]:
        raise ShapeError(
            f"frames [F, D] and nodes [P, D] do not fit: got {list(rows.shape)}, {list(columns.shape)}."
        )
    cosines: FloatArray = unit_and_length(rows)[0] @ unit_and_length(columns)[0].T  # [F, P]
    return np.ascontiguousarray(alignment_weights(cosines, sharpness).T), np.ascontiguousarray(cosines.T)


def _compared(group: _Group, nodes: FloatArray, sharpness: float, fusion: Fusion) -> FloatArray:
    """Similarities of clips of F frames and unit nodes [P, D]: [n, P]."""
    num_frames, num_clips, dim = group.units.shape
    cosines: FloatArray = group.units.reshape(-1, dim) @ nodes.T
    cosines = cosines.reshape(num_frames, num_clips, -1)  # [F, n, P]
    similarities = np.empty(cosines.shape[1:], dtype=np.float32)
    step = max(1, _CHUNK_ELEMENTS // (num_frames * len(nodes)))
    for start in range(0, num_clips, step):
        part = slice(start, start + step)
        weights = alignment_weights(cosines[:, part], sharpness)
        gram = group.gram[part] if fusion == "embed" else None
        similarities[part] = fused_similarities(cosines[:, part], weights, group.norms[:, part], gram)
    return similarities


def _pack(clips: Sequence[npt.NDArray[Any]], positions: Sequence[int]) -> _Group:
    frames = np.stack([np.asarray(clip, dtype=np.float32) for clip in clips], axis=1)  # [F, n, D]
    units, norms = unit_and_length(frames)
    return _Group(np.asarray(positions, dtype=np.int64), units, norms)
