"""The record of why: the search's own numbers, film strips that go with them, and what spoke against a hit."""

from __future__ import annotations

import json

import attrs
import pytest

from hgrkit.errors import ConfigError
from hgrkit.pages import hit_explanation
from hgrkit.pages.explanation import explain_result
from tests.pages.sample import result_over


def test_an_explanation_repeats_the_numbers_of_the_search(explanation):
    searched, explained = explanation.result.to_dict(), explanation.to_dict()
    more = {"strip", "nodes", "weakest", "note"}
    hits = [{key: value for key, value in hit.items() if key not in more} for hit in explained["hits"]]
    assert {**explained, "hits": hits} == searched
    json.dumps(explained)


def test_a_strip_shows_the_best_frame_of_every_phrase(explanation):
    for explained in explanation.hits:
        shown = {frame.time_s for frame in explained.strip}
        assert {phrase.best_time_s for phrase in explained.hit.phrases} <= shown


def test_a_long_clip_gets_twelve_frames_with_the_best_ones_among_them(video):
    (explained,) = explain_result(result_over(video, num_frames=60)).hits
    assert len(explained.strip) == 12
    assert {phrase.best_time_s for phrase in explained.hit.phrases} <= {frame.time_s for frame in explained.strip}


def test_a_frame_names_the_phrases_that_it_bears_on(explanation):
    strip = explanation.hits[0].strip
    assert [frame.phrases for frame in strip] == [(), (0,), (), (1,), (), (2,), (), (3,)]


def test_phrases_know_their_nodes_even_if_the_model_left_some_out(video):
    result = result_over(video)
    phrases = result.hits[0].phrases
    fewer = attrs.evolve(result, hits=(attrs.evolve(result.hits[0], phrases=(phrases[0], phrases[2])),))
    assert explain_result(result).hits[0].nodes == (3, 5, 8, 9)
    assert explain_result(fewer).hits[0].nodes == (3, 8)


def test_the_least_similar_phrase_spoke_against_a_hit(explanation):
    assert explanation.hits[0].weakest.similarity == -0.125
    assert explanation.to_dict()["hits"][0]["weakest"] == 2


def test_the_moment_covers_the_times_inside_it(explanation):
    explained = explanation.hits[0]
    start, stop = explained.moment
    assert explained.times_s[start:stop] == (0.75, 1.25, 1.75)


def test_a_hit_whose_video_is_gone_is_explained_without_pictures(explanation):
    here, gone = explanation.hits
    assert all(frame.jpeg is not None for frame in here.strip)
    assert all(frame.jpeg is None for frame in gone.strip)
    assert here.note == ""
    assert "no longer" in gone.note


def test_a_question_without_phrases_still_has_a_film_strip(video):
    result = result_over(video)
    bare = attrs.evolve(result, hits=(attrs.evolve(result.hits[0], phrases=()),))
    explanation = explain_result(bare, num_frames=3)
    (explained,) = explanation.hits
    assert [frame.time_s for frame in explained.strip] == pytest.approx([0.75, 1.25, 1.75])
    assert explained.weakest is None
    assert "<article" in explanation.to_html()


def test_each_video_is_read_once(video, monkeypatch):
    read = []
    monkeypatch.setattr(
        hit_explanation,
        "read_pictures",
        lambda path, times_s, decoder, **_: read.append(path) or ((None,) * len(times_s), ""),
    )
    explanation = explain_result(result_over(video, video.with_name("other.mp4")))
    explanation.to_html()
    assert read == [hit.video for hit in explanation.result.hits]


def test_files_are_named_after_what_they_are(explanation, tmp_path):
    explanation.save(tmp_path / "why.HTML")
    assert (tmp_path / "why.HTML").read_text("utf-8") == explanation.to_html()
    with pytest.raises(ConfigError, match=r"why\.gif"):
        explanation.save(tmp_path / "why.gif")


def test_a_strip_has_at_least_one_frame(video):
    with pytest.raises(ConfigError, match="num_frames must be at least 1, got 0"):
        explain_result(result_over(video), num_frames=0)
