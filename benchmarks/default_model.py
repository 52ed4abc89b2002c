"""The default model against a linear map on the same sentence vectors and the same frame features, query by query.

Photographs of Flickr8k's test split and the second half of 98 MSVD clips by name; all 98 are candidates. The
linear map learns from the training photographs, as the model did. Both sets are reported alone and pooled.

    python benchmarks/default_model.py --data DATA --out benchmarks/results/default_model.json
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
from flickr8k import Part, read_part
from msvd import FOR_CHOOSING

import hgrkit
from hgrkit.cli.baselines import kept_features
from hgrkit.evaluation.baselines import FittedBaseline, TrainingPairs, fit_baselines, video_vectors
from hgrkit.evaluation.captions import CaptionEvaluation, Captions, evaluate_captions, read_captions
from hgrkit.evaluation.comparison import compare_ranks
from hgrkit.evaluation.query_rank import QueryRank
from hgrkit.evaluation.rank_measure import RankMeasure
from hgrkit.evaluation.sentence_vectors import sentence_vectors
from hgrkit.retriever import Retriever
from hgrkit.scorer import embed_videos

COMPARED = tuple(RankMeasure(name) for name in ("R@1", "R@5", "R@10", "mRR"))

Score = Callable[[Sequence[str]], npt.NDArray[np.float32]]


@attrs.frozen(kw_only=True, eq=False)
class Answers:
    """The same queries answered by the model, by its scores with the background left in, and by the baseline."""

    model: CaptionEvaluation
    with_background: CaptionEvaluation
    baseline: CaptionEvaluation

    @classmethod
    def of(
        cls, captions: Captions, names: Sequence[str], *, model: Score, with_background: Score, baseline: Score
    ) -> Answers:
        """Ask each of them."""
        return cls(
            model=evaluate_captions(captions, names, model),
            with_background=evaluate_captions(captions, names, with_background),
            baseline=evaluate_captions(captions, names, baseline),
        )


def linear_map(training: Part, retriever: Retriever, evaluated: Sequence[str]) -> FittedBaseline:
    """The baseline of `hgrkit evaluate --baselines`."""
    pairs = TrainingPairs.read(training.captions, training.features, evaluated=evaluated)
    texts = [text for own in training.captions.values() for text in own]
    return fit_baselines(pairs, sentence_vectors(retriever.model, texts))["linear_map"]


def measure(data: Path, model: str) -> dict[str, Any]:
    """What the command writes."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        msvd = read_captions(data / "msvd/captions.json")
        with Retriever.create(folder / "clips", model=model) as clips:
            clips.index(data / "msvd/videos")
            manifest = clips.library.manifest
            train, test = (
                read_part(data / "flickr8k", part, manifest.frame_encoder) for part in ("train", "test")
            )
            baseline = linear_map(train, clips, list(test.captions))
            paths = clips.library.indexed_paths()
            clip_vectors = video_vectors(kept_features(clips.library, folder / "clips"), paths)
            photographs = embed_videos(clips.model, test.features.values())
            vectors = video_vectors(test.features, list(test.features))
            answers = {
                "msvd": Answers.of(
                    msvd,
                    paths,
                    model=partial(clips.scores, less_background=True),
                    with_background=clips.scores,
                    baseline=baseline.scorer(clip_vectors),
                ),
                "flickr8k": Answers.of(
                    test.captions,
                    list(test.features),
                    model=lambda texts: photographs.scores(clips.read(texts), less_background=True),
                    with_background=lambda texts: photographs.scores(clips.read(texts)),
                    baseline=baseline.scorer(vectors),
                ),
            }
    reporting = set(sorted(msvd)[FOR_CHOOSING:])
    sets = {
        "flickr8k test, text to image": compared(answers["flickr8k"]),
        "msvd-98 second half, text to video": compared(answers["msvd"], reporting),
    }
    sets["pooled"] = [[*a, *b] for a, b in zip(*sets.values(), strict=True)]
    return {
        "command": "python benchmarks/default_model.py",
        "machine": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "hgrkit": hgrkit.__version__,
        "model": {"name": model, "fingerprint": manifest.model_fingerprint},
        "frame_encoder": manifest.frame_encoder_fingerprint,
        "measures": {
            "flickr8k test": answers["flickr8k"].model.measures.to_dict(),
            "msvd-98, all": answers["msvd"].model.measures.to_dict(),
        },
        "with the background left in": {
            "flickr8k test": answers["flickr8k"].with_background.measures.to_dict(),
            "msvd-98, all": answers["msvd"].with_background.measures.to_dict(),
        },
        "against the linear map (a: linear map, b: model)": {
            name: compare_ranks(theirs, ours, COMPARED).to_dict() for name, (ours, theirs) in sets.items()
        },
    }


def compared(answers: Answers, videos: set[str] | None = None) -> list[list[QueryRank]]:
    """Ranks of the model's and of the baseline's sentences."""
    return [text_queries(side, videos) for side in (answers.model, answers.baseline)]


def text_queries(evaluation: CaptionEvaluation, videos: set[str] | None = None) -> list[QueryRank]:
    """Ranks of sentences, those of some videos only if they are given."""
    return [
        row
        for row in evaluation.query_ranks
        if row.direction == "text_to_video" and (videos is None or Path(row.video).name in videos)
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with flickr8k/ and msvd/")
    parser.add_argument("--model", default="default")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    text = json.dumps(measure(options.data, options.model), indent=1)
    print(text)
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text + "\n")
