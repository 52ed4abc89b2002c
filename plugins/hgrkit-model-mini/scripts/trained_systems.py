"""Makes what `what_pays.py` asks: reads what is learned from once, trains each variation, and keeps it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import attrs
from build_frame_encoder import published_weights
from cache_file import cache_file
from encoders import Encoders, make_model
from frame_halves import UpperHalf
from last_layer import LastLayerReader
from map_training import train_maps
from material import Material, read_material
from msvd_clips import Clips
from one_frame_loss import OneFrameLoss
from photographs import Photographs
from recipe import FRAME_ENCODER
from regions import RegionLoss, clips_with_regions, photographs_with_regions
from safetensors.torch import load_file, save_file
from sentences import Paraphrases, Sentences
from systems import OneModel, RegionModel, System, TwoTowers
from variations import PLAIN, Variation, described, first_stage
from word_tower import TOWER, make_tower, of_words, word_vectors

from hgrkit.model.hgr_model import HgrModel
from hgrkit.model.text.sentence_encoder import SentenceTextEncoder
from hgrkit.parsing.registry import load_parser
from hgrkit.video.efficientnet_layout import VARIANTS, layout

__all__ = ["Questions", "Reading", "TrainedSystems"]


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


class TrainedSystems:
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
        texts = photographs.texts
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
        material = reading.material
        model = make_model(
            reading.text.reader,
            self.encoders.network.feature_dim,
            recipe,
            text=variation.text,
            video=variation.video,
        )

        def train() -> None:
            photographs = self._photographs_with_regions if variation.regions else material.photographs
            seen = attrs.evolve(photographs, views=photographs.views[: variation.views])
            own = attrs.evolve(material, photographs=seen)
            loss = RegionLoss if variation.regions else OneFrameLoss
            train_maps(loss(model, own, recipe, loss=variation.loss(recipe)), own, recipe)

        return self._kept(model, [described(variation), first_stage(recipe), material.fingerprint], train)

    def _tower(self, seed: int) -> HgrModel:
        recipe = attrs.evolve(TOWER, seed=seed)
        reading = self.reading()
        material = of_words(reading.material)
        read = [reading.material.captions, _paraphrases(material).sentences, reading.clips.sentences]
        vocabulary, vectors = word_vectors([sentences.graphs for sentences in read], self.encoders.reader)
        tower = make_tower(vectors, vocabulary, self.encoders.network.feature_dim, recipe)
        return self._kept(
            tower,
            ["words", first_stage(recipe), material.fingerprint, reading.clips.sentences.fingerprint],
            lambda: train_maps(OneFrameLoss(tower, material, recipe), material, recipe),
        )

    def _kept(self, model: HgrModel, what: list[Any], train: Callable[[], None]) -> HgrModel:
        """The model, its weights trained or those that were kept."""
        path = cache_file(self._cache, "maps.safetensors", *what)
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
        return photographs_with_regions(self.reading().material.photographs, self._upper, self._cache)

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


def _paraphrases(material: Material) -> Paraphrases:
    if material.paraphrases is None:
        raise ValueError(
            f"the second tower learns from paraphrases, but paraphrase_weight={PLAIN.paraphrase_weight}."
        )
    return material.paraphrases
