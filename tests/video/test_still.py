"""Pictures: which files are some, and how they are read in the confined worker."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from hgrkit.errors import DecodeError, DecodeLimitError, MissingPathError
from hgrkit.video.limits import DecodeGuard, DecodeLimits
from hgrkit.video.still import picture_kind, read_still
from hgrkit.video.worker.answers import Decoded
from hgrkit.video.worker.decoder import DecodeProcess

SIZE = (32, 48)
ORIENTATIONS = {3: 2, 6: 1, 8: 3}
"""EXIF's number, and by how many quarter turns counter-clockwise a picture that has it was stored."""


@pytest.fixture
def pixels():
    """Four quarters of different colours."""
    colours = np.array([[[250, 20, 20], [20, 250, 20]], [[20, 20, 250], [240, 240, 20]]], np.uint8)
    return colours.repeat(32, axis=0).repeat(48, axis=1)


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "bmp", "tiff"])
def test_a_picture_is_known_by_its_bytes_and_read_whole(tmp_path, pixels, kind):
    path = tmp_path / "misnamed.txt"
    Image.fromarray(pixels).save(path, kind)
    assert picture_kind(path) == f"{kind}_pipe"
    image = read_still(str(path), SIZE, DecodeGuard())
    assert image.shape == (*SIZE, 3)
    np.testing.assert_allclose(image[::31, ::47], pixels[::63, ::95], atol=12)


def test_a_pattern_in_a_name_is_a_name(tmp_path, pixels):
    Image.fromarray(pixels).save(tmp_path / "a1.png")
    Image.fromarray(255 - pixels).save(tmp_path / "a%d.png")
    image = read_still(str(tmp_path / "a%d.png"), SIZE, DecodeGuard())
    np.testing.assert_allclose(image[0, 0], 255 - pixels[0, 0], atol=12)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_photograph_is_turned_as_its_exif_says(tmp_path, pixels, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.rot90(pixels, ORIENTATIONS[orientation]))
    stored.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    image = read_still(str(tmp_path / "turned.jpg"), SIZE, DecodeGuard())
    np.testing.assert_allclose(image[::31, ::47], pixels[::63, ::95], atol=12)


def test_transparent_parts_are_white(tmp_path, pixels):
    clear = np.dstack([pixels, np.zeros(pixels.shape[:2], np.uint8)])
    Image.fromarray(clear).save(tmp_path / "clear.png")
    assert (read_still(str(tmp_path / "clear.png"), SIZE, DecodeGuard()) == 255).all()


def test_what_is_no_picture_is_refused(tmp_path):
    (tmp_path / "list.m3u8").write_text("#EXTM3U\nother.ts\n")
    assert picture_kind(tmp_path / "list.m3u8") is None
    with pytest.raises(DecodeError, match="not a picture of a known kind"):
        read_still(str(tmp_path / "list.m3u8"), SIZE, DecodeGuard())
    with pytest.raises(MissingPathError):
        picture_kind(tmp_path / "gone.png")


def test_a_picture_that_is_cut_off_is_refused(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "whole.jpg")
    data = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "torn.jpg").write_bytes(data[: len(data) // 2])
    with pytest.raises(DecodeError, match="cut off or damaged"):
        read_still(str(tmp_path / "torn.jpg"), SIZE, DecodeGuard())


def test_a_picture_with_too_many_pixels_is_refused(tmp_path):
    Image.new("L", (3000, 3000)).save(tmp_path / "large.png")
    with pytest.raises(DecodeLimitError, match="pixels"):
        read_still(str(tmp_path / "large.png"), SIZE, DecodeGuard(DecodeLimits(pixels=3_000_000)))


def test_a_worker_reads_pictures_and_videos_in_turns(tmp_path, pixels):
    Image.fromarray(pixels).save(tmp_path / "one.png")
    (tmp_path / "false.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    with DecodeProcess(DecodeLimits()) as decoder:
        first = decoder.read_picture(str(tmp_path / "one.png"), SIZE)
        failed = decoder.read_picture(str(tmp_path / "false.png"), SIZE)
        again = decoder.read_picture(str(tmp_path / "one.png"), SIZE)
    assert isinstance(failed, Decoded)
    assert failed.reason
    assert first.shape == (1, *SIZE, 3)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first[0], read_still(str(tmp_path / "one.png"), SIZE, DecodeGuard()))
