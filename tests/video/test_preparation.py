"""Pictures as networks see them: against Pillow, and decoded from videos in a process of its own."""

from __future__ import annotations

import av
import numpy as np
import PIL
import pytest
from av.video.reformatter import Interpolation
from PIL import Image

from hgrkit.video.limits import DecodeLimits
from hgrkit.video.preparation import BILINEAR, PicturePreparation, PictureScaling, resize
from hgrkit.video.sampling import UniformSampling
from hgrkit.video.worker.decoder import DecodeProcess

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


def test_only_the_lines_that_are_kept_are_scaled():
    pictures = np.random.default_rng(0).integers(0, 256, (2, 50, 70, 3), dtype=np.uint8)
    kept = slice(3, 21), slice(10, 31)
    for size in ((24, 33), (50, 33), (24, 70)):
        np.testing.assert_array_equal(resize(pictures, size, 3, kept), resize(pictures, size, 3)[:, *kept])


SCALINGS = {
    "clip": PictureScaling(shortest_edge=32, crop=(32, 32)),
    "larger than it is cropped": PictureScaling(shortest_edge=36, crop=(32, 32)),
    "odd margin": PictureScaling(shortest_edge=37, crop=(32, 32)),
    "odd margin, as torchvision": PictureScaling(shortest_edge=37, crop=(32, 32), rounds_crop=True),
    "upright crop": PictureScaling(shortest_edge=34, crop=(30, 20)),
    "squashed": PictureScaling(size=(24, 32), resample=BILINEAR),
    "squashed and cropped": PictureScaling(size=(40, 40), crop=(32, 32)),
    "patches": PictureScaling(patches=16, patch_size=8),
}
SIZES = [(32, 32), (48, 64), (90, 50), (20, 24), (37, 201), (300, 41), (33, 35)]


@pytest.mark.parametrize("name", SCALINGS)
@pytest.mark.parametrize("size", SIZES)
def test_a_decoded_picture_comes_out_as_the_whole_one_would(name, size):
    scaling = SCALINGS[name]
    picture = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    decoded = scaling.decoded(picture)
    np.testing.assert_array_equal(scaling(decoded[None]), scaling(picture[None]))
    assert scaling.decoded_size in (None, decoded.shape[:2])


def test_patches_of_any_shape_are_scaled_once():
    scaling = PictureScaling(patches=256, patch_size=16)
    for height, width in np.random.default_rng(0).integers(1, 4000, (300, 2)).tolist():
        once = scaling.target(height, width)
        assert scaling.target(*once) == once
        assert once[0] * once[1] <= 256 * 16**2


def test_the_middle_is_kept_and_the_shape_too():
    picture = np.zeros((32, 96, 3), np.uint8)
    picture[:, 32:64] = 255
    assert SCALINGS["clip"](picture[None]).min() == 255
    assert PictureScaling(size=(32, 32))(picture[None]).min() == 0
    small = PictureScaling(crop=(40, 36))(np.full((1, 30, 35, 3), 9, np.uint8))
    assert small.shape == (1, 40, 36, 3)
    assert (small[0, 5:35, 1:] == 9).all()
    assert small[0, :5].max() == small[0, 35:].max() == small[0, :, 0].max() == 0


def test_a_preparation_survives_its_record():
    import attrs

    made = PicturePreparation(scaling=SCALINGS["odd margin"], scale=0.5, mean=[1, 2, 3], std=[1, 1, 2])
    assert PicturePreparation.of_record(attrs.asdict(made)) == made
    assert made(np.full((1, 40, 40, 3), 10, np.uint8))["pixel_values"][0, :, 0, 0].tolist() == [4, 3, 1]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [({"size": (4, 4), "resample": 1}, r"resample is 1, expected one of \[2, 3\]"), ({}, "states no size")],
)
def test_settings_that_make_no_sense_are_refused(settings, reason):
    with pytest.raises(ValueError, match=reason):
        PictureScaling(**settings)


@pytest.fixture
def wide_video(tmp_path):
    path = tmp_path / "wide.mp4"
    random = np.random.default_rng(3)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=4)
        stream.width, stream.height, stream.pix_fmt = 128, 48, "yuv420p"
        for _ in range(6):
            shown = random.integers(0, 256, (6, 16, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(shown, "rgb24")))
        container.mux(stream.encode(None))
    return path


def stored_pictures(path):
    """Every picture in its own size, by PyAV alone."""
    with av.open(str(path)) as container:
        frames = [
            frame.reformat(format="rgb24", interpolation=Interpolation.BICUBIC) for frame in container.decode()
        ]
        return [frame.to_ndarray() for frame in frames]


@pytest.mark.parametrize("name", SCALINGS)
def test_pictures_of_a_video_keep_their_shape_on_the_way(name, wide_video):
    scaling, chunks = SCALINGS[name], []
    with DecodeProcess(DecodeLimits()) as decoder:
        sampling = UniformSampling(6)
        decoded = decoder.read(str(wide_video), scaling, sampling, lambda _, images: chunks.append(images))
    assert decoded.reason is None
    found = scaling(np.concatenate(chunks))
    np.testing.assert_array_equal(
        found, np.concatenate([scaling(one[None]) for one in stored_pictures(wide_video)])
    )


def test_a_still_picture_keeps_its_shape_too(tmp_path):
    picture = np.random.default_rng(3).integers(0, 256, (40, 100, 3), dtype=np.uint8)
    Image.fromarray(picture).save(tmp_path / "still.png")
    with DecodeProcess(DecodeLimits()) as decoder:
        found = decoder.read_picture(str(tmp_path / "still.png"), SCALINGS["patches"])
    np.testing.assert_array_equal(found, SCALINGS["patches"](picture[None]))
