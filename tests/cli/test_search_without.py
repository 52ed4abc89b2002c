"""What `hgrkit search --without` takes and says."""

from __future__ import annotations

import pytest

from hgrkit import Retriever
from hgrkit.library import Entry, VideoRecord
from hgrkit.testing.store_contract import random_clip

NOTE = "Excluded: 'a cat', 'the rain'; clips that show them rank lower."


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """Random clips of the default model's size."""
    folder = tmp_path_factory.mktemp("without") / "library"
    with Retriever.create(folder, device="cpu") as retriever:
        dim = retriever.library.manifest.embed_dim
        retriever.library.add_all(
            [
                Entry(
                    VideoRecord(path=f"/{number:02}.mp4", content="", size=1, mtime_ns=1),
                    [random_clip(number, embed_dim=dim)],
                )
                for number in range(20)
            ]
        )
    return folder


def test_phrases_are_excluded_and_their_similarities_are_said(hgrkit, library):
    asked = ("search", "a dog runs", "--library", library, "-k", 20)
    excluding = (*asked, "--without", "a cat", "--without", "the rain")
    text, record = hgrkit(*excluding), hgrkit(*excluding, "--json").json
    assert text.err.splitlines() == record["notes"] == [NOTE]
    for hit in record["hits"]:
        assert [(phrase["text"], phrase["node_ids"]) for phrase in hit["excluded"]] == [
            ("a cat", []),
            ("the rain", []),
        ]
        assert f"not: a cat {hit['excluded'][0]['similarity']:+.2f} at " in text.out
    plain = hgrkit(*asked, "--json").json
    assert plain["notes"] == []
    assert all(hit["excluded"] == [] for hit in plain["hits"])
    before = {hit["video"]: hit["score"] for hit in plain["hits"]}
    for hit in record["hits"]:
        taken = sum(1.5 * max(phrase["similarity"], 0) for phrase in hit["excluded"])
        assert hit["score"] == pytest.approx(before[hit["video"]] - taken, abs=1e-6)


@pytest.mark.parametrize("phrase", ["", "  "])
def test_an_empty_phrase_is_refused_in_one_line(hgrkit, library, phrase):
    refused = hgrkit("search", "a dog runs", "--library", library, "--without", phrase)
    assert "without[0] is empty; name what you do not want to see, such as 'a car'." in refused.error
