"""The default model against a linear map on the same sentence vectors and the same frame features, query by query.

Photographs of Flickr8k's test split and the second half of 98 MSVD clips by name; all 98 are candidates. The
linear map learns from the training photographs, as the model did. Both sets are reported alone and pooled.

    python benchmarks/default_model.py --data DATA --out benchmarks/results/default_model.json

With `--trained`, the same of models that `train_model.py` wrote, such as one of each seed, and of their answers
together. Each folder holds model/ and frames/; the linear map is on features of the same frame encoder.

    python benchmarks/default_model.py --data DATA --trained SEED1 SEED2 SEED3 --out three_seeds.json
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
from flickr8k import Part, read_part
from msvd_98 import for_reporting
from result_file import arguments, described, write_result

from hgrkit.indexing.feature_cache import kept_features
from hgrkit.model.scorer import embed_videos
from hgrkit.research.evaluation.baselines import FittedBaseline, TrainingPairs, fit_baselines, video_vectors
from hgrkit.research.evaluation.captions import Captions, evaluate_captions, read_captions
from hgrkit.research.evaluation.comparison import compare_ranks
from hgrkit.research.evaluation.measures import RankMeasure
from hgrkit.research.evaluation.rank_file import QueryRank
from hgrkit.research.evaluation.retrieval import Retrieval
from hgrkit.research.evaluation.sentence_vectors import sentence_vectors
from hgrkit.retriever import Retriever
from hgrkit.video.efficientnet_lite import EfficientNetLite
from hgrkit.video.frame_encoder import FrameEncoder

COMPARED = tuple(RankMeasure(name) for name in ("R@1", "R@5", "R@10", "mRR"))

AGAINST = "against the linear map (a: linear map, b: model)"
TRAINED_VARIANT = "efficientnet-lite2"

RankedSets = Mapping[str, Sequence[Sequence[QueryRank]]]
"""By set of queries: ranks of the model, ranks of the linear map."""

Score = Callable[[Sequence[str]], npt.NDArray[np.float32]]


@attrs.frozen(kw_only=True, eq=False)
class Answers:
    """The same queries answered by the model, by it without querybank normalisation, and by the baseline."""

    model: Retrieval
    unnormalised: Retrieval
    baseline: Retrieval

    @classmethod
    def of(
        cls, captions: Captions, names: Sequence[str], *, model: Score, unnormalised: Score, baseline: Score
    ) -> Answers:
        """Ask each of them."""
        return cls(
            model=evaluate_captions(captions, names, model),
            unnormalised=evaluate_captions(captions, names, unnormalised),
            baseline=evaluate_captions(captions, names, baseline),
        )


def linear_map(training: Part, retriever: Retriever, evaluated: Sequence[str]) -> FittedBaseline:
    """The baseline of `hgrkit evaluate --baselines`."""
    pairs = TrainingPairs.read(training.captions, training.features, evaluated=evaluated)
    texts = [text for own in training.captions.values() for text in own]
    return fit_baselines(pairs, sentence_vectors(retriever.model, texts))["linear_map"]


@attrs.frozen(kw_only=True, eq=False)
class Asked:
    """A model and the frame encoder that it reads; `None` is the one that is installed."""

    model: str | Path
    frame_encoder: FrameEncoder | None = None

    @classmethod
    def trained(cls, folder: Path) -> Asked:
        """What `train_model.py` wrote."""
        return cls(
            model=folder / "model", frame_encoder=EfficientNetLite(folder / "frames", variant=TRAINED_VARIANT)
        )


def measure(data: Path, asked: Asked) -> tuple[dict[str, Any], RankedSets]:
    """Figures of one model, and the ranks, by set of queries, of the model and of the linear map."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        msvd = read_captions(data / "msvd/captions.json")
        with Retriever.create(folder / "clips", model=asked.model, frame_encoder=asked.frame_encoder) as clips:
            clips.index(data / "msvd/videos")
            manifest = clips.library.manifest
            train, test = (
                read_part(data / "flickr8k", part, asked.frame_encoder or manifest.frame_encoder)
                for part in ("train", "test")
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
                    model=partial(clips.scores, querybank_norm=True),
                    unnormalised=clips.scores,
                    baseline=baseline.scorer(clip_vectors),
                ),
                "flickr8k": Answers.of(
                    test.captions,
                    list(test.features),
                    model=lambda texts: photographs.scores(clips.read(texts), querybank_norm=True),
                    unnormalised=lambda texts: photographs.scores(clips.read(texts)),
                    baseline=baseline.scorer(vectors),
                ),
            }
    reporting = set(for_reporting(msvd))
    sets = {
        "flickr8k test, text to image": compared(answers["flickr8k"]),
        "msvd-98 second half, text to video": compared(answers["msvd"], reporting),
    }
    sets["pooled"] = [[*a, *b] for a, b in zip(*sets.values(), strict=True)]
    found = {
        "model": {"name": Path(asked.model).parent.name or asked.model, "fingerprint": manifest.model_fingerprint},
        "frame_encoder": manifest.frame_encoder_fingerprint,
        "measures": {
            "flickr8k test": answers["flickr8k"].model.measures.to_dict(),
            "msvd-98, all": answers["msvd"].model.measures.to_dict(),
        },
        "with the background left in": {
            "flickr8k test": answers["flickr8k"].unnormalised.measures.to_dict(),
            "msvd-98, all": answers["msvd"].unnormalised.measures.to_dict(),
        },
        AGAINST: against_linear_map(sets),
    }
    return found, sets


def against_linear_map(sets: RankedSets) -> dict[str, Any]:
    """The model's leads, paired by query and resampled by clip."""
    return {name: compare_ranks(theirs, ours, COMPARED).to_dict() for name, (ours, theirs) in sets.items()}


def measure_all(data: Path, folders: Sequence[Path]) -> dict[str, Any]:
    """Figures of several models, and of all of them together."""
    models, together = [], dict[str, list[list[QueryRank]]]()
    for folder in folders:
        found, sets = measure(data, Asked.trained(folder))
        models.append(found)
        for name, sides in sets.items():
            of_all = together.setdefault(name, [[], []])
            for side, rows in zip(of_all, sides, strict=True):
                side += [attrs.evolve(row, query=f"{row.query} {folder}") for row in rows]
    return {"models": models, f"all of them {AGAINST}": against_linear_map(together)}


def compared(answers: Answers, videos: set[str] | None = None) -> list[list[QueryRank]]:
    """Ranks of the model's and of the baseline's sentences."""
    return [text_queries(side, videos) for side in (answers.model, answers.baseline)]


def text_queries(evaluation: Retrieval, videos: set[str] | None = None) -> list[QueryRank]:
    """Ranks of sentences, those of some videos only if they are given."""
    return [
        row
        for row in evaluation.query_ranks
        if row.direction == "text_to_video" and (videos is None or Path(row.video).name in videos)
    ]


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with flickr8k/ and msvd/")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--model", default="default")
    which.add_argument("--trained", type=Path, nargs="+", metavar="FOLDER")
    options = parser.parse_args()
    if options.trained is not None:
        measured = measure_all(options.data, options.trained)
    else:
        measured = measure(options.data, Asked(model=options.model))[0]
    write_result({**described(options), **measured}, options.out)
