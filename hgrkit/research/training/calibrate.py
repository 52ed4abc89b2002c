"""Calibrates a model folder: asks the model about captioned clips, and keeps what its answers prove worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

import attrs
import numpy as np

from hgrkit.checks.arguments import check_instance
from hgrkit.errors import BenchmarkError
from hgrkit.graph import RoleGraph
from hgrkit.library.records import QueryEmbeddings
from hgrkit.library.scoring import ClipSet
from hgrkit.model.loaded import LoadedModel
from hgrkit.parsing.lexicon import Lexicon
from hgrkit.parsing.registry import load_parser
from hgrkit.research.training.calibration import AskedClips, Settings, fit_calibration
from hgrkit.research.training.clips import CaptionedClips
from hgrkit.research.training.short_questions import mention_counts, short_questions

__all__ = ["asked_clips", "calibrate", "nouns_of", "with_short_questions"]

_AT_ONCE = 512


def calibrate(
    folder: str | PathLike[str], data: Mapping[str, CaptionedClips], settings: Settings | None = None
) -> Path:
    """Find out how likely a model's hits are right, and write that into its folder.

    Searches then give a `confidence` for each hit, and say if nothing seems to match. No score changes, nor does
    the model's fingerprint: libraries open as before. Takes a minute or two for some thousand clips.

    >>> dev = CaptionedClips.of(captions, features, parser="lark")  # doctest: +SKIP
    >>> hgrkit.calibrate("model/", {"dev": dev})  # doctest: +SKIP

    Args:
        folder: the model folder, or an installed model's name.
        data: clips that the model was not trained on, by the data set's name; at least 40 of each, better
            thousands, and better of several kinds, since confidence is only as general as they are.
        settings: how it is fitted.

    Returns:
        The file that was written.

    Raises:
        ModelNotFoundError, CheckpointError: if there is no such model, or it is damaged.
        ConfigError: if there are too few clips.
        BenchmarkError: if `data` is not what it should be.
    """
    if not isinstance(data, Mapping):
        raise BenchmarkError(
            "data must be a mapping from a data set's name to CaptionedClips, such as {'dev': clips}."
        )
    settings = settings or Settings()
    model = LoadedModel.load(folder, device="cpu")
    sets = [asked_clips(model, name, clips, captions=settings.captions) for name, clips in data.items()]
    sets = with_short_questions(model, sets, list(data.values()), each=settings.short, seed=settings.seed)
    fitted = fit_calibration(sets, model.query_side.settings, settings)
    return fitted.save(model.weights_folder, fingerprint=model.fingerprint)


def asked_clips(
    model: LoadedModel, name: str, clips: CaptionedClips, *, captions: int | None = None
) -> AskedClips:
    """Captioned clips as a model embeds them; of several views the first counts.

    Args:
        model: embeds them.
        name: of the data set.
        clips: the clips.
        captions: of each clip that are asked, at most, the first ones; `None` for all.
    """
    check_instance("data", clips, CaptionedClips, error=BenchmarkError, hint="make them: CaptionedClips.of(...)")
    parts = [model.clip_encoder(features) for features in clips.views[0]]
    counts = np.array([len(features) for features in clips.views[0]], np.int64)
    place_within = np.arange(len(clips.owners)) - np.searchsorted(clips.owners, clips.owners)
    asked = np.flatnonzero(place_within < (captions or len(clips.owners)))
    graphs = [clips.graphs[place] for place in asked.tolist()]
    return AskedClips(
        name=name,
        clips=ClipSet(
            event=np.stack([part.event for part in parts]).astype(np.float16),  # as a library keeps them
            action=np.concatenate([part.action for part in parts]).astype(np.float16),
            entity=np.concatenate([part.entity for part in parts]).astype(np.float16),
            starts=np.cumsum(counts) - counts,
            counts=counts,
        ),
        queries=_embedded(model, graphs),
        owners=clips.owners[asked],
        nouns=[nouns_of(graph.tokens) for graph in graphs],
    )


def with_short_questions(
    model: LoadedModel, sets: Sequence[AskedClips], clips: Sequence[CaptionedClips], *, each: int, seed: int
) -> list[AskedClips]:
    """The same data sets with short questions, which the captions of all of them make.

    Args:
        model: embeds them.
        sets: the data sets.
        clips: where each comes from; all captions tell what a clip shows, those that are not asked, too.
        each: questions of each kind, at most.
        seed: of what is drawn.
    """
    graphs = [graph for own in clips for graph in own.graphs]
    questions = short_questions(graphs, each=each, rng=np.random.default_rng(seed))
    embedded = _embedded(model, load_parser("lark").parse_batch([question.text for question in questions]))
    return [
        attrs.evolve(one, short=embedded, mentions=mention_counts(own.graphs, own.owners, questions, len(own)))
        for one, own in zip(sets, clips, strict=True)
    ]


def _embedded(model: LoadedModel, graphs: Sequence[RoleGraph]) -> list[QueryEmbeddings]:
    queries: list[QueryEmbeddings] = []
    for start in range(0, len(graphs), _AT_ONCE):
        embedded, _ = model.query_side.encoder.embed(graphs[start : start + _AT_ONCE])
        queries += [query.embeddings for query in embedded]
    return queries


def nouns_of(words: Sequence[str]) -> frozenset[str]:
    """The words of a sentence that can be nouns, in the singular as far as their last letter tells.

    >>> sorted(nouns_of("two dogs run to a red ball".split()))
    ['ball', 'dog', 'red', 'run']
    """
    lexicon = Lexicon.load()
    lower = (word.lower() for word in words if word.isalpha() and len(word) > 1)
    return frozenset(
        word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
        for word in lower
        if {"NOUN", "NOUNS"} & set(lexicon.reading(word).removesuffix("!").split()) and word not in _FUNCTION_WORDS
    )


_FUNCTION_WORDS = frozenset("an the in on of at to and is are with by as up down it".split())
"""Words that the lexicon has seen as nouns, too."""
