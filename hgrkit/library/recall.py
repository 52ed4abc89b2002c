"""Measures the cascade: how much of an exact search's answer a library's own search finds."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import attrs
import numpy as np

from hgrkit.checks.arguments import check_callable, check_instance, check_whole
from hgrkit.errors import LibraryError
from hgrkit.library.library import Library
from hgrkit.library.records import ClipEmbeddings, Float32, QueryEmbeddings
from hgrkit.library.scoring import SearchSettings

__all__ = ["Recall", "measure_recall"]

_ENTITIES = 2
"""Entities of a question, beside one action: what most captions have."""

_NOISE = 1.0
"""Length of what is added to a vector, in lengths of the vector."""


@attrs.frozen(kw_only=True)
class Recall:
    """How much of the exact answers was found.

    Attributes:
        recall: the share of the exact first k videos that a search returns among its k, over all questions.
        k: videos of an answer.
        num_queries: questions that were put.
        missed: questions whose answer lacked at least one video.
        num_candidates: clips that a search compares at every level.
        num_clips: clips of the library.
    """

    recall: float
    k: int
    num_queries: int
    missed: int
    num_candidates: int
    num_clips: int

    @property
    def exact(self) -> bool:
        """Whether a search compares every clip, so that nothing can be missed."""
        return self.num_candidates >= self.num_clips


def measure_recall(
    library: Library,
    *,
    num_queries: int = 50,
    k: int = 10,
    seed: int = 0,
    settings: SearchSettings | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Recall:
    """Search a library for questions made of its own clips, as it is searched and exactly, and compare.

    A question is a clip drawn at random: its event, one of its action frames and two of its entity frames, each
    with noise of its own length, so that the clip itself is not the only answer. Captions lie further from their
    clips; `benchmarks/search.py` asks with captions.

    Args:
        library: one library, with any number of videos but none.
        num_queries: questions, at most as many as there are clips.
        k: videos of an answer.
        seed: of the clips and frames that are drawn, and of the noise.
        settings: how clips are scored and how many are compared; the model's, for what a search finds.
        on_progress: is told how many questions are answered, and how many there are.

    Raises:
        LibraryError: if the library holds no video, or is several.
        ConfigError: if a number is less than 1.
        DamagedLibraryError: if stored embeddings are not what was written.
    """
    check_instance("library", library, Library)
    check_callable("on_progress", on_progress, takes="two numbers, done and total")
    num_queries, k = check_whole("num_queries", num_queries), check_whole("k", k)
    settings = SearchSettings() if settings is None else check_instance("settings", settings, SearchSettings)
    snapshot, rng = library.snapshot(), np.random.default_rng(seed)
    num_clips = len(snapshot.clip_keys)
    if not num_clips:
        raise LibraryError("the library contains no videos yet, so there is nothing to find; index some.")
    asked = rng.choice(num_clips, min(num_queries, num_clips), replace=False)
    shares = []
    for done, row in enumerate(asked.tolist(), 1):
        query = _question(snapshot.clips([row])[0], rng)
        found, best = (
            {match.video for match in library.search(query, k, settings=way)}
            for way in (settings, attrs.evolve(settings, exhaustive=True))
        )
        shares.append(len(found & best) / len(best))
        if on_progress is not None:
            on_progress(done, len(asked))
    return Recall(
        recall=statistics.fmean(shares),
        k=k,
        num_queries=len(asked),
        missed=sum(share < 1 for share in shares),
        num_candidates=settings.candidates_among(num_clips),
        num_clips=num_clips,
    )


def _question(clip: ClipEmbeddings, rng: np.random.Generator) -> QueryEmbeddings:
    """What somebody might ask who looks for a clip."""

    def noisy(vectors: Float32) -> Float32:
        noise = rng.standard_normal(vectors.shape, np.float32)
        lengths = np.linalg.norm(vectors, axis=-1, keepdims=True) / np.linalg.norm(noise, axis=-1, keepdims=True)
        return np.asarray(vectors + _NOISE * lengths * noise, np.float32)

    action, entities = rng.integers(clip.num_frames, size=1), rng.integers(clip.num_frames, size=_ENTITIES)
    return QueryEmbeddings(
        event=noisy(clip.event), action=noisy(clip.action[action]), entity=noisy(clip.entity[entities])
    )
