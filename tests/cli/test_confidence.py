"""What `hgrkit search` says of how likely its hits are right."""

from __future__ import annotations

import pytest

from hgrkit import Retriever
from hgrkit.library import Entry, Library, VideoRecord
from hgrkit.results import NOTHING_MATCHES
from hgrkit.testing.store_contract import random_clip

QUESTION = "a dog runs in the park"


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """Random clips of the default model's size: nothing in them is to be seen."""
    path = tmp_path_factory.mktemp("libraries") / "random"
    with Retriever.create(path, device="cpu") as retriever:
        dim = retriever.library.manifest.embed_dim
    with Library.open(path, "w") as opened:
        clips = {number: random_clip(number, embed_dim=dim) for number in range(30)}
        opened.add_all(
            [
                Entry(VideoRecord(path=f"/{number:02}.mp4", content="", size=1, mtime_ns=1), [clip])
                for number, clip in clips.items()
            ]
        )
    return path


def test_what_does_not_match_is_said_first_and_what_is_nearest_listed(hgrkit, library):
    ran = hgrkit("search", QUESTION, "--library", library, "-k", 3)
    lines = ran.out.splitlines()
    assert lines[0] == f"{NOTHING_MATCHES}; these are the nearest clips"
    assert lines[1].startswith("  1  ")
    assert "%  " in lines[1]
    record = hgrkit("search", QUESTION, "--library", library, "-k", 3, "--json").json
    assert (record["matched"], len(record["hits"])) == (False, 3)


def test_unlikely_hits_are_left_out(hgrkit, library):
    asked = ("search", QUESTION, "--library", library)
    every = hgrkit(*asked, "--json").json["hits"]
    least = sorted(hit["confidence"] for hit in every)[5]
    kept = hgrkit(*asked, "--json", "--min-confidence", least).json["hits"]
    assert kept == [hit for hit in every if hit["confidence"] >= least]
    ran = hgrkit(*asked, "--min-confidence", 1)
    assert ran.out.splitlines() == [NOTHING_MATCHES, "no hit has a confidence of 1 or more"]
    assert ran.status == 0


def test_a_confidence_that_is_none_is_refused(hgrkit, library):
    assert "--min-confidence" in hgrkit("search", QUESTION, "--library", library, "--min-confidence", 2).error


def test_words_that_are_not_known_are_told_beside_the_hits(hgrkit, library):
    ran = hgrkit("search", "a flurbl in the park", "--library", library)
    assert "'flurbl'" in ran.err
    assert "flurbl'" not in ran.out
