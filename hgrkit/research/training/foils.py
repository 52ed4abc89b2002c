"""Foils as hard negatives: sentences that are wrong where a caption is right, and how well they fit its clip."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import numpy as np
import torch
from torch import Tensor, nn

from hgrkit.errors import BenchmarkError
from hgrkit.graph import RoleGraph
from hgrkit.levels import PerLevel
from hgrkit.matching.embeddings import VideoEmbeddings
from hgrkit.matching.matcher import Matcher
from hgrkit.parsing.protocol import GraphParser
from hgrkit.research.evaluation.captions import match_base_names
from hgrkit.research.evaluation.foil_choice import FoilPair
from hgrkit.research.foils.generate import Foil
from hgrkit.research.training.clips import CaptionedClips, Indices, read_graphs
from hgrkit.research.training.config import TrainConfig
from hgrkit.research.training.text_feed import TextFeed

__all__ = ["CaptionFoils"]


@attrs.frozen(kw_only=True, eq=False, repr=False)
class CaptionFoils:
    """Foils of S captions that are trained on.

    Attributes:
        captions: the captions, as `CaptionedClips.texts` has them.
        graphs: the foils, those of one caption together, in the order of the captions.
        starts: where each caption's foils begin, and where the last one's end, int64 [S + 1].
        unparsed: foils that the parser cannot read; they keep their words and have no nodes.
        left_out: how many foils were left out, by why: they are of an `other_clip` or an `other_caption` than is
            trained on, or are themselves captions of their clip and so `true`.
    """

    captions: tuple[str, ...]
    graphs: tuple[RoleGraph, ...]
    starts: Indices
    unparsed: int = 0
    left_out: Mapping[str, int] = attrs.field(factory=dict)

    @classmethod
    def of(cls, foils: Sequence[Foil | FoilPair], clips: CaptionedClips, *, parser: GraphParser) -> CaptionFoils:
        """Find the caption of each foil among those of `clips`, word for word, and parse the foils.

        Args:
            foils: the name of a video or that of its clip may bear a folder and a suffix. What has no caption here
                is left out and counted; the same foil counts once a caption.
            clips: what is trained on.
            parser: reads the foils.

        Raises:
            BenchmarkError: if a foil has no words, a video's name fits several clips, or no foil is left.
        """
        blank = next((foil for foil in foils if not foil.foil.split()), None)
        if blank is not None:
            raise BenchmarkError(f"the foil of {blank.caption!r} ({blank.video}) has no words; leave it out.")
        found, left_out = _sorted_out(foils, clips)
        texts = [text for own in found for text in own]
        if not texts:
            clip, caption, true = left_out.values()
            raise BenchmarkError(
                f"none of {len(foils)} foils can be used: {clip} are of other clips and {caption} of other "
                f"captions than those to train on, {true} are captions; make foils of the training captions."
            )
        graphs, unparsed = read_graphs(parser, texts)
        return cls(
            captions=clips.texts,
            graphs=graphs,
            starts=np.cumsum([0, *map(len, found)], dtype=np.int64),
            unparsed=unparsed,
            left_out=left_out,
        )

    @property
    def described(self) -> dict[str, Any]:
        """Counts, and a SHA-256 of the foils and whose they are, as JSON."""
        digest = hashlib.sha256(self.starts.tobytes())
        for graph in self.graphs:
            digest.update(graph.to_json().encode("utf-8", "surrogatepass") + b"\0")
        return {
            "foils": len(self.graphs),
            "captions": int(np.count_nonzero(np.diff(self.starts))),
            "unparsed": self.unparsed,
            "left_out": dict(self.left_out),
            "sha256": digest.hexdigest(),
        }

    def draw(self, captions: Indices, rng: np.random.Generator) -> tuple[Indices, Indices]:
        """One foil of each caption that has any.

        Args:
            captions: positions of captions, int64 [B].
            rng: draws.

        Returns:
            Places in `captions` of those that have foils, ascending, and the position of a foil of each.
        """
        counts = self.starts[captions + 1] - self.starts[captions]
        rows = np.flatnonzero(counts)
        return rows, self.starts[captions[rows]] + rng.integers(0, counts[rows])

    def loss(
        self,
        feed: TextFeed,
        matcher: Matcher,
        *,
        captions: Indices,
        video: VideoEmbeddings,
        levels: PerLevel[Tensor],
        config: TrainConfig,
        rng: np.random.Generator,
    ) -> Tensor:
        """`mean(softplus((s_foil - s_caption) / foil_temperature))`, added over `foil_levels`.

        The mean is over the pairs whose caption has foils; without any, the loss is 0.

        Args:
            feed: of `graphs`; embeds one drawn foil of each caption.
            matcher: scores it with the clip of the pair.
            captions: positions of the captions of B pairs.
            video: their clips.
            levels: the scores of those clips with those captions, [B, B] each.
            config: levels, temperature and precision.
            rng: draws the foils.
        """
        rows, drawn = self.draw(captions, rng)
        value = levels.event.new_zeros(())
        if not len(rows):
            return value
        with torch.autocast("cuda", torch.bfloat16, enabled=config.mixed_precision):
            wrong = feed.embed(drawn)
        places = torch.from_numpy(rows).to(levels.event.device)
        scores = matcher.pairs(_taken(video, places), wrong)
        for level in config.foil_levels:
            excess = scores[level] - levels[level].diagonal()[places]
            value = value + nn.functional.softplus(excess / config.foil_temperature).mean()
        return value

    def __repr__(self) -> str:
        return f"CaptionFoils(captions={len(self.captions)}, foils={len(self.graphs)})"


def _sorted_out(
    foils: Sequence[Foil | FoilPair], clips: CaptionedClips
) -> tuple[list[dict[str, None]], dict[str, int]]:
    """The different foils of each caption, in order, and how many foils are left out, by why."""
    clip_of = match_base_names((foil.video for foil in foils), clips.names)
    positions = _positions(clips)
    found: list[dict[str, None]] = [{} for _ in clips.texts]
    left_out = dict.fromkeys(("other_clip", "other_caption", "true"), 0)
    for foil in foils:
        own = positions[clip_of[foil.video]] if foil.video in clip_of else None
        if own is None:
            left_out["other_clip"] += 1
        elif foil.caption not in own:
            left_out["other_caption"] += 1
        elif foil.foil in own:
            left_out["true"] += 1
        else:
            for position in own[foil.caption]:
                found[position][foil.foil] = None
    return found, left_out


def _positions(clips: CaptionedClips) -> dict[str, dict[str, list[int]]]:
    """Where each caption of each clip stands: `{clip: {caption: positions}}`."""
    positions: dict[str, dict[str, list[int]]] = {name: {} for name in clips.names}
    for position, (owner, text) in enumerate(zip(clips.owners.tolist(), clips.texts, strict=True)):
        positions[clips.names[owner]].setdefault(text, []).append(position)
    return positions


def _taken(video: VideoEmbeddings, places: Tensor) -> VideoEmbeddings:
    """Some of the clips."""
    return VideoEmbeddings(
        event=video.event[places],
        action=video.action[places],
        entity=video.entity[places],
        frame_mask=video.frame_mask[places],
    )
