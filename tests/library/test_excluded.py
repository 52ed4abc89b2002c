"""Searching for what is wanted among clips that show, or do not show, what is excluded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import attrs
import numpy as np
import pytest

from hgrkit.errors import ShapeError
from hgrkit.library import ClipEmbeddings, Entry, Library, QueryEmbeddings, SearchSettings, VideoRecord
from hgrkit.library.scoring import EXHAUSTIVE_UP_TO
from hgrkit.testing.store_contract import StoreContract, random_clip

DIM, VIDEOS = 8, 60
MANIFEST = attrs.evolve(StoreContract.manifest, embed_dim=DIM)
SETTINGS = SearchSettings(level_weights=(2, 1, 3))


def query(seed: int, actions: int = 1, entities: int = 2) -> QueryEmbeddings:
    rng = np.random.default_rng(seed)
    return QueryEmbeddings(
        event=rng.normal(size=DIM), action=rng.normal(size=(actions, DIM)), entity=rng.normal(size=(entities, DIM))
    )


WANTED, EXCLUDED = query(100), (query(101), query(102, actions=0, entities=1))
NOTHING = QueryEmbeddings.nothing(DIM)


def without(asked: QueryEmbeddings, excluded: Sequence[QueryEmbeddings] = EXCLUDED) -> QueryEmbeddings:
    return attrs.evolve(asked, excluded=tuple(excluded))


def entries() -> list[Entry]:
    return [
        Entry(
            VideoRecord(path=f"{number:02}.mp4", content="", size=1, mtime_ns=1),
            [random_clip(10 * number + part, frames=1 + part, embed_dim=DIM) for part in range(1 + number % 3)],
        )
        for number in range(VIDEOS)
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("excluded") / "lib"
    with Library.create(path, MANIFEST) as library:
        library.add_all(entries())
    return path


@pytest.fixture
def library(folder):
    with Library.open(folder) as library:
        yield library


def clip_scores(library: Library, asked: QueryEmbeddings) -> dict[str, list[float]]:
    """Each clip's own score by the equations, by its video."""
    snapshot = library.snapshot()
    found: dict[str, list[float]] = {video.path: [] for video in snapshot.videos}
    for row, place in enumerate(snapshot.clip_videos.tolist()):
        (clip,) = snapshot.clips([row])
        found[snapshot.videos[place].path].append(score_alone(clip, asked))
    return found


def score_alone(clip: ClipEmbeddings, asked: QueryEmbeddings) -> float:
    """The equations of the matcher in loops, on what float16 keeps."""

    def cosine(a, b):
        return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))

    def level(frames, nodes):
        scores = []
        for node in nodes.astype(np.float64):
            relevance = np.maximum([cosine(frame, node) for frame in frames], 0)
            weights = np.exp(SETTINGS.sharpness * relevance / max(np.linalg.norm(relevance), 1e-10))
            scores.append(cosine(weights @ frames / weights.sum(), node))
        return np.mean(scores) if scores else 0.0

    event = cosine(clip.event.astype(np.float64), asked.event.astype(np.float64))
    levels = (event, level(clip.action, asked.action), level(clip.entity, asked.entity))
    return float(np.average(levels, weights=SETTINGS.level_weights))


def test_what_a_clip_shows_of_excluded_phrases_is_taken_off_its_score(library):
    shown = [clip_scores(library, phrase) for phrase in EXCLUDED]
    expected = {
        path: max(
            score - sum(1.5 * max(one[path][number], 0) for one in shown) for number, score in enumerate(scores)
        )
        for path, scores in clip_scores(library, WANTED).items()
    }
    found = library.search(without(WANTED), VIDEOS, settings=SETTINGS)
    assert {match.video: match.score for match in found} == pytest.approx(expected, abs=1e-5)
    assert [match.video for match in found] == sorted(expected, key=lambda path: -expected[path])
    assert [match.video for match in found] != [match.video for match in library.search(WANTED, VIDEOS)]


def test_a_question_that_only_excludes_puts_first_what_shows_least(library):
    shown = [clip_scores(library, phrase) for phrase in EXCLUDED]
    expected = {
        path: max(-max(one[path][number] for one in shown) for number in range(len(scores)))
        for path, scores in shown[0].items()
    }
    found = library.search(without(NOTHING), VIDEOS, settings=SETTINGS)
    assert {match.video: match.score for match in found} == pytest.approx(expected, abs=1e-5)
    assert [match.video for match in found] == sorted(expected, key=lambda path: -expected[path])
    assert all(level is None for level in found[0].levels)


def test_a_match_tells_what_its_clip_shows_of_each_excluded_phrase(library):
    for match in library.search(without(WANTED), 5, settings=SETTINGS):
        assert len(match.excluded) == 2
        levels = [level or 0.0 for level in match.levels]
        wanted = np.average(levels, weights=SETTINGS.level_weights)
        taken = sum(1.5 * max(phrase.similarity, 0) for phrase in match.excluded)
        assert match.score == pytest.approx(wanted - taken, abs=1e-6)
        for phrase in match.excluded:
            assert phrase.weights.shape == match.times_s.shape
            assert phrase.weights.sum() == pytest.approx(1, abs=1e-5)


def test_a_phrase_without_nodes_looks_at_all_frames_alike(library):
    bare = query(103, actions=0, entities=0)
    for match in library.search(without(WANTED, [bare]), 5):
        np.testing.assert_allclose(match.excluded[0].weights, 1 / match.times_s.size, rtol=1e-6)


@pytest.mark.parametrize("asked", [WANTED, NOTHING], ids=["wanted", "nothing"])
@pytest.mark.parametrize("settings", [SETTINGS, SearchSettings(exhaustive=False, candidates=20)])
def test_several_libraries_exclude_as_one_that_holds_all_their_videos(library, tmp_path, asked, settings):
    halves = [tmp_path / "even", tmp_path / "odd"]
    for number, half in enumerate(halves):
        with Library.create(half, MANIFEST) as part:
            part.add_all(entries()[number::2])
    with Library.open(halves) as several:
        for k in (3, VIDEOS):
            one = library.search(without(asked), k, settings=settings)
            as_one = several.search(without(asked), k, settings=settings)
            assert [(match.video, match.score) for match in as_one] == [
                (match.video, match.score) for match in one
            ]
            assert [match.excluded[0].similarity for match in as_one] == [
                match.excluded[0].similarity for match in one
            ]


def test_a_score_does_not_depend_on_which_other_clips_there_are(library):
    everything = {m.video: m.score for m in library.search(without(WANTED), VIDEOS)}
    some = library.search(without(WANTED), 5, videos=["03.mp4", "50.mp4"])
    assert {match.video: match.score for match in some} == {
        name: everything[name] for name in ("03.mp4", "50.mp4")
    }


def test_equal_videos_stay_in_the_order_of_their_paths(tmp_path):
    names = [f"{number:02}" for number in range(20)]
    with Library.create(tmp_path / "lib", MANIFEST) as library:
        for name in reversed(names):
            library.add(VideoRecord(path=name, content="", size=1, mtime_ns=1), [random_clip(1, embed_dim=DIM)])
        for asked in (WANTED, NOTHING):
            assert [m.video for m in library.search(without(asked), 7)] == names[:7]


def test_more_clips_are_compared_where_something_is_excluded_unless_their_number_is_given():
    large = 100 * EXHAUSTIVE_UP_TO
    settings, asked = SearchSettings(), without(WANTED)
    assert settings.candidates_among(large, asked) == 8 * settings.candidates_among(large, WANTED) < large
    assert SearchSettings(candidates=7).candidates_among(large, asked) == 7
    assert settings.candidates_among(EXHAUSTIVE_UP_TO, asked) == EXHAUSTIVE_UP_TO


def test_a_question_that_only_excludes_looks_at_every_clip(library):
    settings = SearchSettings(exhaustive=False, candidates=2)
    found = library.search(without(NOTHING), 3, settings=settings)
    assert found.exact
    assert [m.video for m in found] == [m.video for m in library.search(without(NOTHING), 3)]
    assert not library.search(without(WANTED), 3, settings=settings).exact


def test_an_excluded_phrase_of_another_size_is_refused(library):
    other = QueryEmbeddings.nothing(DIM + 1)
    with pytest.raises(ShapeError, match=f"embed_dim {DIM}"):
        library.search(without(WANTED, [other]), 3)


def test_scores_of_all_videos_take_off_what_is_excluded_too(library):
    expected = [match.score for match in library.search(without(WANTED), VIDEOS)]
    scores = library.scores([WANTED, without(WANTED), without(NOTHING)])
    assert sorted(scores[:, 1].tolist(), reverse=True) == pytest.approx(expected, abs=1e-5)
    assert scores[:, 0] == pytest.approx(library.scores([WANTED])[:, 0], abs=1e-6)


def test_further_moments_of_a_video_pay_for_what_they_show_too(tmp_path):
    """Three scenes show what is wanted, and the second what is excluded as well."""
    wanted, excluded = (np.eye(DIM)[[number]] for number in (0, 1))
    scenes = [wanted, wanted + excluded, wanted]
    frames = np.concatenate([scene for scene in scenes for _ in range(8)]) + np.eye(DIM)[np.repeat([2, 3, 4], 8)]
    clips = [
        ClipEmbeddings(
            start_s=8 * part,
            end_s=8 * part + 8,
            times_s=np.arange(8 * part, 8 * part + 8) + 0.5,
            event=np.ones(DIM),
            action=frames[8 * part : 8 * part + 8],
            entity=frames[8 * part : 8 * part + 8],
        )
        for part in range(3)
    ]
    asked = QueryEmbeddings(event=np.eye(DIM)[5], action=np.zeros((0, DIM)), entity=wanted)
    phrase = QueryEmbeddings(event=np.eye(DIM)[6], action=np.zeros((0, DIM)), entity=excluded)
    with Library.create(tmp_path / "lib", MANIFEST) as library:
        library.add(VideoRecord(path="a", content="", size=1, mtime_ns=1), clips)
        plain = library.search(asked, 3, per_video=3)
        assert [match.excluded for match in plain] == [(), (), ()]
        found = library.search(without(asked, [phrase]), 3, per_video=3)
    assert [match.moment.start_s for match in found[:2]] == [0, 16]
    assert found[2].moment.start_s == 8
    assert found[2].score < min(plain[2].score, found[1].score)
    assert found[2].excluded[0].similarity > found[1].excluded[0].similarity
