"""What each part of the default model is worth: the recipe's first stage with one thing done otherwise.

Compared with is the plain recipe: the default model's first stage without messages along the graph, which are
variations. Each is trained with several seeds on features of the published frame encoder, and compared query by
query: photographs of Flickr8k's test split, the second half of 98 MSVD clips by name, foils of captions of all 98.
A lead above zero says that the plain recipe is better. A linear map on the same features and sentence vectors, the
baseline of `hgrkit evaluate --baselines`, stands among them. Needs what `train_model.py` has cached; trained maps
are cached too, so that a run that was stopped goes on where it was.

    python scripts/what_pays.py --data DATA --cache build/cache --out ../../benchmarks/results/what_pays.json
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import attrs
import numpy as np
import torch
from msvd_clips import Clips
from photographs import Photographs
from safetensors.torch import load_file, save_file
from sentences import Sentences
from train_model import (
    Encoders,
    Lesson,
    Material,
    Recipe,
    make_model,
    one_frame_clips,
    read_material,
    train_maps,
)

import hgrkit
from hgrkit.evaluation.baselines import STRENGTHS
from hgrkit.evaluation.comparison import Difference, compare_ranks
from hgrkit.evaluation.foil_choice import FoilEvaluation, evaluate_foils
from hgrkit.evaluation.paired_maps import PairSums, linear_map
from hgrkit.evaluation.query_rank import QueryRank, retrieval_ranks
from hgrkit.evaluation.rank_measure import Direction, RankMeasure
from hgrkit.evaluation.ranking import Relevance
from hgrkit.matching.losses import HingeLoss
from hgrkit.matching.matcher import Matcher
from hgrkit.model import HgrModel
from hgrkit.parsing.registry import load_parser
from hgrkit.text.sentence_encoder import SentenceTextEncoder
from hgrkit.text.sentence_reader import SentenceReader
from hgrkit.video.features import VideoFeatures

PLAIN = Recipe(graph_layers=0)
FOR_CHOOSING = 49
MEASURES = (RankMeasure("R@1"), RankMeasure("mRR"))
SENTENCES_AT_ONCE = 500


@attrs.frozen(kw_only=True)
class Variation:
    """One thing that is done otherwise.

    Attributes:
        recipe: settings of the recipe with other values.
        text: settings of the text encoder with other values.
        video: settings of the video encoder with other values.
        views: looks at each photograph that training draws from; all unless given.
        matcher: settings of the matcher with other values; with nothing else changed the recipe's own models are
            asked again.
        parser: that reads the questions, by name; the models were trained on graphs of `lark`.
        hinge_margin: of the hinge on the hardest negative, in the place of InfoNCE.
    """

    recipe: Mapping[str, Any] = attrs.field(factory=dict)
    text: Mapping[str, Any] = attrs.field(factory=dict)
    video: Mapping[str, Any] = attrs.field(factory=dict)
    views: int | None = None
    matcher: Mapping[str, Any] = attrs.field(factory=dict)
    parser: str = "lark"
    hinge_margin: float | None = None

    @property
    def trains(self) -> bool:
        """Whether it needs models of its own."""
        return self != Variation(matcher=self.matcher, parser=self.parser)

    def loss(self, recipe: Recipe) -> HingeLoss | None:
        """The loss, if it is not the recipe's."""
        if self.hinge_margin is None:
            return None
        return HingeLoss(margin=self.hinge_margin, level_weights=(0.0, *recipe.level_losses))


VARIATIONS: Mapping[str, Variation] = {
    "event level alone": Variation(matcher={"level_weights": (1, 0, 0)}),
    "action level alone": Variation(matcher={"level_weights": (0, 1, 0)}),
    "entity level alone": Variation(matcher={"level_weights": (0, 0, 1)}),
    "levels weighed alike": Variation(matcher={"level_weights": (1, 1, 1)}),
    "similarities averaged over the frames": Variation(matcher={"fusion": "sim"}),
    "frames weighed evenly": Variation(matcher={"sharpness": 1e-6}),
    "frames weighed more sharply": Variation(matcher={"sharpness": 16.0}),
    "questions read by Stanza": Variation(parser="stanza"),
    "questions read by spaCy": Variation(parser="spacy"),
    "no foils": Variation(recipe={"foil_weight": 0.0}),
    "graph attention, as published": Variation(text={"graph_layers": 1}),
    "graph attention from identity": Variation(text={"graph_layers": 1, "graph_start": "identity"}),
    "no vectors of roles": Variation(text={"num_roles": 0}),
    "no paraphrases": Variation(recipe={"paraphrase_weight": 0.0}),
    "photographs as they are": Variation(views=1),
    "one map for all levels of a frame": Variation(video={"shared_projection": True}),
    "hinge on the hardest negative": Variation(hinge_margin=0.2),
    "graph, even weights": Variation(text={"graph_layers": 1, "graph_attention": False}),
    "graph attention from identity, two-way edges": Variation(
        text={"graph_layers": 1, "graph_start": "identity", "edges": "two_way"}
    ),
}


@attrs.frozen(kw_only=True, eq=False)
class Questions:
    """What every model is asked.

    Attributes:
        photographs: whose test split is asked about.
        test: their captions, in the order of `photographs.pairs("test")`.
        clips: MSVD-98.
    """

    photographs: Photographs
    test: Sentences
    clips: Clips

    @classmethod
    def read(
        cls, parser: str, photographs: Photographs, clips: Clips, text: SentenceTextEncoder, cache: Path
    ) -> Questions:
        """Captions and foils as a parser reads them."""
        texts = [caption for own in photographs.captions for caption in own]
        asked = [texts[caption] for caption in photographs.pairs("test")[:, 1]]
        own = load_parser(parser)
        return cls(
            photographs=photographs,
            test=Sentences.read(asked, text, cache, parser=own),
            clips=clips.parsed_by(own, text, cache),
        )


@attrs.frozen(kw_only=True, eq=False)
class Outcome:
    """What models of one variation, one of each seed, make of all questions."""

    ranks: dict[str, list[QueryRank]]
    foils: list[FoilEvaluation]

    def to_dict(self) -> dict[str, Any]:
        """Means over the seeds."""
        found: dict[str, Any] = {
            name: {str(measure): measure.of(np.array([row.rank for row in rows])) for measure in MEASURES}
            for name, rows in self.ranks.items()
        }
        found["foils"] = {
            "mean": float(np.mean([one.fused.mean for one in self.foils])),
            "event_only": float(np.mean([one.event_only.mean for one in self.foils])),
        }
        return found


def ask_linear_map(material: Material, clips: Clips, seeds: Sequence[int]) -> Outcome:
    """The baseline's answers, the same beside every seed: it has none."""
    photographs, captions = material.photographs, material.captions.states.event.numpy()
    own, train = photographs.views[0].features.numpy(), photographs.split["train"]
    of_caption, numbers = photographs.pairs("train").T
    row_of = np.empty(len(own), np.int64)
    row_of[train] = np.arange(len(train))
    learned = PairSums.of(captions[numbers], row_of[of_caption], own[train]).covariances()
    maps = {strength: linear_map(learned, strength) for strength in STRENGTHS}
    dev = {strength: flickr8k_ranks(map_.scores, material, "dev", 0) for strength, map_ in maps.items()}
    best = maps[max(dev, key=lambda strength: mean_reciprocal_rank(dev[strength]))]
    frames = clips.features.frames.numpy() * clips.features.frame_mask.numpy()[:, :, None]
    means = frames.sum(axis=1) / clips.features.frame_mask.numpy().sum(axis=1, keepdims=True)
    scores = best.scores(means, clips.sentences.states.event.numpy())
    ranks: dict[str, list[QueryRank]] = {}
    for seed in seeds:
        msvd = rank_texts(scores[:, : len(clips.captions)], clips.owners, clips.names, clips.captions, seed)
        found = ranked(flickr8k_ranks(best.scores, material, "test", seed), msvd, clips)
        for name, rows in found.items():
            ranks.setdefault(name, []).extend(rows)
    return Outcome(ranks=ranks, foils=[choose(scores, scores, clips)])


def mean_reciprocal_rank(rows: Sequence[QueryRank]) -> float:
    """In per cent."""
    return RankMeasure("mRR").of(np.array([row.rank for row in rows]))


def flickr8k_ranks(score: Callable[..., np.ndarray], material: Material, part: str, seed: int) -> list[QueryRank]:
    """Ranks of one split's captions by scores of mean features [V, K] and sentence vectors [C, H]."""
    photographs = material.photographs
    rows, pairs = photographs.split[part], photographs.pairs(part)
    scores = score(
        photographs.views[0].features[rows].numpy(), material.captions.states.event[pairs[:, 1]].numpy()
    )
    return rank_photographs(scores, photographs, part, seed)


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
    texts = [caption for own in photographs.captions for caption in own]
    owners = np.array([place[photograph] for photograph in pairs[:, 0]])
    names = [photographs.names[row] for row in rows]
    return rank_texts(
        scores, owners, names, [texts[caption] for caption in pairs[:, 1]], seed, direction=direction
    )


def ranked(flickr8k: list[QueryRank], msvd: list[QueryRank], clips: Clips) -> dict[str, list[QueryRank]]:
    """The questions that are reported, alone and pooled."""
    reporting = set(clips.names[FOR_CHOOSING:])
    second_half = [row for row in msvd if row.video in reporting]
    return {
        "flickr8k test": flickr8k,
        "msvd-98 second half": second_half,
        "pooled": [*flickr8k, *second_half],
    }


def ask(model: HgrModel, seed: int, questions: Questions) -> tuple[dict[str, list[QueryRank]], FoilEvaluation]:
    """Ask one model everything."""
    photographs, clips = questions.photographs, questions.clips
    features = one_frame_clips(photographs.views[0].features[photographs.split["test"]])
    scores, _ = score(model, features, questions.test, np.arange(len(questions.test.graphs)))
    flickr8k = rank_photographs(scores, photographs, "test", seed)
    number = len(clips.captions)
    fused, event = score(model, clips.features, clips.sentences, np.arange(number + len(clips.foils)))
    msvd = rank_texts(fused[:, :number], clips.owners, clips.names, clips.captions, seed)
    return ranked(flickr8k, msvd, clips), choose(fused, event, clips)


@torch.inference_mode()
def score(
    model: HgrModel, features: VideoFeatures, sentences: Sentences, which: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Fused and event scores, [V, C] each."""
    text, video = cast("SentenceTextEncoder", model.text), model.video(features)
    parts = [
        model.matcher(video, text.encode(*sentences.batch(which[start : start + SENTENCES_AT_ONCE], text)))
        for start in range(0, len(which), SENTENCES_AT_ONCE)
    ]
    return (
        torch.cat([part.fused for part in parts], dim=1).numpy(),
        torch.cat([part.levels.event for part in parts], dim=1).numpy(),
    )


def rank_texts(
    scores: np.ndarray,
    owners: np.ndarray,
    videos: Sequence[str],
    captions: Sequence[str],
    seed: int,
    *,
    direction: Direction = "text_to_video",
) -> list[QueryRank]:
    """Ranks of the sentences, or of the clips, named by the seed too: runs of several seeds stand side by side."""
    pairs = Relevance.from_pairs(owners, np.arange(len(owners)), (len(videos), len(owners)))
    rows = retrieval_ranks(scores, pairs, videos=videos, captions=captions)
    return [attrs.evolve(row, query=f"{row.query} {seed}") for row in rows if row.direction == direction]


def choose(fused: np.ndarray, event: np.ndarray, clips: Clips) -> FoilEvaluation:
    """Captions against foils, each beside its own clip."""
    place = {name: row for row, name in enumerate(clips.names)}
    column = {
        (clips.names[owner], text): number
        for number, (owner, text) in enumerate(zip(clips.owners, clips.captions, strict=True))
    }
    column |= {(pair.video, pair.foil): len(clips.captions) + number for number, pair in enumerate(clips.foils)}

    def pick(videos: Sequence[str], sentences: Sequence[str]) -> np.ndarray:
        rows = [place[video] for video in videos]
        columns = [column[video, sentence] for video, sentence in zip(videos, sentences, strict=True)]
        return np.stack([fused[rows, columns], event[rows, columns]])

    return evaluate_foils(clips.foils, clips.names, pick)


def run_variation(
    variation: Variation,
    models: Sequence[HgrModel],
    seeds: Sequence[int],
    questions: Questions,
) -> Outcome:
    """Ask the models of every seed."""
    ranks: dict[str, list[QueryRank]] = {}
    foils = []
    for seed, model in zip(seeds, models, strict=True):
        own = model.matcher
        model.matcher = Matcher(**{**own.settings, **variation.matcher})
        found, chosen = ask(model, seed, questions)
        model.matcher = own
        for name, rows in found.items():
            ranks.setdefault(name, []).extend(rows)
        foils.append(chosen)
    return Outcome(ranks=ranks, foils=foils)


def train_model(
    variation: Variation, seed: int, reader: SentenceReader, material: Material, cache: Path
) -> HgrModel:
    """Train the maps of one variation, or take them from the cache."""
    recipe = attrs.evolve(PLAIN, seed=seed, **variation.recipe)
    photographs = material.photographs
    seen = attrs.evolve(photographs, views=photographs.views[: variation.views])
    model = make_model(
        reader,
        photographs.views[0].features.shape[1],
        recipe,
        text=variation.text,
        video=variation.video,
    )
    first_stage = {name: value for name, value in attrs.asdict(recipe).items() if not name.startswith("tuning")}
    described = json.dumps(
        [attrs.asdict(attrs.evolve(variation, matcher={}, parser="lark")), first_stage], sort_keys=True
    )
    path = cache / f"maps-{hashlib.sha256(described.encode()).hexdigest()[:16]}.safetensors"
    if path.is_file():
        model.load_state_dict(load_file(path))
        return model.eval()
    lesson_material = attrs.evolve(material, photographs=seen)
    lesson = Lesson(model, lesson_material, recipe, loss=variation.loss(recipe))
    train_maps(lesson, lesson_material, recipe)
    save_file(model.state_dict(), path)
    return model


def compared(recipe: Outcome, other: Outcome) -> dict[str, Any]:
    """The recipe's lead, by question: figures, intervals, chance."""

    def lead(name: str) -> dict[str, Any]:
        found = compare_ranks(other.ranks[name], recipe.ranks[name], MEASURES).differences
        return {str(figure.measure): shown(difference) for figure, difference in found.items()}

    return {name: lead(name) for name in recipe.ranks}


def shown(difference: Difference) -> dict[str, Any]:
    """A lead and its interval."""
    return {
        "lead": difference.difference,
        "interval": list(difference.interval),
        "p_value": difference.p_value,
    }


def measure(
    data: Path, cache: Path, seeds: Sequence[int], names: Sequence[str], save: Callable[[Any], None]
) -> None:
    """Train and compare, saving after every variation."""
    encoders = Encoders.read(cache)
    text = encoders.text(PLAIN)
    material = read_material(data, encoders.network, text, cache, PLAIN)
    clips = Clips.read(data / "msvd", encoders.frames, text, cache, sampling=PLAIN.sampling)
    started = time.perf_counter()
    own = [train_model(Variation(), seed, encoders.reader, material, cache) for seed in seeds]
    asked = {"lark": Questions.read("lark", material.photographs, clips, text, cache)}
    recipe = run_variation(Variation(), own, seeds, asked["lark"])
    result: dict[str, Any] = {
        "command": "python scripts/what_pays.py",
        "machine": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "hgrkit": hgrkit.__version__,
        "frame_encoder": encoders.frames.fingerprint,
        "seeds": list(seeds),
        "recipe": recipe.to_dict(),
        "variations": {},
    }
    baseline = ask_linear_map(material, clips, seeds)
    result["variations"]["linear map"] = {**baseline.to_dict(), "the recipe's lead": compared(recipe, baseline)}
    for name in names:
        variation = VARIATIONS[name]
        models = own
        if variation.trains:
            models = [train_model(variation, seed, encoders.reader, material, cache) for seed in seeds]
        if variation.parser not in asked:
            asked[variation.parser] = Questions.read(variation.parser, material.photographs, clips, text, cache)
        outcome = run_variation(variation, models, seeds, asked[variation.parser])
        result["variations"][name] = {**outcome.to_dict(), "the recipe's lead": compared(recipe, outcome)}
        result["minutes"] = round((time.perf_counter() - started) / 60, 1)
        save(result)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with flickr8k/ and msvd/")
    parser.add_argument("--cache", type=Path, default=Path("build/cache"), help="as for train_model.py")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--only", nargs="+", choices=list(VARIATIONS), default=list(VARIATIONS), metavar="NAME")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()

    def write(result: Any) -> None:
        """What there is so far."""
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(result, indent=1) + "\n")

    measure(options.data, options.cache, options.seeds, options.only, write)
