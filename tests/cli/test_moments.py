"""Several moments of one video: what `hgrkit search --per-video` takes and prints."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from hgrkit import Retriever
from hgrkit.library import ClipEmbeddings, VideoRecord

QUESTION = "a dog runs in the park"


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """Three videos of the default model's size: six scenes of ten frames that lie apart, in clips of 20 frames."""
    folder, random = tmp_path_factory.mktemp("moments") / "library", np.random.default_rng(0)
    with Retriever.create(folder, device="cpu") as retriever:
        dim = retriever.library.manifest.embed_dim
        for name in ("a", "b", "c"):
            frames = np.repeat(random.normal(size=(6, dim)), 10, axis=0)
            clips = [
                ClipEmbeddings(
                    start_s=first / 2,
                    end_s=first / 2 + 10,
                    times_s=first / 2 + 0.25 + np.arange(20) / 2,
                    event=frames[first],
                    action=frames[first : first + 20],
                    entity=frames[first : first + 20],
                )
                for first in (0, 20, 40)
            ]
            retriever.library.add(VideoRecord(path=f"/{name}.mp4", content="", size=1, mtime_ns=1), clips)
    return folder


def test_moments_of_one_video_are_hits_of_their_own(hgrkit, library):
    asked = ("search", QUESTION, "--library", library, "--json")
    once, several = hgrkit(*asked).json["hits"], hgrkit(*asked, "--per-video", 3).json["hits"]
    assert [hit["video"] for hit in once] == list(dict.fromkeys(hit["video"] for hit in several))
    assert len(several) == 9
    assert [hit["rank"] for hit in several] == list(range(1, 10))
    for video in "abc":
        own = [hit for hit in several if hit["video"] == f"/{video}.mp4"]
        assert {key: own[0][key] for key in ("score", "levels", "phrases")} in (
            {key: hit[key] for key in ("score", "levels", "phrases")} for hit in once
        )
        spans = sorted((hit["start_s"], hit["end_s"]) for hit in own)
        assert all(before[1] <= after[0] for before, after in pairwise(spans))
        for hit in own[1:]:
            assert all(phrase["inside"] for phrase in hit["phrases"])
            assert all(hit["start_s"] <= time <= hit["end_s"] for time in hit["phrases"][0]["times_s"])
    assert len(hgrkit(*asked, "--per-video", 3, "-k", 4).json["hits"]) == 4


def test_a_phrase_says_whether_its_best_frame_lies_in_the_moment(hgrkit, library):
    result = hgrkit("search", QUESTION, "--library", library, "--json").json
    for hit in result["hits"]:
        for phrase in hit["phrases"]:
            best_s = phrase["times_s"][int(np.argmax(phrase["weights"]))]
            assert phrase["inside"] == (hit["start_s"] <= best_s <= hit["end_s"])


def test_the_text_lists_a_video_as_often_as_it_has_hits(hgrkit, library):
    lines = hgrkit("search", QUESTION, "--library", library, "--per-video", 2).out.splitlines()
    assert [sum(f"{video}.mp4" in line for line in lines) for video in "abc"] == [2, 2, 2]


def test_a_video_has_at_least_one_hit(hgrkit, library):
    assert "--per-video" in hgrkit("search", QUESTION, "--library", library, "--per-video", 0).error


def test_a_program_gets_the_same_hits(hgrkit, library):
    with Retriever.open(library) as retriever:
        found = retriever.search(QUESTION, 5, per_video=2)
    printed = hgrkit("search", QUESTION, "-l", library, "-k", 5, "--per-video", 2, "--json").json["hits"]
    assert found.to_dict()["hits"] == printed
