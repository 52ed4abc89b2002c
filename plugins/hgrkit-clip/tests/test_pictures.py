"""The preparation of pictures against the processors that are installed with `transformers`."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hgrkit_clip.pictures import read_preparation

from hgrkit.errors import CheckpointError


@pytest.mark.parametrize("size", [(32, 32), (33, 71), (120, 40), (10, 12), (31, 200)])
def test_pictures_come_out_as_the_processor_makes_them(folder, reference, size):
    preparation = read_preparation(json.loads((folder / "preprocessor_config.json").read_text()), "")
    pictures = np.random.default_rng(1).integers(0, 256, (2, *size, 3), dtype=np.uint8)
    found = preparation(pictures)
    expected = reference.processor(images=list(pictures), return_tensors="pt")
    for name, values in found.items():
        np.testing.assert_allclose(values, expected[name], atol=1e-6)


def test_settings_of_older_files_are_read():
    settings = {"size": 32, "crop_size": 30, "do_center_crop": True, "image_mean": [0] * 3, "image_std": [1] * 3}
    made = read_preparation(settings, "here")
    scaling = made.scaling
    assert (scaling.shortest_edge, scaling.crop, scaling.size, scaling.resample) == (32, (30, 30), None, 3)
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
        read_preparation(settings | change, "here")
