"""Level weights from captions: what is tried, what is chosen, and that nothing falls below the event alone."""

from __future__ import annotations

import attrs
import numpy as np
import pytest

from hgrkit.errors import BenchmarkError, ConfigError
from hgrkit.library import ClipEmbeddings, Entry, Library, QueryEmbeddings, VideoRecord
from hgrkit.library.scoring import SearchSettings
from hgrkit.library.tuning import EVENT_ONLY, CaptionedRows, tune_level_weights
from hgrkit.testing.store_contract import StoreContract, random_clip

VIDEOS, DIM = 24, 8


def captions(videos=range(VIDEOS), each=3):
    return {f"{video:02}.mp4": [f"caption {number} of {video}" for number in range(each)] for video in videos}


@pytest.fixture(scope="module")
def problem(tmp_path_factory):
    """Makes a library of two clips a video, and queries that are as near to its video at each level as is said."""

    def make(**clear):
        rng = np.random.default_rng(5)
        truth = {level: rng.normal(size=(VIDEOS, DIM)) for level in ("event", "action", "entity")}
        folder = tmp_path_factory.mktemp("library") / "lib"
        library = Library.create(folder, StoreContract.manifest)
        for video in range(VIDEOS):
            clips = [
                ClipEmbeddings(
                    start_s=start,
                    end_s=start + 1,
                    times_s=start + np.array([0.2, 0.6]),
                    event=(truth["event"][video] + rng.normal(size=DIM) * 0.2).astype(np.float32),
                    **{
                        level: (truth[level][video] + rng.normal(size=(2, DIM)) * 0.2).astype(np.float32)
                        for level in ("action", "entity")
                    },
                )
                for start in (0.0, 1.0)
            ]
            library.add(VideoRecord(path=f"v/{video:02}.mp4", content=str(video), size=1, mtime_ns=1), clips)

        def near(level, video, shape):
            noise = rng.normal(size=shape) / clear.get(level, 0.01)
            return (truth[level][video] + noise).astype(np.float32)

        queries = [
            QueryEmbeddings(
                event=near("event", video, DIM),
                action=near("action", video, (1, DIM)),
                entity=near("entity", video, (2, DIM)),
            )
            for video in range(VIDEOS)
            for _ in range(3)
        ]
        return library, queries

    return make


def tune(library, queries, settings=None, texts=None):
    asked = CaptionedRows.of(texts or captions(), library.indexed_paths())
    return tune_level_weights(library, asked, queries, range(len(queries)), settings or SearchSettings())


def arrays_of(folder):
    return sorted((path.name, path.stat().st_mtime_ns) for path in folder.glob("arrays/*"))


def mean_reciprocal_rank(library, queries, weights):
    """In per cent, as the equations say it, one caption after the other."""
    scores = library.scores(queries, SearchSettings(level_weights=weights))
    ranks = [1 + (np.delete(row, at // 3) >= row[at // 3]).sum() for at, row in enumerate(scores.T)]
    return 100 * np.mean([1 / rank for rank in ranks])


def test_what_is_clear_counts(problem):
    library, queries = problem(event=0.5, entity=1.5)
    found = tune(library, queries)
    assert found.chosen == "tuned"
    assert found.level_weights[2] > found.level_weights[1]
    assert found.measures["tuned"]["mRR"].value > found.measures["event only"]["mRR"].value
    assert (found.captions, found.videos, found.among, found.unreadable) == (72, 24, 24, 0)
    low, high = found.gain["mRR"].interval
    assert low < found.gain["mRR"].value < high


def test_noise_at_the_other_levels_falls_back_to_the_event(problem):
    library, queries = problem(event=1.0)
    found = tune(library, queries)
    assert (found.chosen, found.level_weights) == ("event only", EVENT_ONLY)
    assert found.gain["mRR"].value > 0
    assert found.gain["R@1"].interval[0] <= found.gain["R@1"].value


def test_weights_that_nothing_beats_stay(problem):
    library, queries = problem(event=1.0)
    found = tune(library, queries, SearchSettings(level_weights=(2, 0, 0)))
    assert (found.chosen, found.level_weights) == ("unchanged", (2, 0, 0))
    assert found.gain["mRR"].value == 0


@pytest.mark.parametrize("clear", [{"event": 0.6, "action": 0.6, "entity": 0.6}, {"event": 0.3}, {"action": 0.7}])
def test_what_is_chosen_is_never_below_the_event_alone(problem, clear):
    library, queries = problem(**clear)
    found = tune(library, queries)
    way = {"unchanged": "before"}.get(found.chosen, found.chosen)
    assert found.measures[way]["mRR"].value >= found.measures["event only"]["mRR"].value


def test_figures_are_those_of_scores(problem):
    library, queries = problem(event=0.8, action=0.5, entity=0.5)
    found = tune(library, queries, SearchSettings(level_weights=(3, 1, 1)))
    for way, weights in (("before", (3, 1, 1)), ("event only", EVENT_ONLY)):
        expected = mean_reciprocal_rank(library, queries, weights)
        assert found.measures[way]["mRR"].value == pytest.approx(expected)


def test_held_out_figures_are_not_those_of_the_weights_that_fit_best(problem):
    library, queries = problem(event=0.4, action=0.4, entity=0.4)
    found = tune(library, queries)
    tenths = [(event, action, 10 - event - action) for event in range(11) for action in range(11 - event)]
    best = max(mean_reciprocal_rank(library, queries, weights) for weights in tenths)
    assert found.measures["tuned"]["mRR"].value < best


def test_a_caption_of_several_videos_is_right_for_all_of_them(problem):
    library, queries = problem(event=1.0)
    texts = captions()
    twin = {**texts, "01.mp4": [texts["00.mp4"][0], *texts["01.mp4"][1:]]}
    ours, others = tune(library, queries, texts=texts), tune(library, queries, texts=twin)
    assert others.measures["before"]["mRR"].value >= ours.measures["before"]["mRR"].value
    right = CaptionedRows.of(twin, library.indexed_paths()).right([0, 3, 4], VIDEOS)
    assert right.sum(axis=0).tolist() == [2, 2, 1]


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (captions(range(9)), ConfigError, "at least 10 videos, got 9"),
        ({**captions(), "elsewhere.mp4": ["a dog"]}, BenchmarkError, "1 of 25 videos are not in the library"),
    ],
)
def test_captions_that_do_not_fit_are_refused(problem, wrong, error, message):
    library, _ = problem(event=1.0)
    with pytest.raises(error, match=message):
        CaptionedRows.of(wrong, library.indexed_paths())


def test_captions_that_cannot_be_read_do_not_count(problem):
    library, queries = problem(event=1.0)
    asked = CaptionedRows.of(captions(), library.indexed_paths())
    found = tune_level_weights(library, asked, queries[3:], range(3, len(queries)), SearchSettings())
    assert (found.captions, found.unreadable, found.videos) == (69, 3, 23)
    with pytest.raises(ConfigError, match="fewer than 10 videos"):
        tune_level_weights(library, asked, queries[:9], range(9), SearchSettings())


def test_weights_are_kept_in_one_commit_that_copies_nothing(tmp_path):
    with Library.create(tmp_path / "lib", StoreContract.manifest) as library:
        library.add(VideoRecord(path="a", content="a", size=1, mtime_ns=1), [random_clip(1)])
        arrays, before = arrays_of(tmp_path / "lib"), library.version
        library.relabel(attrs.evolve(library.manifest, level_weights=(0.5, 0.2, 0.3)))
        assert library.level_weights == (0.5, 0.2, 0.3)
        assert library.version.number == before.number + 1
        assert arrays_of(tmp_path / "lib") == arrays
        assert library.indexed_paths() == ("a",)


def test_a_new_commit_keeps_the_weights_and_a_reader_sees_them(tmp_path):
    with Library.create(tmp_path / "own", StoreContract.manifest) as own, Library.open(tmp_path / "own") as reader:
        assert reader.level_weights is None
        own.relabel(attrs.evolve(own.manifest, level_weights=(1, 2, 3)))
        own.update(
            put=[Entry(VideoRecord(path="a", content="a", size=1, mtime_ns=1, state="failed", reason="no"))]
        )
        assert own.level_weights == reader.level_weights == (1, 2, 3)
        own.compact()
        assert reader.level_weights == (1, 2, 3)
        own.relabel(attrs.evolve(own.manifest, level_weights=None))
        assert reader.level_weights is None


def test_libraries_that_were_tuned_differently_are_compared_alike(tmp_path):
    for name, weights in (("a", (1, 0, 0)), ("b", (1, 1, 0)), ("c", (1, 1, 0))):
        with Library.create(tmp_path / name, StoreContract.manifest) as library:
            library.relabel(attrs.evolve(library.manifest, level_weights=weights))
    with Library.open([tmp_path / "b", tmp_path / "c"]) as alike:
        assert alike.level_weights == (1, 1, 0)
    with Library.open([tmp_path / "a", tmp_path / "b"]) as different:
        assert different.level_weights is None
