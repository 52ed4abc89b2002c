"""What each part of the default model is worth: the recipe's first stage with one thing done otherwise.

Compared with is the plain recipe: the default model's first stage before this table changed it. It has no messages
along the graph, hears the transformer's last layer alone, and learns from paraphrases. Each is trained with
several seeds on features of the published frame encoder, and compared query by query: photographs of Flickr8k's
test split, the second half of 98 MSVD clips by name, foils of captions of all 98. A lead above zero says that the
plain recipe is better. A linear map on the same features and sentence vectors, the baseline of `hgrkit evaluate
--baselines`, stands among them. Needs what `train_model.py` has cached; trained maps are cached too, so that a run
that was stopped goes on where it was.

    python scripts/what_pays.py --data DATA --cache build/cache --out ../../benchmarks/results/what_pays.json
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from build_frame_encoder import published_weights
from experiment import (
    MEASURES,
    Ranks,
    described_run,
    leads,
    main,
    of_all_seeds,
    rank_photographs,
    rank_texts,
    reported,
)
from frame_halves import UpperHalf
from last_layer import LastLayerReader
from msvd_clips import Clips
from photographs import Photographs
from regions import RegionLesson, clips_with_regions, photographs_with_regions
from safetensors.torch import load_file, save_file
from sentences import Sentences
from systems import OneModel, RegionModel, System, TwoTowers
from train_model import (
    FRAME_ENCODER,
    Encoders,
    Lesson,
    Material,
    Recipe,
    make_model,
    one_frame_clips,
    read_material,
    train_maps,
)
from word_tower import TOWER, make_tower, of_words, word_vectors

from hgrkit.evaluation.baselines import TrainingPairs, fit_baselines
from hgrkit.evaluation.foil_choice import FoilEvaluation, evaluate_foils
from hgrkit.matching.losses import HingeLoss
from hgrkit.matching.matcher import Matcher
from hgrkit.model import HgrModel
from hgrkit.parsing.registry import load_parser
from hgrkit.text.sentence_encoder import SentenceTextEncoder
from hgrkit.video.efficientnet_layout import VARIANTS, layout

PLAIN = Recipe(graph_layers=0, paraphrase_weight=0.3)


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
        regions: whether entities look at nine regions of a picture too.
        second_tower: whether the event is the mean of two scores, the other of a BiGRU over words.
        early_layer: whether the transformer's early layer is heard beside the last one.
    """

    recipe: Mapping[str, Any] = attrs.field(factory=dict)
    text: Mapping[str, Any] = attrs.field(factory=dict)
    video: Mapping[str, Any] = attrs.field(factory=dict)
    views: int | None = None
    matcher: Mapping[str, Any] = attrs.field(factory=dict)
    parser: str = "lark"
    hinge_margin: float | None = None
    regions: bool = False
    second_tower: bool = False
    early_layer: bool = False

    @property
    def trained(self) -> Variation:
        """What of it bears on the training of its model."""
        return attrs.evolve(self, matcher={}, parser="lark", second_tower=False)

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
    "two rounds of messages": Variation(text={"graph_layers": 2}),
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
    "entities look at nine regions too": Variation(regions=True),
    "a second tower of text, for the event": Variation(second_tower=True),
    "an early layer of the transformer too": Variation(early_layer=True),
}


@attrs.frozen(kw_only=True, eq=False)
class Questions:
    """What every system is asked.

    Attributes:
        photographs: whose test split is asked about.
        test: their captions, in the order of `photographs.pairs("test")`.
        clips: MSVD-98.
    """

    photographs: Photographs
    test: Sentences
    clips: Clips


@attrs.frozen(kw_only=True, eq=False)
class Outcome:
    """What systems of one variation, one of each seed, make of all questions."""

    ranks: Ranks
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


@attrs.frozen(kw_only=True, eq=False)
class Reading:
    """Everything that is learned from and asked, as one transformer reads it.

    Attributes:
        text: an untrained text encoder over the transformer.
        material: what is learned from.
        clips: MSVD-98.
    """

    text: SentenceTextEncoder
    material: Material
    clips: Clips


class Workshop:
    """Makes what is asked: everything that is learned from is read once, and what is trained is kept.

    Args:
        data: folder with flickr8k/ and msvd/.
        cache: that `train_model.py` filled.
    """

    def __init__(self, data: Path, cache: Path) -> None:
        self._data, self._cache = data, cache
        self._questions: dict[tuple[str, bool, bool], Questions] = {}
        self._readings: dict[bool, Reading] = {}
        self.encoders = Encoders.read(cache)

    def reading(self, *, early_layer: bool = False) -> Reading:
        """Everything, with the transformer's early layer beside the last one or without."""
        if early_layer not in self._readings:
            self._readings[early_layer] = self._read(early_layer=early_layer)
        return self._readings[early_layer]

    def questions(self, variation: Variation) -> Questions:
        """What a variation is asked: as its parser reads it, of features that it understands."""
        key = variation.parser, variation.regions, variation.early_layer
        if key not in self._questions:
            self._questions[key] = self._read_questions(variation)
        return self._questions[key]

    def system(self, variation: Variation, seed: int) -> System:
        """Train a variation, or take it from the cache."""
        model = self._model(variation.trained, seed)
        if variation.second_tower:
            return TwoTowers(model, self._tower(seed))
        return RegionModel(model) if variation.regions else OneModel(model)

    def _read(self, *, early_layer: bool) -> Reading:
        encoders = self.encoders
        if not early_layer:
            model, tokenizer = encoders.reader.files
            encoders = attrs.evolve(encoders, reader=LastLayerReader(model=model, tokenizer=tokenizer))
        text = encoders.text(PLAIN)
        return Reading(
            text=text,
            material=read_material(self._data, encoders.network, text, self._cache, PLAIN),
            clips=Clips.read(self._data / "msvd", encoders.frames, text, self._cache, sampling=PLAIN.sampling),
        )

    def _read_questions(self, variation: Variation) -> Questions:
        reading, own = self.reading(early_layer=variation.early_layer), load_parser(variation.parser)
        photographs, clips = reading.material.photographs, reading.clips
        texts = [caption for captions in photographs.captions for caption in captions]
        asked = [texts[caption] for caption in photographs.pairs("test")[:, 1]]
        if variation.regions:
            photographs, clips = self._photographs_with_regions, self._clips_with_regions
        return Questions(
            photographs=photographs,
            test=Sentences.read(asked, reading.text, self._cache, parser=own),
            clips=clips.parsed_by(own, reading.text, self._cache),
        )

    def _model(self, variation: Variation, seed: int) -> HgrModel:
        recipe = attrs.evolve(PLAIN, seed=seed, **variation.recipe)
        reading = self.reading(early_layer=variation.early_layer)
        model = make_model(
            reading.text.reader,
            self.encoders.network.feature_dim,
            recipe,
            text=variation.text,
            video=variation.video,
        )

        def train() -> None:
            material = reading.material
            photographs = self._photographs_with_regions if variation.regions else material.photographs
            seen = attrs.evolve(photographs, views=photographs.views[: variation.views])
            material = attrs.evolve(material, photographs=seen)
            lesson = RegionLesson if variation.regions else Lesson
            train_maps(lesson(model, material, recipe, loss=variation.loss(recipe)), material, recipe)

        return self._kept(model, [described(variation), first_stage(recipe)], train)

    def _tower(self, seed: int) -> HgrModel:
        recipe = attrs.evolve(TOWER, seed=seed)
        reading = self.reading()
        paraphrases = reading.material.paraphrases
        assert paraphrases is not None, "the plain recipe has them"
        read = (reading.material.captions, paraphrases.sentences, reading.clips.sentences)
        vocabulary, vectors = word_vectors([sentences.graphs for sentences in read], self.encoders.reader)
        tower = make_tower(vectors, vocabulary, self.encoders.network.feature_dim, recipe)
        material = of_words(reading.material)
        return self._kept(
            tower,
            ["words", first_stage(recipe)],
            lambda: train_maps(Lesson(tower, material, recipe), material, recipe),
        )

    def _kept(self, model: HgrModel, what: Sequence[Any], train: Callable[[], None]) -> HgrModel:
        """The model, its weights trained or those that were kept."""
        key = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]
        path = self._cache / f"maps-{key}.safetensors"
        if path.is_file():
            model.load_state_dict(load_file(path))
            return model.eval()
        train()
        save_file(model.state_dict(), path)
        return model

    @cached_property
    def _upper(self) -> UpperHalf:
        variant = VARIANTS[FRAME_ENCODER]
        return UpperHalf(layout(variant), published_weights(variant))

    @cached_property
    def _photographs_with_regions(self) -> Photographs:
        photographs = self.reading().material.photographs
        return photographs_with_regions(photographs, self._upper, self.encoders.network, self._cache)

    @cached_property
    def _clips_with_regions(self) -> Clips:
        return clips_with_regions(
            self.reading().clips,
            self._data / "msvd/videos",
            self._upper,
            self.encoders.network,
            self._cache,
            sampling=PLAIN.sampling,
        )


def first_stage(recipe: Recipe) -> dict[str, Any]:
    """The settings that the first stage reads."""
    return {name: value for name, value in attrs.asdict(recipe).items() if not name.startswith("tuning")}


def described(variation: Variation) -> dict[str, Any]:
    """What is otherwise than in the recipe."""
    plain = attrs.asdict(Variation())
    return {name: value for name, value in attrs.asdict(variation).items() if value != plain[name]}


def ask_linear_map(reading: Reading, seeds: Sequence[int]) -> Outcome:
    """The baseline's answers, the same beside every seed."""
    clips, photographs = reading.clips, reading.material.photographs
    vectors = reading.material.captions.states.event.numpy()
    texts = [caption for own in photographs.captions for caption in own]
    row_of = {text: row for row, text in enumerate(texts)}
    train, test, features = photographs.split["train"], photographs.split["test"], photographs.views[0].features
    pairs = TrainingPairs(
        captions=tuple(photographs.captions[row] for row in train), videos=features[train].numpy()
    )
    maps = fit_baselines(pairs, lambda asked: vectors[[row_of[text] for text in asked]])["linear_map"].maps
    found = maps.scores(features[test].numpy(), vectors[photographs.pairs("test")[:, 1]])
    frames = clips.features.frames.numpy() * clips.features.frame_mask.numpy()[:, :, None]
    means = frames.sum(axis=1) / clips.features.frame_mask.numpy().sum(axis=1, keepdims=True)
    scores = maps.scores(means, clips.sentences.states.event.numpy())
    ranks = []
    for seed in seeds:
        msvd = rank_texts(scores[:, : len(clips.captions)], clips.owners, clips.names, clips.captions, seed)
        ranks.append(reported(rank_photographs(found, photographs, "test", seed), msvd, clips))
    return Outcome(ranks=of_all_seeds(ranks), foils=[choose(scores, scores, clips)])


def ask(system: System, matcher: Matcher, seed: int, questions: Questions) -> tuple[Ranks, FoilEvaluation]:
    """Ask one system everything."""
    photographs, clips = questions.photographs, questions.clips
    features = one_frame_clips(photographs.views[0].features[photographs.split["test"]])
    levels = system.levels(matcher, features, questions.test, np.arange(len(questions.test.graphs)))
    flickr8k = rank_photographs(matcher.fuse(levels).numpy(), photographs, "test", seed)
    number = len(clips.captions)
    levels = system.levels(matcher, clips.features, clips.sentences, np.arange(number + len(clips.foils)))
    fused = matcher.fuse(levels).numpy()
    msvd = rank_texts(fused[:, :number], clips.owners, clips.names, clips.captions, seed)
    return reported(flickr8k, msvd, clips), choose(fused, levels.event.numpy(), clips)


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


def run_variation(variation: Variation, workshop: Workshop, seeds: Sequence[int]) -> Outcome:
    """Ask the systems of every seed."""
    answers = []
    for seed in seeds:
        system = workshop.system(variation, seed)
        matcher = Matcher(**{**system.model.matcher.settings, **variation.matcher})
        answers.append(ask(system, matcher, seed, workshop.questions(variation)))
    return Outcome(ranks=of_all_seeds([ranks for ranks, _ in answers]), foils=[foils for _, foils in answers])


def measure(
    data: Path, cache: Path, seeds: Sequence[int], names: Sequence[str], save: Callable[[Any], None]
) -> None:
    """Train and compare, saving after every variation."""
    workshop = Workshop(data, cache)
    started = time.perf_counter()
    recipe = run_variation(Variation(), workshop, seeds)
    result: dict[str, Any] = {
        **described_run("what_pays.py", workshop.encoders.frames.fingerprint, seeds),
        "recipe": recipe.to_dict(),
        "variations": {},
    }

    def add(name: str, outcome: Outcome) -> None:
        lead = leads(recipe.ranks, outcome.ranks)
        result["variations"][name] = {**outcome.to_dict(), "the recipe's lead": lead}
        result["minutes"] = round((time.perf_counter() - started) / 60, 1)
        save(result)

    add("linear map", ask_linear_map(workshop.reading(), seeds))
    add("linear map, an early layer too", ask_linear_map(workshop.reading(early_layer=True), seeds))
    for name in names:
        add(name, run_variation(VARIATIONS[name], workshop, seeds))


if __name__ == "__main__":
    main(__doc__, VARIATIONS, measure)
