import os
import shutil

import numpy as np
import pytest

from hgrkit.indexing.feature_cache import FeatureCache, prune_features

TIMES = np.array([0.25, 0.75, 1.25])
FEATURES = np.random.default_rng(0).standard_normal((3, 5)).astype(np.float32)


@pytest.fixture
def cache(tmp_path):
    return FeatureCache(tmp_path, frame_encoder="mean@1", sampling="fps:2")


def save(cache, content="sha256:0", features=FEATURES):
    cache.save(content, times_s=TIMES, features=features, duration_s=1.5)


def files(cache):
    return sorted((cache.library / "cache/features").glob("*"))


def test_features_come_back_as_float16_kept_them(cache):
    save(cache)
    found = cache.load("sha256:0")
    np.testing.assert_array_equal(found.features, FEATURES.astype(np.float16).astype(np.float32))
    np.testing.assert_array_equal(found.times_s, TIMES)
    assert (found.features.dtype, found.duration_s) == (np.float32, 1.5)


def test_features_are_those_of_one_content_encoder_and_sampling(cache, tmp_path):
    save(cache)
    assert cache.load("sha256:1") is None
    assert FeatureCache(tmp_path, frame_encoder="mean@2", sampling="fps:2").load("sha256:0") is None
    assert FeatureCache(tmp_path, frame_encoder="mean@1", sampling="fps:1").load("sha256:0") is None
    assert FeatureCache(tmp_path, frame_encoder="mean@1", sampling="fps:2").load("sha256:0") is not None


def test_no_damaged_file_is_believed_and_each_is_replaced(cache):
    save(cache)
    (path,) = files(cache)
    whole = path.read_bytes()
    damages = [whole[:end] for end in range(0, len(whole), 7)] + [b"", whole + b"\0", os.urandom(len(whole))]
    for at in range(len(whole)):
        flipped = bytearray(whole)
        flipped[at] ^= 1 << at % 8
        damages.append(bytes(flipped))
    for damage in damages:
        path.write_bytes(damage)
        found = cache.load("sha256:0")
        # Only blanks that pad the header can change without a difference.
        assert found is None or found.features.tobytes() == FEATURES.astype(np.float16).astype("f4").tobytes()
    save(cache)
    assert cache.load("sha256:0") is not None


def test_a_file_under_anothers_name_is_not_believed(cache):
    save(cache)
    (first,) = files(cache)
    save(cache, "sha256:1", FEATURES + 1)
    (second,) = set(files(cache)) - {first}
    shutil.copy(first, second)
    assert cache.load("sha256:1") is None
    assert cache.load("sha256:0") is not None


@pytest.mark.parametrize("duration_s", [-1.0, 1e300, float("nan"), "long"])
def test_a_file_that_is_whole_but_makes_no_sense_is_not_believed(cache, duration_s):
    cache.save("sha256:0", times_s=TIMES, features=FEATURES, duration_s=duration_s)
    assert cache.load("sha256:0") is None


@pytest.mark.parametrize(
    "times_s", [[0.0, 2.0, 1.0], [-1.0, 0.0, 1.0], [0.0, 1.0, float("nan")], [0.0, 1.0, 1e300]]
)
def test_times_that_make_no_sense_are_not_believed(cache, times_s):
    cache.save("sha256:0", times_s=np.array(times_s), features=FEATURES, duration_s=1.5)
    assert cache.load("sha256:0") is None


def test_what_float16_cannot_hold_is_not_kept(cache):
    save(cache, features=FEATURES * 1e6)
    assert cache.load("sha256:0") is None
    assert not (cache.library / "cache").exists()


def test_a_disk_that_is_full_is_no_error_and_leaves_nothing(cache, monkeypatch):
    def full(descriptor, content):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("hgrkit.storage.open_folder.os.write", full)
        save(cache)
    assert cache.load("sha256:0") is None
    assert files(cache) == []


def test_pruning_deletes_what_no_video_has_and_what_a_killed_writer_left(cache):
    save(cache)
    save(cache, "sha256:1")
    (cache.library / "cache/features/x.safetensors.tmp").write_bytes(b"12345")
    (cache.library / "cache/features/y.safetensors").write_bytes(b"1234567")
    (cache.library / "cache/features/note.txt").write_text("not ours")
    size = files(cache)[0].stat().st_size
    assert prune_features(cache.library, {"sha256:1"}) == size + 5 + 7
    assert cache.load("sha256:0") is None
    assert cache.load("sha256:1") is not None
    assert len(files(cache)) == 2
    assert prune_features(cache.library, {"sha256:1"}) == 0


def test_a_library_without_a_cache_has_nothing_to_prune(tmp_path):
    assert prune_features(tmp_path, set()) == 0
