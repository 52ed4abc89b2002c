"""Searches of a calibrated model: confidence of hits, answers that do not match, words that are not known."""

from __future__ import annotations

import attrs
import numpy as np
import pytest

from hgrkit.cli.search import result_text
from hgrkit.errors import CheckpointError, ConfigError
from hgrkit.graph import RoleGraph
from hgrkit.library.rivals import Rivals
from hgrkit.model.calibration import FEATURES, LENGTHS, Calibration, JointGaussian
from hgrkit.model.folder import CALIBRATION_FILE, model_fingerprint
from hgrkit.pages.explanation import explain_result
from hgrkit.results import NOTHING_MATCHES
from hgrkit.retriever import Retriever
from tests.test_retriever import QUERY, SECONDS, ColourGrid, save_random_model, write_video

DIM, RANK = 16, 4


def made_calibration(*, match=0.0):
    """One whose confidence falls with the margin, and in which everything matches, or nothing."""
    rng = np.random.default_rng(0)
    maps = {name: rng.normal(size=(DIM, RANK)).astype(np.float32) for name in ("text_map", "clip_map")}
    zeros = np.zeros(RANK, np.float32)
    right, match_weights = np.zeros((2, LENGTHS, len(FEATURES) + 1))
    right[:, FEATURES.index("margin")] = 5.0
    match_weights[:, -1] = match
    return Calibration(
        gaussian=JointGaussian(**maps, text_mean=zeros, clip_mean=zeros, correlations=zeros + np.float32(0.5)),
        clip_bank=rng.normal(size=(8, RANK)).astype(np.float32),
        text_bank=rng.normal(size=(8, RANK)).astype(np.float32),
        means=np.zeros(len(FEATURES)),
        right=right,
        match=match_weights,
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A library of four videos, and the folder of its model, which is not calibrated."""
    folder = tmp_path_factory.mktemp("confidence")
    (folder / "videos").mkdir()
    for number, name in enumerate(SECONDS):
        write_video(
            folder / "videos" / name, 1, ((200, 30, 30), (30, 200, 30), (30, 30, 200), (90, 90, 90))[number]
        )
    model = save_random_model(folder / "model")
    with Retriever.create(folder / "lib", model=model, frame_encoder=ColourGrid(), device="cpu") as retriever:
        retriever.index(folder / "videos")
    return folder / "lib", model


@pytest.fixture
def search(made):
    """Searches the library with a calibrated model."""
    library, model = made

    def ask(query=QUERY, *, match=0.0, **options):
        made_calibration(match=match).save(model, fingerprint=model_fingerprint(model))
        with Retriever.open(library, device="cpu") as retriever:
            return retriever.search(query, **options)

    yield ask
    (model / CALIBRATION_FILE).unlink(missing_ok=True)


@pytest.fixture
def plain(made):
    with Retriever.open(made[0], device="cpu") as retriever:
        yield retriever


def test_a_model_that_is_not_calibrated_has_no_confidence_and_always_matches(plain):
    result = plain.search(QUERY)
    assert result.matched
    assert [hit.confidence for hit in result.hits] == [None] * 4
    with pytest.raises(ConfigError, match=r"needs a calibrated model.*hgrkit.calibrate"):
        plain.search(QUERY, min_confidence=0.5)


def test_a_calibrated_model_finds_the_same_hits(plain, search):
    before, after = plain.search(QUERY), search()
    assert [(hit.video, hit.score) for hit in after.hits] == [(hit.video, hit.score) for hit in before.hits]


def test_confidence_is_what_the_calibration_makes_of_all_videos(search):
    hits = search().hits
    scores = np.array([hit.score for hit in hits])
    for place, hit in enumerate(hits):
        margin = scores[place] - np.delete(scores, place).mean()
        assert hit.confidence == pytest.approx(1 / (1 + np.exp(-5 * margin)), abs=1e-5)


def test_confidence_is_the_same_for_few_hits_and_for_many(search):
    every = [hit.confidence for hit in search().hits]
    assert [hit.confidence for hit in search(k=1).hits] == pytest.approx(every[:1])
    assert [hit.confidence for hit in search(k=3).hits] == pytest.approx(every[:3])


def test_less_likely_hits_are_left_out(search):
    every = search().hits
    least = every[1].confidence
    assert [hit.rank for hit in search(min_confidence=least).hits] == [
        hit.rank for hit in every if hit.confidence >= least
    ]
    assert len(search(min_confidence=0).hits) == 4
    assert search(min_confidence=1).hits == ()


@pytest.mark.parametrize("least", [-0.1, 1.1, "0.5", float("nan")])
def test_a_confidence_that_is_none_is_refused(search, least):
    with pytest.raises(ConfigError, match=r"min_confidence must be a number in \[0, 1\]"):
        search(min_confidence=least)


@pytest.mark.parametrize(("match", "matched"), [(1.0, True), (-1.0, False)])
def test_an_answer_says_whether_anything_matches(search, match, matched):
    result = search(match=match)
    assert result.matched is matched
    assert result.to_dict()["matched"] is matched
    assert len(result.hits) == 4
    assert (NOTHING_MATCHES in result._repr_html_()) is not matched
    assert (NOTHING_MATCHES in explain_result(result).to_html()) is not matched


def test_confidence_is_shown_in_text_and_on_pages(search):
    result = search(k=1)
    shown = f"{round(100 * result.hits[0].confidence)}%"
    assert shown in result_text(result).plain.splitlines()[0]
    assert shown in result._repr_html_()
    assert shown in explain_result(result).to_html()


def test_a_calibration_of_other_weights_is_refused(made, search):
    search()
    made_calibration().save(made[1], fingerprint="other")
    with Retriever.open(made[0], device="cpu") as retriever, pytest.raises(CheckpointError, match="other weights"):
        retriever.search(QUERY)


def test_a_library_that_was_made_before_opens_as_ever(made, search):
    assert search().hits
    with Retriever.open(made[0], mode="w", frame_encoder=ColourGrid(), device="cpu") as retriever:
        assert retriever.index(made[0].parent / "videos").unchanged == 4


def test_only_videos_that_were_asked_about_are_rivals(plain):
    query = plain.read([QUERY]).queries[0]
    paths = plain.library.indexed_paths()
    among = plain.library.search(query, 1, videos=paths[:2]).rivals
    every = plain.library.search(query, 1).rivals
    assert isinstance(every, Rivals)
    assert (sorted(among.videos), among.num_clips) == (sorted(paths[:2]), 2)
    assert (sorted(every.videos), every.num_clips) == (sorted(paths), 4)
    assert list(every.scores) == sorted(every.scores, reverse=True)


# what is not understood ------------------------------------------------------------------------------------------


def test_words_that_the_model_has_not_met_are_noted_once(plain):
    (note,) = plain.search("a flurbl throws the red flurbl to a snorblax").notes
    assert note == "Unknown words, which the search may ignore: 'flurbl', 'snorblax'."


def test_another_language_is_noted_instead_of_its_words(plain):
    assert plain.search("ein Hund läuft durch den Park").notes == (
        "The question seems to be in German; only English is understood.",
    )


def test_the_language_of_a_graph_is_its_makers_business(plain):
    (note,) = plain.search(RoleGraph(tokens="ein hund läuft durch den park".split())).notes
    assert note.startswith("Unknown words")


def test_a_parser_of_other_languages_is_not_questioned(made):
    class AnyLanguage:
        name, version = "any", "1"

        def parse_batch(self, texts):
            return [RoleGraph(tokens=text.split()) for text in texts]

    with Retriever.open(made[0], parser=AnyLanguage(), device="cpu") as retriever:
        (note,) = retriever.search("ein dog").notes
    assert "German" not in note


def test_the_default_model_knows_english_and_no_nonsense():
    from hgrkit.model.loaded import LoadedModel

    knows = LoadedModel.load("default").query_side.encoder.knows
    assert all(map(knows, "a snowboarder jumps over Running zebras".split()))
    assert not any(map(knows, ("flurbl", "snorblax", "zzqx")))


def test_the_default_model_is_calibrated():
    from hgrkit.model.loaded import LoadedModel

    calibration = LoadedModel.load("default").calibration
    assert calibration is not None
    assert "Flickr8k train" not in calibration.about["sets"]


def test_a_likely_hit_of_a_json_result_is_a_number(search):
    (hit, *_) = search().to_dict()["hits"]
    assert 0 <= hit["confidence"] <= 1
    assert attrs.evolve(search().hits[0], confidence=None).to_dict()["confidence"] is None
