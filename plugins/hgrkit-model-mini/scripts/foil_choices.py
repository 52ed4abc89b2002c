"""Choices between a caption of an MSVD clip and its foil, from a table of scores: accuracies, or ranks of two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from experiment import Ranks
from msvd_clips import Clips

from hgrkit.research.evaluation.foil_choice import FoilEvaluation, evaluate_foils
from hgrkit.research.evaluation.measures import RankMeasure
from hgrkit.research.evaluation.rank_file import QueryRank

__all__ = ["ACCURACY", "ALL", "ELSEWHERE", "FOILS", "choose", "rank_choices", "sentence_columns"]

FOILS, ELSEWHERE = "foils", "foils beside another clip"
ALL = "all choices"

ACCURACY = RankMeasure("R@1")
"""Of ranks among two, the accuracy of binary selection (HGR, section 4.4)."""


def sentence_columns(clips: Clips) -> Mapping[tuple[str, str], int]:
    """Where each sentence of each clip stands in the scores, by clip and words: captions, then foils."""
    columns = {
        (clips.names[owner], caption): column
        for column, (owner, caption) in enumerate(zip(clips.owners, clips.captions, strict=True))
    }
    return columns | {
        (pair.video, pair.foil): column for column, pair in enumerate(clips.foils, start=len(clips.captions))
    }


def choose(fused: np.ndarray, event: np.ndarray, clips: Clips) -> FoilEvaluation:
    """Captions against foils, each beside its own clip, as `hgrkit evaluate --foils` does it.

    Args:
        fused: scores of all levels, [V, C], the captions and then the foils.
        event: those of the event level alone, [V, C].
        clips: theirs.
    """
    rows = {name: row for row, name in enumerate(clips.names)}
    columns = sentence_columns(clips)

    def pick(videos: Sequence[str], sentences: Sequence[str]) -> np.ndarray:
        own = [rows[video] for video in videos]
        chosen = [columns[video, sentence] for video, sentence in zip(videos, sentences, strict=True)]
        return np.stack([fused[own, chosen], event[own, chosen]])

    return evaluate_foils(clips.foils, clips.names, pick)


def rank_choices(scores: np.ndarray, clips: Clips, seed: int, *, elsewhere: bool = False) -> Ranks:
    """Each caption's rank among two, itself and its foil: by type of foil, and all of them.

    Where both score alike the foil stands first. Beside another clip the choice should be a coin toss: what is
    above can be told from the sentences alone.

    Args:
        scores: [V, C], the captions and then the foils.
        clips: theirs.
        seed: of the model; it goes into the names of the choices.
        elsewhere: choose beside the clip that is half of all clips further on, not beside the caption's own.
    """
    prefix, shift = (ELSEWHERE, len(clips.names) // 2) if elsewhere else (FOILS, 0)
    rows = {name: (row + shift) % len(clips.names) for row, name in enumerate(clips.names)}
    columns = sentence_columns(clips)
    ranks: Ranks = {}
    for number, pair in enumerate(clips.foils):
        caption, foil = (scores[rows[pair.video], columns[pair.video, text]] for text in (pair.caption, pair.foil))
        chosen = bool(caption > foil)
        choice = QueryRank(query=f"foil {number} {seed}", video=pair.video, rank=1 if chosen else 2, candidates=2)
        for kind in (f"{prefix}, {pair.type}", f"{prefix}, {ALL}"):
            ranks.setdefault(kind, []).append(choice)
    return ranks
