"""Zero-shot retrieval on 98 real MSVD clips: index them with a model, ask 1,634 captions, write what comes back.

The first 49 clips by name are for choosing, the rest for reporting; all 98 are candidates for every caption.

    python benchmarks/msvd.py --data DATA/msvd --out benchmarks/results/msvd.json
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from msvd_98 import for_choosing
from result_file import arguments, described, write_result
from timing import timed

import hgrkit
from hgrkit.library import Library, SearchSettings
from hgrkit.library.records import Float32
from hgrkit.model.registry import model_folder
from hgrkit.model.scorer import embed_graphs
from hgrkit.parsing.lark.parser import LarkParser
from hgrkit.research.evaluation.captions import Captions, evaluate_captions, read_captions
from hgrkit.research.evaluation.measures import DirectionMeasures
from hgrkit.research.evaluation.retrieval import Retrieval

LEVEL_WEIGHTS = ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1), (2, 0.5, 2), (2, 0, 2))


def measure(data: Path, model: str) -> dict[str, Any]:
    """Index the clips, evaluate, and report all clips and both halves."""
    captions = read_captions(data / "captions.json")
    with (
        tempfile.TemporaryDirectory() as folder,
        hgrkit.Retriever.create(Path(folder) / "library", model=model) as retriever,
    ):
        indexed, taken = timed(lambda: retriever.index(data / "videos"))
        evaluation = evaluate_captions(
            captions, retriever.library.indexed_paths(), partial(retriever.scores, querybank_norm=True)
        )
        by_weights = evaluate_weights(retriever.library, model, captions)
        manifest = retriever.library.manifest
    return {
        "model": {
            "name": manifest.model,
            "fingerprint": manifest.model_fingerprint,
            "sampling": manifest.sampling,
        },
        "index": {
            "videos": indexed.indexed,
            "decoded_frames": indexed.decoded_frames,
            "cpu_s": round(taken.cpu_s, 1),
        },
        "all": evaluation.measures.to_dict(),
        **halves(evaluation, captions),
        "level weights (event, action, entity), for choosing": by_weights,
    }


def evaluate_weights(library: Library, model: str, captions: Captions) -> dict[str, Any]:
    """The captions for choosing, with other weights of the levels."""
    loaded = hgrkit.load_model(model_folder(model))
    texts = list(dict.fromkeys(text for own in captions.values() for text in own))
    embedded = embed_graphs(loaded, LarkParser().parse_batch(texts))
    queries = {text: query.embeddings for text, query in zip(texts, embedded, strict=True)}
    measured = {}
    for weights in LEVEL_WEIGHTS:
        settings = SearchSettings(
            sharpness=loaded.matcher.sharpness, fusion=loaded.matcher.fusion, level_weights=weights
        )

        def score(asked: Sequence[str], settings: SearchSettings = settings) -> Float32:
            return library.scores([queries[text] for text in asked], settings)

        evaluation = evaluate_captions(captions, library.indexed_paths(), score)
        measured[str(weights)] = halves(evaluation, captions)["for choosing"]
    return measured


def halves(evaluation: Retrieval, captions: Mapping[str, object]) -> dict[str, Any]:
    """Text to video for the captions of each half."""
    choosing = set(for_choosing(captions))
    videos = [row.video for row in evaluation.query_ranks if row.direction == "text_to_video"]
    chosen = np.array([video in choosing for video in videos])
    ranks = evaluation.measures.text_to_video.ranks
    return {
        "for choosing": DirectionMeasures(ranks=ranks[chosen]).to_dict(),
        "for reporting": DirectionMeasures(ranks=ranks[~chosen]).to_dict(),
    }


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="default")
    options = parser.parse_args()
    write_result({**described(options), **measure(options.data, options.model)}, options.out)
