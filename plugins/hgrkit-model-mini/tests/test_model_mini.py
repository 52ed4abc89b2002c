"""The package keeps the contracts of what it registers, and its model reads what people type."""

from __future__ import annotations

import re

import numpy as np
import pytest

from hgrkit import load_model
from hgrkit.model.registry import model_folder
from hgrkit.model.scorer import embed_features, embed_graphs
from hgrkit.model.text.sentence_encoder import SentenceTextEncoder
from hgrkit.parsing import load_parser
from hgrkit.testing import FrameEncoderContract, TextEncoderContract
from hgrkit.video.frame_encoder import load_frame_encoder


@pytest.fixture(scope="module")
def model():
    return load_model(model_folder("mini"))


class TestFrameEncoder(FrameEncoderContract):
    @pytest.fixture
    def frame_encoder(self):
        return load_frame_encoder("efficientnet-lite2", device="cpu")


class TestTextEncoder(TextEncoderContract):
    tolerance = 1e-4

    @pytest.fixture
    def encoder(self, model):
        return model.text

    @pytest.fixture
    def reopen(self):
        return SentenceTextEncoder.from_folder


def test_default_is_this_model():
    assert model_folder("default") == model_folder("mini")


def test_the_model_fits_its_frame_encoder(model):
    encoder = load_frame_encoder(model.origin.frame_encoder, device="cpu")
    assert encoder.feature_dim == model.feature_dim


def test_the_folder_says_what_it_is_and_under_which_terms():
    card = (model_folder("mini") / "MODEL_CARD.md").read_text()
    assert "Flickr8k" in card
    assert "non-commercial" in card


def test_the_shipped_card_has_the_words_that_training_writes(scripts):
    card = (model_folder("mini") / "MODEL_CARD.md").read_text("utf-8")
    rows = "\n".join(re.findall(r"^\| (?:dev|test) \|.*\|$", card, re.MULTILINE))
    minutes = float(re.search(r"took (\d+) minutes", card)[1])
    background = int(re.search(r"the events of ([\d,]+) training", card)[1].replace(",", ""))
    assert card == scripts.model_card.CARD.format(rows=rows, minutes=minutes, background=background)


def test_the_package_is_small():
    files = [path for path in model_folder("mini").parent.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 61e6


@pytest.mark.parametrize("text", ["a dog", "zzxqw flurbs the gnorp", "\U0001f415", "naïve café", "x" * 5000])
def test_words_never_seen_have_finite_vectors(model, text):
    (query,) = embed_graphs(model, load_parser("lark").parse_batch([text]))
    assert np.isfinite(query.embeddings.event).all()


def test_a_clip_of_one_frame_is_a_clip(model):
    levels = embed_features(model, np.ones((1, model.feature_dim), np.float32))
    assert levels.event.shape == (model.embed_dim,)
    assert levels.action.shape == levels.entity.shape == (1, model.embed_dim)
