"""Photographs as they are read: altered the same way each time, and never taken for others."""

from __future__ import annotations

import numpy as np
from PIL import Image


def test_an_augmented_photograph_is_the_same_each_time_and_another_with_another_seed(scripts):
    noise = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    photograph = Image.fromarray(noise)
    looks = [
        np.asarray(scripts.photographs.augmented(photograph, 260, np.random.default_rng(seed)))
        for seed in (1, 1, 2)
    ]
    assert looks[0].shape == (260, 260, 3)
    assert np.array_equal(looks[0], looks[1])
    assert not np.array_equal(looks[0], looks[2])


class Network:
    """A frame encoder that tells the mean colour of a picture."""

    feature_dim, shape, frame_size, fingerprint = 3, (3, 2, 2), 8, "mean@sha256:0"

    def read(self, pictures):
        means = pictures.mean(axis=(1, 2)).astype(np.float32)
        return means, np.broadcast_to(means[:, :, None, None], (len(means), *self.shape))


def test_photographs_are_read_once_and_others_never_taken_for_them(scripts, data, write_photographs, tmp_path):
    def read(network=None):
        return scripts.photographs.Photographs.read(
            data / "flickr8k", network or Network(), tmp_path / "cache", augmented_views=1
        )

    (tmp_path / "cache").mkdir()
    first = read()
    files = set((tmp_path / "cache").iterdir())
    assert len(files) == 2 * 3
    again = read()
    assert set((tmp_path / "cache").iterdir()) == files
    assert again.fingerprint == first.fingerprint
    write_photographs(data / "flickr8k", shades=range(12, 24))
    others = read()
    assert (others.views[0].features != first.views[0].features).any()
    other_network = Network()
    other_network.fingerprint = "mean@sha256:1"
    found = {each.fingerprint for each in (first, others, read(other_network))}
    assert len(found) == 3


def test_pairs_of_a_part_are_its_photographs_with_their_captions(scripts, data, tmp_path):
    photographs = scripts.photographs.Photographs.read(data / "flickr8k", Network(), tmp_path, augmented_views=0)
    pairs = photographs.pairs("dev")
    assert len(pairs) == 2 * 5
    for photograph, caption in pairs:
        assert photograph in photographs.split["dev"]
        assert photographs.texts[caption] in photographs.captions[photograph]
