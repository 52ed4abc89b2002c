"""`hgrkit features extract`, and a training run on what it writes."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def videos(msvd, tmp_path):
    """Three real clips and a file that is none."""
    folder = tmp_path / "videos"
    folder.mkdir()
    for path in sorted((msvd / "videos").iterdir())[:3]:
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "bad.mp4").write_bytes(b"nothing of the kind")
    return folder


def test_features_are_extracted_trained_on_and_indexed(hgrkit, videos, tmp_path):
    out = tmp_path / "F.h5"
    said = hgrkit("features", "extract", videos, "--out", out, "--sampling", "uniform:2")
    assert said.status == 0
    assert "6 frames of 3 videos, 1280 numbers each, failed 1" in said.out
    assert "bad.mp4: not a video file" in said.err
    again = hgrkit("features", "extract", videos, "--out", out, "--sampling", "uniform:2", "--json").json
    assert (again["videos"], again["decoded_frames"]) == (3, 0)
    names = sorted(path.name for path in videos.iterdir() if path.name != "bad.mp4")
    captions = dict(zip(names, (["a dog runs"], ["a cat sleeps"], ["a man sings"]), strict=True))
    (tmp_path / "train.json").write_text(json.dumps(captions))
    (tmp_path / "run.toml").write_text(
        '[data.train]\ncaptions = "train.json"\nfeatures = ["F.h5"]\n[model]\nembed_dim = 16\n'
        "[training]\nepochs = 1\nbatch_size = 3\n"
    )
    assert hgrkit("train", tmp_path / "run.toml", "--out", tmp_path / "run").status == 0
    model = tmp_path / "run" / "model"
    indexed = hgrkit("index", videos, "--library", tmp_path / "lib", "--model", model, "--features", out, "--json")
    assert indexed.json["indexed"] == 3
    assert indexed.json["decoded_frames"] == 0


def test_only_bad_videos_end_with_status_2(hgrkit, tmp_path):
    (tmp_path / "bad.mp4").write_bytes(b"nothing of the kind")
    said = hgrkit("features", "extract", tmp_path / "bad.mp4", "--out", tmp_path / "F.h5")
    assert said.status == 2
    assert "0 frames of 0 videos" in said.out
