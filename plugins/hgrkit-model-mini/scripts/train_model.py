"""Train the default model: from data to the model folder and the frame encoder that this package ships.

Photographs of Flickr8k are clips of one frame. First the maps of both sides are trained on what the published
frame encoder makes of them, then the encoder's last blocks are tuned together with the maps. Foils, sentences that
are wrong in one respect or say less, teach actions and entities who does what. No clip of MSVD is seen, and none
of its captions is read unless `paraphrase_weight` says so: then captions of the clips that evaluation leaves out
teach the text side that sentences about one clip mean the same.

    python scripts/train_model.py --data DATA --out hgrkit_model_mini
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import attrs
import numpy as np
import numpy.typing as npt
import torch
from build_frame_encoder import build as build_frame_encoder
from build_frame_encoder import check as check_frame_encoder
from build_frame_encoder import published_weights
from build_text_encoder import build as build_text_encoder
from diary import Diary, diary_notes
from frame_halves import UpperHalf
from model_card import write_card
from photographs import FrameNetwork, Photographs
from rich.progress import track
from sentences import Foils, Paraphrases, Sentences, read_clip_captions
from torch import Tensor, nn

import hgrkit
from hgrkit.embeddings import TextEmbeddings
from hgrkit.evaluation.measures import RetrievalMeasures, measure
from hgrkit.foils.foil import FoilType
from hgrkit.levels import PerLevel
from hgrkit.matching.background import Background
from hgrkit.matching.losses import InfoNCE
from hgrkit.matching.matcher import Matcher, Scores
from hgrkit.model import HgrModel, ModelOrigin
from hgrkit.text.sentence_encoder import SentenceTextEncoder
from hgrkit.text.sentence_reader import SentenceReader
from hgrkit.training.ema import WeightAverage
from hgrkit.training.records import EpochRecord
from hgrkit.video.efficientnet_layout import VARIANTS, layout
from hgrkit.video.efficientnet_lite import EfficientNetLite
from hgrkit.video.features import VideoFeatures
from hgrkit.video.video_encoder import VideoEncoder

Numbers = npt.NDArray[np.int64]
NodeLevel = Literal["action", "entity"]

FRAME_ENCODER = "efficientnet-lite2"
FOILS: dict[FoilType, int] = {
    "switch_roles": 6000,
    "replace_action": 6000,
    "incomplete_event": 6000,
    "replace_person": 3000,
    "replace_scene": 2000,
}
FOILED_LEVELS: tuple[NodeLevel, ...] = ("action", "entity")
"""Levels that foils teach; the event stays what it is without them."""


@attrs.frozen(kw_only=True)
class Recipe:
    """What was chosen, on Flickr8k dev and the first half of MSVD-98."""

    embed_dim: int = 512
    text_dropout: float = 0.3
    temperature: float = 0.05
    level_losses: tuple[float, float, float] = (1.0, 1.0, 1.0)
    paraphrase_weight: float = 0.0
    foil_weight: float = 0.5
    weight_decay: float = 1e-2
    warm_up: float = 0.1
    spoilt_views: int = 1

    epochs: int = 12
    batch_size: int = 512
    learning_rate: float = 2e-3
    feature_dropout: float = 0.6

    tuning_epochs: int = 8
    tuning_batch_size: int = 256
    tuning_captions: int = 2
    tuning_rate: float = 3e-4
    tuning_maps_rate: float = 5e-4
    tuning_feature_dropout: float = 0.5
    tuning_anchor: float = 5.0
    tuning_average: float = 0.998
    tuning_clip_norm: float = 5.0

    background: int = 2000
    background_temperature: float = 0.08
    level_weights: tuple[float, float, float] = (2.0, 0.5, 2.0)
    graph_layers: int = 1
    sampling: str = "fps:2"
    clip_seconds: float = 30.0
    seed: int = 3


@attrs.frozen(kw_only=True, eq=False)
class Encoders:
    """What is there before training.

    Attributes:
        frames: the published frame encoder.
        network: the same, which also tells what enters the blocks that are tuned.
        reader: the frozen transformer.
    """

    frames: EfficientNetLite
    network: FrameNetwork
    reader: SentenceReader

    @classmethod
    def read(cls, cache: Path) -> Encoders:
        """Open what was built into the cache."""
        frames = EfficientNetLite(cache, variant=FRAME_ENCODER)
        graph = cache / f"{FRAME_ENCODER}.onnx"
        return cls(
            frames=frames,
            network=FrameNetwork(graph, layout(VARIANTS[FRAME_ENCODER]), frames.fingerprint),
            reader=SentenceReader(model=cache / "sentence.onnx", tokenizer=cache / "tokenizer.json"),
        )

    def text(self, recipe: Recipe) -> SentenceTextEncoder:
        """An untrained text encoder, which reads sentences as the trained ones do."""
        return cast("SentenceTextEncoder", make_model(self.reader, self.network.feature_dim, recipe).text)


@attrs.frozen(kw_only=True, eq=False)
class Material:
    """What the model learns from; paraphrases only where a recipe gives them weight."""

    photographs: Photographs
    captions: Sentences
    paraphrases: Paraphrases | None
    foils: Foils


class Lesson(nn.Module):
    """The loss of a batch of photographs with a caption each."""

    def __init__(
        self, model: HgrModel, material: Material, recipe: Recipe, *, loss: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.model = model
        self._material, self._recipe = material, recipe
        self._loss = loss or InfoNCE(temperature=recipe.temperature, level_weights=(0.0, *recipe.level_losses))
        self._same_loss = InfoNCE(temperature=recipe.temperature)

    def captions(
        self, features: Tensor, photographs: Numbers, captions: Numbers, chance: np.random.Generator
    ) -> Tensor:
        """Every photograph and its caption find each other, [B, K]; none prefers a foil."""
        text = self._text
        views = self.look(features)
        levels = self.levels(views, text.encode(*self._material.captions.batch(captions, text)))
        same = torch.from_numpy(photographs[:, None] == photographs[None, :])
        value: Tensor = self._loss(Scores(fused=levels.event, levels=levels), same)
        rows, foils = self._material.foils.draw(captions, chance)
        if not len(rows) or not self._recipe.foil_weight:
            return value
        wrong = text.encode(*self._material.foils.sentences.batch(foils, text))
        chosen = torch.from_numpy(rows)
        own = views.map(lambda view: view[chosen])
        for level in FOILED_LEVELS:
            fits_caption = levels[level].diagonal()[chosen]
            excess = (self.fits(own, wrong, level) - fits_caption) / self._recipe.temperature
            value = value + self._recipe.foil_weight * nn.functional.softplus(excess).mean()
        return value

    def paraphrases(self, chance: np.random.Generator) -> Tensor:
        """InfoNCE between two captions of each of many clips, at the event level; zero without such captions."""
        paraphrases = self._material.paraphrases
        if paraphrases is None or not self._recipe.paraphrase_weight:
            return torch.zeros(())
        sides = [
            nn.functional.normalize(self._text.encode(*paraphrases.sentences.batch(side, self._text)).event, dim=1)
            for side in paraphrases.pairs(self._recipe.batch_size, chance)
        ]
        scores = sides[0] @ sides[1].T
        value: Tensor = self._same_loss(
            Scores(fused=scores, levels=PerLevel(event=scores, action=scores, entity=scores))
        )
        return self._recipe.paraphrase_weight * value

    def look(self, features: Tensor) -> PerLevel[Tensor]:
        """Photographs [B, K] at the three levels, [B, D] each."""
        return self.model.video.frame_views(one_frame_clips(features)).map(lambda view: view[:, 0])

    def levels(self, views: PerLevel[Tensor], text: TextEmbeddings) -> PerLevel[Tensor]:
        """How well each of B photographs fits each of B sentences, [B, B] a level."""
        return one_frame_levels(views, text)

    def fits(self, views: PerLevel[Tensor], text: TextEmbeddings, level: NodeLevel) -> Tensor:
        """How well each of R photographs fits the sentence of its own position, [R]."""
        frames = nn.functional.normalize(views[level], dim=1)
        return (frames * mean_nodes(text, level)).sum(dim=1)

    @property
    def _text(self) -> SentenceTextEncoder:
        return cast("SentenceTextEncoder", self.model.text)


def one_frame_levels(views: PerLevel[Tensor], text: TextEmbeddings) -> PerLevel[Tensor]:
    """What the matcher says of clips of one frame, [V, C] a level: the frame is all that a node can attend to."""
    units = views.map(lambda view: nn.functional.normalize(view, dim=1))
    return PerLevel(
        event=units.event @ nn.functional.normalize(text.event, dim=1).T,
        action=units.action @ mean_nodes(text, "action").T,
        entity=units.entity @ mean_nodes(text, "entity").T,
    )


def mean_nodes(text: TextEmbeddings, level: NodeLevel) -> Tensor:
    """Mean of a level's unit nodes, [C, D]: its product with a unit frame is the level's score."""
    nodes, mask = (text.action, text.action_mask) if level == "action" else (text.entity, text.entity_mask)
    units = nn.functional.normalize(nodes, dim=2) * mask[:, :, None]
    mean: Tensor = units.sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)
    return mean


def one_frame_clips(features: Tensor) -> VideoFeatures:
    """Features [V, K] as V clips."""
    return VideoFeatures(frames=features[:, None], frame_mask=torch.ones(len(features), 1, dtype=torch.bool))


def make_model(
    reader: SentenceReader,
    feature_dim: int,
    recipe: Recipe,
    *,
    text: Mapping[str, Any] | None = None,
    video: Mapping[str, Any] | None = None,
) -> HgrModel:
    """An untrained model, with other settings of its encoders where they are given."""
    text_settings: dict[str, Any] = {
        "embed_dim": recipe.embed_dim,
        "graph_layers": recipe.graph_layers,
        "dropout": recipe.text_dropout,
        **(text or {}),
    }
    torch.manual_seed(recipe.seed)
    return HgrModel(
        text=SentenceTextEncoder(reader=reader, **text_settings),
        video=even_pooling(VideoEncoder(feature_dim=feature_dim, embed_dim=recipe.embed_dim, **(video or {}))),
        matcher=Matcher(level_weights=recipe.level_weights),
        origin=ModelOrigin(
            name="hgrkit-mini",
            frame_encoder=FRAME_ENCODER,
            sampling=recipe.sampling,
            clip_seconds=recipe.clip_seconds,
        ),
    )


def even_pooling(video: VideoEncoder) -> VideoEncoder:
    """The event of a clip is the mean of its frames: photographs cannot teach more."""
    for parameter in video.pooling.parameters():
        nn.init.zeros_(parameter)
        parameter.requires_grad_(False)
    return video


def train_maps(
    lesson: Lesson, material: Material, recipe: Recipe, *, log: list[EpochRecord] | None = None
) -> None:
    """The first stage, in place: the maps of both sides, on features of the published frame encoder.

    With a log, every epoch is measured on dev and written down.
    """
    chance = np.random.default_rng(recipe.seed)
    pairs = material.photographs.pairs("train")
    features = torch.stack([view.features for view in material.photographs.views])
    steps = len(pairs) // recipe.batch_size
    dev = features[0, torch.from_numpy(material.photographs.split["dev"])]

    def measured() -> Mapping[str, Any]:
        lesson.eval()
        found = evaluate(lesson.model, dev, material, "dev").to_dict()
        lesson.train()
        return found

    diary = Diary(steps, measure=measured, log=log) if log is not None else None
    groups = [Group(trainable(lesson.model), recipe.learning_rate, recipe.weight_decay)]
    lesson.train()
    batches = shuffled(pairs, recipe.batch_size, chance)
    for step in schedule(groups, recipe.epochs * steps, recipe, "training the maps", diary=diary):
        photographs, captions = next(batches).T
        views = torch.from_numpy(chance.integers(0, len(features), len(photographs)))
        seen = nn.functional.dropout(features[views, torch.from_numpy(photographs)], recipe.feature_dropout)
        step(lesson.captions(seen, photographs, captions, chance) + lesson.paraphrases(chance))
    lesson.eval()


def tune(lesson: Lesson, upper: UpperHalf, material: Material, recipe: Recipe, *, log: list[EpochRecord]) -> None:
    """The second stage, in place: the encoder's upper half and the maps together; running averages remain.

    Features are held near the published ones: what photographs of one small collection do not show, such as most
    animals, would be forgotten. The running average of every epoch is measured on dev and written down.
    """
    chance = np.random.default_rng(recipe.seed)
    rows = np.sort(material.photographs.split["train"])
    published = torch.stack([view.features[rows] for view in material.photographs.views])
    origin = published.mean(dim=(0, 1))
    middles = [torch.from_numpy(view.middle[rows]) for view in material.photographs.views]
    owners, numbers = material.photographs.pairs("train").T
    captions_of = {row: numbers[owners == row] for row in rows}
    steps = len(rows) // recipe.tuning_batch_size
    tuned = nn.ModuleDict({"model": lesson.model, "upper": upper})
    groups = [
        Group(trainable(upper), recipe.tuning_rate, 0.0),
        Group(trainable(lesson.model), recipe.tuning_maps_rate, recipe.weight_decay),
    ]
    average = WeightAverage(tuned, recipe.tuning_average)
    dev = material.photographs.views[0].middle[material.photographs.split["dev"]]

    def measured() -> Mapping[str, Any]:
        own = {name: weight.clone() for name, weight in tuned.state_dict().items()}
        tuned.load_state_dict(average.weights)
        tuned.eval()
        found = evaluate(lesson.model, upper.encode(dev), material, "dev").to_dict()
        tuned.load_state_dict(own)
        tuned.train()
        return found

    diary = Diary(steps, measure=measured, log=log)
    rounds = recipe.tuning_epochs * steps
    tuned.train()
    batches = shuffled(np.arange(len(rows)), recipe.tuning_batch_size, chance)
    for step in schedule(
        groups,
        rounds,
        recipe,
        "tuning the frame encoder",
        clip_norm=recipe.tuning_clip_norm,
        after=lambda number: average.update(tuned, number),
        diary=diary,
    ):
        chosen = next(batches)
        views = chance.integers(0, len(middles), len(chosen))
        middle = torch.stack([middles[view][row] for view, row in zip(views, chosen, strict=True)])
        features = upper(middle.float().contiguous(memory_format=torch.channels_last))
        seen = nn.functional.dropout(features, recipe.tuning_feature_dropout)
        drawn = np.array(
            [chance.choice(captions_of[row], recipe.tuning_captions, replace=False) for row in rows[chosen]]
        )
        losses = [lesson.captions(seen, rows[chosen], captions, chance) for captions in drawn.T]
        kept = nn.functional.cosine_similarity(features - origin, published[views, chosen] - origin, dim=1)
        drift = recipe.tuning_anchor * (1 - kept).mean()
        step(torch.stack(losses).mean() + lesson.paraphrases(chance) + drift)
    tuned.load_state_dict(average.weights)
    tuned.eval()


@attrs.frozen
class Group:
    """Weights that learn at one rate."""

    weights: list[nn.Parameter]
    rate: float
    decay: float


def trainable(module: nn.Module) -> list[nn.Parameter]:
    """The weights that have gradients."""
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def schedule(
    groups: Sequence[Group],
    steps: int,
    recipe: Recipe,
    description: str,
    *,
    clip_norm: float | None = None,
    after: Callable[[int], None] | None = None,
    diary: Diary | None = None,
) -> Iterator[Callable[[Tensor], None]]:
    """AdamW for that many steps, its rates rising and then falling along a cosine; each step takes a loss.

    After a step `after` is called with its number, from 1, and then the step is written down.
    """
    optimizer = torch.optim.AdamW(
        [{"params": group.weights, "lr": group.rate, "weight_decay": group.decay} for group in groups]
    )
    rates = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [group.rate for group in groups], total_steps=steps, pct_start=recipe.warm_up
    )

    def step(loss: Tensor) -> None:
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if clip_norm is not None:
            nn.utils.clip_grad_norm_([weight for group in groups for weight in group.weights], clip_norm)
        optimizer.step()
        rate = float(rates.get_last_lr()[0])
        rates.step()
        if after is not None:
            after(number)
        if diary is not None:
            diary.step(loss.item(), rate)

    for number in track(range(1, steps + 1), description=description):  # noqa: B007 - `step` reads it
        yield step


def shuffled(items: Numbers, size: int, chance: np.random.Generator) -> Iterator[Numbers]:
    """Batches without end; what is left of a round is dropped."""
    while True:
        order = chance.permutation(items)
        yield from (order[start : start + size] for start in range(0, len(order) - size + 1, size))


@torch.no_grad()
def background_of(model: HgrModel, upper: UpperHalf, material: Material, recipe: Recipe) -> Background:
    """The events of some training photographs."""
    chance = np.random.default_rng(recipe.seed)
    rows = np.sort(chance.permutation(material.photographs.split["train"])[: recipe.background])
    features = upper.encode(material.photographs.views[0].middle[rows])
    events = model.video(one_frame_clips(features)).event
    return Background.of(events, temperature=recipe.background_temperature)


@torch.inference_mode()
def evaluate(model: HgrModel, features: Tensor, material: Material, part: str) -> RetrievalMeasures:
    """Retrieval on one part of Flickr8k, photographs [V, K] as clips of one frame."""
    text = cast("SentenceTextEncoder", model.text)
    rows = material.photographs.split[part]
    row_of = {photograph: row for row, photograph in enumerate(rows)}
    pairs = material.photographs.pairs(part)
    video = model.video(one_frame_clips(features))
    parts = np.array_split(pairs[:, 1], max(1, len(pairs) // 500))
    scores = []
    for which in parts:
        sentences = text.encode(*material.captions.batch(which, text))
        background = 0 if model.background is None else model.background(sentences.event)
        scores.append(model.matcher(video, sentences).fused - background)
    owners = np.array([row_of[photograph] for photograph in pairs[:, 0]])
    return measure(torch.cat(scores, dim=1).numpy(), np.arange(len(rows))[:, None] == owners)


def read_material(
    data: Path, network: FrameNetwork, text: SentenceTextEncoder, cache: Path, recipe: Recipe
) -> Material:
    """Everything that is learned from, read once and cached."""
    photographs = Photographs.read(data / "flickr8k", network, cache, spoilt_views=recipe.spoilt_views)
    captions = [caption for own in photographs.captions for caption in own]
    to_foil: dict[str, list[tuple[int, str]]] = {}
    for photograph, caption in photographs.pairs("train"):
        to_foil.setdefault(photographs.names[photograph], []).append((int(caption), captions[caption]))
    paraphrases = None
    if recipe.paraphrase_weight:
        clips = read_clip_captions(data / "msvd/captions_all_1877.json", left_out=data / "msvd/captions.json")
        paraphrases = Paraphrases.of(clips, text, cache)
    return Material(
        photographs=photographs,
        captions=Sentences.read(captions, text, cache),
        paraphrases=paraphrases,
        foils=Foils.make(to_foil, text, cache, most=FOILS),
    )


def run(data: Path, out: Path, cache: Path, recipe: Recipe) -> None:
    """Read the data, train, evaluate, write the model folder and the frame encoder."""
    cache.mkdir(parents=True, exist_ok=True)
    build_text_encoder(cache)
    variant = VARIANTS[FRAME_ENCODER]
    published = published_weights(variant)
    build_frame_encoder(variant, published, cache)
    encoders = Encoders.read(cache)
    model = make_model(encoders.reader, encoders.network.feature_dim, recipe)
    material = read_material(data, encoders.network, cast("SentenceTextEncoder", model.text), cache, recipe)
    lesson = Lesson(model, material, recipe)
    started = time.perf_counter()

    log: list[EpochRecord] = []
    train_maps(lesson, material, recipe, log=log)
    first_view = material.photographs.views[0]
    upper = UpperHalf(layout(variant), published)
    tune(lesson, upper, material, recipe, log=log)
    model.background = background_of(model, upper, material, recipe)
    measured = {
        part: evaluate(
            model, upper.encode(first_view.middle[material.photographs.split[part]]), material, part
        ).to_dict()
        for part in ("dev", "test")
    }
    print(json.dumps(measured, indent=1))
    build_frame_encoder(variant, published | upper.tuned_weights, out / "frames")
    check_frame_encoder(variant, out / "frames", tuned=True)
    notes = diary_notes(log) | {
        "recipe.txt": "\n".join(f"{name} = {value!r}" for name, value in attrs.asdict(recipe).items()) + "\n"
    }
    card = write_card(measured, minutes=(time.perf_counter() - started) / 60, background=recipe.background)
    hgrkit.save_model(model, out / "model", card=card, notes=notes)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with flickr8k/ and msvd/")
    parser.add_argument("--out", type=Path, required=True, help="gets model/ and frames/")
    parser.add_argument("--cache", type=Path, default=Path("build/cache"), help="what is computed once")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="another value in the recipe")
    options = parser.parse_args()
    changes = {name: json.loads(value) for name, value in (item.split("=", 1) for item in options.set)}
    run(options.data, options.out, options.cache, attrs.evolve(Recipe(), **changes))
