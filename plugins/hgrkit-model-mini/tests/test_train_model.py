"""The recipe of the default model: its shortcuts compute what the package computes."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import attrs
import numpy as np
import pytest
import torch
from PIL import Image

import hgrkit
from hgrkit.evaluation.foil_file import FoilPair
from hgrkit.evaluation.query_rank import QueryRank
from hgrkit.evaluation.rank_measure import RankMeasure
from hgrkit.levels import PerLevel
from hgrkit.matching.matcher import Matcher
from hgrkit.model_registry import model_folder
from hgrkit.parsing.lark_parser import LarkParser
from hgrkit.training.config import TrainConfig
from hgrkit.training.loss_config import LossConfig
from hgrkit.training.model_config import ModelConfig
from hgrkit.training.preset import with_preset
from hgrkit.training.setting import read_settings
from hgrkit.video.efficientnet_layout import VARIANTS, layout
from hgrkit.video.efficientnet_torch import EfficientNetLiteModule

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
CAPTIONS = ["a man rides a brown horse", "two dogs run after a ball on the grass", "a beach at sunset", "waving"]

pytest.importorskip("onnx", reason="the scripts that train the model need onnx")


@pytest.fixture(scope="module")
def scripts():
    """The scripts as modules, found as they find each other."""
    names = (
        *("train_model", "frame_halves", "photographs", "sentences", "msvd_clips"),
        *("experiment", "what_pays", "paper_claim", "regions", "systems", "word_tower", "last_layer"),
    )
    sys.path.insert(0, str(SCRIPTS))
    try:
        return {name: importlib.import_module(name) for name in names}
    finally:
        sys.path.remove(str(SCRIPTS))


@pytest.fixture(scope="module")
def model():
    return hgrkit.load_model(model_folder("default"))


@torch.inference_mode()
def test_scores_of_clips_of_one_frame_are_the_matchers(scripts, model):
    features = torch.rand(5, model.video.feature_dim, generator=torch.Generator().manual_seed(0))
    graphs = LarkParser().parse_batch(CAPTIONS)
    text = model.text(model.text.batch(graphs))
    assert not text.action_mask[2].any(), "a sentence without actions is among them"
    train_model = scripts["train_model"]
    views = model.video.frame_views(train_model.one_frame_clips(features)).map(lambda view: view[:, 0])
    ours = train_model.one_frame_levels(views, text)
    matched = Matcher()(model.video(train_model.one_frame_clips(features)), text).levels
    for level in ("event", "action", "entity"):
        torch.testing.assert_close(ours[level], matched[level], atol=1e-5, rtol=0)


def random_network(variant):
    generator = torch.Generator().manual_seed(0)
    module = EfficientNetLiteModule(layout(variant))
    for parameter in module.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) / max(1, parameter[0].numel()) ** 0.5
    return module.eval()


@torch.inference_mode()
def test_the_upper_half_is_what_follows_the_lower_one(scripts):
    variant = VARIANTS["efficientnet-lite2"]
    network = random_network(variant)
    upper = scripts["frame_halves"].UpperHalf(layout(variant), network.state_dict()).eval()
    first = scripts["frame_halves"].first_tuned_block(layout(variant))
    pictures = torch.randint(0, 256, (2, *variant.frame_size, 3), generator=torch.Generator().manual_seed(1))
    middle = network.stem((pictures.permute(0, 3, 1, 2).float() - 127) / 128)
    for block in network.blocks[:first]:
        middle = block(middle)
    torch.testing.assert_close(upper(middle), network(pictures), atol=1e-4, rtol=1e-4)
    own = upper.tuned_weights
    assert own.keys() == {name for name in network.state_dict() if tuned_name(name, first)}
    assert all(torch.equal(tensor, network.state_dict()[name]) for name, tensor in own.items())


def tuned_name(name, first):
    part, _, rest = name.partition(".")
    return part == "head" or (part == "blocks" and int(rest.partition(".")[0]) >= first)


def test_only_pointwise_convolutions_are_tuned(scripts):
    variant = VARIANTS["efficientnet-lite2"]
    upper = scripts["frame_halves"].UpperHalf(layout(variant), random_network(variant).state_dict())
    upper.train()
    upper(torch.rand(2, 120, 17, 17)).sum().backward()
    tuned = {name for name, parameter in upper.named_parameters() if parameter.grad is not None}
    assert tuned == {name for name, _ in upper.named_parameters() if ".depthwise." not in name}


def test_a_spoilt_photograph_is_the_same_each_time_and_another_with_another_seed(scripts):
    noise = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    photograph = Image.fromarray(noise)
    looks = [
        np.asarray(scripts["photographs"].spoilt(photograph, 260, np.random.default_rng(seed)))
        for seed in (1, 1, 2)
    ]
    assert looks[0].shape == (260, 260, 3)
    assert np.array_equal(looks[0], looks[1])
    assert not np.array_equal(looks[0], looks[2])


def test_foils_belong_to_their_captions(scripts, model, tmp_path):
    captions = {"one.jpg": [(3, "A man rides a brown horse on the beach ."), (4, "???")]}
    foils = scripts["sentences"].Foils.make(
        captions, model.text, tmp_path, most={"switch_roles": 5, "replace_action": 1}
    )
    assert set(foils.of) == {3}
    assert 1 <= len(foils.sentences.graphs) <= 2
    rows, chosen = foils.draw(np.array([4, 3, 3]), np.random.default_rng(0))
    assert rows.tolist() == [1, 2]
    assert all(number in foils.of[3] for number in chosen)


def test_captions_without_nodes_keep_their_event(scripts, model, tmp_path):
    sentences = scripts["sentences"].Sentences.read(CAPTIONS, model.text, tmp_path)
    bare = sentences.without_nodes()
    states, batch = bare.batch(np.array([0, 1]), model.text)
    assert isinstance(states, PerLevel)
    assert not batch.action_mask.any()
    torch.testing.assert_close(states.event, sentences.states.event[:2])


def two_clips(scripts):
    return scripts["msvd_clips"].Clips(
        names=("one", "two"),
        features=None,
        sentences=None,
        captions=("a dog runs", "a cat sits"),
        owners=np.array([0, 1]),
        foils=(
            FoilPair(video="one", caption="a dog runs", foil="a dog sits", type="replace_action"),
            FoilPair(video="two", caption="a cat sits", foil="a cat runs", type="replace_action"),
        ),
    )


def test_foils_are_chosen_beside_their_own_clip(scripts):
    clips = two_clips(scripts)
    fused = np.array([[0.9, 0.0, 0.5, 0.0], [0.0, 0.2, 0.0, 0.4]])  # captions, then foils
    chosen = scripts["what_pays"].choose(fused, -fused, clips)
    assert (chosen.fused.mean, chosen.event_only.mean) == (50.0, 50.0)
    fused[1, 3] = 0.1
    assert scripts["what_pays"].choose(fused, -fused, clips).fused.mean == 100.0


def test_a_lead_is_that_of_the_recipe(scripts):
    module = scripts["experiment"]
    videos = [f"clip {number}" for number in range(20)]
    right = module.rank_texts(np.eye(20), np.arange(20), videos, ["a caption"] * 20, 1)
    wrong = module.rank_texts(-np.eye(20), np.arange(20), videos, ["a caption"] * 20, 1)
    assert module.leads({"all": right}, {"all": wrong})["all"]["R@1"]["lead"] == 100.0
    assert module.leads({"all": wrong}, {"all": right})["all"]["R@1"]["lead"] == -100.0


def test_choices_as_ranks_say_what_the_package_says_of_foils(scripts):
    clips = attrs.evolve(two_clips(scripts), owners=np.array([1, 0]), captions=("a cat sits", "a dog runs"))
    for number in range(8):
        scores = np.random.default_rng(number).integers(3, size=(2, 4)).astype(np.float32)  # some are equal
        ranks = scripts["paper_claim"].rank_choices(scores, clips, 1)
        assert list(ranks) == ["foils, replace_action", "foils, all choices"]
        accuracy = RankMeasure("R@1").of(np.array([row.rank for row in ranks["foils, replace_action"]]))
        chosen = scripts["what_pays"].choose(scores, scores, clips).fused
        assert accuracy == chosen.types["replace_action"].accuracy
        elsewhere = scripts["paper_claim"].rank_choices(scores, clips, 1, elsewhere=True)
        turned = scripts["paper_claim"].rank_choices(scores[::-1], clips, 1)
        assert [row.rank for row in elsewhere["foils beside another clip, all choices"]] == [
            row.rank for row in turned["foils, all choices"]
        ]


def test_variants_are_the_paper_preset_but_for_what_they_say(scripts):
    module = scripts["paper_claim"]
    preset = with_preset({}, "paper")
    for name, variant in module.TRAINED.items():
        tables = variant.tables(3)
        for table, cls in (("model", ModelConfig), ("training", TrainConfig), ("loss", LossConfig)):
            read_settings(cls, tables[table], table)
        assert tables["training"] == {**preset["training"], **module.SHORTER_TRAINING, "seed": 3}
        assert tables["model"]["text"] == {**preset["model"]["text"], **variant.text}, name
    assert module.TRAINED["HGR"].tables(3)["loss"] == preset["loss"]
    assert module.TRAINED["global baseline"].tables(3)["loss"]["level_weights"] == [0.0, 1.0, 0.0, 0.0]


def test_the_global_baseline_needs_no_nodes(scripts):
    module = scripts["paper_claim"]
    graphs = LarkParser().parse_batch(CAPTIONS)
    tables = module.TRAINED["global baseline"].tables(1)
    model = read_settings(ModelConfig, tables["model"], "[model]").make(graphs, feature_dim=8, seed=1).eval()
    features = module.one_frame_clips(torch.rand(3, 8, generator=torch.Generator().manual_seed(0)))
    bare = [module.without_nodes(graph) for graph in graphs]
    whole, words = (module.score_levels(model, features, own) for own in (graphs, bare))
    assert whole.action.any()
    assert not words.action.any()
    torch.testing.assert_close(model.matcher.fuse(words), model.matcher.fuse(whole))


def test_figures_are_means_over_seeds_and_over_types_of_foils(scripts):
    module = scripts["paper_claim"]

    def choices(ranks):
        return [
            QueryRank(query=str(number), video="one", rank=rank, candidates=2) for number, rank in enumerate(ranks)
        ]

    ranks = {
        "msvd-98 second half": choices([1, 2, 2, 2]),
        "foils, switch_roles": choices([1, 1, 1, 2]),
        "foils, replace_action": choices([1, 2]),
        "foils, all choices": choices([1, 1, 1, 1, 2, 2]),
        "foils beside another clip, switch_roles": choices([1, 2]),
        "foils beside another clip, all choices": choices([1, 2]),
    }
    found = module.figures(ranks, seeds=2)
    assert found["msvd-98 second half"]["R@1"] == 25.0
    assert found["msvd-98 second half"]["R@5"] == 100.0
    assert found["msvd-98 second half"]["R@1 of each seed"] == [50.0, 0.0]
    assert found["foils, mean of the types"] == {"R@1": 62.5}
    assert found["foils beside another clip, mean of the types"] == {"R@1": 50.0}


@torch.inference_mode()
def test_the_mean_of_the_regions_is_the_whole(scripts):
    variant = VARIANTS["efficientnet-lite2"]
    upper = scripts["frame_halves"].UpperHalf(layout(variant), random_network(variant).state_dict()).eval()
    middle = torch.rand(2, 120, 17, 17, generator=torch.Generator().manual_seed(1)).half()
    regions = scripts["regions"].region_features(upper, middle.numpy())
    assert regions.shape == (2, 9 * 1280)
    mean = torch.from_numpy(regions).float().unflatten(1, (9, 1280)).mean(dim=1)
    torch.testing.assert_close(mean, upper(middle.float()), atol=2e-3, rtol=2e-3)


@torch.inference_mode()
def test_entities_attend_to_regions_in_training_as_they_do_when_they_are_asked(scripts, model, tmp_path):
    module = scripts["regions"]
    sentences = scripts["sentences"].Sentences.read(CAPTIONS, model.text, tmp_path)
    text = model.text.encode(*sentences.batch(np.arange(4), model.text))
    features = torch.rand(4, 10 * model.video.feature_dim, generator=torch.Generator().manual_seed(0))
    lesson = module.RegionLesson(model, None, scripts["train_model"].Recipe())
    views = lesson.look(features)
    taught = lesson.levels(views, text)
    asked = module.score_regions(model, model.matcher, scripts["train_model"].one_frame_clips(features), [text])
    for level in ("event", "action", "entity"):
        torch.testing.assert_close(taught[level], asked[level], atol=1e-5, rtol=0)
    for level in ("action", "entity"):
        torch.testing.assert_close(lesson.fits(views, text, level), taught[level].diagonal(), atol=1e-5, rtol=0)
    assert (taught.entity - model.matcher(model.video(first_looks(scripts, features)), text).levels.entity).any()


@torch.inference_mode()
def test_regions_that_show_what_the_whole_does_change_nothing(scripts, model, tmp_path):
    sentences = scripts["sentences"].Sentences.read(CAPTIONS, model.text, tmp_path)
    whole = torch.rand(3, model.video.feature_dim, generator=torch.Generator().manual_seed(0))
    one_frame_clips, systems = scripts["train_model"].one_frame_clips, scripts["systems"]
    plain = systems.OneModel(model).levels(model.matcher, one_frame_clips(whole), sentences, np.arange(4))
    looks = one_frame_clips(whole.repeat(1, 10))
    regions = systems.RegionModel(model).levels(model.matcher, looks, sentences, np.arange(4))
    for level in ("event", "action", "entity"):
        torch.testing.assert_close(regions[level], plain[level], atol=1e-5, rtol=0)


def first_looks(scripts, features):
    return scripts["train_model"].one_frame_clips(features.unflatten(1, (10, -1))[:, 0])


@torch.inference_mode()
def test_two_towers_share_the_event_alone(scripts, model, tmp_path):
    systems, tower = scripts["systems"], scripts["word_tower"]
    sentences = scripts["sentences"].Sentences.read(CAPTIONS, model.text, tmp_path)
    vocabulary = tower.Vocabulary.from_sentences(graph.tokens for graph in sentences.graphs)
    vectors = torch.randn(vocabulary.size, 12, generator=torch.Generator().manual_seed(0))
    second = tower.make_tower(vectors, vocabulary, model.video.feature_dim, tower.TOWER).eval()
    features = scripts["train_model"].one_frame_clips(
        torch.rand(3, model.video.feature_dim, generator=torch.Generator().manual_seed(1))
    )
    own = systems.OneModel(model).levels(model.matcher, features, sentences, np.arange(4))
    words = model.matcher(second.video(features), second.text(second.text.batch(sentences.graphs))).levels
    both = systems.TwoTowers(model, second).levels(model.matcher, features, sentences, np.arange(4))
    torch.testing.assert_close(both.event, (own.event + words.event) / 2, atol=1e-5, rtol=0)
    assert torch.equal(both.action, own.action)
    assert torch.equal(both.entity, own.entity)


def test_what_is_trained_has_a_name_that_says_all_that_is_otherwise(scripts):
    module = scripts["what_pays"]
    named = {name: module.described(variation.trained) for name, variation in module.VARIATIONS.items()}
    assert named["questions read by Stanza"] == named["frames weighed evenly"] == {}
    assert named["two rounds of messages"] == {"text": {"graph_layers": 2}}
    trained = [str(found) for found in named.values() if found]
    assert len(set(trained)) == len(trained)


def test_the_last_layer_alone_is_what_the_transformer_itself_says(scripts, model):
    reader = model.text.reader
    transformer, tokenizer = reader.files
    alone = scripts["last_layer"].LastLayerReader(model=transformer, tokenizer=tokenizer)
    size = alone.hidden_size
    assert size == reader.last_layer_size < reader.hidden_size
    words = [caption.split() for caption in CAPTIONS]
    both, last = reader.read(words), alone.read(words)
    np.testing.assert_allclose(last.words, both.words[:, :, :size], atol=1e-6)
    own = both.sentence[:, :size]
    np.testing.assert_allclose(last.sentence, own / np.linalg.norm(own, axis=1, keepdims=True), atol=1e-6)


def test_sentences_of_one_reader_are_never_taken_for_those_of_another(scripts, model, tmp_path):
    transformer, tokenizer = model.text.reader.files
    alone = scripts["last_layer"].LastLayerReader(model=transformer, tokenizer=tokenizer)
    text = type(model.text)(reader=alone, embed_dim=8)
    read = [scripts["sentences"].Sentences.read(CAPTIONS, each, tmp_path) for each in (model.text, text, text)]
    assert [sentences.states.event.shape[1] for sentences in read] == [768, 384, 384]


def test_without_paraphrases_nothing_is_asked_of_them(scripts, model):
    module = scripts["train_model"]
    material = module.Material(photographs=None, captions=None, paraphrases=None, foils=None)
    lesson = module.Lesson(model, material, module.Recipe())
    assert lesson.paraphrases(np.random.default_rng(0)) == 0
