"""A trained head on a dual encoder: it starts where that is, and computes the same with and without torch."""

from __future__ import annotations

import json

import attrs
import numpy as np
import pytest
import torch

from hgrkit.errors import CheckpointError, ConfigError, ShapeError
from hgrkit.library.records import ClipEmbeddings
from hgrkit.library.scoring import ClipSet
from hgrkit.matching.frame_weights import unit_vectors
from hgrkit.model.checkpoint import head_on, load_model
from hgrkit.model.dual_encoder import find_dual_encoder
from hgrkit.model.loaded import LoadedModel
from hgrkit.model.scorer import ModelQueryEncoder, embed_features, embed_videos
from hgrkit.model.text.phrase_text_encoder import PhraseTextEncoder
from hgrkit.model.video import VideoEncoder
from hgrkit.parsing import LarkParser
from hgrkit.testing.model_contract import TextEncoderContract, example_graphs
from tests.letter_encoder import LetterTexts

SENTENCES = ["A woman throws a ball to a Dog!", "a dog sleeps while a man cooks rice in a kitchen", "a red ball"]
TEXTS = """
from tests.letter_encoder import LetterTexts
def thing(device, size="16"):
    return LetterTexts(int(size))
"""
CONFIG = {
    "format": 1,
    "text": {"type": "plugin", "name": "letters", "prompts": "video"},
    "video": {"feature_dim": 16, "embed_dim": 16},
    "matcher": {"level_weights": [6, 3, 1]},
    "frame_encoder": "shades",
}


@pytest.fixture
def dual(tmp_path, install_plugin):
    install_plugin("hgrkit.text_encoders", "letters", source=TEXTS, distribution="letters")
    (tmp_path / "dual").mkdir()
    (tmp_path / "dual" / "config.json").write_text(json.dumps(CONFIG))
    return tmp_path / "dual"


@pytest.fixture
def head(dual):
    return head_on(find_dual_encoder(str(dual), device="cpu"))


@pytest.fixture
def clips():
    rng = np.random.default_rng(0)
    return [rng.normal(size=(frames, 16)).astype(np.float32) for frames in (1, 3, 7)]


@torch.no_grad()
def moved(head):
    """A head that has been trained, as it were."""
    torch.manual_seed(0)
    for weight in head.parameters():
        weight.add_(0.1 * torch.randn_like(weight))
    return head


def queries_of(encoder):
    graphs = [LarkParser().parse(sentence) for sentence in SENTENCES]
    found, omitted = encoder.embed(graphs, SENTENCES)
    return [query.embeddings for query in found], omitted


class TestPhraseTextEncoder(TextEncoderContract):
    @pytest.fixture(
        params=[{}, {"num_roles": 0, "graph_layers": 0}, {"graph_layers": 2, "edges": "two_way", "dropout": 0.4}],
        ids=["default", "plain", "deep"],
    )
    def encoder(self, request, dual):
        made = PhraseTextEncoder(texts=LetterTexts(16), name="letters", embed_dim=16, **request.param)
        return moved(made).eval()

    @pytest.fixture
    def reopen(self):
        return PhraseTextEncoder.from_folder


def test_what_the_frozen_encoder_does_not_read_is_told_with_and_without_torch(head, tmp_path):
    long = "a dog runs and " * 10 + "a cat sleeps"
    head.save(tmp_path / "head")
    graph = LarkParser().parse(long)
    for encoder in (ModelQueryEncoder(head), LoadedModel.load(tmp_path / "head", device="cpu").query_side.encoder):
        assert encoder.embed([graph], [long])[1].event_tokens == len(long) + len("a video of ") - 100


def test_an_untrained_head_scores_as_the_dual_encoder_does(dual, head, clips):
    model = LoadedModel.load(dual, device="cpu")
    plain, _ = queries_of(model.query_side.encoder)
    ours, _ = queries_of(ModelQueryEncoder(head))
    videos = embed_videos(head, clips)
    for one, other in zip(ours, plain, strict=True):
        for level in ("event", "action", "entity"):
            np.testing.assert_allclose(getattr(one, level), unit_vectors(getattr(other, level)), atol=1e-6)
    made = [model.clip_encoder(clip) for clip in clips]
    clip_set = ClipSet.of(
        [
            ClipEmbeddings(
                start_s=0,
                end_s=9,
                times_s=np.arange(len(one.action)),
                event=one.event,
                action=one.action,
                entity=one.entity,
            )
            for one in made
        ]
    )
    assert videos.settings.level_weights == model.query_side.settings.level_weights == (6, 3, 1)
    expected = np.concatenate(list(clip_set.scores(plain, model.query_side.settings)), axis=1)
    found = np.concatenate(list(videos.clips.scores(ours, videos.settings)), axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_array_equal(found.argsort(axis=0), expected.argsort(axis=0))


def test_a_saved_head_answers_without_torch_as_with_it(head, clips, tmp_path):
    moved(head).save(tmp_path / "head")
    loaded = LoadedModel.load(tmp_path / "head", device="cpu")
    side = loaded.query_side
    assert not isinstance(side.encoder, ModelQueryEncoder)
    with_torch, _ = queries_of(ModelQueryEncoder(head))
    without, omitted = queries_of(side.encoder)
    assert not omitted
    for one, other in zip(with_torch, without, strict=True):
        for level in ("event", "action", "entity"):
            np.testing.assert_allclose(getattr(other, level), getattr(one, level), atol=1e-5)
    for clip in clips:
        one, other = embed_features(head, clip), loaded.clip_encoder(clip)
        for level in ("event", "action", "entity"):
            np.testing.assert_allclose(getattr(other, level), getattr(one, level), atol=1e-5)


def test_a_folder_holds_no_frozen_part_and_gives_the_head_back(head, tmp_path):
    moved(head).save(tmp_path / "head")
    assert sorted(path.name for path in (tmp_path / "head").iterdir()) == [
        "MODEL_CARD.md",
        "config.json",
        "weights.safetensors",
    ]
    again = load_model(tmp_path / "head")
    for name, tensor in head.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name])
    assert again.config == head.config
    assert again.config["text"]["encoder"] == "letters@1"
    assert again.config["frame_encoder"] == "shades"


def test_another_text_encoder_under_the_name_is_refused(head, tmp_path, monkeypatch):
    head.save(tmp_path / "head")
    monkeypatch.setattr(LetterTexts, "fingerprint", "letters@2")
    with pytest.raises(CheckpointError, match="text encoder letters@1, but 'letters' is now letters@2"):
        load_model(tmp_path / "head")
    with pytest.raises(CheckpointError, match="letters@1"):
        _ = LoadedModel.load(tmp_path / "head", device="cpu").query_side


def test_messages_and_roles_are_learnt(head):
    text = head.text
    batch = text.batch(example_graphs()[:2])
    loss = sum(level.sum() for level in (text(batch).action, text(batch).entity, text(batch).event))
    loss.backward()
    for name in (
        "event.weight",
        "action.weight",
        "entity.weight",
        "roles.weight",
        "graph.layers.0.context.weight",
    ):
        assert text.get_parameter(name).grad.abs().sum() > 0, name


def test_a_padded_batch_changes_nothing(head):
    moved(head).eval()
    graphs = example_graphs()
    together = head.text(head.text.batch(graphs))
    for row, graph in enumerate(graphs):
        alone = head.text(head.text.batch([graph]))
        torch.testing.assert_close(together.event[row], alone.event[0], atol=1e-5, rtol=0)
        real = together.entity_mask[row]
        torch.testing.assert_close(
            together.entity[row][real], alone.entity[0][alone.entity_mask[0]], atol=1e-5, rtol=0
        )


def test_sizes_that_do_not_fit_are_refused(head):
    with pytest.raises(ShapeError, match="embed_dim is 8, but the text encoder 'letters' makes 16"):
        PhraseTextEncoder(texts=LetterTexts(16), name="letters", embed_dim=8)
    with pytest.raises(ConfigError, match="feature_dim must be embed_dim, got 8 and 16"):
        VideoEncoder(feature_dim=8, embed_dim=16, start="identity")
    batch = PhraseTextEncoder(texts=LetterTexts(16), name="letters", embed_dim=16).batch(example_graphs()[:1])
    with pytest.raises(ShapeError, match="no phrases"):
        head.text(attrs.evolve(batch, phrases=()))
