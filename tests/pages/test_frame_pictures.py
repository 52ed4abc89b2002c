"""Pictures of a film strip: at the asked times, in the video's own shape, or a note where there are none."""

from __future__ import annotations

import os
from io import BytesIO

import av
import numpy as np
import pytest
from PIL import Image

from hgrkit.pages import hit_explanation
from hgrkit.pages.hit_explanation import PICTURE_HEIGHT, encode_jpeg, read_pictures
from hgrkit.video.limits import DecodeLimits
from hgrkit.video.picture import PictureScaler
from hgrkit.video.worker.decoder import DecodeProcess


@pytest.fixture(scope="module")
def decoder():
    with DecodeProcess(DecodeLimits()) as process:
        yield process


def pixels(jpeg):
    return np.asarray(Image.open(BytesIO(jpeg)).convert("RGB"))


def test_each_time_gets_the_picture_that_is_on_the_screen_then(video, decoder):
    jpegs, note = read_pictures(str(video), [0.25, 1.25, 1.26, 3.75], decoder)
    assert note == ""
    shown = [pixels(jpeg).mean() for jpeg in jpegs]
    assert shown == pytest.approx([20, 60, 60, 140], abs=4)


def test_pictures_keep_the_shape_of_the_video(video, decoder):
    (jpeg,), _ = read_pictures(str(video), [1.0], decoder)
    assert pixels(jpeg).shape == (PICTURE_HEIGHT, PICTURE_HEIGHT * 96 // 64, 3)


def test_pictures_of_any_shape_have_one_height():
    scale = PictureScaler(20)
    for width, height, wanted in ((40, 30, (20, 26)), (30, 40, (20, 16)), (400, 10, (20, 80)), (2, 90, (20, 2))):
        frame = av.VideoFrame(width, height, "rgb24")
        assert scale(frame).shape == (*wanted, 3)


def test_a_jpeg_shows_the_picture_that_went_in():
    picture = np.zeros((60, 81, 3), np.uint8)
    picture[:, 40:] = (200, 60, 20)
    assert np.abs(pixels(encode_jpeg(picture)).astype(int) - picture)[:, 50:].mean() < 6


def test_a_video_that_is_gone_gives_a_note_and_no_picture(tmp_path, decoder):
    jpegs, note = read_pictures(str(tmp_path / "gone.mp4"), [0.0, 1.0], decoder)
    assert jpegs == (None, None)
    assert "no longer" in note


@pytest.mark.parametrize("content", [b"", b"not a video", b"\x00\x00\x00\x20ftypisom"])
def test_a_file_that_is_no_video_gives_a_note(tmp_path, content, decoder):
    path = tmp_path / "broken.mp4"
    path.write_bytes(content)
    jpegs, note = read_pictures(str(path), [0.0], decoder)
    assert jpegs == (None,)
    assert "cannot be read" in note
    assert str(tmp_path) not in note


def test_a_folder_and_a_pipe_give_a_note(tmp_path, decoder):
    os.mkfifo(tmp_path / "pipe.mp4")
    for path in (str(tmp_path), str(tmp_path / "pipe.mp4")):
        assert "cannot be read" in read_pictures(path, [0.0], decoder)[1]


def test_a_video_that_takes_too_long_gives_a_note(video, monkeypatch, decoder):
    monkeypatch.setattr(hit_explanation, "_LONGEST_S", -1.0)
    assert "took longer" in read_pictures(str(video), [0.0], decoder)[1]
