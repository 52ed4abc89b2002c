"""Reports and partially relevant retrieval on the command line, on small made-up libraries and features."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hgrkit.library import ClipEmbeddings, VideoRecord
from hgrkit.retriever import Retriever

CAPTIONS = {
    "a.mp4": ["a dog runs", "a brown dog runs on the grass"],
    "b.mp4": ["a man sings", "a dog <i>runs</i>"],
    "c.mp4": ["two cats sleep on a sofa"],
}
MOMENTS = """\
v0 0.0 6.0##a dog runs on the grass.
v0 6.0 14.0##a man sings.
v1 1.0 5.0##two cats sleep on a sofa.
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A library of four videos with captions, and a benchmark of two with their features."""
    folder = tmp_path_factory.mktemp("report")
    random = np.random.default_rng(0)
    with Retriever.create(folder / "library") as retriever:
        dim, feature_dim = retriever.library.manifest.embed_dim, retriever.model.feature_dim
        for name in "abcd":
            clip = ClipEmbeddings(
                start_s=0,
                end_s=2,
                times_s=[0.5, 1.5],
                event=random.normal(size=dim),
                action=random.normal(size=(2, dim)),
                entity=random.normal(size=(2, dim)),
            )
            record = VideoRecord(path=f"videos/{name}.mp4", content=f"sha256:{name}", size=1, mtime_ns=0)
            retriever.library.add(record, [clip])
    (folder / "captions.json").write_text(json.dumps(CAPTIONS))
    charades = folder / "charades-sta"
    charades.mkdir()
    (charades / "charades_sta_test.txt").write_text(MOMENTS)
    np.savez(folder / "features.npz", **{name: random.random((30, feature_dim)) for name in ("v0", "v1")})
    return folder


@pytest.fixture
def charades(hgrkit, folder):
    def run(*more):
        options = ("--annotations", folder, "--features", folder / "features.npz", "--resamples", 20)
        return hgrkit("evaluate", "--benchmark", "charades-sta", *options, "--allow-missing", *more)

    return run


def test_a_report_of_a_library_shows_the_worst_captions_and_their_phrases(hgrkit, folder, tmp_path):
    page = tmp_path / "report.html"
    options = ("--library", folder / "library", "--captions", folder / "captions.json", "--resamples", 20)
    ran = hgrkit("evaluate", *options, "--report", page, "--json")
    assert ran.status == 0
    assert ran.json == hgrkit("evaluate", *options, "--json").json  # the figures stay the same
    text = page.read_text(encoding="utf-8")
    assert "captions.json against library" in text
    assert "Worst captions" in text
    assert "on the grass" in text
    assert '<table class="pairs">' in text
    assert "By role" in text
    assert "<i>runs</i>" not in text


def test_a_report_of_a_benchmark_of_moments_shows_the_roles_and_ranks(charades, tmp_path):
    assert charades("--report", tmp_path / "report.html").status == 0
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "charades-sta" in text
    assert "ARG0" in text


def test_moments_without_lengths_give_ranks_and_say_what_is_not_measured(charades, folder):
    ran = charades("--json")
    assert ran.json["text_to_video"]["queries"] == 3
    assert ran.json["moments"] is None
    assert ran.json["baselines"] == {}
    assert "lengths" in ran.err


def test_moments_stand_beside_those_of_fixed_windows(charades, folder):
    table = folder / "charades-sta" / "Charades_v1_test.csv"
    table.write_text("id,length\nv0,14.0\nv1,9.0\n")
    try:
        measured, shown = charades("--json").json, charades().out
    finally:
        table.unlink()
    for system in (measured, measured["baselines"]["fixed_windows"]):
        assert set(system["moments"]) == {"right_video", "corpus"}
        assert system["moments"]["right_video"]["queries"] == 3
        assert {"R@1", "R@5", "R@10", "R@100", "SumR"} <= set(system["text_to_video"])
        for name, found in system["intervals"]["right_video_moments"].items():
            assert found["interval"][0] <= found["value"] <= found["interval"][1], name
    assert "right video moments R@1 IoU=0.5" in shown
    assert "fixed windows" in shown


def test_ranks_of_partially_relevant_retrieval_are_written(charades, tmp_path):
    charades("--ranks", tmp_path / "ranks.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "ranks.jsonl").read_text().splitlines()]
    assert [line["video"] for line in lines] == ["v0", "v0", "v1"]
    assert {line["candidates"] for line in lines} == {2}


def test_options_that_do_not_go_with_moments_or_reports_are_named(charades, hgrkit, tmp_path):
    assert "--baselines" in charades("--baselines").error
    assert "--protocol" in charades("--protocol", "released").error
    release = ("--release", tmp_path, "--model", "default")
    assert "--report" in hgrkit("evaluate", *release, "--report", "x.html").error


def test_a_report_without_a_folder_is_refused_before_anything_is_measured(charades, tmp_path):
    assert "there is no folder" in charades("--report", tmp_path / "no" / "report.html").error
