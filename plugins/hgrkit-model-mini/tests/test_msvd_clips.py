"""Clips that are asked about: their features are kept by what decides them."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np


def test_clips_that_are_sampled_otherwise_are_read_anew(scripts, model, tmp_path, monkeypatch):
    module = scripts.msvd_clips
    captions = {"one.mp4": ["a dog runs", "a man rides a horse"], "two.mp4": ["a cat sits"]}
    (tmp_path / "videos").mkdir()
    (tmp_path / "captions.json").write_text(json.dumps(captions))
    for name in captions:
        (tmp_path / "videos" / name).write_text(f"video {name}")
    read = []

    def clip_features(path, encoder, sampling):
        read.append((path.name, sampling))
        return np.full((2, 4), len(read), np.float32)

    monkeypatch.setattr(module, "clip_features", clip_features)

    def clips(sampling="fps:2", fingerprint="frames@sha256:0"):
        encoder = SimpleNamespace(fingerprint=fingerprint)
        return module.Clips.read(tmp_path, encoder, model.text, tmp_path, sampling=sampling)

    first, again, other = clips(), clips(), clips("fps:1")
    assert read == [("one.mp4", "fps:2"), ("two.mp4", "fps:2"), ("one.mp4", "fps:1"), ("two.mp4", "fps:1")]
    assert first.fingerprint == again.fingerprint != other.fingerprint
    clips(fingerprint="frames@sha256:1")
    (tmp_path / "videos/two.mp4").write_text("another video")
    clips()
    assert len(read) == 8
    assert first.owners.tolist() == [0, 0, 1]
    assert len(first.sentences.graphs) == 3 + len(first.foils)
