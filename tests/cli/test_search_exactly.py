"""How many clips a search compares: what `hgrkit search` and `hgrkit info` take and say."""

from __future__ import annotations

import pytest

from hgrkit import Retriever
from hgrkit.library import Entry, Library, VideoRecord
from hgrkit.testing.store_contract import random_clip

APPROXIMATE = "Approximate: the nearest clips were compared; --exact-search compares every one."
QUESTION = "a dog runs in the park"
CLIPS = 60


def record(path):
    return VideoRecord(path=path, content="", size=1, mtime_ns=1)


@pytest.fixture(scope="module")
def libraries(tmp_path_factory):
    """Random clips of the default model's size, all of them and in two halves."""
    folder = tmp_path_factory.mktemp("libraries")
    with Retriever.create(folder / "all", device="cpu") as retriever:
        manifest = retriever.library.manifest
    for name, numbers in {
        "all": range(CLIPS),
        "even": range(0, CLIPS, 2),
        "odd": range(1, CLIPS, 2),
    }.items():
        made = Library.open(folder / name, "w") if name == "all" else Library.create(folder / name, manifest)
        with made as library:
            clips = {number: random_clip(number, embed_dim=manifest.embed_dim) for number in numbers}
            library.add_all([Entry(record(f"/{number:02}.mp4"), [clip]) for number, clip in clips.items()])
    return folder


def videos(result):
    return [hit["video"] for hit in result["hits"]]


def test_a_search_says_when_its_answer_is_approximate(hgrkit, libraries):
    asked = ("search", QUESTION, "--library", libraries / "all", "-k", 3)
    assert APPROXIMATE not in hgrkit(*asked).err
    few = hgrkit(*asked, "--candidates", 3)
    assert few.err.splitlines()[-1] == APPROXIMATE
    assert APPROXIMATE not in few.out
    assert APPROXIMATE not in hgrkit(*asked, "--candidates", 3, "--exact-search").err


def test_json_says_whether_an_answer_is_exact(hgrkit, libraries):
    asked = ("search", QUESTION, "--library", libraries / "all", "-k", 5, "--json")
    every, few = hgrkit(*asked).json, hgrkit(*asked, "--candidates", 5)
    assert (every["exact"], few.json["exact"], few.err) == (True, False, "")
    assert videos(every) != videos(few.json)
    again = hgrkit(*asked, "--candidates", 5, "--exact-search").json
    assert again["exact"]
    assert again["hits"] == every["hits"]
    assert hgrkit(*asked, "--candidates", CLIPS).json["hits"] == every["hits"]


def test_several_libraries_answer_as_one_that_holds_all_videos(hgrkit, libraries):
    for options in ((), ("--candidates", 7)):
        asked = ("search", QUESTION, "-k", 5, "--json", *options)
        whole = hgrkit(*asked, "--library", libraries / "all").json
        joined = hgrkit(*asked, "--library", libraries / "even", "--library", libraries / "odd").json
        assert (joined["hits"], joined["exact"]) == (whole["hits"], whole["exact"])


def test_candidates_are_at_least_one(hgrkit, libraries):
    assert "--candidates" in hgrkit("search", QUESTION, "-l", libraries / "all", "--candidates", 0).error


def test_info_measures_recall_when_it_is_asked(hgrkit, libraries, monkeypatch):
    library = libraries / "all"
    assert "recall" not in hgrkit("info", library, "--json").json
    assert hgrkit("info", library, "--recall", "--json").json["recall"] == {
        "recall": 1.0, "k": 10, "num_queries": 50, "missed": 0, "num_candidates": CLIPS, "num_clips": CLIPS,
        "exact": True,
    }  # fmt: skip
    monkeypatch.setattr("hgrkit.library.scoring.EXHAUSTIVE_UP_TO", 10)
    monkeypatch.setattr("hgrkit.library.scoring._LEAST_CANDIDATES", 12)
    measured = hgrkit("info", library, "--recall", "--json").json["recall"]
    assert (measured["exact"], measured["num_candidates"]) == (False, 12)
    assert 0 < measured["recall"] < 1
    told = dict(line.split(maxsplit=1) for line in hgrkit("info", library, "--recall").out.splitlines())
    assert told["recall@10"].startswith(f"{measured['recall']:.4f} (50 questions")
    assert told["compared"] == f"12 of {CLIPS} clips are compared at every level"


def test_info_names_what_compares_clips(hgrkit, libraries, monkeypatch):
    monkeypatch.setenv("HGRKIT_KERNEL", "numpy")
    assert hgrkit("info", libraries / "all", "--json").json["kernel"] == "numpy"
    told = [line.split() for line in hgrkit("info", libraries / "all").out.splitlines()]
    assert ["kernel", "numpy"] in told
