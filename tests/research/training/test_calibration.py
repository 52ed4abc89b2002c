"""Fitting a calibration: on made clips whose right answers are known, confidence means what it says."""

from __future__ import annotations

import attrs
import numpy as np
import pytest

import hgrkit
from hgrkit.errors import BenchmarkError, ConfigError
from hgrkit.library.records import QueryEmbeddings
from hgrkit.library.scoring import ClipSet, SearchSettings
from hgrkit.model.calibration import FEATURES
from hgrkit.model.loaded import LoadedModel
from hgrkit.research.training.calibrate import nouns_of
from hgrkit.research.training.calibration import (
    AskedClips,
    Settings,
    absent_questions,
    ask,
    fit_calibration,
    short_questions_for,
)
from hgrkit.research.training.logistic import fit_logistic

DIM = 16
SEARCH = SearchSettings()
QUICK = Settings(rank=8, clip_bank=50, text_bank=50, sizes=(20, 60), draws=2, questions=60)


def made_clips(seed, clips=160, captions=3, *, direction=1.0, noise=0.6):
    """Clips and sentences that point where their clip does, more or less; sentences name their clip's subject."""
    rng = np.random.default_rng(seed)
    events = rng.normal(size=(clips, DIM)).astype(np.float32)
    events[:, 0] = direction * np.abs(events[:, 0]) * 3
    owners = np.repeat(np.arange(clips), captions)
    said = events[owners] + noise * np.linalg.norm(events, axis=1).mean() * rng.normal(size=(len(owners), DIM)) / 2
    nothing = np.empty((0, DIM), np.float32)
    return AskedClips(
        name=f"made {seed}",
        clips=ClipSet(
            event=events.astype(np.float16),
            action=events.astype(np.float16),
            entity=events.astype(np.float16),
            starts=np.arange(clips),
            counts=np.ones(clips, np.int64),
        ),
        queries=[QueryEmbeddings(event=row, action=nothing, entity=nothing) for row in said.astype(np.float32)],
        owners=owners,
        nouns=[frozenset({f"thing {seed} {owner}"}) for owner in owners.tolist()],
    )


@pytest.fixture(scope="module")
def fitted():
    return fit_calibration([made_clips(0), made_clips(1)], SEARCH, QUICK)


def asked_of(calibration, asked, **options):
    fits = asked.owners[:, None] == np.arange(len(asked.clips.event))
    outcome = ask(calibration, asked.clips, asked.queries, fits, SEARCH, **options)
    return outcome, calibration.confidences(outcome.features[:, 0], outcome.lengths)


def test_confidence_is_about_how_often_hits_are_right(fitted):
    outcome, confidence = asked_of(fitted, made_clips(2, clips=80))
    right = outcome.right[:, 0]
    assert 0.1 < right.mean() < 0.95
    assert confidence.mean() == pytest.approx(right.mean(), abs=0.12)
    assert confidence[right].mean() > confidence[~right].mean() + 0.1


def test_confidence_falls_when_the_right_clip_is_gone(fitted):
    asked = made_clips(3, clips=80)
    _, there = asked_of(fitted, asked)
    gone, without = asked_of(fitted, asked, without_own=True)
    assert without.mean() < there.mean()
    assert not gone.right.any()
    assert gone.clips == 79


def test_questions_for_what_is_not_there_match_less_often(fitted):
    library, others = made_clips(4, clips=80), made_clips(5, clips=80, direction=-1.0)
    outcome, _ = asked_of(fitted, library)
    matching = fitted.matching(outcome.features[:, 0], outcome.lengths)[outcome.right[:, 0]] >= 0
    away = ask(fitted, library.clips, others.queries, None, SEARCH)
    assert matching.mean() > 0.6
    assert (fitted.matching(away.features[:, 0], away.lengths) >= 0).mean() < matching.mean() - 0.15


def test_the_same_data_and_seed_make_the_same_calibration(fitted):
    again = fit_calibration([made_clips(0), made_clips(1)], SEARCH, QUICK)
    np.testing.assert_array_equal(again.right, fitted.right)
    np.testing.assert_array_equal(again.clip_bank, fitted.clip_bank)


def test_a_share_of_right_first_hits_is_kept():
    strict, lax = (
        fit_calibration([made_clips(0), made_clips(1)], SEARCH, attrs.evolve(QUICK, kept=kept, kept_short=kept))
        for kept in (0.5, 0.95)
    )
    np.testing.assert_allclose(strict.match[:, :-1], lax.match[:, :-1])
    assert (strict.match[:, -1] < lax.match[:, -1]).all()


def test_too_few_clips_are_refused():
    with pytest.raises(ConfigError, match="at least 40 clips"):
        fit_calibration([made_clips(0, clips=39)], SEARCH, QUICK)
    with pytest.raises(ConfigError, match="at least 40 clips"):
        fit_calibration([], SEARCH, QUICK)


def test_an_absent_question_shares_no_noun_with_the_library():
    asked = made_clips(0, clips=20, captions=2)
    library = np.arange(15)
    found = absent_questions(asked, library, [asked])
    expected = [query for query, owner in zip(asked.queries, asked.owners, strict=True) if owner >= 15]
    assert [id(query) for query in found] == [id(query) for query in expected]
    nameless = attrs.evolve(asked, nouns=[frozenset()] * 40)
    assert not absent_questions(asked, library, [nameless])


def test_short_questions_are_asked_where_two_captions_mention_them_or_none():
    asked = made_clips(0, clips=4, captions=1)
    mentions = np.array([[2, 1, 3, 0], [0, 0, 0, 5], [1, 0, 0, 2], [0, 0, 0, 0]], np.int16)
    asked = attrs.evolve(asked, short=asked.queries, mentions=mentions)
    place = {id(query): number for number, query in enumerate(asked.queries)}

    def found(library):
        return [
            ({place[id(query)] for query in queries}, None if fits is None else fits.tolist())
            for queries, fits in short_questions_for(asked, library, np.random.default_rng(0), 9)
        ]

    assert found(np.array([0, 1, 2])) == [({0}, [[True, False, True]]), ({1, 3}, None)]
    assert found(np.array([3])) == [({1, 2}, [[True], [True]]), ({0, 3}, None)]
    half = asked.only(np.array([False, True, True, False]))
    assert half.mentions.tolist() == [[1, 3], [0, 0], [0, 0], [0, 0]]


def test_common_things_are_asked_for_more_often():
    asked = made_clips(0, clips=10, captions=1)
    mentions = np.zeros((10, 10), np.int16)
    mentions[0], mentions[1:, 0] = 2, 2
    asked = attrs.evolve(asked, short=asked.queries, mentions=mentions)

    def share(common):
        ((queries, _),) = short_questions_for(asked, np.arange(10), np.random.default_rng(0), 999, common=common)
        return np.mean([query is asked.queries[0] for query in queries])

    assert share(0.0) == pytest.approx(0.1)
    assert share(0.5) == pytest.approx(0.05 + 0.5 * 10 / 19, abs=0.05)


def test_any_clip_that_answers_a_short_question_is_right(fitted):
    asked = made_clips(6, clips=30, captions=1)
    fits = np.zeros((30, 30), np.bool_)
    fits[:, :29] = True
    outcome = ask(fitted, asked.clips, asked.queries, fits, SEARCH, ranks=30)
    assert outcome.right.sum(axis=1).tolist() == [29] * 30


def nodes_of(asked, action, entity):
    """The same questions with so many nodes."""
    empty = np.ones((1, DIM), np.float32)
    return [
        attrs.evolve(query, action=np.repeat(empty, action, axis=0), entity=np.repeat(empty, entity, axis=0))
        for query in asked.queries
    ]


def test_questions_of_each_length_have_weights_of_their_own():
    """Sentences here point where their clip does, short ones hardly: the same features must mean less of these."""
    sets = []
    for seed in (0, 1):
        asked, short = made_clips(seed, noise=0.4), made_clips(seed + 10, noise=3.0)
        mentions = np.where(np.arange(160) == short.owners[:, None], 2, 0).astype(np.int16)
        short, queries = nodes_of(short, 0, 1), nodes_of(asked, 1, 2)
        sets.append(attrs.evolve(asked, queries=queries, short=short, mentions=mentions))
    fitted = fit_calibration(sets, SEARCH, attrs.evolve(QUICK, draws=4))
    found = [fitted.confidences(np.full((1, len(FEATURES)), np.nan), np.array([length]))[0] for length in (0, 2)]
    assert found[0] < found[1] / 2
    without = fit_calibration([attrs.evolve(one, short=()) for one in sets], SEARCH, QUICK)
    np.testing.assert_array_equal(without.right[0], without.right[2])  # no short question: nothing of its own


def test_logistic_regression_has_no_slope_left():
    rng = np.random.default_rng(0)
    features, weights = rng.normal(size=(500, 3)) * [1, 10, 0.1] + 5, rng.random(500)
    positive = rng.random(500) < 1 / (1 + np.exp(-(features @ [1, -0.1, 3] - 12)))
    fitted = fit_logistic(features, positive, weights, penalty=0.0)
    likely = 1 / (1 + np.exp(-(features @ fitted[:-1] + fitted[-1])))
    np.testing.assert_allclose(
        np.column_stack([features, np.ones(500)]).T @ (weights * (likely - positive)), 0, atol=1e-6
    )


def test_nouns_are_told_in_the_singular_without_function_words():
    assert nouns_of(["A", "dog", "chases", "two", "Balls", "in", "grass", "!"]) >= {"dog", "ball", "grass"}
    assert not nouns_of(["is", "on", "it", "a"])


# a model folder ------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(transformer, tmp_path):
    text = hgrkit.SentenceTextEncoder(reader=transformer.reader(), embed_dim=4)
    return hgrkit.HgrModel(text=text, video=hgrkit.VideoEncoder(feature_dim=3, embed_dim=4)).save(
        tmp_path / "model"
    )


def captioned(clips):
    rng = np.random.default_rng(0)
    words = ("dog", "ball", "snow", "woman")
    return hgrkit.CaptionedClips.of(
        {
            f"{number}": [f"the red {words[number % 4]} sleeps", f"a {words[number % 4]}"]
            for number in range(clips)
        },
        {f"{number}": rng.normal(size=(1 + number % 3, 3)).astype(np.float32) for number in range(clips)},
        parser="lark",
    )


def test_a_model_folder_is_calibrated_in_place(folder):
    before = LoadedModel.load(folder).fingerprint
    path = hgrkit.calibrate(folder, {"dev": captioned(60)}, QUICK)
    loaded = LoadedModel.load(folder)
    assert path.parent == folder
    assert loaded.fingerprint == before
    assert loaded.calibration.about["sets"] == {"dev": 60}


def test_what_is_no_captioned_clips_is_refused(folder):
    with pytest.raises(BenchmarkError, match="mapping"):
        hgrkit.calibrate(folder, [captioned(4)])
    with pytest.raises(BenchmarkError, match="data must be a"):
        hgrkit.calibrate(folder, {"dev": "clips"})
