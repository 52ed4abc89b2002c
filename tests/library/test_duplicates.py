"""Duplicates: copies are joined; what begins alike, is black alike or as alike as all of the library is not."""

from __future__ import annotations

import itertools

import attrs
import numpy as np
import pytest

from hgrkit.errors import ConfigError
from hgrkit.library import ClipEmbeddings, Entry, Library, Manifest, VideoRecord
from hgrkit.library import duplicates as duplicates_module
from hgrkit.library.duplicates import find_duplicates

DIM = 192
MANIFEST = Manifest(
    model="m",
    model_fingerprint="m1",
    frame_encoder="f",
    frame_encoder_fingerprint="f1",
    sampling="fps:2",
    clip_seconds=10,
    embed_dim=DIM,
)
BLACK = np.random.default_rng(99).normal(size=DIM) * 3


def scenes(rng, count, common=2.0):
    """Frames [F, D] of a video that changes slowly; `common` is what all videos share."""
    place = common * np.ones(DIM) + 1.5 * rng.normal(size=DIM)
    return np.array([place := place + 0.6 * rng.normal(size=DIM) for _ in range(count)])


def copied(rng, frames, noise=0.3):
    return frames + noise * rng.normal(size=frames.shape)


def entry(path, frames, size=1, clip_frames=20):
    """A video of two frames a second, cut into clips."""
    clips = []
    for first in range(0, len(frames), clip_frames):
        part = frames[first : first + clip_frames]
        times_s = 0.25 + 0.5 * np.arange(first, first + len(part))
        clips.append(
            ClipEmbeddings(
                start_s=first / 2,
                end_s=(first + len(part)) / 2,
                times_s=times_s,
                event=part.mean(axis=0),
                action=part[:, ::-1],
                entity=part,
            )
        )
    record = VideoRecord(path=path, content=f"sha256:{path}", size=size, mtime_ns=0, duration_s=len(frames) / 2)
    return Entry(attrs.evolve(record, clips=len(clips)), clips)


@pytest.fixture
def found(tmp_path):
    """The groups of a library of videos given by their frames, as tuples of paths."""

    def find(videos, **settings):
        with Library.create(tmp_path / f"lib{len(list(tmp_path.iterdir()))}", MANIFEST) as library:
            library.add_all([entry(path, frames) for path, frames in videos.items()])
            return [group.videos for group in find_duplicates(library, **settings)]

    return find


@pytest.fixture
def others():
    """Forty videos that have nothing to do with each other."""
    rng = np.random.default_rng(0)
    return {f"/other/{number:02d}.mp4": scenes(rng, int(rng.integers(8, 60))) for number in range(40)}


def test_copies_are_found_among_others_and_the_longest_comes_first(found, others):
    rng = np.random.default_rng(1)
    film, second = others["/other/03.mp4"], scenes(rng, 60)
    videos = {
        **others,
        "/again.mp4": copied(rng, film),
        "/whole.mp4": second,
        "/trimmed.mp4": copied(rng, second[13:41]),
        "/end.mp4": copied(rng, second[30:]),
    }
    groups = found(videos)
    assert sorted(map(set, groups), key=len) == [
        {"/other/03.mp4", "/again.mp4"},
        {"/whole.mp4", "/trimmed.mp4", "/end.mp4"},
    ]
    assert next(group for group in groups if len(group) == 3) == ("/whole.mp4", "/end.mp4", "/trimmed.mp4")


def test_no_two_of_other_videos_are_joined(found, others):
    assert found(others) == []


def test_videos_that_begin_and_end_in_black_are_not_joined(found):
    rng = np.random.default_rng(2)
    black = np.tile(BLACK, (6, 1))
    videos = {
        f"/{number:02d}.mp4": np.concatenate([copied(rng, black, 0.01), scenes(rng, 8), copied(rng, black, 0.01)])
        for number in range(40)
    }
    assert found(videos) == []


def test_the_rule_on_black_is_what_keeps_them_apart(found, monkeypatch):
    monkeypatch.setattr(duplicates_module, "_HELD", 2.0)  # no cosine is
    with pytest.raises(AssertionError):
        test_videos_that_begin_and_end_in_black_are_not_joined(found)


def test_a_copy_that_fades_from_black_is_found(found, others):
    rng = np.random.default_rng(3)
    film = others["/other/05.mp4"]
    black = np.tile(BLACK, (4, 1))
    faded = np.concatenate([copied(rng, black, 0.01), copied(rng, film), copied(rng, black, 0.01)])
    assert [set(group) for group in found({**others, "/faded.mp4": faded})] == [{"/other/05.mp4", "/faded.mp4"}]


def test_the_same_scenes_in_another_order_are_no_copy(found, others):
    rng = np.random.default_rng(4)
    film = np.concatenate([scenes(rng, 5) for _ in range(8)])
    parts = np.split(film, 8)
    mixed = np.concatenate([parts[at] for at in (3, 6, 1, 4, 7, 2, 5, 0)])
    assert found({**others, "/film.mp4": film, "/mixed.mp4": mixed}) == []


def test_few_videos_are_compared_as_they_are(found):
    rng = np.random.default_rng(5)
    film, other = scenes(rng, 20, common=0), scenes(rng, 20, common=0)
    videos = {"/film.mp4": film, "/copy.mp4": copied(rng, film, 0.2), "/other.mp4": other}
    assert found(videos) == [("/copy.mp4", "/film.mp4")]


def test_equal_videos_are_as_similar_as_can_be(tmp_path, others):
    with Library.create(tmp_path / "lib", MANIFEST) as library:
        frames = others["/other/07.mp4"]
        library.add_all([entry(path, one) for path, one in others.items()])
        library.add_all([entry("/same/large.mp4", frames, size=9), entry("/same/small.mp4", frames, size=2)])
        (group,) = find_duplicates(library)
        assert group.similarity == pytest.approx(1, abs=1e-3)
        assert group.videos == ("/same/large.mp4", "/same/small.mp4", "/other/07.mp4")  # the largest file first
        assert group.to_dict()["videos"][0] == {"path": "/same/large.mp4", "duration_s": len(frames) / 2}


def test_a_group_is_as_similar_as_its_least_similar_two(tmp_path, others):
    rng = np.random.default_rng(6)
    film = others["/other/09.mp4"]
    with Library.create(tmp_path / "lib", MANIFEST) as library:
        library.add_all([entry(path, one) for path, one in others.items()])
        library.add(*attrs.astuple(entry("/near.mp4", copied(rng, film, 0.1)), recurse=False))
        (near,) = find_duplicates(library)
        library.add(*attrs.astuple(entry("/far.mp4", copied(rng, film, 0.4)), recurse=False))
        (both,) = find_duplicates(library)
    assert set(both.videos) == {"/other/09.mp4", "/near.mp4", "/far.mp4"}
    assert both.similarity < near.similarity


def test_a_threshold_decides(found, others):
    rng = np.random.default_rng(7)
    videos = {**others, "/poor.mp4": copied(rng, others["/other/11.mp4"], 1.2)}
    strict, loose = found(videos, threshold=0.95), found(videos, threshold=0.25)
    assert strict == []
    assert [set(group) for group in loose] == [{"/other/11.mp4", "/poor.mp4"}]


@pytest.mark.parametrize("threshold", [0, 1.5, "much", float("nan")])
def test_a_threshold_out_of_its_range_is_refused(found, others, threshold):
    with pytest.raises(ConfigError, match="threshold"):
        found(others, threshold=threshold)


def test_an_empty_library_has_no_duplicates(found):
    assert found({}) == []
    assert found({"/one.mp4": scenes(np.random.default_rng(0), 4)}) == []


def test_copies_in_two_libraries_are_found_as_in_one(tmp_path, others):
    rng = np.random.default_rng(8)
    copies = {f"/copy{path}": copied(rng, frames) for path, frames in itertools.islice(others.items(), 5)}
    for name, part in (("one", others), ("two", copies)):
        with Library.create(tmp_path / name, MANIFEST) as library:
            library.add_all([entry(path, frames) for path, frames in part.items()])
    with Library.open([tmp_path / "one", tmp_path / "two"]) as both:
        assert len(find_duplicates(both)) == 5


def test_the_hnsw_index_finds_the_pairs_that_all_products_find(found, others, monkeypatch):
    rng = np.random.default_rng(9)
    videos = {**others, **{f"/copy{path}": copied(rng, frames) for path, frames in others.items()}}
    exact = found(videos)
    assert len(exact) == 40
    monkeypatch.setattr(duplicates_module, "_ALL_PAIRS_UP_TO", 0)
    assert found(videos) == exact


def test_progress_is_told_to_its_end(found, others):
    told = []
    found(others, on_progress=lambda done, total: told.append((done, total)))
    assert [done for done, _ in told] == list(range(1, told[-1][1] + 1))
