"""`Retriever.upgrade` over real small videos: other models give the answers of a library made anew."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from hgrkit.errors import LibraryError, LibraryMismatchError, LibraryNotFoundError
from hgrkit.retriever import Retriever
from tests.test_retriever import (
    QUERIES,
    QUERY,
    SECONDS,
    ColourGrid,
    OtherGrid,
    create,
    open_to_write,
    save_random_model,
    write_video,
)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    for number, (name, seconds) in enumerate(SECONDS.items()):
        write_video(folder / name, seconds, (60 * number, 200 - 60 * number, 30))
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_random_model(tmp_path_factory.mktemp("models") / "old")


@pytest.fixture(scope="module")
def newer(tmp_path_factory):
    """Other weights, and fewer frames."""
    return save_random_model(tmp_path_factory.mktemp("models") / "new", seed=1, embed_dim=16, max_frames=6)


@pytest.fixture(scope="module")
def made(tmp_path_factory, model, videos):
    path = tmp_path_factory.mktemp("made") / "library"
    with create(path, model, clip_seconds=2) as retriever:
        retriever.index(videos)
    return path


@pytest.fixture
def library(made, tmp_path):
    return Path(shutil.copytree(made, tmp_path / "library"))


def upgrade(path, **settings):
    return Retriever.upgrade(path, **{"frame_encoder": ColourGrid(), "device": "cpu", **settings})


def scores_of(path):
    with Retriever.open(path, device="cpu") as retriever:
        return retriever.scores(QUERIES)


def test_a_library_of_another_model_has_the_answers_of_one_made_anew(library, newer, videos, tmp_path):
    report = upgrade(library, model=newer)
    assert (report.indexed, report.decoded_frames, report.failures) == (len(SECONDS), 0, ())
    with create(tmp_path / "anew", newer, clip_seconds=2) as anew:
        anew.index(videos)
        expected = anew.scores(QUERIES)
    np.testing.assert_allclose(scores_of(library), expected, atol=2e-3, rtol=0)
    with Retriever.open(library, device="cpu") as retriever:
        manifest = retriever.library.manifest
    assert (manifest.model, manifest.sampling, manifest.clip_seconds) == (str(newer), "fps:2", 2.0)


def test_the_mismatch_says_how_to_upgrade(library, newer):
    for mode in ("r", "w"):
        with pytest.raises(LibraryMismatchError, match="--upgrade"):
            Retriever.open(library, mode=mode, model=newer, frame_encoder=ColourGrid(), device="cpu")


def test_what_fits_already_is_left_as_it_is(library, model):
    before = scores_of(library)
    report = upgrade(library)
    assert (report.indexed, report.unchanged) == (0, 0)
    np.testing.assert_array_equal(scores_of(library), before)


def test_the_same_model_under_another_name_is_only_renamed(library, model, tmp_path):
    before = scores_of(library)
    moved = shutil.copytree(model, tmp_path / "moved")
    assert upgrade(library, model=moved).indexed == 0
    with Retriever.open(library, device="cpu") as retriever:
        assert retriever.library.manifest.model == str(moved)
    np.testing.assert_array_equal(scores_of(library), before)


def test_another_encoder_reads_the_videos_again(library, videos):
    report = upgrade(library, frame_encoder=OtherGrid())
    assert report.indexed == len(SECONDS)
    assert report.decoded_frames > 0
    with open_to_write(library, frame_encoder=OtherGrid()) as retriever:
        assert retriever.index(videos).unchanged == len(SECONDS)


def test_indexing_goes_on_after_an_upgrade(library, newer, videos):
    upgrade(library, model=newer, clip_seconds=1)
    with open_to_write(library) as retriever:
        report = retriever.index(videos)
        assert (report.unchanged, report.decoded_frames) == (len(SECONDS), 0)
        assert len(retriever.search(QUERY).hits) == len(SECONDS)


def test_a_half_made_upgrade_leaves_the_library_to_be_indexed_with_the_old_parts(library, newer, videos):
    def interrupted(progress):
        if progress.done == 2:
            raise KeyboardInterrupt

    before = scores_of(library)
    with pytest.raises(KeyboardInterrupt):
        upgrade(library, model=newer, on_progress=interrupted)
    np.testing.assert_array_equal(scores_of(library), before)
    with open_to_write(library) as retriever:
        assert retriever.index(videos).unchanged == len(SECONDS)
    assert (library / "upgrade").is_dir()
    assert upgrade(library, model=newer).unchanged >= 2  # what was stored before the interruption is kept
    assert not (library / "upgrade").exists()


def test_without_cached_features_the_videos_are_needed(library, newer, videos, tmp_path):
    shutil.rmtree(library / "cache/features")
    before = scores_of(library)
    gone = videos.rename(tmp_path / "gone")
    try:
        with pytest.raises(LibraryError, match=r"4 of its videos .* --prune"):
            upgrade(library, model=newer)
        np.testing.assert_array_equal(scores_of(library), before)
    finally:
        gone.rename(videos)
    assert upgrade(library, model=newer).decoded_frames > 0


def test_the_cache_can_be_done_without(library, newer):
    report = upgrade(library, model=newer, feature_cache=False)
    assert report.decoded_frames > 0


def test_indexing_without_a_cache_keeps_nothing(tmp_path, model, videos):
    with create(tmp_path / "library", model) as retriever:
        retriever.index(videos, feature_cache=False)
    assert not (tmp_path / "library/cache").exists()


def test_features_from_files_stay_features_from_files(tmp_path, model, newer, videos):
    random = np.random.default_rng(0)
    arrays = {name: random.random((2 * seconds, 192), np.float32) for name, seconds in SECONDS.items()}
    np.savez(tmp_path / "features.npz", **arrays)
    with create(tmp_path / "library", model, frame_encoder="features") as retriever:
        retriever.index(videos, features=tmp_path / "features.npz")
    report = Retriever.upgrade(tmp_path / "library", model=newer, features=tmp_path / "features.npz", device="cpu")
    assert (report.indexed, report.decoded_frames) == (len(SECONDS), 0)
    with Retriever.open(tmp_path / "library", device="cpu") as retriever:
        assert retriever.library.manifest.frame_encoder == "features"
        assert retriever.library.manifest.model == str(newer)


def test_there_has_to_be_a_library(tmp_path, newer):
    with pytest.raises(LibraryNotFoundError):
        upgrade(tmp_path / "none", model=newer)
