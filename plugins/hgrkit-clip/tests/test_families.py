"""Models of other families, from their folder to answers and to an export."""

from __future__ import annotations

import hgrkit_clip
import numpy as np
import pytest

from hgrkit import Retriever
from hgrkit.errors import LibraryMismatchError
from hgrkit.model.onnx_export import export_onnx
from hgrkit.model.onnx_sides import frame_encoder, text_encoder

TEXTS = ["a man throws a ball", "the dog", "a woman in the park catches the red ball by the dog " * 3]


@pytest.fixture(scope="module", params=["chinese_clip", "metaclip2"])
def other(request, tmp_path_factory, tiny_models):
    return tiny_models.OTHERS[request.param](tmp_path_factory.mktemp(request.param) / "model")


def test_vectors_are_those_of_transformers_and_of_the_export(other, make_reference, tmp_path):
    reference, made = make_reference(other), str(export_onnx(f"clip:{other}", tmp_path / "onnx").folder)
    expected = np.stack([reference.text(text) for text in TEXTS])
    np.testing.assert_allclose(hgrkit_clip.text_encoder("cpu", str(other)).encode(TEXTS), expected, atol=1e-5)
    np.testing.assert_allclose(text_encoder("cpu", made).encode(TEXTS), expected, atol=1e-4)
    pictures = np.random.default_rng(0).integers(0, 256, (3, 48, 64, 3), dtype=np.uint8)
    expected = np.stack([reference.picture(picture) for picture in pictures])
    np.testing.assert_allclose(hgrkit_clip.frame_encoder("cpu", str(other)).encode(pictures), expected, atol=1e-5)
    np.testing.assert_allclose(frame_encoder("cpu", made).encode(pictures), expected, atol=1e-4)


def test_one_option_swaps_the_model_and_a_library_refuses_the_wrong_one(other, clip_folder, videos, tmp_path):
    for name, folder in (("other", other), ("clip", clip_folder)):
        with Retriever.create(tmp_path / name, model=f"clip:{folder}", device="cpu") as retriever:
            assert retriever.index(videos).indexed == 5
            assert len(retriever.search(TEXTS[0]).hits) == 5
    with pytest.raises(LibraryMismatchError, match="was made with model 'clip:"):
        Retriever.open(tmp_path / "clip", model=f"clip:{other}", device="cpu")
