"""Runs a model outside training and scores sentences against frame features, all embeddings in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

import attrs
import numpy as np
import torch

from hgrkit.graph import RoleGraph
from hgrkit.levels import PerLevel
from hgrkit.library.records import Float32, QueryEmbeddings
from hgrkit.library.scoring import ClipSet, SearchSettings
from hgrkit.matching.matcher import Matcher
from hgrkit.model.hgr_model import HgrModel
from hgrkit.model.query.encoder import EmbeddedCaptions, EmbeddedQuery, read_captions
from hgrkit.model.text.graph_selection import Omitted
from hgrkit.model.text.phrase_text_encoder import PhraseTextEncoder
from hgrkit.model.video import VideoFeatures
from hgrkit.parsing.protocol import GraphParser

__all__ = [
    "EmbeddedVideos",
    "ModelQueryEncoder",
    "embed_captions",
    "embed_features",
    "embed_graphs",
    "embed_videos",
    "settings_of",
]


@attrs.frozen(eq=False)
class ModelQueryEncoder:
    """A `QueryEncoder` on the model's device; `hgrkit.model.query` has those that need no torch.

    Attributes:
        model: the model, in evaluation mode.
    """

    model: HgrModel

    @property
    def querybank_norm(self) -> Callable[[Float32], Float32] | None:
        """What events of queries score with the model's querybank, if it has one."""
        own = self.model.querybank_norm
        if own is None:
            return None

        def norms(events: Float32) -> Float32:
            with torch.inference_mode():
                return _array(own(torch.from_numpy(events).to(self.model.device)))

        return norms

    def knows(self, word: str) -> bool:
        """Whether a word is one that the model has met; a text encoder that does not say knows them all."""
        known = getattr(self.model.text, "knows", None)
        return known is None or bool(known(word))

    def embed(
        self, graphs: Sequence[RoleGraph], sentences: Sequence[str] | None = None
    ) -> tuple[list[EmbeddedQuery], Omitted]:
        """Embed sentences, as `QueryEncoder` says; only a head on an encoder of texts reads `sentences`."""
        text, omitted = self.model.text, Omitted()
        if isinstance(text, PhraseTextEncoder):
            batch = text.batch(graphs, sentences)
            omitted = text.omitted_by_encoder(batch)
        else:
            batch = text.batch(graphs)
        with torch.inference_mode():
            found = text(batch.to(self.model.device))
        queries = []
        for row, graph in enumerate(graphs):
            nodes = {node.id: node for node in graph.nodes}
            queries.append(
                EmbeddedQuery(
                    embeddings=QueryEmbeddings(
                        event=_array(found.event[row].clone()),  # a view would keep the whole batch
                        action=_array(found.action[row][found.action_mask[row]]),
                        entity=_array(found.entity[row][found.entity_mask[row]]),
                    ),
                    actions=tuple(nodes[node_id] for node_id in batch.action_ids[row]),
                    entities=tuple(nodes[node_id] for node_id in batch.entity_ids[row]),
                )
            )
        return queries, batch.omitted + omitted


def embed_captions(
    model: HgrModel,
    parser: GraphParser,
    captions: Sequence[str],
    *,
    on_progress: Callable[[int], object] | None = None,
) -> EmbeddedCaptions:
    """Parse and embed sentences with a model in evaluation mode, as `read_captions` does with any encoder."""
    return read_captions(ModelQueryEncoder(model), parser, captions, on_progress=on_progress)


def embed_graphs(model: HgrModel, graphs: Sequence[RoleGraph]) -> list[EmbeddedQuery]:
    """Embed sentences; nodes beyond the model's limits are left out."""
    return ModelQueryEncoder(model).embed(graphs)[0] if graphs else []


def embed_features(model: HgrModel, features: Float32) -> PerLevel[Float32]:
    """Embed one clip.

    Args:
        model: the model, in evaluation mode.
        features: frame features, [F, K].

    Returns:
        Event [D], and action and entity of each frame, [F, D].

    Raises:
        ShapeError: if K is not the model's `feature_dim`.
    """
    with torch.inference_mode():
        video = model.video(VideoFeatures.from_arrays([features]).to(model.device))
    return PerLevel(event=_array(video.event[0]), action=_array(video.action[0]), entity=_array(video.entity[0]))


def _array(tensor: torch.Tensor) -> Float32:
    return tensor.float().cpu().numpy().astype(np.float32, copy=False)


# Videos of a batch are padded to the longest, so that a larger batch costs memory.
_VIDEOS_AT_ONCE = 64


def settings_of(matcher: Matcher) -> SearchSettings:
    """A matcher's settings as the library takes them."""
    return SearchSettings(**matcher.settings)


@attrs.frozen(kw_only=True, eq=False, repr=False)
class EmbeddedVideos:
    """V videos of one clip each, ready to be scored.

    Attributes:
        clips: their embeddings.
        settings: how the model compares them.
        omitted_frames: frames that the model's `max_frames` left out.
    """

    clips: ClipSet
    settings: SearchSettings
    omitted_frames: int

    def scores(self, captions: EmbeddedCaptions, *, querybank_norm: bool = False) -> Float32:
        """Every video's exact score for every sentence, float32 [V, C]; -1 for one that could not be read.

        With `querybank_norm`, what a sentence scores with any clip is taken off, as in `Retriever.scores`.
        """
        parts = [np.empty((len(self), 0), np.float32), *self.clips.scores(captions.queries, self.settings)]
        scores = np.concatenate(parts, axis=1)
        return captions.spread(scores, querybank_norm=querybank_norm)

    def __len__(self) -> int:
        """Number of videos."""
        return len(self.clips.event)

    def __repr__(self) -> str:
        return f"EmbeddedVideos({len(self)})"


def embed_videos(model: HgrModel, features: Iterable[Float32]) -> EmbeddedVideos:
    """Embed videos, each as one clip of all its frames, or of `max_frames` evenly spaced ones.

    Args:
        model: the model, in evaluation mode.
        features: each video's frame features, [F, K].

    Raises:
        ShapeError: if there is no video, or K is not the model's `feature_dim`.
    """
    event: list[Float32] = []
    action: list[Float32] = []
    entity: list[Float32] = []
    omitted = 0
    with torch.inference_mode():
        for part in _parts(iter(features)):
            batch = VideoFeatures.from_arrays(part, max_frames=model.video.max_frames)
            video = model.video(batch.to(model.device))
            lengths = batch.frame_mask.sum(dim=1).tolist()
            event.append(video.event.float().cpu().numpy())
            action += _clips(video.action, lengths)
            entity += _clips(video.entity, lengths)
            omitted += batch.omitted_frames
    counts = np.array([len(frames) for frames in action], np.int64)
    clips = ClipSet(
        event=np.concatenate(event),
        action=np.concatenate(action),
        entity=np.concatenate(entity),
        starts=np.cumsum(counts) - counts,
        counts=counts,
    )
    return EmbeddedVideos(clips=clips, settings=settings_of(model.matcher), omitted_frames=omitted)


def _parts(features: Iterator[Float32]) -> Iterator[list[Float32]]:
    while part := list(islice(features, _VIDEOS_AT_ONCE)):
        yield part


def _clips(frames: torch.Tensor, lengths: list[int]) -> list[Float32]:
    """The real frames of each clip: [V, F, D] -> V arrays of [F, D]."""
    array = frames.float().cpu().numpy()
    return [array[row, :length] for row, length in enumerate(lengths)]
