"""Baselines against plain formulas, and against data where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from hgrkit.errors import BenchmarkError, ShapeError
from hgrkit.research.evaluation import baselines
from hgrkit.research.evaluation.baselines import (
    BASELINES,
    STRENGTHS,
    PairSums,
    TrainingPairs,
    canonical_correlation,
    fit_baselines,
    linear_map,
    video_vectors,
)
from hgrkit.research.evaluation.measures import measure
from hgrkit.research.evaluation.sentence_vectors import BagOfWords


def pairs(seed=0, videos=80, each=3, noise=0.1):
    """Sentences that are a linear map of their video, and noise: x [n, 5], owner [n], y [V, 7]."""
    random = np.random.default_rng(seed)
    y = random.normal(size=(videos, 7)) * [5, 4, 3, 2, 1, 1, 1] + 2
    owner = np.repeat(np.arange(videos), each)
    x = y[owner] @ random.normal(size=(7, 5)) + noise * random.normal(size=(len(owner), 5)) - 1
    return x, owner, y


def test_sums_add_up_to_the_covariances_of_all_pairs():
    x, owner, y = pairs()
    halves = PairSums.of(x[:120], owner[:120], y) + PairSums.of(x[120:], owner[120:], y)
    found = halves.covariances()
    joint = np.cov(np.hstack([x, y[owner]]).T, bias=True)
    assert found.text == pytest.approx(joint[:5, :5])
    assert found.cross == pytest.approx(joint[:5, 5:])
    assert found.video == pytest.approx(joint[5:, 5:])
    assert found.text_mean == pytest.approx(x.mean(axis=0))
    assert found.video_mean == pytest.approx(y[owner].mean(axis=0))


def test_the_linear_map_is_ridge_regression():
    x, owner, y = pairs(noise=2)
    found = linear_map(PairSums.of(x, owner, y).covariances(), 0.3)
    centred, targets = y[owner] - y[owner].mean(axis=0), x - x.mean(axis=0)
    ridge = 0.3 * np.mean(np.var(y[owner], axis=0)) * len(owner)
    rows = np.vstack([centred, np.sqrt(ridge) * np.eye(7)])  # as least squares on rows that ask for zeros
    expected = np.linalg.lstsq(rows, np.vstack([targets, np.zeros((7, 5))]), rcond=None)[0]
    assert found.video_map == pytest.approx(expected)


def test_canonical_directions_are_uncorrelated_and_as_correlated_as_their_weights():
    x, owner, y = pairs(noise=5)
    found = canonical_correlation(PairSums.of(x, owner, y).covariances(), 1e-9)
    text, video = (x - found.text_mean) @ found.text_map, (y[owner] - found.video_mean) @ found.video_map
    joint = np.cov(np.hstack([text, video]).T, bias=True)
    weights = np.sqrt(np.diag(joint)[:5])  # each direction has its correlation for a deviation
    assert joint[:5, :5] == pytest.approx(np.diag(weights**2), abs=1e-6)
    assert joint[5:, 5:] == pytest.approx(np.diag(weights**2), abs=1e-6)
    assert joint[:5, 5:] == pytest.approx(np.diag(weights**3), abs=1e-6)
    assert (np.diff(weights) <= 0).all()


def test_canonical_correlation_does_not_care_about_the_units_of_either_side():
    x, owner, y = pairs(noise=2)
    random = np.random.default_rng(1)
    stretch, turn = random.normal(size=(5, 5)), random.normal(size=(7, 7))
    plain = canonical_correlation(PairSums.of(x, owner, y).covariances(), 1e-10)
    other = canonical_correlation(PairSums.of(x @ stretch, owner, y @ turn).covariances(), 1e-10)
    assert other.scores(y @ turn, x @ stretch) == pytest.approx(plain.scores(y, x), abs=1e-3)


@pytest.mark.parametrize("fit", BASELINES.values(), ids=BASELINES)
def test_scores_are_cosines_and_find_what_was_made_alike(fit):
    x, owner, y = pairs()
    scores = fit(PairSums.of(x, owner, y).covariances(), 0.01).scores(y, x)
    assert scores.dtype == np.float32
    assert np.abs(scores).max() <= 1.0001
    found = measure(scores, np.arange(80)[:, None] == owner)
    assert found.text_to_video.recall(1) > 80
    assert found.text_to_video.recall(10) == 100


@pytest.mark.parametrize("fit", BASELINES.values(), ids=BASELINES)
def test_the_order_of_pairs_changes_no_score(fit):
    x, owner, y = pairs()
    order = np.random.default_rng(2).permutation(len(x))
    one = fit(PairSums.of(x, owner, y).covariances(), 1).scores(y, x)
    other = fit(PairSums.of(x[order], owner[order], y).covariances(), 1).scores(y, x)
    assert one == pytest.approx(other, abs=1e-5)


def test_vectors_of_another_size_are_refused():
    x, owner, y = pairs()
    with pytest.raises(ShapeError, match=r"texts must be \[any, 5\], got \[2, 7\]"):
        linear_map(PairSums.of(x, owner, y).covariances(), 1).scores(y, y[:2])


# from captions and features ------------------------------------------------------------------------------------


def made_up(videos=60, seed=0):
    """Videos of one to three frames that show some of six things, and captions that name them."""
    random = np.random.default_rng(seed)
    things = np.array(["dog", "cat", "car", "tree", "man", "ball"])
    captions, features = {}, {}
    for number in range(videos):
        shown = random.random(6) < 0.4
        shown[number % 6] = True
        captions[f"v{number}.mp4"] = [f"A {' and a '.join(things[shown])}.", " ".join(things[shown])]
        frames = shown + 0.1 * random.normal(size=(random.integers(1, 4), 6))
        features[f"v{number}"] = np.hstack([frames, random.normal(size=(len(frames), 3))]).astype(np.float32)
    return captions, features


def test_baselines_learn_which_words_go_with_which_features():
    captions, features = made_up()
    vectors = BagOfWords.of(text for own in captions.values() for text in own).read
    fitted = fit_baselines(TrainingPairs.read(captions, features), vectors)
    asked, shown = made_up(30, seed=1)
    table = video_vectors(shown, list(asked))
    right = np.arange(30)[:, None] == np.arange(30).repeat(2)
    texts = [text for own in asked.values() for text in own]
    assert set(fitted) == {"canonical_correlation", "linear_map"}
    for baseline in fitted.values():
        assert baseline.strength in STRENGTHS
        scores = baseline.scorer(table)(texts)
        assert measure(scores, right).text_to_video.recall(5) > 60, "five of thirty by chance are 17 per cent"


def test_fitting_in_parts_is_fitting_at_once(monkeypatch):
    captions, features = made_up()
    read = TrainingPairs.read(captions, features)
    vectors = BagOfWords.of(text for own in captions.values() for text in own).read
    whole = fit_baselines(read, vectors)
    monkeypatch.setattr(baselines, "_VIDEOS_AT_ONCE", 7)
    for name, baseline in fit_baselines(read, vectors).items():
        assert baseline.strength == whole[name].strength
        assert baseline.maps.video_map == pytest.approx(whole[name].maps.video_map, abs=1e-6)


def test_few_videos_are_all_learned_from():
    captions, features = made_up(19)
    vectors = BagOfWords.of(text for own in captions.values() for text in own).read
    fitted = fit_baselines(TrainingPairs.read(captions, features), vectors)
    assert {baseline.strength for baseline in fitted.values()} == {1.0}


def test_a_video_is_the_mean_of_its_frames_whatever_folder_and_suffix_its_name_has():
    features = {"a": np.array([[1.0, 3.0], [3.0, 5.0]]), "b.mp4": np.array([[0.0, 1.0]])}
    found = video_vectors(features, ["x/a.mp4", "y/b.mp4", "b"])
    assert found.tolist() == [[2, 4], [0, 1], [0, 1]]


def test_a_video_without_features_is_refused():
    with pytest.raises(BenchmarkError, match="no features of 1 of 2 videos, first 'c'"):
        video_vectors({"a": np.ones((1, 2))}, ["a", "c"])


def test_features_of_several_sizes_are_refused():
    with pytest.raises(BenchmarkError, match=r"of one size, got \(2,\), \(3,\)"):
        video_vectors({"a": np.ones((1, 2)), "b": np.ones((1, 3))}, ["a", "b"])


def test_a_video_that_is_evaluated_is_not_trained_on():
    captions, features = made_up()
    with pytest.raises(BenchmarkError, match=r"1 of the 60 training videos are evaluated too, first 'v7\.mp4'"):
        TrainingPairs.read(captions, features, evaluated=["films/v7.avi", "w.mp4"])


def test_one_video_is_too_few():
    with pytest.raises(BenchmarkError, match="at least two training videos"):
        TrainingPairs.read({"a": ["x"], "b": []}, {"a": np.ones((1, 2))})


# words ---------------------------------------------------------------------------------------------------------


def test_rare_words_weigh_more_and_case_and_marks_do_not_count():
    bag = BagOfWords.of(["a dog", "a cat", "a dog's bone"])
    (vector,) = bag.read(["A, DOG!"])
    assert vector[bag.columns["dog"]] > vector[bag.columns["a"]] > 0
    assert np.linalg.norm(vector) == pytest.approx(1)
    assert (bag.read(["zebra"]) == 0).all()
    assert "dog's" in bag.columns


def test_only_the_most_common_words_are_known():
    assert set(BagOfWords.of(["b a", "b c", "b a"], max_words=2).columns) == {"a", "b"}
