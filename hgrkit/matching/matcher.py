"""Compares clips with sentences at every level, on tensors that carry gradients (HGR, section 3.4).

The attended vector is never formed: with unit frames `u_t`, lengths `n_t` and `G = U U^T` (once a clip),
`(sum_t w_t x_t) . p` and `||sum_t w_t x_t||^2` need only the cosines, the lengths and G.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import Any, TypeVar, Unpack

import attrs
import torch
from torch import Tensor, nn

from hgrkit.checks.arguments import check_instance, check_whole, shown
from hgrkit.checks.settings import takes_settings, to_json
from hgrkit.errors import ShapeError
from hgrkit.levels import PerLevel
from hgrkit.matching.config import MatcherConfig, MatcherSettings, fuse
from hgrkit.matching.embeddings import TextEmbeddings, VideoEmbeddings
from hgrkit.matching.frame_weights import EPSILON, Fusion

__all__ = ["Fusion", "Matcher", "Scores", "unit_vectors"]

Embeddings = TypeVar("Embeddings", VideoEmbeddings, TextEmbeddings)


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Scores:
    """How well each clip fits each sentence.

    Attributes:
        fused: weighted mean over the levels, [V, C].
        levels: each level's own score, [V, C], in [-1, 1]; 0 where the sentence has no node of the level.
    """

    fused: Tensor
    levels: PerLevel[Tensor]

    def __attrs_post_init__(self) -> None:
        check_instance("levels", self.levels, PerLevel, error=ShapeError)
        for scores in (self.fused, *self.levels):
            if not isinstance(scores, Tensor) or scores.ndim != 2 or scores.shape != self.fused.shape:
                raise ShapeError(f"scores must be tensors [V, C] of one shape, got {shown(scores)}.")

    def __repr__(self) -> str:
        clips, captions = self.fused.shape
        return f"Scores(clips={clips}, captions={captions})"


@takes_settings(MatcherConfig)
class Matcher(nn.Module):
    """Scores clips against sentences; it has no weights of its own.

    For a node p and a clip's real frames x_t: `s_t = cos(x_t, p)`; `r = max(s, 0) / max(||max(s, 0)||, 1e-10)`;
    `w = softmax(sharpness r)`; the node's similarity is `cos(sum_t w_t x_t, p)` for `embed`, `sum_t w_t s_t` for
    `sim`. A level's score is the mean over the sentence's real nodes; the event's is one cosine.

    Args:
        chunk_elements: frame-node similarities held at once; smaller takes less memory, never other numbers.
        settings: `sharpness`, `fusion` and `level_weights`, by name; see `hgrkit.matching.config.MatcherConfig`.

    Attributes:
        settings: the arguments that make an equal matcher.

    Raises:
        ConfigError: if a setting is out of its range.

    Source: HGR (arXiv 2003.00392), section 3.4.
    """

    def __init__(self, *, chunk_elements: int = 1 << 23, **settings: Unpack[MatcherSettings]) -> None:
        super().__init__()
        config = MatcherConfig(**settings)
        self.settings: dict[str, Any] = to_json(config)
        self.sharpness = float(config.sharpness)
        self.fusion: Fusion = config.fusion
        self.level_weights = config.level_weights
        self.chunk_elements = check_whole("chunk_elements", chunk_elements)

    def forward(self, video: VideoEmbeddings, text: TextEmbeddings) -> Scores:
        """Score every clip against every sentence.

        Raises:
            ShapeError: if the embedding sizes differ, or a clip has no frame.
        """
        video, text = _checked(video, text)
        levels = PerLevel(
            event=unit_vectors(video.event) @ unit_vectors(text.event).T,
            action=self._level(video.action, video.frame_mask, text.action, text.action_mask),
            entity=self._level(video.entity, video.frame_mask, text.entity, text.entity_mask),
        )
        return Scores(fused=self.fuse(levels), levels=levels)

    def pairs(self, video: VideoEmbeddings, text: TextEmbeddings) -> PerLevel[Tensor]:
        """Score each clip against the sentence of its own position alone.

        Returns:
            Each level's score, [V]: the diagonal of what `forward` gives, for the work of V scores instead of V^2.

        Raises:
            ShapeError: if the embedding sizes differ, as many clips as sentences are not given, or a clip has no
                frame.
        """
        video, text = _checked(video, text)
        if len(video) != len(text):
            raise ShapeError(f"pairs need one sentence a clip, got {len(video)} clips and {len(text)} sentences.")
        return PerLevel(
            event=(unit_vectors(video.event) * unit_vectors(text.event)).sum(dim=1),
            action=self._paired(video.action, video.frame_mask, text.action, text.action_mask),
            entity=self._paired(video.entity, video.frame_mask, text.entity, text.entity_mask),
        )

    def fuse(self, levels: PerLevel[Tensor]) -> Tensor:
        """The levels' weighted mean."""
        check_instance("levels", levels, PerLevel, error=ShapeError, hint="take scores.levels")
        fused: Tensor = fuse(levels, self.level_weights)
        return fused

    def align(self, video: VideoEmbeddings, text: TextEmbeddings) -> PerLevel[Tensor]:
        """The alignment: how much each frame bears on each node.

        Returns:
            Weights [V, C, P, F] that sum to one over a clip's real frames; rows of absent nodes are zero. The
            event compares wholes, so its weights (P = 1) are even over the real frames.
        """
        video, text = _checked(video, text)
        real = video.frame_mask.to(video.event.dtype)
        even = real / real.sum(dim=1, keepdim=True)
        return PerLevel(
            event=even[:, None, None, :].expand(-1, len(text), 1, -1),
            action=self._aligned(video.action, video.frame_mask, text.action, text.action_mask),
            entity=self._aligned(video.entity, video.frame_mask, text.entity, text.entity_mask),
        )

    def _aligned(self, frames: Tensor, frame_mask: Tensor, nodes: Tensor, node_mask: Tensor) -> Tensor:
        cosines = torch.einsum("vfd,cpd->vfcp", unit_vectors(frames), unit_vectors(nodes))
        weights = self._weights(cosines.flatten(2), frame_mask).view(cosines.shape)  # [V, F, C, P]
        return weights.masked_fill(~node_mask, 0).permute(0, 2, 3, 1)

    def _level(self, frames: Tensor, frame_mask: Tensor, nodes: Tensor, node_mask: Tensor) -> Tensor:
        """One level's scores: frames [V, F, D], nodes [C, P, D] -> [V, C]."""
        # only real nodes are compared: in a usual batch two thirds of the padded ones are absent
        captions = node_mask.nonzero()[:, 0]  # the sentence of each real node
        similarities = self._similarities(frames, frame_mask, nodes[node_mask])
        sums = similarities.new_zeros(frames.shape[0], nodes.shape[0]).index_add(1, captions, similarities)
        counts: Tensor = node_mask.sum(dim=1).clamp(min=1)
        return sums / counts

    def _paired(self, frames: Tensor, frame_mask: Tensor, nodes: Tensor, node_mask: Tensor) -> Tensor:
        """One level's scores of pairs: frames [V, F, D], nodes [V, P, D] -> [V]."""
        nodes = unit_vectors(nodes.masked_fill(~node_mask[:, :, None], 0))
        units, norms, gram = self._prepared(frames, frame_mask)
        similarities = self._fused(units @ nodes.transpose(1, 2), norms, gram, frame_mask)  # [V, P]
        counts: Tensor = node_mask.sum(dim=1).clamp(min=1)
        return similarities.masked_fill(~node_mask, 0).sum(dim=1) / counts

    def _similarities(self, frames: Tensor, frame_mask: Tensor, nodes: Tensor) -> Tensor:
        """Frames [V, F, D] and nodes [N, D] -> [V, N], a chunk of clips and nodes at a time."""
        nodes = unit_vectors(nodes)
        num_clips, num_frames = frame_mask.shape
        node_step = max(1, min(len(nodes), self.chunk_elements // num_frames))
        clip_step = max(1, self.chunk_elements // (num_frames * node_step))
        rows = []
        for clips in _slices(num_clips, clip_step):
            mask = frame_mask[clips]
            units, norms, gram = self._prepared(frames[clips], mask)
            parts = [
                self._fused(units @ nodes[part].T, norms, gram, mask) for part in _slices(len(nodes), node_step)
            ]
            rows.append(torch.cat(parts, dim=1))
        return torch.cat(rows) if rows else frames.new_zeros(0, len(nodes))

    def _prepared(self, frames: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Unit frames [v, F, D], lengths [v, F] and, for `embed`, products [v, F, F]; padding is zero."""
        norms = torch.linalg.vector_norm(frames, dim=-1).masked_fill(~mask, 0)
        units = unit_vectors(frames).masked_fill(~mask[:, :, None], 0)
        return units, norms, units @ units.transpose(1, 2) if self.fusion == "embed" else None

    def _fused(self, cosines: Tensor, norms: Tensor, gram: Tensor | None, mask: Tensor) -> Tensor:
        """One chunk: cosines of frames and nodes [v, F, n], lengths of frames [v, F] -> similarities [v, n]."""
        weights = self._weights(cosines, mask)
        if gram is None:
            return (weights * cosines).sum(dim=1)
        scaled = weights * norms[:, :, None]  # x_t = norm_t u_t
        product = (scaled * cosines).sum(dim=1)
        length: Tensor = (scaled * (gram @ scaled)).sum(dim=1).clamp(min=EPSILON**2).sqrt()
        return product / length

    def _weights(self, cosines: Tensor, frame_mask: Tensor) -> Tensor:
        """Alignment weights over the frames: [V, F, N] -> [V, F, N], zero where a frame is padding."""
        padding = ~frame_mask[:, :, None]
        positive = cosines.masked_fill(padding, 0).relu()
        lengths: Tensor = torch.linalg.vector_norm(positive, dim=1, keepdim=True)
        logits = self.sharpness * (positive / lengths.clamp(min=EPSILON))
        return logits.masked_fill(padding, -torch.inf).softmax(dim=1)

    def extra_repr(self) -> str:
        """The settings, for `repr`."""
        return f"sharpness={self.sharpness}, fusion={self.fusion!r}, level_weights={self.level_weights}"


def unit_vectors(vectors: Tensor) -> Tensor:
    """Vectors [..., D] of length one; zero stays zero."""
    lengths: Tensor = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    return vectors / lengths.clamp(min=EPSILON)


def _slices(size: int, step: int) -> Iterator[slice]:
    """Slices of at most `step` that cover `size`; one empty slice if it is zero."""
    return (slice(start, start + step) for start in range(0, max(size, 1), step))


def _checked(video: VideoEmbeddings, text: TextEmbeddings) -> tuple[VideoEmbeddings, TextEmbeddings]:
    """Embeddings that fit each other, in at least float32: half precision is too coarse for the softmax."""
    if isinstance(video, TextEmbeddings) and isinstance(text, VideoEmbeddings):
        raise ShapeError("a matcher takes clips first and sentences second, got the reverse; swap them.")
    check_instance("video", video, VideoEmbeddings, error=ShapeError, hint="make them with a video encoder")
    check_instance("text", text, TextEmbeddings, error=ShapeError, hint="make them with a text encoder")
    if video.event.device != text.event.device:
        raise ShapeError(
            f"the clips are on {video.event.device}, the sentences on {text.event.device}; "
            "both encoders must be on the same device: model.to(...)."
        )
    if video.event.shape[1] != text.event.shape[1]:
        raise ShapeError(
            f"clips have {video.event.shape[1]} numbers at the event level, sentences {text.event.shape[1]}; "
            "both encoders must have the same embed_dim."
        )
    # on other devices the check would wait for what is computed there
    if video.frame_mask.device.type == "cpu" and not bool(video.frame_mask.any(dim=1).all()):
        raise ShapeError("a clip has no real frame; every row of frame_mask needs at least one True.")
    vectors = (video.event, video.action, video.entity, text.event, text.action, text.entity)
    wide = reduce(torch.promote_types, (vector.dtype for vector in vectors), torch.float32)
    return _in(video, wide), _in(text, wide)


def _in(embeddings: Embeddings, dtype: torch.dtype) -> Embeddings:
    """The same embeddings in another precision."""
    event, action, entity = embeddings.event, embeddings.action, embeddings.entity
    return attrs.evolve(embeddings, event=event.to(dtype), action=action.to(dtype), entity=entity.to(dtype))
