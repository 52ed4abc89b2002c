from __future__ import annotations

import json
import os
import resource

import attrs
import pytest
import safetensors.torch
import torch

from hgrkit.errors import CheckpointError, ConfigError, ModelNotFoundError
from hgrkit.matching.matcher import Matcher
from hgrkit.model.checkpoint import load_model, model_fingerprint, save_model
from hgrkit.model.hgr_model import HgrModel, ModelOrigin
from hgrkit.model.text.text_encoder import TextEncoder
from hgrkit.model.text.vocabulary import Vocabulary
from hgrkit.model.video import VideoEncoder, VideoFeatures
from hgrkit.testing.model_contract import example_graphs

VOCABULARY = Vocabulary.from_sentences(graph.tokens for graph in example_graphs())


def model_of(**text):
    return HgrModel(
        text=TextEncoder(vocabulary=VOCABULARY, embed_dim=6, word_dim=4, **text),
        video=VideoEncoder(feature_dim=5, embed_dim=6, dropout=0.2, max_frames=9),
        matcher=Matcher(sharpness=7.0, fusion="sim", level_weights=(1, 2, 3)),
        origin=ModelOrigin(name="small", frame_encoder="lite2", sampling={"frames": 9}, clip_seconds=10.0),
    ).eval()


@pytest.fixture
def model():
    return model_of(recurrence="lstm", num_layers=2, dropout=0.1, max_tokens=None, edges="two_way")


@pytest.fixture
def folder(model, tmp_path):
    return save_model(model, tmp_path / "model", card="# Small\n")


def scores_of(model):
    generator = torch.Generator().manual_seed(0)
    features = VideoFeatures.from_arrays([torch.randn(n, 5, generator=generator) for n in (3, 1)])
    with torch.inference_mode():
        return model(features, model.text.batch(example_graphs())).fused


def edit_config(folder, change):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))


def test_saved_and_loaded_it_answers_the_same(model, folder):
    loaded = load_model(folder)
    assert not loaded.training
    assert loaded.config == model.config
    assert loaded.origin == model.origin
    torch.testing.assert_close(scores_of(loaded), scores_of(model), atol=0, rtol=0)


def test_a_folder_holds_what_the_design_says_and_no_pickle(folder):
    names = {path.name for path in folder.iterdir()}
    assert names == {"config.json", "weights.safetensors", "vocabulary.json", "MODEL_CARD.md"}


def test_whoever_may_read_the_config_may_read_the_weights(folder):
    assert len({path.stat().st_mode for path in folder.iterdir()}) == 1


def test_saving_replaces_a_model_folder_whole(model, folder):
    (folder / "stale.json").write_text("{}")
    save_model(model, folder)
    assert not (folder / "stale.json").exists()
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_saving_never_replaces_something_else(model, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.jpg").touch()
    with pytest.raises(CheckpointError, match="not a model folder"):
        save_model(model, tmp_path / "photos")
    assert (tmp_path / "photos" / "one.jpg").exists()


def test_a_folder_that_is_no_model_is_named(tmp_path):
    with pytest.raises(ModelNotFoundError, match=r"config\.json"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda config: config.update(format=2), "format 2"),
        (lambda config: config.update(wings=2), "has no setting 'wings'; known: text, video, matcher,"),
        (lambda config: config.pop("video"), "lacks 'video'"),
        (lambda config: config["video"].update(depth=3), "video has no setting 'depth'; known: feature_dim,"),
        (lambda config: config["video"].pop("feature_dim"), "video lacks 'feature_dim'"),
        (lambda config: config["text"].update(depth=3), "text has no setting 'depth'"),
        (lambda config: config["text"].update(vocabulary=3), "text has no setting 'vocabulary'"),
        (
            lambda config: config["text"].update(type="bag"),
            "type of text must be 'rnn', 'sentence' or 'phrases', got 'bag'",
        ),
        (lambda config: config["matcher"].update(fusion="max"), "'max'"),
        (lambda config: config["video"].update(embed_dim=7), "embed_dim=6"),
        (lambda config: config["video"].update(embed_dim="six"), r"config\.json"),
        (lambda config: config["video"].update(max_frames=3.5), "max_frames"),
        (lambda config: config["matcher"].update(level_weights="x"), r"config\.json"),
        (lambda config: config["text"].update(max_actions=3.5), "max_actions"),
    ],
)
def test_a_config_that_cannot_be_honoured_is_refused(folder, change, message):
    edit_config(folder, change)
    with pytest.raises(CheckpointError, match=message):
        load_model(folder)


def test_weights_that_do_not_fit_are_listed(folder):
    weights = safetensors.torch.load_file(folder / "weights.safetensors")
    weights["text.extra"] = weights.pop("video.pooling.bias")
    weights["video.pooling.weight"] = torch.zeros(1, 3)
    safetensors.torch.save_file(weights, folder / "weights.safetensors")
    with pytest.raises(CheckpointError) as caught:
        load_model(folder)
    for part in ("missing video.pooling.bias", "surplus text.extra", "video.pooling.weight is [1, 3]"):
        assert part in str(caught.value)


@pytest.mark.parametrize("name", ["weights.safetensors", "vocabulary.json"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=f"{name} (is|are) missing"):
        load_model(folder)


def test_damaged_weights_are_refused(folder):
    (folder / "weights.safetensors").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_model(folder)


@pytest.mark.parametrize("content", ["{", pytest.param('{"text":' * 100_000, id="deep nesting")])
def test_a_config_that_is_no_json_is_refused(folder, content):
    (folder / "config.json").write_text(content)
    with pytest.raises(CheckpointError, match="not JSON"):
        load_model(folder)


def test_the_fingerprint_follows_numbers_and_not_the_card(model, folder):
    before = model_fingerprint(folder)
    (folder / "MODEL_CARD.md").write_text("other words")
    assert model_fingerprint(folder) == before
    with torch.no_grad():
        model.video.pooling.bias += 1
    save_model(model, folder)
    assert model_fingerprint(folder) != before


def test_a_note_never_changes_the_fingerprint(model, folder):
    before = model_fingerprint(folder)
    for seconds in ("1.5", "2.5"):
        save_model(model, folder, notes={"log.jsonl": seconds, "config.json": "any name will do"})
        assert (folder / "notes" / "log.jsonl").read_text() == seconds
        assert model_fingerprint(folder) == before


@pytest.mark.parametrize("name", ["config.json", "weights.safetensors", "vocabulary.json", "more/weights.bin"])
def test_a_change_to_any_other_file_changes_the_fingerprint(folder, name):
    before = model_fingerprint(folder)
    (folder / name).parent.mkdir(exist_ok=True)
    with (folder / name).open("a") as file:
        file.write(" ")
    assert model_fingerprint(folder) != before


def test_encoders_of_different_size_are_refused():
    with pytest.raises(ConfigError, match=r"embed_dim=6.*embed_dim=8"):
        HgrModel(text=model_of().text, video=VideoEncoder(feature_dim=5, embed_dim=8))


def test_a_model_knows_its_sizes(model):
    assert (model.embed_dim, model.feature_dim, model.device.type) == (6, 5, "cpu")
    assert attrs.asdict(model.origin)["clip_seconds"] == 10.0


@pytest.mark.parametrize(
    ("tensor", "words"),
    [(torch.tensor(float("nan")), "not finite"), (torch.tensor(1, dtype=torch.int32), "torch.int32")],
)
def test_weights_that_are_no_real_numbers_are_refused(folder, tensor, words):
    weights = safetensors.torch.load_file(folder / "weights.safetensors")
    name = "video.pooling.weight"
    weights[name] = tensor.expand(weights[name].shape).contiguous()
    safetensors.torch.save_file(weights, folder / "weights.safetensors")
    with pytest.raises(CheckpointError, match=f"{name}.*{words}"):
        load_model(folder)


def test_a_model_saves_itself_as_save_model_does(model, folder, tmp_path):
    model.save(tmp_path / "again", card="# Small\n")
    assert model_fingerprint(tmp_path / "again") == model_fingerprint(folder)


def most_memory_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


@pytest.mark.parametrize(
    ("part", "name", "size"),
    [
        ("video", "feature_dim", 10**9),
        ("video", "feature_dim", 10**30),
        ("video", "embed_dim", 16384),
        ("text", "word_dim", 16384),
        ("background", "size", 10**9),
    ],
)
def test_sizes_that_the_weights_do_not_have_take_no_memory(folder, part, name, size):
    edit_config(folder, lambda config: config.setdefault(part, {}).update({name: size}))
    vocabulary = json.loads((folder / "vocabulary.json").read_text())
    (folder / "vocabulary.json").write_text(json.dumps({**vocabulary, "size": 10**9}))
    before = most_memory_mb()
    with pytest.raises(CheckpointError) as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)
    assert most_memory_mb() - before < 200


@pytest.mark.parametrize("file", ["config.json", "vocabulary.json"])
@pytest.mark.parametrize("kind", ["a pipe", "a file without end"])
def test_what_is_no_small_file_is_refused_at_once(folder, file, kind):
    (folder / file).unlink()
    if kind == "a pipe":
        os.mkfifo(folder / file)
    else:
        with (folder / file).open("wb") as made:
            made.truncate(1 << 40)
    with pytest.raises(
        (CheckpointError, ModelNotFoundError), match=r"has 1099511627776 bytes|named pipe|no config"
    ):
        load_model(folder)
