"""How likely a hit is right: the equations, what a file must be, and that a calibration touches nothing else."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from hgrkit.errors import CheckpointError
from hgrkit.levels import PerLevel
from hgrkit.library.records import QueryEmbeddings
from hgrkit.library.rivals import Rivals
from hgrkit.library.search import Matches
from hgrkit.model.calibration import FEATURES, LENGTHS, Calibration, JointGaussian, lengths_of
from hgrkit.model.folder import CALIBRATION_FILE, model_fingerprint
from hgrkit.model.hgr_model import HgrModel
from hgrkit.model.loaded import LoadedModel
from hgrkit.model.text.sentence_encoder import SentenceTextEncoder
from hgrkit.model.video import VideoEncoder

DIM, RANK = 6, 3
COLUMN = {name: number for number, name in enumerate(FEATURES)}


def half(array):
    """What float16 keeps of it, so that a file holds it unchanged."""
    return array.astype(np.float16).astype(np.float32)


@pytest.fixture
def calibration():
    rng = np.random.default_rng(0)
    return Calibration(
        gaussian=JointGaussian(
            text_map=half(rng.normal(size=(DIM, RANK))),
            text_mean=half(rng.normal(size=RANK)),
            clip_map=half(rng.normal(size=(DIM, RANK))),
            clip_mean=half(rng.normal(size=RANK)),
            correlations=half(np.array([0.9, 0.5, 0.1])),
        ),
        clip_bank=half(rng.normal(size=(20, RANK))),
        text_bank=half(rng.normal(size=(10, RANK))),
        means=rng.normal(size=len(FEATURES)),
        right=rng.normal(size=(LENGTHS, len(FEATURES) + 1)),
        match=rng.normal(size=(LENGTHS, len(FEATURES) + 1)),
        about={"sets": {"dev": 7}},
    )


def rivals_of(count, seed=1):
    rng = np.random.default_rng(seed)
    return Rivals(
        videos=[f"{number}.mp4" for number in range(count)],
        scores=np.sort(rng.random(count))[::-1],
        actions=rng.random(count),
        events=rng.normal(size=(count, DIM)).astype(np.float32),
        num_clips=3 * count,
    )


EVENT = np.random.default_rng(2).normal(size=DIM).astype(np.float32)
SHORT = np.array([0])


def query_of(actions=0, entities=1):
    phrases = np.ones((actions + entities, DIM), np.float32)
    return QueryEmbeddings(event=EVENT, action=phrases[:actions], entity=phrases[actions:])


def log_normal(values, covariance):
    return -0.5 * (values @ np.linalg.inv(covariance) @ values + np.log(np.linalg.det(2 * np.pi * covariance)))


def test_evidence_is_how_much_likelier_the_two_are_together_than_apart(calibration):
    gaussian = calibration.gaussian
    x, y = gaussian.text(EVENT[None]), gaussian.clip(rivals_of(4).events)
    for row, clip in enumerate(y):
        expected = sum(
            log_normal(np.array([one, other]), np.array([[1, rho], [rho, 1]]))
            - log_normal(np.array([one]), np.eye(1))
            - log_normal(np.array([other]), np.eye(1))
            for one, other, rho in zip(x[0], clip, gaussian.correlations, strict=True)
        )
        assert gaussian.evidence(x, y)[row, 0] == pytest.approx(expected, abs=1e-4)


def test_features_are_those_of_the_equations(calibration):
    rivals, gaussian = rivals_of(8), calibration.gaussian
    x, y = gaussian.text(EVENT[None]), gaussian.clip(rivals.events)
    evidence = gaussian.evidence(x, y)[:, 0].astype(float)
    says = np.array(
        [
            own
            - np.log(np.mean(np.exp(gaussian.evidence(calibration.text_bank, y[row : row + 1])[0].astype(float))))
            for row, own in enumerate(evidence)
        ]
    )
    bank = gaussian.evidence(x, calibration.clip_bank)[:, 0].astype(float)
    features = calibration.features(EVENT, rivals, np.array([0, 5]))
    for found, place in zip(features, (0, 5), strict=True):
        others = [row for row in range(8) if row != place]
        best = sorted(rivals.scores[others])[-4:]
        assert found == pytest.approx(
            [
                np.log(24),
                np.linalg.norm(x),
                says[place] - np.log(sum(np.exp(says[row]) for row in others)),
                rivals.scores[place] - np.mean(best),
                says[place],
                evidence[place] - np.log(np.mean(np.exp(bank))),
                np.log(np.mean(bank >= evidence[place]) + 1 / 20),
                rivals.actions[place],
                rivals.actions[place] / 0.05 - np.log(sum(np.exp(rivals.actions[row] / 0.05) for row in others)),
            ],
            abs=1e-4,
        )


def test_a_hit_is_judged_alike_however_many_are_asked_for(calibration):
    every = calibration.features(EVENT, rivals_of(8), np.arange(8))
    np.testing.assert_array_equal(calibration.features(EVENT, rivals_of(8), np.array([3]))[0], every[3])


def test_the_one_video_of_a_library_has_a_confidence(calibration):
    features = calibration.features(EVENT, rivals_of(1), np.array([0]))
    missing = [COLUMN["posterior"], COLUMN["margin"], COLUMN["action_odds"]]
    assert np.isnan(features[0, missing]).all()
    filled = features.copy()
    filled[0, missing] = calibration.means[missing]
    assert calibration.confidences(features, SHORT) == calibration.confidences(filled, SHORT)
    assert 0 < calibration.confidences(features, SHORT)[0] < 1


def test_a_question_without_a_verb_has_no_odds_by_its_actions(calibration):
    rivals = attrs.evolve(rivals_of(4), actions=np.zeros(4))
    (features,) = calibration.features(EVENT, rivals, np.array([0]))
    assert np.flatnonzero(np.isnan(features)).tolist() == [COLUMN["action_odds"]]


@attrs.frozen
class Match:
    video: str
    levels: PerLevel[float | None]


def matches_of(videos, rivals):
    levels = PerLevel(event=0.1, action=None, entity=None)
    return Matches([Match(video, levels) for video in videos], exact=True, rivals=rivals)


def test_two_moments_of_a_video_are_judged_as_that_video(calibration):
    confidences, _ = calibration.judge(query_of(), matches_of(["2.mp4", "0.mp4", "2.mp4"], rivals_of(4)))
    assert confidences[0] == confidences[2] != confidences[1]


def test_an_answer_matches_if_its_first_hit_does(calibration):
    rivals = rivals_of(4)
    first = calibration.features(EVENT, rivals, np.array([0]))
    value = calibration.matching(first, SHORT)[0]
    for constant, expected in ((0.1, True), (-0.1, False)):
        weights = calibration.match.copy()
        weights[0, -1] += constant - value
        judged = attrs.evolve(calibration, match=weights).judge(query_of(), matches_of(["0.mp4", "1.mp4"], rivals))
        assert judged[1] is expected
    assert calibration.judge(query_of(), matches_of([], rivals)) == ([], False)


def test_a_question_of_one_node_that_says_next_to_nothing_is_not_denied(calibration):
    features = np.full((1, len(FEATURES)), np.nan)
    denying = attrs.evolve(calibration, match=np.full_like(calibration.match, -1.0))
    features[0, FEATURES.index("strength")] = 0.69 * RANK**0.5
    one_node, more = np.array([0]), np.array([2])
    assert denying.matching(features, one_node)[0] == 0
    assert denying.matching(features, more)[0] < 0
    features[0, FEATURES.index("strength")] = 0.71 * RANK**0.5
    assert denying.matching(features, one_node)[0] < 0


def test_a_question_is_judged_by_the_weights_of_its_length(calibration):
    queries = [query_of(0, 0), query_of(1, 0), query_of(0, 2), query_of(1, 2), query_of(4, 4)]
    assert lengths_of(queries).tolist() == [0, 0, 1, 2, 2]
    matches = matches_of(["0.mp4", "1.mp4"], rivals_of(4))
    features = calibration.features(EVENT, matches.rivals, np.arange(2))
    for query, length in zip(queries, (0, 0, 1, 2, 2), strict=True):
        weights = calibration.right[length]
        expected = 1 / (1 + np.exp(-(features @ weights[:-1] + weights[-1])))
        assert calibration.judge(query, matches)[0] == pytest.approx(expected.tolist())


# files ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(transformer, tmp_path):
    text = SentenceTextEncoder(reader=transformer.reader(), embed_dim=4)
    return HgrModel(text=text, video=VideoEncoder(feature_dim=1, embed_dim=4)).save(tmp_path / "model")


def test_a_calibration_comes_back_from_its_file(calibration, tmp_path):
    calibration.save(tmp_path, fingerprint="this")
    again = Calibration.read(tmp_path, fingerprint="this")
    for name in ("clip_bank", "text_bank", "means", "right", "match"):
        np.testing.assert_array_equal(getattr(again, name), getattr(calibration, name))
    for name, array in attrs.asdict(calibration.gaussian).items():
        np.testing.assert_array_equal(getattr(again.gaussian, name), array)
    assert again.about == calibration.about


def test_a_calibration_does_not_change_what_model_it_is(calibration, folder):
    before = model_fingerprint(folder)
    assert LoadedModel.load(folder).calibration is None
    calibration.save(folder, fingerprint=before)
    loaded = LoadedModel.load(folder)
    assert loaded.fingerprint == before
    assert loaded.calibration is not None
    assert loaded.query_side.embed_dim == loaded.model.embed_dim == 4


def changed(path, **changes):
    """The file with other arrays or another text beside them."""
    with safe_open(path, "numpy") as file:
        told, arrays = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    for name, value in changes.items():
        (told if name in told else arrays)[name] = value
    save_file({name: array for name, array in arrays.items() if array is not None}, path, metadata=told)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "another"}, "other weights"),
        ({"format": "0"}, "another release"),
        ({"features": "score"}, "another release"),
        ({"means": np.full(len(FEATURES), np.nan)}, "no finite number"),
        ({"right": np.zeros(len(FEATURES) + 1)}, "right should be"),
        ({"clip_map": np.zeros((DIM, RANK + 1), np.float16)}, "clip_map should be"),
        ({"clip_bank": None}, "not a calibration"),
        ({"clip_bank": np.zeros((3, RANK + 1), np.float16)}, "clip_bank should be"),
        ({"text_bank": np.zeros((0, RANK), np.float16)}, "text_bank should be"),
        ({"text_map": np.ones(RANK, np.float16)}, "text_map should have two axes"),
        ({"correlations": np.ones(RANK, np.float16)}, "correlations should be below 1"),
        ({"about": "{"}, "cannot be read"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(calibration, tmp_path, changes, message):
    changed(calibration.save(tmp_path, fingerprint="this"), **changes)
    with pytest.raises(CheckpointError, match=message):
        Calibration.read(tmp_path, fingerprint="this")


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / CALIBRATION_FILE).write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match=r"cannot be read.*calibrate again"):
        Calibration.read(tmp_path, fingerprint="this")
