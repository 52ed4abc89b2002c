"""What the default model is calibrated on is read as it is described."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image


class Brightness:
    """The mean colour of a picture; counts the pictures that it has seen."""

    feature_dim, fingerprint, frame_size = 3, "brightness@1", (4, 4)

    def __init__(self):
        self.seen = 0

    def encode(self, frames):
        self.seen += len(frames)
        return frames.mean(axis=(1, 2), dtype=np.float64).astype(np.float32)


def picture(grey):
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (grey, grey, grey)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def data(tmp_path):
    """Six videos of two frames, the last two for choosing; three photographs, of which the archive lacks one."""
    videos, photographs = tmp_path / "msrvtt_frames", tmp_path / "flickr8k"
    videos.mkdir()
    photographs.mkdir()
    with (
        zipfile.ZipFile(videos / "frames_train.zip", "w") as archive,
        (videos / "train.jsonl").open("w", encoding="utf-8") as listed,
    ):
        for number in range(6):
            frames = [f"video{number}/{frame}.png" for frame in range(2)]
            for place, name in enumerate(frames):
                archive.writestr(name, picture(20 * number + 10 * place))
            said = [f"a dog runs {word}" for word in ("fast", "slowly", "away", "home", "back", "back")]
            part = "val" if number > 3 else "train"
            record = {"video": f"video{number}", "part": part, "frames": frames, "captions": said}
            listed.write(json.dumps(record) + "\n")
    (photographs / "Flickr_8k.devImages.txt").write_text("1.jpg\n2.jpg\n3.jpg\n")
    lines = [f"{number}.jpg#{place}\tA cat sits .\n" for number in (1, 2, 3, 4) for place in range(5)]
    (photographs / "Flickr8k.token.txt").write_text("".join(lines))
    with zipfile.ZipFile(photographs / "images_224.zip", "w") as archive:
        for number in (1, 3, 4):
            archive.writestr(f"images/{number}.jpg", picture(number))
    return tmp_path


def test_videos_of_one_part_have_their_different_captions(scripts, data, tmp_path):
    clips = scripts.calibrate.captioned_videos(data, "train", Brightness(), tmp_path / "cache")
    assert clips.names == ("video0", "video1", "video2", "video3")
    assert [own[:, 0].tolist() for own in clips.views[0]] == [[20 * n, 20 * n + 10] for n in range(4)]
    for clip in range(4):
        own = [text for text, owner in zip(clips.texts, clips.owners, strict=True) if owner == clip]
        assert len(set(own)) == len(own) == 5


def test_photographs_that_are_missing_are_left_out(scripts, data, tmp_path):
    clips = scripts.calibrate.captioned_photographs(data, "dev", Brightness(), tmp_path / "cache")
    assert clips.names == ("1.jpg", "3.jpg")
    assert [own[:, 0].tolist() for own in clips.views[0]] == [[1], [3]]
    assert len(clips.texts) == 10


def test_pictures_are_encoded_once(scripts, data, tmp_path):
    encoder = Brightness()
    for _ in range(2):
        found = scripts.calibrate.calibration_data(data, encoder, tmp_path / "cache")
    assert encoder.seen == 4 * 2 + 2
    assert {name: len(clips) for name, clips in found.items()} == {"MSR-VTT train": 4, "Flickr8k dev": 2}
