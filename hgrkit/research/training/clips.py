"""Clips with captions, ready to train on: frame features, parsed captions, which fit which, and the batches."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import torch

from hgrkit.checks.arguments import check_captions, check_sequence, shown
from hgrkit.errors import BenchmarkError, GraphError, ShapeError
from hgrkit.graph import RoleGraph
from hgrkit.model.video import VideoFeatures
from hgrkit.parsing.protocol import GraphParser
from hgrkit.parsing.registry import load_parser, parse_each
from hgrkit.research.evaluation.ranking import Relevance
from hgrkit.research.training.config import TrainConfig

__all__ = ["CaptionedClips", "RightPairs", "check_views", "epoch_batches", "read_graphs"]

Float32 = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]
Table = npt.NDArray[np.bool_]

_PARSED_AT_ONCE = 512
"""A batch with a caption that cannot be read is parsed again in halves: this bounds how much that is."""


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
                    f"the features of {name!r} ({source}) hold numbers that are not finite; compute them "
                    "again, or leave the clip out."
                )


@attrs.frozen(kw_only=True, eq=False, repr=False)
class CaptionedClips:
    """V clips and S captions.

    Attributes:
        names: of the clips.
        views: each clip's frame features, [F, K], once or several times; training draws one view of each clip.
        graphs: the captions, those of one clip together, in the order of the clips.
        texts: the captions as they were given.
        owners: the clip of each caption, int64 [S], ascending.
        unparsed: captions that the parser cannot read; they keep their words and have no nodes.
        blank: captions without words, which were left out.

    Raises:
        BenchmarkError: if there is no caption, the parts do not fit each other, or a feature is not finite.
        ShapeError: if the features of a clip are not [F, K], or K differs.
    """

    names: tuple[str, ...]
    views: tuple[tuple[Float32, ...], ...]
    graphs: tuple[RoleGraph, ...]
    texts: tuple[str, ...]
    owners: Indices
    unparsed: int = 0
    blank: int = 0

    def __attrs_post_init__(self) -> None:
        check_sequence("names", self.names, str, of="names of clips", error=BenchmarkError)
        check_sequence("graphs", self.graphs, RoleGraph, of="RoleGraph objects", error=BenchmarkError)
        check_sequence("texts", self.texts, str, of="captions", error=BenchmarkError)
        views: list[object] = check_sequence("views", self.views, None, of="views", error=BenchmarkError)
        for view in views:
            check_sequence("a view", view, np.ndarray, of="arrays [F, K], one a clip", error=BenchmarkError)
        owners = np.asarray(self.owners)
        ordered = owners.dtype.kind in "iu" and owners.ndim == 1 and not (np.diff(owners) < 0).any()
        if not ordered or not np.isin(owners, range(len(self.names))).all():
            raise BenchmarkError(
                f"owners must be the clip of each caption, ascending, from 0 to {len(self.names) - 1}, "
                f"got {shown(self.owners)}."
            )
        if not self.graphs or not len(self.graphs) == len(self.texts) == len(self.owners):
            raise BenchmarkError(
                "clips need captions with a text and an owner each, "
                f"got {len(self.graphs)}, {len(self.texts)} and {len(self.owners)}."
            )
        if not self.views or any(len(view) != len(self.names) for view in self.views):
            raise BenchmarkError(
                f"each of the views must have the features of {len(self.names)} clips, "
                f"got {[len(view) for view in self.views]}."
            )
        check_views(
            [dict(zip(self.names, view, strict=True)) for view in self.views],
            [f"view {number}" for number in range(1, len(self.views) + 1)],
        )

    @classmethod
    def of(
        cls,
        captions: Mapping[str, Sequence[str]],
        *views: Mapping[str, Float32],
        parser: str | GraphParser,
    ) -> CaptionedClips:
        """Parse captions and look up the clips' features.

        Args:
            captions: by the clip's name; captions without words are left out and counted, and so are clips without
                captions.
            views: features by the same names, [F, K] each.
            parser: reads the captions.

        Raises:
            BenchmarkError: if a clip has no features or some that are not finite, or there is no caption.
            ShapeError: if the features of a clip are not [F, K], or K differs.
            PluginError: if the parser breaks its contract.
        """
        captions, parser = check_captions("captions", captions), load_parser(parser)
        worded = {name: [text for text in own if text.split()] for name, own in captions.items()}
        names = tuple(name for name, own in worded.items() if own)
        blank = sum(map(len, captions.values())) - sum(map(len, worded.values()))
        if not names:
            raise BenchmarkError(
                f"clips need captions with words, got {blank} empty captions of {len(captions)} clips; give some."
            )
        for view in views:
            if not isinstance(view, Mapping):
                raise ShapeError(f"features must be a mapping from names to arrays [F, K], got {shown(view)}.")
            missing = [name for name in names if name not in view]
            if missing:
                raise BenchmarkError(
                    f"{len(missing)} of {len(names)} clips with captions have no features, first {missing[0]!r}."
                )
        texts = tuple(text for name in names for text in worded[name])
        graphs, unparsed = read_graphs(parser, texts)
        return cls(
            names=names,
            views=tuple(tuple(_numbers(name, view[name]) for name in names) for view in views),
            graphs=graphs,
            texts=texts,
            owners=np.repeat(np.arange(len(names)), [len(worded[name]) for name in names]).astype(np.int64),
            unparsed=unparsed,
            blank=blank,
        )

    @property
    def lengths(self) -> Indices:
        """Tokens of each caption, int64 [S]."""
        return np.array([len(graph.tokens) for graph in self.graphs], np.int64)

    @property
    def wordings(self) -> Indices:
        """A number for each caption, equal where the words are, int64 [S]."""
        numbers: dict[tuple[str, ...], int] = {}
        return np.array([numbers.setdefault(tuple(g.tokens), len(numbers)) for g in self.graphs], np.int64)

    @property
    def feature_dim(self) -> int:
        """K."""
        return int(self.views[0][0].shape[1])

    @property
    def digest(self) -> str:
        """SHA-256 of everything here: whether a run resumes with the data that it began with."""
        digest = hashlib.sha256()
        for text in (*self.names, *(graph.to_json() for graph in self.graphs)):
            digest.update(text.encode("utf-8", "surrogatepass") + b"\0")
        digest.update(self.owners.tobytes())
        for features in (features for view in self.views for features in view):
            digest.update(repr(features.shape).encode())
            digest.update(np.ascontiguousarray(features).data)
        return digest.hexdigest()

    @property
    def described(self) -> dict[str, Any]:
        """Counts and digest, as JSON."""
        return {
            "clips": len(self),
            "captions": len(self.graphs),
            "views": len(self.views),
            "blank": self.blank,
            "unparsed": self.unparsed,
            "sha256": self.digest,
        }

    def features(
        self, clips: Indices, *, max_frames: int | None, rng: np.random.Generator | None = None
    ) -> VideoFeatures:
        """Features of some clips.

        Args:
            clips: positions.
            max_frames: longer clips keep this many frames, evenly spaced.
            rng: draws a view of each clip; without it all come from the first view.
        """
        drawn = np.zeros(len(clips), np.int64) if rng is None else rng.integers(0, len(self.views), len(clips))
        arrays = [self.views[view][clip] for view, clip in zip(drawn.tolist(), clips.tolist(), strict=True)]
        return VideoFeatures.from_arrays([torch.from_numpy(array) for array in arrays], max_frames=max_frames)

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.names)

    def __repr__(self) -> str:
        return f"CaptionedClips(clips={len(self)}, captions={len(self.graphs)}, views={len(self.views)})"


def _numbers(name: str, features: object) -> Float32:
    try:
        with np.errstate(over="ignore"):
            return np.asarray(features, np.float32)
    except (TypeError, ValueError) as error:
        raise ShapeError(f"the features of {name!r} must be numbers [F, K]: {error}.") from error


def read_graphs(parser: GraphParser, texts: Sequence[str]) -> tuple[tuple[RoleGraph, ...], int]:
    """A graph of each text, and how many could not be read: those keep their words and have no nodes."""
    graphs: list[RoleGraph] = []
    unparsed = 0
    for start in range(0, len(texts), _PARSED_AT_ONCE):
        part = texts[start : start + _PARSED_AT_ONCE]
        for text, read in zip(part, parse_each(parser, part), strict=True):
            failed = isinstance(read, GraphError)
            unparsed += failed
            graphs.append(RoleGraph(tokens=text.lower().split()) if isinstance(read, GraphError) else read)
    return tuple(graphs), unparsed


class RightPairs:
    """Which captions are right for which clips: their own, and those in the very words of their own.

    Args:
        clips: the clips and captions.
    """

    def __init__(self, clips: CaptionedClips) -> None:
        self._wordings = clips.wordings
        self._base = int(self._wordings.max()) + 1
        self._known = np.unique(clips.owners * self._base + self._wordings)  # each clip with each of its wordings
        self._shape = (len(clips), len(clips.graphs))

    def table(self, clips: Indices, captions: Indices) -> Table:
        """Whether each of V clips and each of C captions fit, bool [V, C]."""
        return np.isin(clips[:, None] * self._base + self._wordings[captions][None, :], self._known)

    @property
    def relevance(self) -> Relevance:
        """All pairs that fit, clips as queries."""
        owners, wordings = np.divmod(self._known, self._base)
        by_wording = np.argsort(self._wordings, kind="stable")
        starts = np.searchsorted(self._wordings[by_wording], np.arange(self._base + 1))
        captions = [by_wording[starts[wording] : starts[wording + 1]] for wording in wordings.tolist()]
        clips = np.repeat(owners, [len(own) for own in captions])
        return Relevance.from_pairs(clips, np.concatenate(captions), self._shape)


def epoch_batches(config: TrainConfig, epoch: int, owners: Indices, lengths: Indices) -> list[Indices]:
    """The captions of each batch, by position; a caption's clip is its partner.

    Args:
        config: batch size, captions a video, bucketing, seed.
        epoch: from 0.
        owners: the clip of each caption, int64 [S], ascending.
        lengths: tokens of each caption, int64 [S].

    Returns:
        Positions of captions, one array a batch; every epoch has as many batches.
    """
    rng = np.random.default_rng([config.seed, epoch])
    captions = rng.permutation(len(owners))
    if config.captions_per_video is not None:
        captions = captions[_place_within_clip(owners[captions]) < config.captions_per_video]
    if config.bucket:
        window = config.bucket * config.batch_size
        windows = [captions[start : start + window] for start in range(0, len(captions), window)]
        captions = np.concatenate([own[np.argsort(lengths[own], kind="stable")] for own in windows])
    parts = [captions[start : start + config.batch_size] for start in range(0, len(captions), config.batch_size)]
    # A last batch that is not full goes if asked, and one of a single pair, which teaches nothing.
    smallest = config.batch_size if config.drop_last else 2
    parts = parts[:-1] if len(parts) > 1 and len(parts[-1]) < smallest else parts
    return [parts[place] for place in rng.permutation(len(parts))] if config.bucket else parts


def _place_within_clip(clips: Indices) -> Indices:
    """How many captions of the same clip stand before each."""
    order = np.argsort(clips, kind="stable")
    grouped = clips[order]
    first = np.searchsorted(grouped, grouped)
    places = np.empty(len(clips), np.int64)
    places[order] = np.arange(len(clips)) - first
    return places
