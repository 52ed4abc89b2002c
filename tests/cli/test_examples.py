"""The commands that take an example, describe a video and list duplicates: answers, and what they refuse."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from hgrkit.indexing.parts import Parts
from hgrkit.library.library import Library
from hgrkit.library.records import ClipEmbeddings, VideoRecord
from hgrkit.model.loaded import LoadedModel
from hgrkit.model.trust import remember_parts
from tests.test_retriever import save_random_model


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Three videos of random vectors, two of them equal; a library that has no frame encoder."""
    folder = tmp_path_factory.mktemp("examples")
    model = save_random_model(folder / "model")
    manifest = Parts.choose(LoadedModel.load(model), frame_encoder="features").manifest
    remember_parts(manifest)
    with Library.create(folder / "lib", manifest) as library:
        for name, seed in (("a.mp4", 1), ("b.mp4", 2), ("copy.mp4", 1)):
            rng = np.random.default_rng(seed)
            event, action, entity = (rng.normal(size=shape) for shape in (16, (6, 16), (6, 16)))
            times_s = np.arange(6) + 0.5
            clip = ClipEmbeddings(start_s=0, end_s=6, times_s=times_s, event=event, action=action, entity=entity)
            record = VideoRecord(path=f"/v/{name}", content=name, size=1, mtime_ns=0, duration_s=6)
            library.add(record, [clip])
    return folder


@pytest.fixture
def folder(made, tmp_path, monkeypatch):
    shutil.copytree(made, tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    (tmp_path / "work" / "sentences.txt").write_text(
        "a dog runs\n\na woman sleeps\nthe red ball\n", encoding="utf-8"
    )
    return tmp_path / "work"


@pytest.mark.usefixtures("folder")
class TestSearch:
    def test_an_example_alone_is_answered_as_json(self, hgrkit):
        answer = hgrkit("search", "--library", "lib", "--like", "/v/a.mp4", "--k", 2, "--json").json
        assert (answer["query"], answer["graph"], answer["like"]) == ("", None, "/v/a.mp4")
        assert [hit["video"] for hit in answer["hits"]] == ["/v/a.mp4", "/v/copy.mp4"]
        assert all(hit["phrases"] == [] for hit in answer["hits"])

    def test_a_part_is_named_after_an_at_sign(self, hgrkit):
        whole, part = (
            hgrkit("search", "-l", "lib", "--like", like, "--json").json for like in ("/v/b.mp4", "/v/b.mp4@1-2")
        )
        assert set(whole["hits"][0]["levels"].values()) == {None}
        assert whole["hits"][0]["likeness"] == whole["hits"][0]["score"] > 0.9
        assert part["hits"][0]["video"] == "/v/b.mp4"
        assert part["hits"][0]["start_s"] <= 1.5 <= part["hits"][0]["end_s"]

    def test_words_beside_an_example_keep_their_phrases(self, hgrkit):
        printed = hgrkit("search", "a dog runs", "-l", "lib", "--like", "/v/a.mp4", "--k", 1).out
        assert "a dog ARG0" in printed
        assert "like the example +" in printed

    def test_an_example_alone_is_shown_as_text(self, hgrkit):
        (line,) = hgrkit("search", "-l", "lib", "--like", "/v/a.mp4", "--k", 1).out.splitlines()
        assert line.split()[:1] == ["1"]
        assert line.split()[2] == "/v/a.mp4"

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ([], "search needs TEXT, or an example with --like"),
            (["--like", "gone.jpg"], "there is no file 'gone.jpg'"),
            (["--like", "picture.png"], "made of files of frame features"),
            (["--like", "/v/a.mp4@5-9"], "is 6.0 s long"),
            (["--like", "/v/a.mp4@5-2"], "must begin before it ends"),
            (["--like", "/v/a.mp4", "--html", "why.html"], "give TEXT beside --like"),
            (["--like", "/v/a.mp4", "--png", "why.png"], "give TEXT beside --like"),
            (["--like", "/v/a.mp4", "--thumbnails"], "give TEXT beside --like"),
        ],
        ids=str,
    )
    def test_what_cannot_be_asked_is_told_in_one_line(self, hgrkit, arguments, words):
        Image.new("RGB", (8, 8)).save("picture.png")
        assert words in hgrkit("search", "-l", "lib", *arguments).error


@pytest.mark.usefixtures("folder")
class TestDescribe:
    def test_sentences_are_ranked(self, hgrkit):
        answer = hgrkit("describe", "lib", "/v/a.mp4", "--sentences", "sentences.txt", "--json").json
        assert sorted(one["sentence"] for one in answer["sentences"]) == [
            "a dog runs",
            "a woman sleeps",
            "the red ball",
        ]
        scores = [one["score"] for one in answer["sentences"]]
        assert scores == sorted(scores, reverse=True)
        lines = hgrkit("describe", "lib", "/v/a.mp4", "--sentences", "sentences.txt", "--k", 2).out.splitlines()
        assert [answer["sentences"][place]["sentence"] in line for place, line in enumerate(lines)] == [True, True]

    @pytest.mark.parametrize(
        ("video", "text", "words"),
        [
            ("/v/a.mp4", b"", "has no sentences"),
            ("/v/a.mp4", b" \n\n", "has no sentences"),
            ("/v/a.mp4", b"\xff\xfe\x00", "is not UTF-8 text"),
            ("/v/a.mp4", None, "give a file with one sentence a line"),
            ("/v/gone.mp4", b"a dog", "no such video in the library"),
        ],
        ids=["empty", "blank", "binary", "missing", "no video"],
    )
    def test_what_cannot_be_described_is_told_in_one_line(self, hgrkit, folder, video, text, words):
        if text is not None:
            (folder / "asked.txt").write_bytes(text)
        assert words in hgrkit("describe", "lib", video, "--sentences", "asked.txt").error


@pytest.mark.usefixtures("folder")
class TestDuplicates:
    def test_groups_are_listed(self, hgrkit):
        (group,) = hgrkit("duplicates", "lib", "--json").json["groups"]
        assert [video["path"] for video in group["videos"]] == ["/v/a.mp4", "/v/copy.mp4"]
        assert group["similarity"] == pytest.approx(1, abs=1e-3)
        printed = hgrkit("duplicates", "lib").out
        assert "/v/copy.mp4" in printed
        assert "groups 1, videos in them 2" in printed

    def test_a_library_without_duplicates_says_so(self, hgrkit):
        hgrkit("remove", "lib", "/v/copy.mp4")
        assert hgrkit("duplicates", "lib").out == "no near-duplicates found\n"
        assert json.loads(hgrkit("duplicates", "lib", "--json").out) == {"groups": []}

    def test_a_threshold_out_of_its_range_is_refused(self, hgrkit):
        assert "threshold" in hgrkit("duplicates", "lib", "--threshold", "2").error

    def test_a_missing_library_is_named(self, hgrkit):
        assert "nowhere" in hgrkit("duplicates", "nowhere").error
