"""The measure of the cascade: what it finds of exact answers, and when it has nothing to miss."""

from __future__ import annotations

import pytest

from hgrkit.errors import ConfigError, LibraryError
from hgrkit.library import Entry, Library, SearchSettings, VideoRecord, measure_recall
from hgrkit.testing.store_contract import StoreContract, random_clip

CLIPS = 200
FEW = SearchSettings(exhaustive=False, candidates=10)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Clips whose three levels have nothing to do with each other, one a video."""
    path = tmp_path_factory.mktemp("recall") / "lib"
    with Library.create(path, StoreContract.manifest) as library:
        library.add_all(
            [
                Entry(VideoRecord(path=f"{number}.mp4", content="", size=1, mtime_ns=1), [random_clip(number)])
                for number in range(CLIPS)
            ]
        )
    return path


@pytest.fixture
def library(folder):
    with Library.open(folder) as library:
        yield library


@pytest.mark.parametrize("settings", [None, SearchSettings(exhaustive=False, candidates=CLIPS)])
def test_a_search_of_every_clip_misses_nothing(library, settings):
    found = measure_recall(library, settings=settings)
    assert (found.recall, found.missed, found.num_candidates, found.num_clips) == (1.0, 0, CLIPS, CLIPS)
    assert found.exact
    assert (found.k, found.num_queries) == (10, 50)


def test_few_candidates_miss_much_where_events_tell_little_and_more_find_more(library):
    few = measure_recall(library, settings=FEW)
    assert 0.05 < few.recall < 0.6
    assert few.missed > 40
    assert not few.exact
    half = measure_recall(library, settings=SearchSettings(exhaustive=False, candidates=CLIPS // 2))
    assert few.recall + 0.2 < half.recall < 1


def test_candidates_by_event_find_everything_where_the_event_alone_counts(library):
    by_event = SearchSettings(exhaustive=False, candidates=10, level_weights=(1, 0, 0))
    assert measure_recall(library, settings=by_event).recall == 1


def test_the_same_seed_asks_the_same_and_another_one_otherwise(library):
    first, again, other = (measure_recall(library, num_queries=20, seed=seed, settings=FEW) for seed in (1, 1, 2))
    assert first == again
    assert first.recall != other.recall


def test_no_more_questions_than_clips_and_each_is_told_of(library):
    told = []
    found = measure_recall(library, num_queries=CLIPS + 1, k=1, on_progress=lambda *told_of: told.append(told_of))
    assert (found.num_queries, found.k) == (CLIPS, 1)
    assert told == [(done, CLIPS) for done in range(1, CLIPS + 1)]


@pytest.mark.parametrize("wrong", [{"num_queries": 0}, {"k": 0}, {"on_progress": 3}, {"settings": 3}])
def test_wrong_arguments_are_refused(library, wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        measure_recall(library, **wrong)


def test_an_empty_library_has_nothing_to_find(tmp_path):
    with (
        Library.create(tmp_path / "lib", StoreContract.manifest) as library,
        pytest.raises(LibraryError, match="contains no videos yet"),
    ):
        measure_recall(library)
