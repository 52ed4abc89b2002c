"""Both sides of a dual encoder: the contracts, and `transformers`' own vectors."""

from __future__ import annotations

import hgrkit_clip
import numpy as np
import pytest
import torch

from hgrkit.errors import ShapeError
from hgrkit.matching.frame_weights import unit_vectors
from hgrkit.testing import FrameEncoderContract, TextEncoderPluginContract

TEXTS = [
    "a man throws a ball",
    "A Man's dog, in the park!",
    "snow",
    "the woman with the red ball runs to the dog in the park and catches the cat",
]


class TestTexts(TextEncoderPluginContract):
    @pytest.fixture
    def text_encoder(self, clip_folder):
        return hgrkit_clip.text_encoder("cpu", str(clip_folder))


class TestFrames(FrameEncoderContract):
    @pytest.fixture
    def frame_encoder(self, folder):
        return hgrkit_clip.frame_encoder("cpu", str(folder))


def test_texts_have_the_vectors_of_transformers(folder, reference):
    found = hgrkit_clip.text_encoder("cpu", str(folder)).encode(TEXTS)
    np.testing.assert_allclose(found, np.stack([reference.text(text) for text in TEXTS]), atol=1e-5)


@pytest.mark.parametrize("size", [(32, 32), (48, 64), (90, 50), (20, 24)])
def test_pictures_have_the_vectors_of_transformers(folder, reference, size):
    pictures = np.random.default_rng(0).integers(0, 256, (3, *size, 3), dtype=np.uint8)
    found = hgrkit_clip.frame_encoder("cpu", str(folder)).encode(pictures)
    np.testing.assert_allclose(found, np.stack([reference.picture(picture) for picture in pictures]), atol=1e-5)


def test_neighbours_and_their_number_never_change_a_vector(folder):
    texts, frames = hgrkit_clip.text_encoder("cpu", str(folder)), hgrkit_clip.frame_encoder("cpu", str(folder))
    many = [f"a dog runs {'in the park ' * (number % 4)}" for number in range(70)]
    alone = np.concatenate([texts.encode([text]) for text in many])
    np.testing.assert_allclose(texts.encode(many), alone, atol=2e-6)
    pictures = np.random.default_rng(1).integers(0, 256, (70, 40, 30, 3), dtype=np.uint8)
    alone = np.concatenate([frames.encode(picture[None]) for picture in pictures])
    np.testing.assert_allclose(frames.encode(pictures), alone, atol=2e-6)


def test_tokens_past_the_limit_are_counted_and_not_read(clip_folder, tiny_models):
    texts = hgrkit_clip.text_encoder("cpu", str(clip_folder))
    fits, longer = "a" * (tiny_models.TOKENS - 2), "a" * (tiny_models.TOKENS + 3)
    assert texts.omitted_tokens([fits, longer]) == [0, 5]
    np.testing.assert_array_equal(*texts.encode([longer, longer + "b"]))


def test_both_sides_have_one_fingerprint_that_follows_the_files(tmp_path, tiny_models):
    one, other = tiny_models.write_clip(tmp_path / "one"), tiny_models.write_clip(tmp_path / "other", seed=1)
    texts, frames = hgrkit_clip.text_encoder("cpu", str(one)), hgrkit_clip.frame_encoder("cpu", str(one))
    assert texts.fingerprint == frames.fingerprint
    assert texts.dual is frames.dual, "the network is loaded once"
    assert hgrkit_clip.text_encoder("cpu", str(other)).fingerprint != texts.fingerprint
    (other / "model.safetensors").write_bytes((one / "model.safetensors").read_bytes())
    assert hgrkit_clip.text_encoder("cpu", str(other)).fingerprint == texts.fingerprint
    (other / "README.md").write_text("a card decides nothing")
    assert hgrkit_clip.text_encoder("cpu", str(other)).fingerprint == texts.fingerprint


@pytest.mark.parametrize(("precision", "apart"), [("bfloat16", 0.02), ("float16", 0.003)])
def test_a_lower_precision_stays_near_and_has_a_fingerprint_of_its_own(folder, precision, apart):
    exact, named = hgrkit_clip.text_encoder("cpu", str(folder)), f"{folder}?precision={precision}"
    pictures = np.random.default_rng(0).integers(0, 256, (3, 40, 30, 3), dtype=np.uint8)
    expected = [exact.encode(TEXTS), hgrkit_clip.frame_encoder("cpu", str(folder)).encode(pictures)]
    texts, frames = hgrkit_clip.text_encoder("cpu", named), hgrkit_clip.frame_encoder("cpu", named)
    for found, right in zip([texts.encode(TEXTS), frames.encode(pictures)], expected, strict=True):
        assert found.dtype == np.float32
        moved = np.abs(unit_vectors(found) - unit_vectors(right)).max()
        assert 1e-5 < moved < apart
    assert texts.name == f"clip:{named}"
    assert texts.fingerprint == frames.fingerprint == f"{exact.fingerprint}+{precision}"


def test_compiling_is_for_pictures_and_changes_no_fingerprint(clip_folder, monkeypatch):
    ran = []

    def compiled(method):
        return lambda **inputs: ran.append(inputs["pixel_values"].shape) or method(**inputs)

    monkeypatch.setattr("torch.compile", compiled)
    texts = hgrkit_clip.text_encoder("cpu", f"{clip_folder}?compile=yes")
    ran.clear()
    texts.encode(["a dog"])
    assert ran == []
    pictures = np.random.default_rng(0).integers(0, 256, (3, 40, 30, 3), dtype=np.uint8)
    found = hgrkit_clip.frame_encoder("cpu", f"{clip_folder}?compile=yes").encode(pictures)
    assert [3, 3, 32, 32] in [list(shape) for shape in ran]
    exact = hgrkit_clip.frame_encoder("cpu", f"{clip_folder}?compile=no")
    np.testing.assert_allclose(found, exact.encode(pictures), atol=1e-5)
    assert (texts.name, texts.fingerprint) == (f"clip:{clip_folder}", exact.fingerprint)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize(("options", "apart"), [("", 1e-4), ("?precision=float16", 0.003), ("?compile=yes", 1e-4)])
def test_the_device_changes_no_vector(clip_folder, options, apart):
    pictures = np.random.default_rng(0).integers(0, 256, (40, 40, 30, 3), dtype=np.uint8)
    both = [
        (
            hgrkit_clip.text_encoder(device, str(clip_folder) + options).encode(TEXTS),
            hgrkit_clip.frame_encoder(device, str(clip_folder) + options).encode(pictures),
        )
        for device, options in (("cpu", ""), ("cuda", options))
    ]
    for on_cpu, on_cuda in zip(*both, strict=True):
        np.testing.assert_allclose(unit_vectors(on_cuda), unit_vectors(on_cpu), atol=apart)


def test_what_is_no_picture_is_refused(clip_folder):
    frames = hgrkit_clip.frame_encoder("cpu", str(clip_folder))
    with pytest.raises(ShapeError, match=r"frames must be uint8 \[B, H, W, 3\], got float64 \[1, 4, 4, 3\]"):
        frames.encode(np.zeros((1, 4, 4, 3)))
