"""`hgrkit tune` on real clips: what it prints, keeps and undoes."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from hgrkit import Retriever
from hgrkit.errors import ConfigError


@pytest.fixture(scope="module")
def library(msvd_library, tmp_path_factory):
    """A copy of the clips' library that may be changed."""
    return shutil.copytree(msvd_library, tmp_path_factory.mktemp("tuned") / "library")


@pytest.fixture(scope="module")
def captions(msvd, tmp_path_factory):
    """One caption of each of twenty clips."""
    read = json.loads((msvd / "captions.json").read_text())
    path = tmp_path_factory.mktemp("captions") / "captions.json"
    path.write_text(json.dumps({name: texts[:1] for name, texts in sorted(read.items())[:20]}))
    return path


def test_a_dry_run_measures_and_keeps_nothing(hgrkit, library, captions):
    found = hgrkit("tune", library, "--captions", captions, "--dry-run", "--json").json
    assert (found["captions"], found["videos"], found["among"], found["saved"]) == (20, 20, 98, False)
    assert found["measures"].keys() == {"before", "event only", "tuned"}
    low, high = found["measures"]["before"]["R@1"]["interval"]
    assert 0 <= low <= found["measures"]["before"]["R@1"]["value"] <= high <= 100
    assert hgrkit("info", library, "--json").json["manifest"]["level_weights"] is None


def test_searches_use_what_is_kept_until_it_is_reset(hgrkit, library, captions, monkeypatch):
    before = hgrkit("search", "a man plays a guitar", "--library", library, "--json").json
    # every fold finds the third of the tried weights best: this is about what becomes of them
    monkeypatch.setattr("hgrkit.library.tuning._best", lambda gains: 30)
    monkeypatch.setattr(
        "hgrkit.library.tuning._tried", lambda before: [before, (1.0, 0.0, 0.0)] * 15 + [(1, 1, 8)]
    )
    monkeypatch.setattr("hgrkit.library.tuning._ranks", lambda _, queries, *others: _third_is_best(len(queries)))
    said = hgrkit("tune", library, "--captions", captions)
    assert "tuned: finds more" in said.out
    assert "searches now use 1 1 8" in said.out
    assert hgrkit("info", library, "--json").json["manifest"]["level_weights"] == [1, 1, 8]
    after = hgrkit("search", "a man plays a guitar", "--library", library, "--json").json
    first = after["hits"][0]
    levels = first["levels"]
    expected = (levels["event"] + levels["action"] + 8 * levels["entity"]) / 10
    assert first["score"] == pytest.approx(expected, abs=1e-5)
    assert first["score"] != pytest.approx(before["hits"][0]["score"], abs=1e-5)
    assert 0 <= first["confidence"] <= 1
    with Retriever.open(library, device="cpu") as retriever:
        assert retriever.level_weights == (1, 1, 8)
        tuned = retriever.scores(["a man plays a guitar"])
        assert (tuned == retriever.scores(["a man plays a guitar"], level_weights=(1, 1, 8))).all()
    assert "the model's own" in hgrkit("tune", library, "--reset").out
    again = hgrkit("search", "a man plays a guitar", "--library", library, "--json").json
    assert again["hits"] == before["hits"]


def _third_is_best(count):
    ranks = np.full((31, count), 5)
    ranks[30] = 1
    return ranks


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "tune needs captions, or --reset"),
        (("--captions", "{captions}", "--reset"), "tune needs captions, or --reset"),
        (("--captions", "{few}"), "at least 10 videos, got 1"),
        (("--captions", "{strange}"), "1 of 1 videos are not in the library, first 'elsewhere.mp4'"),
        (("--captions", "nowhere.json"), "nowhere.json"),
    ],
)
def test_what_cannot_be_tuned_is_said_in_one_line(hgrkit, library, captions, tmp_path, arguments, message):
    name, texts = next(iter(json.loads(captions.read_text()).items()))
    few, strange = tmp_path / "few.json", tmp_path / "strange.json"
    few.write_text(json.dumps({name: texts}))
    strange.write_text(json.dumps({"elsewhere.mp4": texts}))
    files = {"captions": captions, "few": few, "strange": strange}
    assert message in hgrkit("tune", library, *(text.format(**files) for text in arguments)).error


def test_a_library_that_was_opened_to_read_is_not_tuned(library, captions):
    with (
        Retriever.open(library, device="cpu") as retriever,
        pytest.raises(ConfigError, match="mode='w' to tune"),
    ):
        retriever.tune(json.loads(captions.read_text()))
