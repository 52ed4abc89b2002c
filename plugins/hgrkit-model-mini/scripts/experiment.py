"""What `what_pays.py` and `paper_claim.py` share: ranks over several seeds, leads, the command line."""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from indices import Indices
from msvd_clips import Clips
from photographs import Photographs

import hgrkit
from hgrkit.research.evaluation.comparison import Difference, compare_ranks
from hgrkit.research.evaluation.measures import RankMeasure
from hgrkit.research.evaluation.rank_file import Direction, QueryRank
from hgrkit.research.evaluation.ranking import Relevance
from hgrkit.research.evaluation.retrieval import GroundTruth, rank_queries

__all__ = [
    "MEASURES",
    "SENTENCES_AT_ONCE",
    "Measurement",
    "Ranks",
    "described_run",
    "leads",
    "main",
    "of_all_seeds",
    "rank_photographs",
    "rank_texts",
    "reported",
]

FOR_CHOOSING = 49
MEASURES = (RankMeasure("R@1"), RankMeasure("mRR"))
SENTENCES_AT_ONCE = 500

Ranks = dict[str, list[QueryRank]]
"""Ranks by question, such as all captions of Flickr8k's test split."""


def rank_texts(
    scores: np.ndarray,
    owners: Indices,
    videos: Sequence[str],
    captions: Sequence[str],
    seed: int,
    *,
    direction: Direction = "text_to_video",
) -> list[QueryRank]:
    """Ranks of the sentences, or of the clips, named by the seed too: runs of several seeds stand side by side."""
    pairs = Relevance.from_pairs(owners, np.arange(len(owners)), (len(videos), len(owners)))
    rows = rank_queries(scores, GroundTruth.from_positives(pairs, videos=videos, captions=captions))
    return [attrs.evolve(row, query=f"{row.query} {seed}") for row in rows if row.direction == direction]


def rank_photographs(
    scores: np.ndarray,
    photographs: Photographs,
    part: str,
    seed: int,
    *,
    direction: Direction = "text_to_video",
) -> list[QueryRank]:
    """Ranks of one split's captions, or of its photographs, [V, C]."""
    rows, pairs = photographs.split[part], photographs.pairs(part)
    place = {photograph: row for row, photograph in enumerate(rows)}
    texts = photographs.texts
    owners = np.array([place[photograph] for photograph in pairs[:, 0]])
    names = [photographs.names[row] for row in rows]
    return rank_texts(
        scores, owners, names, [texts[caption] for caption in pairs[:, 1]], seed, direction=direction
    )


def reported(flickr8k: list[QueryRank], msvd: list[QueryRank], clips: Clips) -> Ranks:
    """The questions that are reported, alone and pooled."""
    reporting = set(clips.names[FOR_CHOOSING:])
    second_half = [row for row in msvd if row.video in reporting]
    return {
        "flickr8k test": flickr8k,
        "msvd-98 second half": second_half,
        "pooled": [*flickr8k, *second_half],
    }


def of_all_seeds(each: Sequence[Ranks]) -> Ranks:
    """The ranks of several seeds' models, end to end."""
    return {name: [row for ranks in each for row in ranks[name]] for name in each[0]}


def leads(first: Ranks, second: Ranks, measures: Sequence[RankMeasure] = MEASURES) -> dict[str, Any]:
    """How far the first is ahead, by question and measure: points, interval, p-value."""
    found = {name: compare_ranks(second[name], first[name], measures).differences for name in first}
    return {
        name: {str(figure.measure): _shown(difference) for figure, difference in differences.items()}
        for name, differences in found.items()
    }


def _shown(difference: Difference) -> dict[str, Any]:
    return {
        "lead": difference.difference,
        "interval": list(difference.interval),
        "p_value": difference.p_value,
    }


def described_run(script: str, frame_encoder: str, seeds: Sequence[int]) -> dict[str, Any]:
    """What a result begins with."""
    return {
        "command": f"python scripts/{script}",
        "machine": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "hgrkit": hgrkit.__version__,
        "frame_encoder": frame_encoder,
        "seeds": list(seeds),
    }


Measurement = Callable[..., None]
"""Trains and compares, with data, cache, seeds, names, and what saves the result so far; some take a `preset`."""


def main(
    description: str | None, names: Mapping[str, Any], measure: Measurement, *, presets: Sequence[str] = ()
) -> None:
    """The command line of both scripts; with presets, the first unless another one is named."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with flickr8k/ and msvd/")
    parser.add_argument("--cache", type=Path, default=Path("build/cache"), help="as for train_model.py")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--only", nargs="+", choices=list(names), default=list(names), metavar="NAME")
    parser.add_argument("--out", type=Path, required=True)
    if presets:
        parser.add_argument("--preset", choices=presets, default=presets[0], help="what variants start from")
    options = parser.parse_args()

    def save(result: Any) -> None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(result, indent=1) + "\n")

    chosen = {"preset": options.preset} if presets else {}
    measure(options.data, options.cache, options.seeds, options.only, save, **chosen)
