"""OpenCLIP's checkpoints: their vectors against a network written out here, and what is refused."""

from __future__ import annotations

import json
import math
import shutil

import hgrkit_clip
import numpy as np
import pytest
import torch
from hgrkit_clip.__main__ import main
from safetensors.torch import load_file, save_file
from torch.nn import functional

from hgrkit import Retriever
from hgrkit.errors import CheckpointError, ConfigError, LibraryMismatchError, ModelNotFoundError
from hgrkit.model.onnx_export import export_onnx
from hgrkit.model.onnx_sides import frame_encoder, text_encoder
from hgrkit.testing import FrameEncoderContract, TextEncoderPluginContract

TEXTS = ["a man throws a ball", "A Woman's dog, in the park!", "snow"]


class Network:
    """OpenCLIP's network, from its description: transformers of pre-normed blocks over patches and over tokens."""

    def __init__(self, weights, *, quick_gelu=False):
        self.weights = {name.removeprefix("text."): value for name, value in weights.items()}
        self.quick = quick_gelu

    def norm(self, values, name):
        return functional.layer_norm(
            values, values.shape[-1:], self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        )

    def linear(self, values, name):
        return values @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def activation(self, values):
        return values * torch.sigmoid(1.702 * values) if self.quick else functional.gelu(values)

    def transformer(self, values, stem, heads, mask):  # values [T, D]
        for layer in range(2):
            block = f"{stem}.resblocks.{layer}"
            product = self.norm(values, f"{block}.ln_1") @ self.weights[f"{block}.attn.in_proj_weight"].T
            product += self.weights[f"{block}.attn.in_proj_bias"]
            queries, keys, contents = (
                part.reshape(len(values), heads, -1).transpose(0, 1) for part in product.chunk(3, dim=-1)
            )
            weights = queries @ keys.transpose(1, 2) / math.sqrt(keys.shape[-1]) + mask
            attended = (weights.softmax(-1) @ contents).transpose(0, 1).reshape(values.shape)
            values = values + self.linear(attended, f"{block}.attn.out_proj")
            wide = self.activation(self.linear(self.norm(values, f"{block}.ln_2"), f"{block}.mlp.c_fc"))
            values = values + self.linear(wide, f"{block}.mlp.c_proj")
        return values

    def text(self, ids):
        values = self.weights["token_embedding.weight"][ids] + self.weights["positional_embedding"][: len(ids)]
        mask = torch.full((len(ids), len(ids)), -math.inf).triu(1)
        values = self.norm(self.transformer(values, "transformer", 3, mask), "ln_final")
        return values[ids.argmax()] @ self.weights["text_projection"]

    def picture(self, pixels):  # [3, H, W]
        patches = functional.conv2d(pixels[None], self.weights["visual.conv1.weight"], stride=8).flatten(2)[0].T
        values = torch.cat([self.weights["visual.class_embedding"][None], patches])
        values = self.norm(values + self.weights["visual.positional_embedding"], "visual.ln_pre")
        values = self.transformer(values, "visual.transformer", 2, torch.zeros(()))
        return self.norm(values[0], "visual.ln_post") @ self.weights["visual.proj"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tiny_models):
    return tiny_models.write_open_clip(tmp_path_factory.mktemp("open_clip") / "model")


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


class TestTexts(TextEncoderPluginContract):
    @pytest.fixture
    def text_encoder(self, folder):
        return hgrkit_clip.open_clip_text_encoder("cpu", str(folder))


class TestFrames(FrameEncoderContract):
    @pytest.fixture
    def frame_encoder(self, folder):
        return hgrkit_clip.open_clip_frame_encoder("cpu", str(folder))


@pytest.mark.parametrize("quick_gelu", [False, True])
@pytest.mark.parametrize("custom_text", [False, True])
def test_vectors_are_those_of_the_network(tmp_path, tiny_models, quick_gelu, custom_text):
    folder = tiny_models.write_open_clip(tmp_path / "model", custom_text=custom_text, quick_gelu=quick_gelu)
    network = Network(load_file(folder / "open_clip_model.safetensors"), quick_gelu=quick_gelu)
    texts = hgrkit_clip.open_clip_text_encoder("cpu", str(folder))
    read = texts.dual.tokenizer(TEXTS, truncation=True, max_length=tiny_models.TOKENS)["input_ids"]
    ids = [torch.tensor(one) for one in read]
    expected = np.stack([network.text(one).numpy() for one in ids])
    np.testing.assert_allclose(texts.encode(TEXTS), expected, atol=1e-5)
    pictures = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    pixels = (pictures / 255 - [0.5, 0.4, 0.3]) / [0.2, 0.3, 0.2]
    expected = np.stack([network.picture(one.permute(2, 0, 1)).numpy() for one in torch.tensor(pixels).float()])
    found = hgrkit_clip.open_clip_frame_encoder("cpu", str(folder)).encode(pictures)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("stated", "size"),
    [({}, (51, 32)), ({"resize_mode": "squash"}, (32, 32)), ({"interpolation": "bilinear"}, (51, 32))],
)
def test_pictures_are_scaled_as_the_config_says(copy, stated, size):
    from PIL import Image

    path = copy / "open_clip_config.json"
    config = json.loads(path.read_text())
    config["preprocess_cfg"] |= stated
    path.write_text(json.dumps(config))
    picture = np.random.default_rng(1).integers(0, 256, (40, 64, 3), dtype=np.uint8)
    filters = {"bilinear": Image.Resampling.BILINEAR}
    filter_ = filters.get(stated.get("interpolation"), Image.Resampling.BICUBIC)
    scaled = Image.fromarray(picture).resize(size, filter_)  # 51: the shorter side is 32, the other cut off
    left = round((scaled.width - 32) / 2)  # 10 of 9.5, as torchvision crops, which OpenCLIP prepares pictures with
    expected = np.asarray(scaled)[:, left : left + 32]
    frames = hgrkit_clip.open_clip_frame_encoder("cpu", str(copy))
    np.testing.assert_array_equal(frames.dual.preparation.scaling(picture[None])[0], expected)


def test_a_file_is_named_as_well_as_its_folder(copy, tmp_path):
    weights = copy / "open_clip_model.safetensors"
    named = hgrkit_clip.open_clip_model_config("cpu", str(weights))
    assert named["name"] == f"open_clip:{weights}"
    expected = hgrkit_clip.open_clip_text_encoder("cpu", str(copy))
    assert hgrkit_clip.open_clip_text_encoder("cpu", str(weights)).fingerprint == expected.fingerprint
    shutil.copy(weights, copy / "open_clip_other.safetensors")
    refuses(copy, CheckpointError, r"has several models \(open_clip_model.safetensors, open_clip_other")
    assert hgrkit_clip.open_clip_text_encoder("cpu", str(weights)).fingerprint == expected.fingerprint


def test_a_library_is_indexed_searched_and_exported(folder, videos, tmp_path, tiny_models):
    with Retriever.create(tmp_path / "lib", model=f"open_clip:{folder}", device="cpu") as retriever:
        assert retriever.index(videos).indexed == 5
        hits = retriever.search("a man throws a ball to a dog").hits
        assert len(hits) == 5
        assert {phrase.level for phrase in hits[0].phrases} == {"action", "entity"}
    other = tiny_models.write_open_clip(tmp_path / "other", seed=1)
    with pytest.raises(LibraryMismatchError, match="made with model 'open_clip:"):
        Retriever.open(tmp_path / "lib", model=f"open_clip:{other}", device="cpu")
    made = str(export_onnx(f"open_clip:{folder}", tmp_path / "onnx").folder)
    original = hgrkit_clip.open_clip_text_encoder("cpu", str(folder))
    np.testing.assert_allclose(text_encoder("cpu", made).encode(TEXTS), original.encode(TEXTS), atol=1e-4)
    pictures = np.random.default_rng(0).integers(0, 256, (3, 40, 61, 3), dtype=np.uint8)
    original = hgrkit_clip.open_clip_frame_encoder("cpu", str(folder))
    np.testing.assert_allclose(frame_encoder("cpu", made).encode(pictures), original.encode(pictures), atol=1e-4)


def refuses(source, error, reason):
    with pytest.raises(error, match=reason) as caught:
        hgrkit_clip.open_clip_model_config("cpu", str(source))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("part", "change", "reason"),
    [
        ("vision_cfg", {"timm_model_name": "fastvit_mci1"}, "vision_cfg.timm_model_name is 'fastvit_mci1'"),
        ("vision_cfg", {"layers": [3, 4, 6, 3]}, "vision_cfg.layers is a ResNet's"),
        ("vision_cfg", {"pool_type": "avg"}, "vision_cfg.pool_type is 'avg'"),
        ("text_cfg", {"hf_model_name": "roberta-base"}, "text_cfg.hf_model_name is 'roberta-base'"),
        ("text_cfg", {"no_causal_mask": True}, "text_cfg.no_causal_mask is True"),
    ],
)
def test_other_families_are_refused_by_what_they_state(copy, part, change, reason):
    path = copy / "open_clip_config.json"
    config = json.loads(path.read_text())
    config["model_cfg"][part] |= change
    path.write_text(json.dumps(config))
    refuses(copy, CheckpointError, f"{reason}.*; of OpenCLIP, only plain vision transformers")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda weights: weights.pop("visual.proj"), "describes: it lacks 'visual_projection.weight'"),
        (lambda weights: weights.update(head=weights["visual.proj"] + 0), "describes: it has 'head' besides"),
        (lambda weights: weights.update({"visual.proj": torch.ones(5, 16)}), "cannot be read: "),
    ],
)
def test_weights_that_are_not_the_configs_are_refused(copy, change, reason):
    path = copy / "open_clip_model.safetensors"
    weights = load_file(path)
    change(weights)
    save_file(weights, path)
    refuses(copy, CheckpointError, reason)


def test_what_is_missing_or_torn_is_told(copy, tmp_path):
    weights, config = copy / "open_clip_model.safetensors", copy / "open_clip_config.json"
    refuses(tmp_path / "none", ModelNotFoundError, "there is no folder .*none'; give the folder of a model")
    refuses("", ConfigError, "such as open_clip:FOLDER or open_clip:FILE.safetensors")
    content = weights.read_bytes()
    weights.write_bytes(content[:1000])
    refuses(copy, CheckpointError, "open_clip_model.safetensors cannot be read: ")
    weights.write_bytes(content)
    stated = config.read_text()
    config.write_text('{"model_cfg": {}}')
    refuses(copy, CheckpointError, "cannot be read: KeyError: 'vision_cfg'")
    config.write_text(stated)
    words = (copy / "tokenizer.json").rename(tmp_path / "words")
    refuses(copy, CheckpointError, "has no tokenizer")
    words.rename(copy / "tokenizer.json")
    with pytest.raises(CheckpointError, match=f"It is one of OpenCLIP: open_clip:{copy}"):
        hgrkit_clip.model_config("cpu", str(copy))
    config.unlink()
    refuses(weights, CheckpointError, r"has no open_clip_config.json, so it is no model of OpenCLIP")


def test_pickles_are_refused_and_converted_on_demand(copy, tmp_path):
    weights = copy / "open_clip_model.safetensors"
    expected = hgrkit_clip.open_clip_text_encoder("cpu", str(copy)).encode(TEXTS)
    tensors = load_file(weights)
    weights.unlink()
    pickle = copy / "epoch_3.pt"  # as OpenCLIP's training writes it
    torch.save({"epoch": 3, "state_dict": {f"module.{name}": value for name, value in tensors.items()}}, pickle)
    for source in (copy, pickle):
        refuses(source, CheckpointError, f"a pickle, epoch_3.pt, .* python -m hgrkit_clip {pickle} OUT")
    assert main([str(pickle), str(tmp_path / "safe"), "--allow-pickle"]) == 0
    found = hgrkit_clip.open_clip_text_encoder("cpu", str(tmp_path / "safe")).encode(TEXTS)
    np.testing.assert_array_equal(found, expected)


def test_without_a_network_a_hub_name_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    refuses(
        "someone/some-clip", ModelNotFoundError, "neither in the cache nor can it be downloaded .*give its folder"
    )


def test_a_hub_name_is_taken_from_the_cache(folder, monkeypatch):
    asked = []

    def download(name, **settings):
        asked.append((name, settings["allow_patterns"]))
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    texts = hgrkit_clip.open_clip_text_encoder("cpu", "laion/some-clip")
    assert texts.name == "open_clip:laion/some-clip"
    assert asked == [("laion/some-clip", ["*.json", "*.txt", "*.model", "open_clip*.safetensors"])]
