"""The preparation of pictures against the processors that are installed with `transformers`."""

from __future__ import annotations

import json

import numpy as np
import PIL
import pytest
from hgrkit_clip.pictures import PicturePreparation, resize
from PIL import Image

from hgrkit.errors import CheckpointError

PILLOW_13 = int(PIL.__version__.split(".")[0]) >= 13


@pytest.mark.skipif(not PILLOW_13, reason="earlier releases of Pillow scale the axes in another order")
@pytest.mark.parametrize("resample", [2, 3])
@pytest.mark.parametrize("shape", [(64, 48), (40, 40), (20, 100)])
def test_scaling_is_pillows_to_the_bit(resample, shape):
    pictures = np.random.default_rng(0).integers(0, 256, (2, *shape, 3), dtype=np.uint8)
    for height in (9, 20, 32, 48, 63, 90):
        for width in (9, 32, 47, 60, 90):
            expected = [np.asarray(Image.fromarray(one).resize((width, height), resample)) for one in pictures]
            np.testing.assert_array_equal(resize(pictures, (height, width), resample), np.stack(expected))


@pytest.mark.parametrize("size", [(32, 32), (33, 71), (120, 40), (10, 12), (31, 200)])
def test_pictures_come_out_as_the_processor_makes_them(folder, reference, size):
    preparation = PicturePreparation.from_json(json.loads((folder / "preprocessor_config.json").read_text()), "")
    pictures = np.random.default_rng(1).integers(0, 256, (2, *size, 3), dtype=np.uint8)
    found = preparation(pictures)
    expected = reference.processor(images=list(pictures), return_tensors="pt")
    for name, values in found.items():
        np.testing.assert_allclose(values, expected[name], atol=1e-6)


def test_settings_of_older_files_are_read():
    settings = {"size": 32, "crop_size": 30, "do_center_crop": True, "image_mean": [0] * 3, "image_std": [1] * 3}
    made = PicturePreparation.from_json(settings, "here")
    assert (made.shortest_edge, made.crop, made.size, made.resample) == (32, (30, 30), None, 3)
    assert made(np.full((1, 60, 90, 3), 255, np.uint8))["pixel_values"].shape == (1, 3, 30, 30)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"resample": 1}, r"resample is 1, expected one of \[2, 3\]"),
        ({"size": None}, "states no size"),
        ({"image_mean": None}, "TypeError"),
    ],
)
def test_settings_that_are_not_known_are_refused(change, reason):
    settings = {"size": {"height": 32, "width": 32}, "image_mean": [0] * 3, "image_std": [1] * 3}
    with pytest.raises(CheckpointError, match=f"here is not understood: .*{reason}"):
        PicturePreparation.from_json(settings | change, "here")
