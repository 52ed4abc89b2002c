"""Fine-grained binary selection on 98 real MSVD clips: make foils of their captions, choose, write the table.

The first 49 clips by name are for choosing, the rest for reporting.

    python benchmarks/foils.py --data DATA/msvd --out benchmarks/results/foils.json
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
from msvd_98 import another_clip, for_choosing
from result_file import arguments, described, write_result
from timing import timed

from hgrkit.library.records import Float32
from hgrkit.parsing.lark_parser import LarkParser
from hgrkit.research.evaluation.captions import read_captions
from hgrkit.research.evaluation.foil_choice import evaluate_foils
from hgrkit.research.evaluation.foil_file import FoilPair
from hgrkit.research.foils.foil import Foil
from hgrkit.research.foils.generate import make_foils
from hgrkit.retriever import Retriever

EVENT_ONLY = (1.0, 0.0, 0.0)


def measure(data: Path, model: str, seed: int) -> dict[str, Any]:
    """Index the clips, make foils, and report all clips and both halves."""
    captions = read_captions(data / "captions.json")
    parser = LarkParser()
    parser.parse("a dog runs")
    runs = [timed(lambda: make_foils(captions, parser, seed=seed)) for _ in range(3)]
    made, cpu_s = runs[0][0], min(taken.cpu_s for _, taken in runs)
    choosing = set(for_choosing(captions))
    with (
        tempfile.TemporaryDirectory() as folder,
        Retriever.create(Path(folder) / "library", model=model) as retriever,
    ):
        report = retriever.index(data / "videos")
        return {
            "model": {"name": model, "fingerprint": retriever.library.manifest.model_fingerprint},
            "videos": report.indexed,
            "foils": {**made.to_dict(), "seed": seed, "captions_per_cpu_s": round(made.captions / cpu_s)},
            "all": choose(retriever, made.foils),
            "for choosing": choose(retriever, [foil for foil in made.foils if foil.video in choosing]),
            "for reporting": choose(retriever, [foil for foil in made.foils if foil.video not in choosing]),
            "all, beside another clip": choose(retriever, beside_another_clip(made.foils, sorted(captions))),
        }


def beside_another_clip(foils: Sequence[Foil], videos: Sequence[str]) -> list[Foil]:
    """The same choices beside the clip half way down the list: what is told without seeing the right one."""
    other = another_clip(videos)
    return [attrs.evolve(foil, video=other[foil.video]) for foil in foils]


def choose(retriever: Retriever, foils: Sequence[Foil]) -> dict[str, Any]:
    """The accuracies, all levels beside the event level alone."""

    def score(videos: Sequence[str], sentences: Sequence[str]) -> Float32:
        return retriever.pair_scores(videos, sentences, (None, EVENT_ONLY), querybank_norm=True)

    pairs = [FoilPair(video=foil.video, caption=foil.caption, foil=foil.foil, type=foil.type) for foil in foils]
    return evaluate_foils(pairs, retriever.library.indexed_paths(), score).to_dict()


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="default")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    measured = measure(options.data, options.model, options.seed)
    write_result({**described(options, seed=options.seed), **measured}, options.out)
