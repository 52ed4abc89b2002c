"""Moments of whole videos: several of one video, across clip borders, none over another."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import attrs
import numpy as np
import pytest

from hgrkit.errors import ConfigError
from hgrkit.library import ClipEmbeddings, Library, QueryEmbeddings, SearchSettings, VideoRecord
from hgrkit.testing.store_contract import StoreContract

DIM, CLIP_FRAMES = 16, 20
MANIFEST = attrs.evolve(StoreContract.manifest, embed_dim=DIM)
ASKED = np.eye(DIM)[0]
QUERY = QueryEmbeddings(event=ASKED, action=ASKED[None], entity=ASKED[None])


def scene(topic: int, frames: int, *, strength: float = 1.0) -> np.ndarray:
    """Frames [F, D] that show one thing, more or less clearly."""
    rest = np.sqrt(1 - strength**2) * np.eye(DIM)[DIM - 1 - topic]
    return np.tile(strength * np.eye(DIM)[topic] + rest, (frames, 1))


def clips_of(*scenes: np.ndarray, gap_s: float = 0.0) -> list[ClipEmbeddings]:
    """A video of these scenes, two frames a second, cut into clips of ten seconds as indexing does it."""
    frames = np.concatenate(scenes)
    clips = []
    for first in range(0, len(frames), CLIP_FRAMES):
        part = frames[first : first + CLIP_FRAMES]
        start_s = first / 2 + gap_s * (first // CLIP_FRAMES)
        times_s = start_s + 0.25 + np.arange(len(part)) / 2
        event = part.mean(axis=0)
        clips.append(
            ClipEmbeddings(
                start_s=start_s,
                end_s=start_s + len(part) / 2,
                times_s=times_s,
                event=event,
                action=part,
                entity=part,
            )
        )
    return clips


def record(path: str) -> VideoRecord:
    return VideoRecord(path=path, content="", size=1, mtime_ns=0)


@pytest.fixture
def search(tmp_path: Path):
    """Searches videos given as lists of clips, by their paths."""

    def ask(videos: dict[str, list[ClipEmbeddings]], k: int = 10, query: QueryEmbeddings = QUERY, **how: object):
        folder = tmp_path / f"lib{len(list(tmp_path.iterdir()))}"
        with Library.create(folder, MANIFEST) as library:
            for path, clips in videos.items():
                library.add(record(path), clips)
            return library.search(query, k, **how)

    return ask


def moments(matches) -> list[tuple[float, float]]:
    return [(match.moment.start_s, match.moment.end_s) for match in matches]


THREE_TIMES = clips_of(
    scene(1, 10), scene(0, 10, strength=0.9), scene(2, 30), scene(0, 10), scene(3, 24), scene(0, 12, strength=0.8),
    scene(4, 8),
)  # fmt: skip
"""What is asked is seen from 5, from 25 and from 42 s on, and most clearly the second time."""


def test_a_video_that_holds_the_asked_scene_three_times_has_three_hits(search):
    matches = search({"a.mp4": THREE_TIMES}, 3, per_video=3)
    assert moments(matches) == [(25, 30), (5, 10), (42, 48)]
    assert [match.video for match in matches] == ["a.mp4"] * 3
    for match, strength in zip(matches[1:], (0.9, 0.8), strict=True):
        assert match.levels.action == pytest.approx(strength, abs=1e-3)
        assert match.levels.entity == pytest.approx(strength, abs=1e-3)
        assert match.times_s.tolist() == np.arange(match.start_s + 0.25, match.end_s, 0.5).tolist()
        assert match.action_weights.shape == (1, match.times_s.size)


def test_one_moment_a_video_is_the_default_and_stays_the_first(search):
    (only,) = search({"a.mp4": THREE_TIMES})
    first, *_ = search({"a.mp4": THREE_TIMES}, per_video=5)
    assert (first.score, first.levels.event, first.moment) == (only.score, only.levels.event, only.moment)
    np.testing.assert_array_equal(first.entity_weights, only.entity_weights)


def test_a_scene_across_a_clip_border_is_one_moment(search):
    whole = clips_of(scene(1, 14), scene(0, 12), scene(2, 14))  # from 7 to 13 s; the border is at 10
    assert moments(search({"a.mp4": whole})) == [(7, 13)]
    assert moments(search({"a.mp4": whole}, per_video=3))[0] == (7, 13)


def test_clips_that_do_not_continue_each_other_are_never_joined(search):
    apart = clips_of(scene(1, 14), scene(0, 12), scene(2, 14), gap_s=60.0)
    assert sorted(moments(search({"a.mp4": apart}, per_video=2))) == [(7, 10), (70, 73)]


def test_a_long_action_is_a_run_of_clips(search):
    video = clips_of(scene(1, 8), scene(0, 52), scene(2, 20))
    assert moments(search({"a.mp4": video}))[0] == (4, 30)


def test_phrases_in_neighbouring_scenes_have_a_moment_of_both(search):
    query = QueryEmbeddings(event=ASKED, action=np.empty((0, DIM)), entity=np.eye(DIM)[:2])
    video = clips_of(scene(3, 10), scene(0, 5), scene(1, 5), scene(2, 20))
    (match,) = search({"a.mp4": video}, query=query)
    assert moments([match]) == [(5, 10)]
    best_s = match.times_s[match.entity_weights.argmax(axis=1)]
    assert ((best_s > 5) & (best_s < 10)).all()


def test_of_scenes_that_fit_alike_the_moment_is_that_of_the_best_frame(search):
    other = scene(0, 10, strength=0.48)
    other[4] = scene(0, 1, strength=0.55)[0]
    other[:, [DIM - 1, DIM - 2]] = other[:, [DIM - 2, DIM - 1]]  # what else is seen differs
    (match,) = search(
        {"a.mp4": clips_of(scene(0, 10, strength=0.5), other)}, settings=SearchSettings(fusion="sim")
    )
    assert match.times_s[match.entity_weights[0].argmax()] == 7.25
    assert moments([match]) == [(5, 10)]


def test_the_moment_in_a_single_scene_has_the_best_frame_of_its_phrase(search):
    random = np.random.default_rng(0)
    videos = {}
    for number in range(40):
        frames = scene(0, 18, strength=0.7) + 0.05 * random.normal(size=(18, DIM))
        videos[f"{number:02}.mp4"] = clips_of(frames)
    query = QueryEmbeddings(event=ASKED, action=np.empty((0, DIM)), entity=ASKED[None])
    for match in search(videos, 40, query=query):
        best_s = match.times_s[match.entity_weights[0].argmax()]
        assert match.moment.start_s <= best_s <= match.moment.end_s < 9 + match.moment.start_s


def test_a_further_moment_that_fits_better_than_the_whole_best_clip_scores_as_it_does(search):
    frames_only = SearchSettings(level_weights=(0, 1, 1))
    video = clips_of(scene(1, 5), scene(0, 5), scene(2, 10), scene(1, 4), scene(0, 4), scene(2, 12))
    first, second = search({"a.mp4": video}, 2, per_video=2, settings=frames_only)
    assert first.score < second.levels.action
    assert second.score == first.score


def test_a_question_without_phrases_has_the_clips_as_moments(search):
    query = QueryEmbeddings(event=ASKED, action=np.empty((0, DIM)), entity=np.empty((0, DIM)))
    matches = search({"a.mp4": THREE_TIMES}, query=query, per_video=3)
    assert all(span in {(start, start + 10) for start in (0, 10, 20, 30, 40)} for span in moments(matches))
    assert [match.levels.event for match in matches] == sorted((m.levels.event for m in matches), reverse=True)
    assert {match.levels.action for match in matches} == {None}


def test_k_counts_hits_of_all_videos_and_none_stands_before_its_videos_first(search):
    clearer, dimmer = clips_of(scene(0, 10), scene(1, 30), scene(0, 10)), clips_of(scene(2, 30), scene(0, 10))
    videos = {"a.mp4": clearer, "b.mp4": dimmer, "c.mp4": clips_of(scene(3, 40))}
    every = search(videos, 50, per_video=4)
    assert [match.score for match in every] == sorted((match.score for match in every), reverse=True)
    firsts = list({match.video: match for match in reversed(every)}.values())[::-1]
    alone = search(videos, 50)
    assert [(match.video, match.score, match.moment) for match in alone] == [
        (match.video, match.score, match.moment) for match in sorted(firsts, key=every.index)
    ]
    for k in range(1, len(every) + 1):
        some = search(videos, k, per_video=4)
        assert [(match.video, match.score, match.moment) for match in some] == [
            (match.video, match.score, match.moment) for match in every[:k]
        ]
    assert max(sum(match.video == path for match in every) for path in videos) <= 4


def test_moments_of_a_video_share_no_time_and_lie_in_it(search):
    random = np.random.default_rng(0)
    videos = {}
    for number in range(60):
        scenes = [
            scene(int(random.integers(5)), int(random.integers(1, 30)), strength=random.uniform(0.3, 1))
            + 0.2 * random.normal(size=DIM)
            for _ in range(random.integers(1, 9))
        ]
        videos[f"{number:02}.mp4"] = clips_of(*scenes, gap_s=float(random.choice([0.0, 5.0])))
    matches = search(videos, 1000, per_video=100)
    for path, clips in videos.items():
        found = sorted(moments(match for match in matches if match.video == path))
        assert found[0][0] >= 0
        assert found[-1][1] <= clips[-1].end_s
        assert all(before[1] <= after[0] for before, after in pairwise(found))
    assert len(matches) > 2 * len(videos)


def test_clips_that_lie_over_each_other_give_moments_that_do_not(search):
    twice = [*clips_of(scene(0, 20)), *clips_of(scene(0, 10), scene(1, 10))]
    found = sorted(moments(search({"a.mp4": twice}, per_video=9)))
    assert all(before[1] <= after[0] for before, after in pairwise(found))


def test_several_libraries_give_the_hits_of_one(tmp_path):
    videos = {f"{number}.mp4": clips_of(scene(number % 3, 15), scene(0, 10), scene(4, 21)) for number in range(6)}
    with Library.create(tmp_path / "all", MANIFEST) as library:
        for path, clips in videos.items():
            library.add(record(path), clips)
        whole = library.search(QUERY, 9, per_video=3)
    for name, rest in (("even", 0), ("odd", 1)):
        with Library.create(tmp_path / name, MANIFEST) as library:
            for path, clips in list(videos.items())[rest::2]:
                library.add(record(path), clips)
    with Library.open([tmp_path / "even", tmp_path / "odd"]) as joined:
        found = joined.search(QUERY, 9, per_video=3)
    assert [(one.video, one.score, one.moment) for one in found] == [(o.video, o.score, o.moment) for o in whole]
    assert len({one.video for one in found}) < len(found)


@pytest.mark.parametrize("per_video", [0, -1, 1.5, "2", True])
def test_less_than_one_moment_a_video_is_refused(search, per_video):
    with pytest.raises(ConfigError, match="per_video"):
        search({"a.mp4": THREE_TIMES}, per_video=per_video)
