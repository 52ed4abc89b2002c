"""Tiny models in folders, small videos, and what `transformers` itself makes of texts and pictures."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import av
import numpy as np
import pytest
import torch

_SPEC = importlib.util.spec_from_file_location("tiny_models", Path(__file__).with_name("tiny_models.py"))
tiny = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(tiny)

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_models():
    return tiny


@pytest.fixture(scope="session", params=list(tiny.MODELS))
def folder(request, tmp_path_factory):
    """A model of each kind."""
    return tiny.MODELS[request.param](tmp_path_factory.mktemp(request.param) / "model")


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory):
    return tiny.write_clip(tmp_path_factory.mktemp("clip") / "model")


@pytest.fixture(scope="session")
def videos(tmp_path_factory):
    """Five films of moving noise, each another one."""
    root = tmp_path_factory.mktemp("videos")
    for seed in range(5):
        _write_video(root / f"{seed}.mp4", 64, 48, seed)
    return root


@pytest.fixture(scope="session")
def write_video():
    return _write_video


def _write_video(path, width, height, seed=0):
    """Write twelve pictures of moving noise; the sides are multiples of 8."""
    random = np.random.default_rng(seed)
    picture = random.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=4)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(12):
            shown = np.roll(picture, 4 * number, axis=1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(shown, "rgb24")))
        container.mux(stream.encode(None))
    return path


class Reference:
    """The plain way: `transformers`' own model, tokenizer and processor (Pillow's), one at a time."""

    def __init__(self, folder):
        from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

        self.model = AutoModel.from_pretrained(folder).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.processor = AutoImageProcessor.from_pretrained(folder, backend="pil")

    def text(self, text):
        padding = "max_length" if self.model.config.model_type.startswith("siglip") else True
        inputs = self.tokenizer(
            [text], padding=padding, truncation=True, max_length=tiny.TOKENS, return_tensors="pt"
        )
        with torch.inference_mode():
            return self.model.get_text_features(**inputs).pooler_output[0].numpy()

    def picture(self, picture):
        inputs = self.processor(images=picture, return_tensors="pt")
        with torch.inference_mode():
            return self.model.get_image_features(**inputs).pooler_output[0].numpy()


@pytest.fixture
def reference(folder):
    return Reference(folder)


@pytest.fixture(scope="session")
def make_reference():
    return Reference
