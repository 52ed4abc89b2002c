"""Train the default model: from data to the model folder and the frame encoder that this package ships.

Photographs of Flickr8k are clips of one frame. First the maps of both sides are trained on what the published
frame encoder makes of them, then the encoder's last blocks are tuned together with the maps. Foils, sentences that
are wrong in one respect or say less, teach actions and entities who does what. No clip of MSVD is seen, and none
of its captions is read unless `paraphrase_weight` says so: then captions of the clips that evaluation leaves out
teach the text side that sentences about one clip mean the same.

    python scripts/train_model.py --data DATA --out hgrkit_model_mini

With `--cache-only` nothing is trained: the encoders are built, and the data read, into the cache, which is what
`what_pays.py` and `paper_claim.py` start from.

    python scripts/train_model.py --data DATA --cache-only
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import cast

import attrs
from build_frame_encoder import build as build_frame_encoder
from build_frame_encoder import check as check_frame_encoder
from build_frame_encoder import published_weights
from build_text_encoder import build as build_text_encoder
from encoder_tuning import tune
from encoders import Encoders, make_model
from epoch_log import log_notes
from frame_halves import UpperHalf
from map_training import train_maps
from material import read_material
from model_card import write_card
from one_frame_evaluation import evaluate, querybank_norm_of
from one_frame_loss import OneFrameLoss
from recipe import FRAME_ENCODER, Recipe
from torch import Tensor

import hgrkit
from hgrkit.model.text.sentence_encoder import SentenceTextEncoder
from hgrkit.research.training.records import EpochRecord
from hgrkit.video.efficientnet_layout import VARIANTS, layout

__all__ = ["build_encoders", "fill_cache", "main", "run"]

VARIANT = VARIANTS[FRAME_ENCODER]


def build_encoders(cache: Path, published: dict[str, Tensor]) -> Encoders:
    """Write both encoders, as they were published, into the cache, and open them."""
    cache.mkdir(parents=True, exist_ok=True)
    build_text_encoder(cache)
    build_frame_encoder(VARIANT, published, cache)
    return Encoders.read(cache)


def fill_cache(data: Path, cache: Path, recipe: Recipe) -> None:
    """Build the encoders and read the data."""
    encoders = build_encoders(cache, published_weights(VARIANT))
    read_material(data, encoders.network, encoders.text(recipe), cache, recipe)


def run(data: Path, out: Path, cache: Path, recipe: Recipe) -> None:
    """Read the data, train, evaluate, write the model folder and the frame encoder."""
    published = published_weights(VARIANT)
    encoders = build_encoders(cache, published)
    model = make_model(encoders.reader, encoders.network.feature_dim, recipe)
    material = read_material(data, encoders.network, cast("SentenceTextEncoder", model.text), cache, recipe)
    loss = OneFrameLoss(model, material, recipe)
    started = time.perf_counter()

    records: list[EpochRecord] = []
    train_maps(loss, material, recipe, records=records)
    upper = UpperHalf(layout(VARIANT), published)
    tune(loss, upper, material, recipe, records=records)
    model.querybank_norm = querybank_norm_of(model, upper, material, recipe)
    first_view, split = material.photographs.views[0], material.photographs.split
    measured = {
        part: evaluate(model, upper.encode(first_view.block_input[split[part]]), material, part).to_dict()
        for part in ("dev", "test")
    }
    print(json.dumps(measured, indent=1))
    build_frame_encoder(VARIANT, published | upper.tuned_weights, out / "frames")
    check_frame_encoder(VARIANT, out / "frames", tuned=True)
    notes = log_notes(records) | {
        "recipe.txt": "\n".join(f"{name} = {value!r}" for name, value in attrs.asdict(recipe).items()) + "\n"
    }
    card = write_card(measured, minutes=(time.perf_counter() - started) / 60, background=recipe.background)
    hgrkit.save_model(model, out / "model", card=card, notes=notes)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with flickr8k/ and msvd/")
    parser.add_argument("--out", type=Path, help="gets model/ and frames/")
    parser.add_argument("--cache", type=Path, default=Path("build/cache"), help="what is computed once")
    parser.add_argument("--cache-only", action="store_true", help="fill the cache and stop")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="another value in the recipe")
    options = parser.parse_args()
    changes = {name: json.loads(value) for name, value in (item.split("=", 1) for item in options.set)}
    recipe = attrs.evolve(Recipe(), **changes)
    if options.cache_only:
        fill_cache(options.data, options.cache, recipe)
    elif options.out is None:
        parser.error("say with --out where the model goes, or with --cache-only that none is trained")
    else:
        run(options.data, options.out, options.cache, recipe)


if __name__ == "__main__":
    main()
