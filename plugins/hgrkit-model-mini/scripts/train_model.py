"""Train the default model: from data to the model folder that this package ships.

Photographs of Flickr8k are clips of one frame. Captions of MSVD clips teach the text side alone that sentences
about one clip mean the same; the clips that evaluation uses are left out, and no frame of any clip is seen.

    python scripts/train_model.py --data DATA --out hgrkit_model_mini/model
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
import numpy as np
import torch
from build_text_encoder import build as build_text_encoder
from model_card import write_card
from rich.progress import track
from torch import Tensor, nn
from training_data import Photographs, Sentences, read_clip_captions

import hgrkit
from hgrkit.evaluation.measures import RetrievalMeasures, measure
from hgrkit.graph import RoleGraph
from hgrkit.levels import PerLevel
from hgrkit.matching.losses import InfoNCE
from hgrkit.matching.matcher import Matcher, Scores
from hgrkit.model import HgrModel, ModelOrigin
from hgrkit.text.sentence_encoder import SentenceTextEncoder
from hgrkit.text.sentence_reader import SentenceReader
from hgrkit.video.features import VideoFeatures
from hgrkit.video.frame_encoder import load_frame_encoder
from hgrkit.video.video_encoder import VideoEncoder

FRAME_ENCODER = "efficientnet-lite0"


@attrs.frozen(kw_only=True)
class Recipe:
    """Everything that was chosen, on Flickr8k dev and the first half of MSVD-98."""

    embed_dim: int = 512
    epochs: int = 12
    batch_size: int = 512
    learning_rate: float = 2e-3
    warm_up: float = 0.1
    weight_decay: float = 1e-2
    feature_dropout: float = 0.6
    text_dropout: float = 0.3
    temperature: float = 0.05
    loss_weights: tuple[float, ...] = (0.0, 1.0, 1.0, 1.0)
    paraphrase_weight: float = 0.3
    level_weights: tuple[float, float, float] = (2.0, 0.5, 2.0)
    graph_layers: int = 0
    sampling: str = "fps:2"
    clip_seconds: float = 30.0
    seed: int = 1


@attrs.frozen(kw_only=True, eq=False)
class Paraphrases:
    """Captions by the clip that they describe: two of one clip mean the same.

    Attributes:
        graphs: the captions' words, without nodes: only the event level is taught.
        states: what the transformer says of each caption, [S, H].
        clips: positions of each clip's captions, at least two.
    """

    graphs: tuple[RoleGraph, ...]
    states: Tensor
    clips: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, captions: Mapping[str, Sequence[str]], text: SentenceTextEncoder, cache: Path) -> Paraphrases:
        """Read the captions of each clip."""
        sentences = Sentences.read([caption for own in captions.values() for caption in own], text, cache)
        ends = np.cumsum([len(own) for own in captions.values()])
        return cls(
            graphs=tuple(RoleGraph(tokens=graph.tokens) for graph in sentences.graphs),
            states=sentences.states.event,
            clips=tuple(part for part in np.split(np.arange(ends[-1]), ends[:-1]) if len(part) > 1),
        )

    def loss(self, text: SentenceTextEncoder, recipe: Recipe, chance: np.random.Generator) -> Tensor:
        """InfoNCE between two captions of each of many clips, at the event level."""
        clips = chance.permutation(len(self.clips))[: recipe.batch_size]
        pairs = np.array([chance.choice(self.clips[clip], 2, replace=False) for clip in clips])
        left, right = (nn.functional.normalize(self._events(text, side), dim=1) for side in pairs.T)
        scores = left @ right.T
        value: Tensor = InfoNCE(temperature=recipe.temperature)(
            Scores(fused=scores, levels=PerLevel(event=scores, action=scores, entity=scores))
        )
        return value

    def _events(self, text: SentenceTextEncoder, which: np.ndarray) -> Tensor:
        batch = text.batch([self.graphs[number] for number in which])
        states = self.states[torch.from_numpy(which)]
        no_nodes = states.new_zeros(len(which), 0, states.shape[1])
        return text.encode(PerLevel(event=states, action=no_nodes, entity=no_nodes), batch).event


def make_model(reader: SentenceReader, feature_dim: int, recipe: Recipe) -> HgrModel:
    """An untrained model. The event of a clip is the mean of its frames: photographs cannot teach more."""
    torch.manual_seed(recipe.seed)
    model = HgrModel(
        text=SentenceTextEncoder(
            reader=reader,
            embed_dim=recipe.embed_dim,
            graph_layers=recipe.graph_layers,
            dropout=recipe.text_dropout,
        ),
        video=VideoEncoder(feature_dim=feature_dim, embed_dim=recipe.embed_dim),
        matcher=Matcher(level_weights=recipe.level_weights),
        origin=ModelOrigin(
            name="hgrkit-mini",
            frame_encoder=FRAME_ENCODER,
            sampling=recipe.sampling,
            clip_seconds=recipe.clip_seconds,
        ),
    )
    for parameter in model.video.pooling.parameters():
        nn.init.zeros_(parameter)
        parameter.requires_grad_(False)
    return model


def train(
    model: HgrModel, photographs: Photographs, captions: Sentences, others: Paraphrases, recipe: Recipe
) -> None:
    """Train in place, on the photographs of the train split."""
    chance = np.random.default_rng(recipe.seed)
    pairs = caption_pairs(photographs)
    pairs = pairs[np.isin(pairs[:, 0], photographs.split["train"])]
    steps = recipe.epochs * (len(pairs) // recipe.batch_size)
    weights = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.learning_rate, total_steps=steps, pct_start=recipe.warm_up
    )
    loss = InfoNCE(temperature=recipe.temperature, level_weights=recipe.loss_weights)
    model.train()
    order = np.empty((0, 2), np.int64)
    for _ in track(range(steps), description="training"):
        if len(order) < recipe.batch_size:
            order = chance.permutation(pairs)
        batch, order = order[: recipe.batch_size], order[recipe.batch_size :]
        same = torch.from_numpy(batch[:, :1] == batch[None, :, 0])
        mirrored = torch.from_numpy(chance.integers(0, 2, len(batch)))
        features = photographs.features[mirrored, torch.from_numpy(batch[:, 0])]
        features = nn.functional.dropout(features, recipe.feature_dropout)
        video = model.video(one_frame_clips(features))
        text = model.text.encode(*captions.batch(batch[:, 1], model.text))
        value = loss(model.matcher(video, text), same)
        value = value + recipe.paraphrase_weight * others.loss(model.text, recipe, chance)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        schedule.step()
    model.eval()


@torch.inference_mode()
def evaluate(model: HgrModel, photographs: Photographs, captions: Sentences, part: str) -> RetrievalMeasures:
    """Retrieval on one part of Flickr8k, photographs as clips of one frame."""
    row_of = {photograph: row for row, photograph in enumerate(photographs.split[part])}
    pairs = caption_pairs(photographs)
    pairs = pairs[np.isin(pairs[:, 0], photographs.split[part])]
    video = model.video(one_frame_clips(photographs.features[0, torch.from_numpy(photographs.split[part])]))
    parts = np.array_split(pairs[:, 1], max(1, len(pairs) // 500))
    scores = [model.matcher(video, model.text.encode(*captions.batch(which, model.text))).fused for which in parts]
    rows = np.array([row_of[photograph] for photograph in pairs[:, 0]])
    return measure(torch.cat(scores, dim=1).numpy(), np.arange(len(row_of))[:, None] == rows)


def one_frame_clips(features: Tensor) -> VideoFeatures:
    """Features [V, K] as V clips."""
    return VideoFeatures(frames=features[:, None], frame_mask=torch.ones(len(features), 1, dtype=torch.bool))


def caption_pairs(photographs: Photographs) -> np.ndarray:
    """Photograph and caption of every pair, int64 [P, 2]; captions are numbered in the photographs' order."""
    owners = [number for number, captions in enumerate(photographs.captions) for _ in captions]
    return np.stack([owners, np.arange(len(owners))], axis=1)


def run(data: Path, out: Path, cache: Path, recipe: Recipe) -> None:
    """Read the data, train, evaluate, write the model folder."""
    started = time.perf_counter()
    cache.mkdir(parents=True, exist_ok=True)
    if not (cache / "sentence.onnx").is_file():
        build_text_encoder(cache)
    encoder = load_frame_encoder(FRAME_ENCODER, device="cpu")
    model = make_model(
        SentenceReader(model=cache / "sentence.onnx", tokenizer=cache / "tokenizer.json"),
        encoder.feature_dim,
        recipe,
    )
    photographs = Photographs.read(data / "flickr8k", encoder, cache)
    captions = Sentences.read([text for own in photographs.captions for text in own], model.text, cache)
    clips = read_clip_captions(data / "msvd/captions_all_1877.json", left_out=data / "msvd/captions.json")
    others = Paraphrases.of(clips, model.text, cache)
    train(model, photographs, captions, others, recipe)
    measured = {part: evaluate(model, photographs, captions, part).to_dict() for part in ("dev", "test")}
    print(json.dumps(measured, indent=1))
    notes = {"recipe.txt": "\n".join(f"{name} = {value!r}" for name, value in attrs.asdict(recipe).items()) + "\n"}
    card = write_card(measured, minutes=(time.perf_counter() - started) / 60)
    hgrkit.save_model(model, out, card=card, notes=notes)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with flickr8k/ and msvd/")
    parser.add_argument("--out", type=Path, required=True, help="the model folder to write")
    parser.add_argument("--cache", type=Path, default=Path("build/cache"), help="what is computed once")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="another value in the recipe")
    options = parser.parse_args()
    changes = {name: json.loads(value) for name, value in (item.split("=", 1) for item in options.set)}
    run(options.data, options.out, options.cache, attrs.evolve(Recipe(), **changes))
